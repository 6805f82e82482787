"""Landmarks: what was known on an earlier day is what a refresh on that day would have known."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from drawing import drawn
from planted_truth import risk_world

from retention.book import Churn
from retention.errors import Failed
from retention.risk import landmarks
from retention.tables import calendar, spells, task
from retention_demo import simulate

CONTRACT = Churn(kind="contract", after_days=30)
PURCHASES = Churn(kind="activity", activity=["purchase"], after_days=60)
HORIZON = 90


def lines(text: str) -> pl.DataFrame:
    """Purchases drawn as "customer: days"."""
    rows = [
        (customer, int(day), "purchase", 1, 1, 100)
        for line in text.split(";")
        for customer, _, days in [line.strip().partition(": ")]
        for day in days.split()
    ]
    names = ("customer_id", "day", "kind", "events", "orders", "amount_cents")
    return pl.DataFrame(rows, names, orient="row")


# From day 0 on; judged at day 400. A buys all the time, B stops on 150, C comes back after a gap.
ACTIVITY = lines(
    "a: " + " ".join(map(str, range(0, 400, 20)))
    + "; b: " + " ".join(map(str, range(70, 151, 10)))
    + "; c: 70 80 90 200 210 220 230; d: 170 390"
)  # fmt: skip


def past_of(activity: pl.DataFrame, day: int) -> tuple[landmarks.Past, pl.DataFrame]:
    people = activity.select("customer_id").unique().sort("customer_id")
    people = people.with_columns(started_day=pl.lit(None, pl.Int64))
    derived = task.derive(activity.lazy(), people.lazy(), None, PURCHASES, day)
    at, stretches = (derived[name].collect().to_native() for name in ("customers_at", "spells"))
    none = pl.LazyFrame(schema={"customer_id": pl.String})
    return landmarks.Past(at, activity.lazy(), none), stretches


def test_days_go_back_from_the_last_whose_outcome_is_known():
    stretches = pl.DataFrame({"entry_day": [100, 250]})

    assert landmarks.days(stretches, 400, 150, 60) == [250, 190, 130]
    assert landmarks.days(stretches, 200, 150, 60) == []


def test_who_is_at_risk_and_who_left_is_told_as_drawn():
    past, stretches = past_of(ACTIVITY, 400)

    rows = landmarks.rows(past, stretches, PURCHASES, [140, 200], 90)

    told = rows.select("landmark_day", "customer_id", "left", "left_in_days")
    assert told.equals(
        drawn("""
        | landmark_day | customer_id | left  | left_in_days |
        | 140          | a           | false | 91           |
        | 140          | b           | true  | 11           |
        | 140          | c           | true  | 1            |
        | 200          | a           | false | 91           |
        | 200          | b           | true  | 1            |
        | 200          | c           | true  | 31           |
        | 200          | d           | true  | 1            |
        """)
    )
    assert rows["age_risk"].null_count() == rows.height


def test_no_landmark_gives_no_rows_of_the_same_columns():
    past, stretches = past_of(ACTIVITY, 400)

    none = landmarks.rows(past, stretches, PURCHASES, [], 90)

    assert none.schema == landmarks.rows(past, stretches, PURCHASES, [140], 90).schema
    assert none.is_empty()


@pytest.fixture(scope="module")
def world() -> dict[str, pl.DataFrame]:
    return risk_world(2_000, seed=3)


def test_a_landmark_knows_what_a_refresh_on_that_day_knew(world):
    day = calendar.day_of(date(2025, 1, 31))
    end = calendar.day_of(simulate.LAST_DAY)
    tables = [world[name].lazy() for name in ("activity", "customers", "terms")]
    now = task.derive(*tables, CONTRACT, end)
    at, stretches = (now[name].collect().to_native() for name in ("customers_at", "spells"))
    past = landmarks.Past(at, tables[0], spells.terms_at(world["terms"], snapshot_day=end).lazy())

    rows = landmarks.rows(past, stretches, CONTRACT, [day], HORIZON)

    then = task.derive(*tables, CONTRACT, day)
    known = then["customers_at"].collect().to_native().filter("in_risk_set")
    known = known.join(rows, on="customer_id", how="semi").sort("customer_id")
    assert rows.height > 500
    assert rows.select(known.columns).equals(known)


def test_the_risk_at_an_age_is_that_of_the_spells_seen_by_then_and_null_beyond_them():
    n = 400
    ended = pl.DataFrame(
        {
            "start_day": 0,
            "entry_day": 0,
            "duration_days": [10 * (1 + number // 100) for number in range(n)],
            "event_observed": True,
            "excluded": pl.Series([None] * n, dtype=pl.String),
        }
    )
    customers = pl.DataFrame({"tenure_days": [0, 9, 10, 25, 31]})

    found = landmarks.at_their_age(customers, ended, CONTRACT, 10)["age_risk"].to_list()

    hazards = np.array([1 / 4, 1 / 4, 1 / 3, 1 / 2])  # at 10, 10, 20, 30: of those still there
    assert found[:4] == pytest.approx(list(1 - np.exp(-hazards)))
    assert found[4] is None


def test_a_sample_knows_the_first_day_of_all_the_data():
    early = lines("z: " + " ".join(map(str, range(0, 400, 30))))
    past, stretches = past_of(pl.concat([ACTIVITY, early]), 400)
    some = landmarks.Past(past.customers.filter(customer_id="b"), past.activity, past.terms)

    whole = landmarks.rows(past, stretches, PURCHASES, [140], 90).filter(customer_id="b")

    assert landmarks.rows(some, stretches, PURCHASES, [140], 90).equals(whole)


def test_spells_of_other_data_are_noticed():
    past, stretches = past_of(ACTIVITY, 400)

    with pytest.raises(Failed, match="1 customers at a landmark have no such spell"):
        landmarks.rows(past, stretches.filter(pl.col("customer_id") != "b"), PURCHASES, [140], 90)
