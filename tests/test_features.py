"""Features as of a day: on drawn tables, at the edges of their windows, and by a literal count."""

import polars as pl
import pytest
from drawing import drawn
from hypothesis import given
from hypothesis import strategies as st

from retention.tables import calendar, features, spells

DAY = 400

ACTIVITY = drawn("""
    | customer_id | day | kind     | events | orders | amount_cents |
    | ann         | 35  | purchase | 1      | 1      | 1            |
    | ann         | 36  | purchase | 1      | 1      | 20           |
    | ann         | 310 | purchase | 2      | 1      | 300          |
    | ann         | 311 | purchase | 3      | 2      | 4000         |
    | ann         | 311 | visit    | 4      | 0      | 0            |
    | ann         | 400 | purchase | 1      | 1      | 50000        |
    | ann         | 401 | purchase | 1      | 1      | 600000       |
    | bob         | 391 | visit    | 5      | 0      | 0            |
    | late        | 401 | purchase | 1      | 1      | 1            |
""")

SPELLS = drawn("""
    | customer_id | spell | start_day | end_day | plan  |
    | ann         | 1     | 35        | 36      | basic |
    | ann         | 2     | 310       | 400     | plus  |
    | bob         | 1     | 391       | 391     |       |
    | gone        | 1     | 100       | 340     |       |
    | grace       | 1     | 100       | 341     |       |
    | in_force    | 1     | 100       |         |       |
""")

CUSTOMERS = drawn("""
    | customer_id | started_day | region |
    | ann         | 35          | north  |
    | bob         | 391         | south  |
    | gone        |             |        |
    | grace       |             |        |
    | in_force    |             |        |
    | never       |             | west   |
""")


def at(day: int = DAY, customers: pl.DataFrame = CUSTOMERS) -> pl.DataFrame:
    counts = features.counts_at(ACTIVITY, SPELLS, day=day)
    return features.customers_at(customers, SPELLS, counts, day=day, after_days=60).sort(
        "customer_id"
    )


def of(customer_id: str, *names: str) -> tuple:
    return at().filter(customer_id=customer_id).select(names).row(0)


def test_totals_reach_back_to_the_start_and_never_beyond_the_day():
    assert of("ann", "active_days_total", "orders_total") == (5, 6)
    assert of("ann", "amount_cents_total") == (1 + 20 + 300 + 4_000 + 50_000,)
    assert "late" not in features.counts_at(ACTIVITY, SPELLS, day=DAY)["customer_id"]


def test_a_window_of_90_days_begins_89_days_before_the_day():
    names = ("active_days_90d", "events_90d", "orders_90d", "amount_cents_90d")
    assert of("ann", *names) == (2, 8, 3, 54_000)


def test_a_window_of_365_days_begins_364_days_before_the_day():
    assert of("ann", "amount_cents_365d") == (20 + 300 + 4_000 + 50_000,)


def test_a_rate_divides_by_the_days_of_the_window_since_the_spell_began():
    assert of("ann", "tenure_days", "events_per_30d") == (91, 30 * 8 / 90)
    assert of("bob", "tenure_days", "events_per_30d") == (10, 30 * 5 / 10)


def test_a_rate_leaves_out_what_happened_before_the_present_spell():
    log = drawn("""
        | customer_id | day | kind     | events | orders | amount_cents |
        | back        | 315 | purchase | 50     | 1      | 1            |
        | back        | 396 | purchase | 2      | 1      | 1            |
    """)
    lives = drawn("""
        | customer_id | spell | start_day | end_day | plan |
        | back        | 1     | 315       | 315     |      |
        | back        | 2     | 396       | 396     |      |
    """)
    people = drawn("| customer_id | started_day |\n| back | 315 |")
    counts = features.counts_at(log, lives, day=DAY)
    row = features.customers_at(people, lives, counts, day=DAY, after_days=60).row(0, named=True)

    assert (row["tenure_days"], row["events_90d"]) == (5, 52)
    assert row["events_per_30d"] == 30 * 2 / 5


def test_ratios_are_null_where_there_is_nothing_to_divide_by():
    assert of("ann", "cents_per_order_90d", "order_share_90d") == (54_000 / 3, 3 / 8)
    assert of("bob", "cents_per_order_90d", "order_share_90d") == (None, 0.0)
    assert of("grace", "cents_per_order_90d", "order_share_90d") == (None, None)


def test_the_share_of_the_weekend_counts_events_on_saturdays_and_sundays():
    assert calendar.date_of(311).isoweekday() == 7
    assert of("ann", "weekend_share_90d") == (7 / 8,)
    assert of("bob", "weekend_share_90d") == (0.0,)
    assert of("grace", "weekend_share_90d") == (None,)


def test_who_was_never_active_has_counts_of_zero_and_no_rates():
    names = ("active_days_total", "amount_cents_365d", "events_per_30d", "spell", "tenure_days")
    assert of("never", *names) == (0, 0, None, None, None)
    assert of("never", "in_risk_set", "days_since_last_activity") == (False, None)
    assert of("in_force", "active_days_total", "events_per_30d") == (0, 0.0)


def test_at_risk_is_whose_spell_is_not_yet_known_to_have_ended():
    risk = dict(at().select("customer_id", "in_risk_set").rows())
    assert risk == {
        "ann": True,
        "bob": True,
        "gone": False,
        "grace": True,
        "in_force": True,
        "never": False,
    }


def test_the_present_spell_is_the_last_and_gives_plan_and_last_day():
    assert of("ann", "spell", "start_day", "last_day", "plan") == (2, 310, 400, "plus")
    assert of("ann", "days_since_last_activity", "region") == (0, "north")


def test_an_attribute_plan_stands_for_the_contract_s():
    people = CUSTOMERS.with_columns(plan=pl.lit("their own"))
    assert at(customers=people)["plan"].unique().to_list() == ["their own"]
    assert set(at(customers=people).columns) == set(at().columns)


def test_only_the_named_kinds_are_behaviour_and_all_where_none_is_named():
    assert set(features.behaviour(ACTIVITY, ["visit"])["kind"]) == {"visit"}
    assert features.behaviour(ACTIVITY, []).height == ACTIVITY.height


DAYS = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 500), st.integers(1, 5), st.integers(0, 99)),
    min_size=1,
    max_size=25,
    unique_by=lambda row: row[:2],
)


@given(DAYS, st.integers(0, 500))
def test_features_are_those_of_a_literal_count(rows, day):
    log = pl.DataFrame(
        [(who, on, "purchase", events, 1, cents) for who, on, events, cents in rows],
        schema=["customer_id", "day", "kind", "events", "orders", "amount_cents"],
        orient="row",
    )
    people = log.select("customer_id").unique().with_columns(started_day=pl.lit(None, pl.Int64))
    lives = spells.from_activity(log, people, kinds=["purchase"], snapshot_day=day, after_days=60)
    counts = features.counts_at(log, lives, day=day)
    found = features.customers_at(people, lives, counts, day=day, after_days=60)

    for one in found.iter_rows(named=True):
        mine = [row for row in rows if row[0] == one["customer_id"] and row[1] <= day]
        recent = [row for row in mine if row[1] > day - 90]
        assert one["active_days_total"] == one["orders_total"] == len(mine)
        assert one["amount_cents_total"] == sum(row[3] for row in mine)
        assert one["active_days_90d"] == len(recent)
        assert one["events_90d"] == sum(row[2] for row in recent)
        assert one["amount_cents_365d"] == sum(row[3] for row in mine if row[1] > day - 365)
        assert one["in_risk_set"] == any(row[1] > day - 60 for row in mine)
        if mine:
            since = max(one["start_day"], day - 89)
            spell = [row for row in mine if row[1] >= since]
            rate = 30 * sum(row[2] for row in spell) / (day - since + 1)
            assert one["events_per_30d"] == pytest.approx(rate)
        if recent:
            weekend = sum(row[2] for row in recent if (row[1] + 3) % 7 >= 5)
            assert one["weekend_share_90d"] == pytest.approx(weekend / one["events_90d"])


@pytest.mark.parametrize("engine", ["lazy", "eager"])
def test_features_stay_as_lazy_as_they_came(engine):
    frames = [
        frame.lazy() if engine == "lazy" else frame for frame in (ACTIVITY, SPELLS, CUSTOMERS)
    ]
    log, lives, people = frames
    kind = pl.LazyFrame if engine == "lazy" else pl.DataFrame

    counts = features.counts_at(log, lives, day=DAY)
    assert isinstance(features.behaviour(log, ["visit"]), kind)
    assert isinstance(counts, kind)
    found = features.customers_at(people, lives, counts, day=DAY, after_days=60)
    assert isinstance(found, kind)
