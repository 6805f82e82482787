"""Test dates: what was known on an earlier day is what a refresh on that day would have known."""

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
    assert landmarks.days(250, 100, 60, 90, 6) == [250, 190, 130]
    assert landmarks.days(250, 130, 60, 90, 6) == [250, 190, 130]
    assert landmarks.days(50, 100, 60, 90, 6) == []
    assert len(landmarks.days(9_000, 0, 60, 90, 6)) == 6 + 3 + 2


def test_the_newest_dates_up_to_a_day_are_learned_from():
    rows = pl.DataFrame({"landmark_day": [10, 20, 20, 30, 40, 50], "row": range(6)})
    assert landmarks.newest(rows, 45)["row"].to_list() == [1, 2, 3, 4]
    assert landmarks.newest(rows, 15)["row"].to_list() == [0]
    assert landmarks.newest(rows, 5).is_empty()


def test_current_customers_are_quiet_or_not_as_drawn():
    past, stretches = past_of(ACTIVITY, 400)

    rows = landmarks.rows(past, stretches, PURCHASES, [140, 200], 90)

    assert rows.select("landmark_day", "customer_id", "left").equals(
        drawn("""
        | landmark_day | customer_id | left  |
        | 140          | a           | false |
        | 140          | b           | false |
        | 140          | c           | false |
        | 200          | a           | false |
        | 200          | b           | true  |
        | 200          | c           | false |
        | 200          | d           | true  |
        """)
    )
    soon = landmarks.rows(past, stretches, PURCHASES, [140], 10)
    assert soon["left"].to_list() == [True, False, True]  # a on 160, c on 200
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
    known = then["customers_at"].collect().to_native().filter(standing="current")
    known = known.join(rows, on="customer_id", how="semi").sort("customer_id")
    assert rows.height > 500
    assert rows.select(known.columns).equals(known)


def test_the_risk_at_an_age_is_that_of_the_spells_seen_by_then_and_the_oldest_ones_beyond():
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
    found = landmarks.at_their_age(np.array([1, 9, 10, 25, 31]), ended, 10).to_list()

    # Ends at 10, 20, 30 and 40, of those still there; the oldest age watched for ten days is 30.
    hazards = np.array([1 / 4, 1 / 4, 1 / 3, 1 / 2, 1])
    assert found == pytest.approx(list(1 - np.exp(-hazards)))


def test_a_sample_knows_the_first_day_of_all_the_data():
    early = lines("z: " + " ".join(map(str, range(0, 400, 30))))
    past, stretches = past_of(pl.concat([ACTIVITY, early]), 400)
    some = landmarks.Past(past.customers.filter(customer_id="b"), past.activity, past.terms)

    whole, part = (
        landmarks.rows(one, stretches, PURCHASES, [140], 90).drop("quiet_chance")
        for one in (past, some)
    )

    assert part.equals(whole.filter(customer_id="b"))


def test_spells_of_other_data_are_noticed():
    past, stretches = past_of(ACTIVITY, 400)

    with pytest.raises(Failed, match="1 customers at a test date have no such spell"):
        landmarks._ended(past.customers, stretches.filter(pl.col("customer_id") != "b"), 90)
