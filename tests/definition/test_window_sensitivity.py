"""What hangs on the window: first spells as the spells' own module makes them."""

import planted_silences as planted
import polars as pl
import pytest
from drawing import drawn

from retention.book import Churn
from retention.definition import window_sensitivity as sensitivity
from retention.stats import kaplan_meier
from retention.tables import spells

LAST = planted.LAST_DAY


def book(activity: pl.DataFrame, started: pl.DataFrame, after_days: int) -> pl.DataFrame:
    return spells.from_activity(
        activity, started, kinds=["purchase"], snapshot_day=LAST, after_days=after_days
    )


def refresh(after_days: int, activity: pl.DataFrame, stretches: pl.DataFrame, min_cell: int = 1):
    tables = {"activity": activity, "spells": stretches}
    return planted.refresh(after_days, LAST, min_cell, **tables)


def left(stretches: pl.DataFrame, day: int) -> float:
    first = stretches.filter(pl.col("spell") == 1, pl.col("excluded").is_null())
    curve = kaplan_meier.curve(
        first["duration_days"].to_numpy(), first["event_observed"].to_numpy()
    )
    return 1 - curve.filter(pl.col("duration_days") <= day)["survival"].last()


@pytest.fixture(scope="module")
def activity() -> pl.DataFrame:
    return planted.activity(3_000, 5)


@pytest.fixture(scope="module")
def known(activity) -> pl.DataFrame:
    return activity.group_by("customer_id").agg(started_day=pl.col("day").min())


def test_each_window_gives_the_curve_that_it_would_give_as_the_books_own(activity, known):
    late = activity.group_by("customer_id").agg(pl.col("day").min()).filter(pl.col("day") >= 90)
    later = activity.join(late, on="customer_id", how="semi")  # all starts known under all windows
    later = pl.concat([later, planted.days(c=[0])])
    stretches = book(later, known, 60)
    kept = stretches.filter(pl.col("spell") == 1, pl.col("excluded").is_null())
    mine = later.join(kept, on="customer_id", how="semi")

    lives = sensitivity.lives(refresh(60, later, stretches), [40, 90], [30, 60])

    assert lives.select("after_days", "by_days").rows() == [
        (window, day) for window in (40, 60, 90) for day in (30, 60)
    ]
    for row in lives.iter_rows(named=True):
        other = book(pl.concat([mine, planted.days(c=[0])]), known, row["after_days"])
        other = other.join(kept, on="customer_id", how="semi")
        assert row["share_gone"] == pytest.approx(left(other, row["by_days"]))
        assert row["ci_lower"] < row["share_gone"] < row["ci_upper"]
    by_sixty = lives.filter(by_days=60)["share_gone"].to_list()
    assert by_sixty == sorted(by_sixty, reverse=True)


def test_a_longer_window_leaves_more_starts_open(activity):
    unknown = activity.select("customer_id", started_day=pl.lit(None, pl.Int64)).unique()
    stretches = book(activity, unknown, 30)
    first = activity.group_by("customer_id").agg(pl.col("day").min())["day"]

    lives = sensitivity.lives(refresh(30, activity, stretches), [10, 90], [30, 10_000])

    begin = first.min()
    judged = {
        10: (first >= begin + 30) & (first <= LAST - 30),
        30: (first >= begin + 30) & (first <= LAST - 30),
        90: (first >= begin + 90) & (first <= LAST - 90),
    }
    assert dict(lives.select("after_days", "n").iter_rows()) == {
        window: who.sum() for window, who in judged.items()
    }
    assert lives["by_days"].unique().to_list() == [30]  # nobody is seen for 10,000 days


def test_known_starts_stay_known_under_every_window(activity, known):
    r = refresh(30, activity, book(activity, known, 30))
    lives = sensitivity.lives(r, [20], [30])
    assert lives["n"].unique().to_list() == [
        known.filter(pl.col("started_day") <= LAST - 30).height
    ]


def test_where_too_few_are_at_risk_no_share_is_claimed(activity, known):
    r = refresh(100, activity, book(activity, known, 100), min_cell=50)

    assert sensitivity.lives(r, [5], [60])["share_gone"].is_null().to_list() == [True, False]
    assert sensitivity.lives(r, [5], [9_000]).is_empty()
    r.book.churn = Churn(kind="contract", after_days=100)
    assert sensitivity.lives(r, [], [60]).is_empty()


def test_the_headline_says_the_last_day_and_how_many_windows_are_read(activity, known):
    exhibit = sensitivity.sensitivity(refresh(60, activity, book(activity, known, 60)), [30], [90])
    lives = drawn("""
        | after_days | by_days | share_gone |
        | 30         | 90      | 0.7        |
        | 30         | 180     | 0.8        |
        | 60         | 90      | 0.5        |
        | 60         | 180     | 0.6        |
        | 90         | 180     |            |
    """)

    assert exhibit.headline(lives) == (
        "By day 180, 60% have left, and 60% to 80% under the 2 windows that can be read"
    )
    assert "too few" in exhibit.headline(lives.filter(pl.col("after_days") != 60))
    assert exhibit.behind(lives).height == 4
    assert exhibit.draw(exhibit.table).axes[0].get_xlabel() == "Days of silence"
