"""Silences by hand, on CDNOW's published figures and on customers with a planted chance."""

from datetime import date

import planted_silences as planted
import polars as pl
import pytest
from drawing import drawn

from retention.book import Churn
from retention.definition import gaps
from retention.tables import calendar
from retention_demo import readers

SNAPSHOT = calendar.day_of(date(1998, 6, 30))


@pytest.fixture(scope="module")
def cdnow() -> pl.DataFrame:
    events = readers.cdnow("CDNOW_sample.txt")["events"].collect()
    days = events.select("customer_id", "kind", day=pl.col("at").cast(pl.Int32).cast(pl.Int64))
    return gaps.of(days, planted.churn(180), SNAPSHOT)


def test_a_silence_follows_every_active_day():
    activity = drawn("""
        | customer_id | day | kind     |
        | b           | 12  | purchase |
        | a           | 14  | purchase |
        | a           | 10  | purchase |
        | a           | 10  | order    |
        | a           | 12  | visit    |
        | a           | 15  | purchase |
        | a           | 21  | purchase |
    """)
    churn = Churn(kind="activity", activity=["purchase", "order"], after_days=5)

    assert gaps.of(activity, churn, 20).rows() == [
        ("a", 10, 3, True),
        ("a", 14, 0, True),
        ("a", 15, 5, False),
        ("b", 12, 8, False),
    ]


def test_a_contract_book_has_none():
    nothing = gaps.of(planted.days(a=[1, 2]), Churn(kind="contract", after_days=30), 20)

    assert nothing.is_empty()
    assert gaps.shares_back(nothing, 20).is_empty()


def test_cdnow_gaps_are_the_published_ones_and_mislead(cdnow, monkeypatch):
    monkeypatch.setattr(gaps, "SHARES", (0.5, 0.75, 0.8, 0.9, 0.95, 0.99))
    ended = cdnow.filter("ended")["silent_days"] + 1

    exhibit = gaps.percentiles(planted.refresh(180, SNAPSHOT), cdnow)
    found = exhibit.table

    assert (ended.len(), round(ended.mean(), 3)) == (4_339, 70.861)
    assert found["gap_days"].to_list() == pytest.approx([34, 90.5, 117, 196, 279, 407])
    assert found["n"].unique().to_list() == [2_357]
    assert (found["share_back"] < found["share_of_gaps"] - 0.25).all()
    assert (found["ci_lower"] < found["share_back"]).all()
    assert exhibit.headline(found.head(2)) == (
        "75% of gaps end within 90 days, but only 29% of first silences"
    )


def test_the_silence_after_the_first_active_day_by_hand():
    activity = planted.days(a=[0, 10, 11, 12], b=[30], c=[15, 45], d=[45], e=[50], f=[41])
    found = gaps.of(activity, planted.churn(20), 50)

    read = gaps.shares_back(found, 50)

    # gaps of 1, 1, 10 and 30 days; d and f are censored on days 5 and 9, b on 20, e has no day yet
    assert read["gap_days"].to_list() == pytest.approx([5.5, 18, 24, 27])
    assert read["share_back"].to_list() == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3])
    assert read["n"].unique().to_list() == [5]


def test_beyond_the_curve_no_share_is_claimed(monkeypatch):
    monkeypatch.setattr(gaps, "SHARES", (0.2, 0.9))
    found = gaps.of(planted.days(a=[0, 1, 2, 3, 49], b=[0, 2]), planted.churn(20), 50)

    read = gaps.shares_back(found, 50, least=2)

    assert read["gap_days"].to_list() == pytest.approx([1, 28.4])
    assert read["share_back"].to_list() == [0.5, None]


@pytest.mark.parametrize(("after", "within"), [(0, 5), (10, 5), (50, 30), (90, 30)])
def test_a_planted_chance_to_come_back_is_found(after, within):
    found = gaps.of(planted.activity(20_000, 1), planted.churn(60), planted.LAST_DAY)
    silent = pl.col("silent_days")
    lasted = found.filter(silent >= after, pl.col("day") + after + within <= planted.LAST_DAY)
    share = lasted.filter("ended", silent < after + within).height / lasted.height
    assert share == pytest.approx(planted.returning(after, within), abs=0.02)
