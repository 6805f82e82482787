"""Silences by hand, on CDNOW's published figures and on customers with a planted chance."""

from datetime import date

import numpy as np
import planted_silences as planted
import polars as pl
import pytest
from drawing import drawn

from retention.book import Churn
from retention.definition import gaps
from retention.tables import calendar, promises, rules
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
    curves = gaps.first_curves(nothing, 20)

    assert nothing.is_empty()
    assert gaps.returns(nothing, [], [30], 20).is_empty()
    assert gaps.returns(nothing, [7], [30], 20).is_empty()
    assert curves.is_empty()
    assert gaps.percentiles(nothing, curves).is_empty()
    assert gaps.gaps_headline(gaps.percentiles(nothing, curves)).startswith("Too few")


def test_cdnow_returns_are_the_published_ones(cdnow):
    found = gaps.returns(cdnow, [30, 60, 90, 120, 180, 270], [180], SNAPSHOT)

    assert found.select("after_days", "n", pl.col("share").round(4)).rows() == [
        (30, 3_724, 0.4178),
        (60, 2_968, 0.3174),
        (90, 2_618, 0.2681),
        (120, 2_375, 0.2333),
        (180, 1_974, 0.1662),
        (270, 1_579, 0.1064),
    ]
    assert (found["returned"] / found["n"]).equals(found["share"])
    assert found["ci_lower"].is_between(0, found["share"]).all()


def test_the_table_of_returns_keeps_its_promise(cdnow):
    promise = promises.PROMISES["returns_after_silence"]

    for found in (cdnow, cdnow.clear()):
        table = gaps.returns(found, [30, 60], [180, 30], SNAPSHOT)
        assert table.columns == list(promise.columns)
        assert rules.broken(table, promise) == []


def test_cdnow_gaps_are_the_published_ones_and_mislead(cdnow):
    ended = cdnow.filter("ended")["silent_days"] + 1
    curves = gaps.first_curves(cdnow, SNAPSHOT)
    shares = (0.5, 0.75, 0.8, 0.9, 0.95, 0.99)

    found = gaps.percentiles(cdnow, curves, shares)

    assert (ended.len(), round(ended.mean(), 3)) == (4_339, 70.861)
    assert found["gap_days"].to_list() == pytest.approx([34, 90.5, 117, 196, 279, 407])
    assert found["n"].unique().to_list() == [2_357]
    assert (found["share_back"] < found["share_of_gaps"] - 0.25).all()
    assert gaps.gaps_headline(found) == (
        "75% of completed gaps are over within 90 days, and 29% of first silences"
    )


def test_the_silence_after_the_first_active_day_by_hand():
    activity = planted.days(a=[0, 10, 11, 12], b=[30], c=[15, 45], d=[45], e=[50], f=[41])
    found = gaps.of(activity, planted.churn(20), 50)

    curves = gaps.first_curves(found, 50)

    steps = curves.filter(events=1).select("group", "duration_days", "at_risk", "survival")
    assert steps.rows() == [
        (gaps.ALL, 10, 3, pytest.approx(2 / 3)),  # d and f are censored on days 5 and 9, b on 20
        (gaps.ALL, 30, 1, 0),
        (gaps.ENDED, 10, 2, 0.5),
        (gaps.ENDED, 30, 1, 0),
    ]
    assert curves.filter(pl.col("at_risk") == 5)["group"].unique().to_list() == [gaps.ALL]


def test_beyond_the_curve_no_share_is_claimed():
    found = gaps.of(planted.days(a=[0, 1, 2, 3, 49], b=[0, 2]), planted.churn(20), 50)
    curves = gaps.first_curves(found, 50, least=2)

    read = gaps.percentiles(found, curves, [0.2, 0.9])

    assert read["gap_days"].to_list() == pytest.approx([1, 28.4])
    assert read["share_back"].to_list() == [0.5, None]


def test_a_planted_chance_to_come_back_is_found():
    found = gaps.of(planted.activity(20_000, 1), planted.churn(60), planted.LAST_DAY)

    returns = gaps.returns(found, [0, 10, 50, 90], [5, 30], planted.LAST_DAY, 0.999)

    assert returns.height == 8
    for row in returns.iter_rows(named=True):
        truth = planted.returning(row["after_days"], row["within_days"])
        assert row["ci_lower"] < truth < row["ci_upper"], row
        assert row["ci_upper"] - row["ci_lower"] < 0.05


def test_limits_are_those_of_drawing_customers_anew():
    """Silences of one customer are alike: some come back nearly always, others seldom."""
    rng = np.random.default_rng(2)
    loyal = rng.random(300) < 0.3
    of = np.where(loyal, rng.integers(5, 15, 300), 1)
    hits = rng.binomial(of, np.where(loyal, rng.choice([0.4, 0.95], 300), 0.2))
    bought = {
        f"c{number:03d}": np.cumsum([0] + [20] * hit + [200] * (n - hit)).tolist()
        for number, (n, hit) in enumerate(zip(of, hits, strict=True))
    }
    found = gaps.of(planted.days(**bought), planted.churn(10), 10_000)
    found = found.filter("ended")  # the last silence of each has no end

    [row] = gaps.returns(found, [10], [50], 10_000).iter_rows(named=True)

    assert (row["n"], row["returned"], row["customers"]) == (of.sum(), hits.sum(), 300)
    again = rng.integers(0, 300, (4_000, 300))
    shares = hits[again].sum(axis=1) / of[again].sum(axis=1)
    lower, upper = np.quantile(shares, [0.025, 0.975])
    assert row["ci_upper"] - row["ci_lower"] == pytest.approx(upper - lower, rel=0.1)
    naive = 2 * 1.96 * np.sqrt(row["share"] * (1 - row["share"]) / row["n"])
    assert row["ci_upper"] - row["ci_lower"] > 1.3 * naive


def test_where_all_or_none_come_back_the_limits_count_customers():
    found = gaps.of(planted.days(a=[0, 9, 18], b=[0, 9, 18], c=[0, 9, 18]), planted.churn(5), 27)

    [row] = gaps.returns(found, [5], [5], 27).iter_rows(named=True)

    assert (row["share"], row["ci_upper"]) == (1, 1)
    assert row["ci_lower"] == pytest.approx(3 / (3 + 1.959964**2))


def test_the_headline_says_the_books_own_window():
    table = drawn("""
        | after_days | within_days | share |
        | 30         | 90          | 0.4   |
        | 60         | 30          | 0.1   |
        | 60         | 90          | 0.25  |
    """)

    assert gaps.returns_headline(table, planted.churn(60)) == (
        "Of silences of 60 days, 25% end within 90 more"
    )
    assert "cannot be seen" in gaps.returns_headline(table, planted.churn(90))
