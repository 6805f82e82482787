"""Survival against published values, by hand, and of planted lives."""

import numpy as np
import polars as pl
import pytest
from drawing import drawn
from lifelines.datasets import load_waltons
from lives import lives, weeks

from retention.errors import Refused
from retention.stats import by_group
from retention.survival import survival
from retention.tables import spells

# Freireich et al. (1963), 6-MP arm: weeks of remission; + is censored.
FREIREICH = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"


def test_freireich_curve_and_limits_are_the_published_ones():
    curve = survival.kaplan_meier(lives(FREIREICH))

    at_6 = curve.row(by_predicate=pl.col("duration_days") == 6, named=True)
    assert (at_6["at_risk"], at_6["events"]) == (21, 3)
    assert [round(value, 3) for value in [*at_6.values()][-3:]] == [0.857, 0.620, 0.952]
    steps = curve.filter(pl.col("events") > 0)
    assert [round(value, 3) for value in steps["survival"]] == [
        0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448,
    ]  # fmt: skip
    assert survival.median_days(curve) == 23


def test_waltons_median_is_the_published_one():
    data = weeks(load_waltons(), "T", "E")

    assert survival.median_days(survival.kaplan_meier(data)) == 56


def test_a_curve_is_read_as_it_stands_and_never_beyond_its_end():
    curve = survival.kaplan_meier(lives("2 4+ 6 8+"))

    read = by_group.read(curve, [1, 3, 6, 8, 9])

    assert read["survival"].to_list()[:4] == pytest.approx([1.0, 0.75, 0.375, 0.375])
    assert read["survival"][4] is None
    assert read["at_risk"].to_list() == [4, 3, 2, 1, None]  # just before each of these days


def test_groups_are_in_order_and_the_unknown_is_a_group():
    data = lives("1 2 3 4", plan=["pro", None, "basic", "pro"])

    assert survival.kaplan_meier(data, "plan")["group"].unique(maintain_order=True).to_list() == [
        "basic", "not known", "pro",
    ]  # fmt: skip


def test_only_first_spells_that_can_be_judged_are_observed():
    stretches = drawn("""
        | customer_id | spell | entry_day | start_day | duration_days | event_observed | excluded |
        | a           | 1     | 10        | 10        | 5             | true           |          |
        | a           | 2     | 90        | 90        | 9             | false          |          |
        | b           | 1     | 20        | 20        |               |                | too_new  |
        | c           | 1     | 7         | 5         | 8             | false          |          |
    """).with_columns(cause=None, plan=None)

    seen = survival.observed(stretches)

    assert seen.select("customer_id", "duration_days", "entry_days", "started").rows() == [
        ("a", 5, 0, "1970-01"),
        ("c", 8, 2, "1970-01"),
    ]


def test_nothing_is_estimated_from_nobody():
    with pytest.raises(Refused, match="at least one customer"):
        survival.kaplan_meier(lives("1").clear())


def test_the_headline_of_a_curve_is_its_median_where_it_was_reached():
    assert survival.headline(survival.kaplan_meier(lives(FREIREICH))).endswith(
        "have left by day 23"
    )
    early = survival.kaplan_meier(lives("1 2+ 9+ 9+"))
    assert survival.headline(early) == "More than half are still active after 9 days"


def test_a_curve_of_late_entrants_begins_where_enough_are_at_risk():
    data = lives("2 30 40 50 60+", entry_days=[0, 10, 10, 20, 20])

    curve = survival.kaplan_meier(data, least=3)

    assert curve.select("duration_days", "at_risk").rows() == [(20, 4), (30, 4), (40, 3)]
    assert curve["survival"].to_list() == pytest.approx([1.0, 0.75, 0.5])
    read = by_group.read(curve, [5, 25, 45])
    assert read["survival"].to_list() == [None, 1.0, None]
    assert read["at_risk"].to_list() == [None, 4, None]
    assert (
        survival.headline(curve) == "Of those still active after day 20, half have left by day 40"
    )


def test_customers_older_than_the_data_are_followed_from_the_first_data_day():
    """Truth is planted: lives of buyers seen only from day 400 on, P(T > 300 | T > 100)."""
    rng, lasts, log = np.random.default_rng(0), {}, []
    for number in range(6_000):
        who, day = f"c{number:05}", int(rng.integers(0, 400))
        started = day
        while rng.random() >= 0.08:
            day += min(int(rng.geometric(0.05)), 149)
            log.append((who, day))
        log.append((who, started))
        lasts[who] = (started, day - started + 1)
    life = np.array([duration for _, duration in lasts.values()])
    truth = (life > 300).mean() / (life > 100).mean()

    events = pl.DataFrame(log, schema=["customer_id", "day"], orient="row")
    stretches = spells.from_activity(
        events.filter(pl.col("day").is_between(400, 2500)).with_columns(kind=pl.lit("buy")),
        pl.DataFrame(
            {"customer_id": list(lasts), "started_day": [start for start, _ in lasts.values()]}
        ),
        kinds=["buy"],
        snapshot_day=2_500,
        after_days=150,
    )
    curve = survival.kaplan_meier(survival.observed(stretches), least=50)
    at_100, at_300 = by_group.read(curve, [100, 300])["survival"]

    assert at_300 / at_100 == pytest.approx(truth, abs=0.02)


@pytest.mark.parametrize(
    ("days", "groups"),
    [
        (range(0, 90), ["1970-01", "1970-02", "1970-03"]),
        (range(0, 400, 20), ["1970-Q1", "1970-Q2", "1970-Q3", "1970-Q4", "1971-Q1"]),
        (range(0, 3000, 300), [str(1970 + year) for year in range(8)]),
    ],
)
def test_starts_are_grouped_by_the_finest_period_that_makes_few_groups(days, groups):
    started = pl.from_epoch(pl.Series("day", list(days)), time_unit="d")

    assert survival._period(started).unique().sort().to_list() == groups
