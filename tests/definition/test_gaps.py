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


def test_cdnow_gaps_are_the_published_ones(cdnow):
    ended = cdnow.filter("ended")["silent_days"] + 1

    assert (ended.len(), round(ended.mean(), 3)) == (4_339, 70.861)
    shares = (0.5, 0.75, 0.8, 0.9, 0.95, 0.99)
    found = [ended.quantile(share, "linear") for share in shares]
    assert found == pytest.approx([34, 90.5, 117, 196, 279, 407])


@pytest.mark.parametrize(("after", "within"), [(0, 5), (10, 5), (50, 30), (90, 30)])
def test_a_planted_chance_to_come_back_is_found(after, within):
    found = gaps.of(planted.activity(20_000, 1), planted.churn(60), planted.LAST_DAY)
    silent = pl.col("silent_days")
    lasted = found.filter(silent >= after, pl.col("day") + after + within <= planted.LAST_DAY)
    share = lasted.filter("ended", silent < after + within).height / lasted.height
    assert share == pytest.approx(planted.returning(after, within), abs=0.02)
