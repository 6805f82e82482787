"""Features as of a day: on drawn tables, at the edges of their windows, and by a literal count."""

from itertools import pairwise

import polars as pl
import pytest
from drawing import drawn
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

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
""").with_columns(finished=pl.lit(False))

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


def test_a_window_of_90_days_begins_89_days_before_the_day():
    names = ("active_days_90d", "events_90d", "orders_90d", "amount_cents_90d")
    assert of("ann", *names) == (2, 8, 3, 54_000)


def test_a_window_of_365_days_begins_364_days_before_the_day():
    assert of("ann", "amount_cents_365d") == (20 + 300 + 4_000 + 50_000,)


def test_a_rate_divides_by_the_days_of_the_window_since_the_spell_began():
    assert of("ann", "tenure_days", "events_per_30d") == (91, 30 * 8 / 90)
    assert of("bob", "tenure_days", "events_per_30d") == (10, 30 * 5 / 10)


def usage(log: str, lives: str, day: int = DAY) -> dict:
    """What one drawn customer's features of usage are; somebody else is active from day 100 on."""
    acts = drawn(f"| customer_id | day |\n| other | 100 |\n{log}").with_columns(
        kind=pl.lit("visit"), events=pl.lit(1), orders=pl.lit(0), amount_cents=pl.lit(0)
    )
    stretches = drawn(f"| customer_id | spell | start_day | end_day | plan |\n{lives}")
    stretches = stretches.with_columns(finished=pl.lit(False))
    counts = features.counts_at(acts, stretches, day=day)
    people = drawn("| customer_id | started_day |\n| ann | 7 |")
    names = ("active_days_28d", "active_days_before", "days_before", "usage_ratio", "silence_ratio")
    found = features.customers_at(people, stretches, counts, day=day, after_days=60)
    return found.select("started_day", *names).row(0, named=True)


def test_usage_compares_28_days_with_the_84_before_them():
    seen = usage(
        "".join(f"| ann | {on} |\n" for on in (110, 288, 289, 300, 372, 373, 400)),
        "| ann | 1 | 110 | 400 | |",
    )
    assert seen == {
        "started_day": 7,
        "active_days_28d": 2,
        "active_days_before": 3,
        "days_before": 84,
        "usage_ratio": (2 / 28) / (3 / 84),
        "silence_ratio": 0.0,
    }


def test_the_first_day_of_a_spell_is_active_by_definition_and_no_usage_to_compare_with():
    log = "| ann | 344 |\n| ann | 360 |\n| ann | 390 |"
    seen = usage(log, "| ann | 1 | 344 | 390 | |")
    assert (seen["active_days_before"], seen["days_before"]) == (1, 28)
    assert seen["usage_ratio"] == 1.0
    assert usage(log.replace("344", "345"), "| ann | 1 | 345 | 390 | |")["usage_ratio"] is None
    assert usage(log.replace("360", "344"), "| ann | 1 | 344 | 390 | |")["usage_ratio"] is None


def test_days_before_the_data_begin_are_not_known_to_be_silent():
    seen = usage("| ann | 120 |\n| ann | 180 |", "| ann | 1 | 20 | 180 | |", day=180)
    assert (seen["days_before"], seen["active_days_before"]) == (53, 1)
    assert seen["usage_ratio"] == 53 / 28


TERMS = drawn("""
    | customer_id | started_day | ended_day | booked_day | cause     | plan |
    | booked      | 100         | 410       | 400        | voluntary | a    |
    | later       | 100         | 410       | 401        | voluntary | a    |
    | unbooked    | 100         | 410       |            |           | a    |
    | renewed     | 100         | 410       | 300        |           | a    |
    | renewed     | 350         |           |            |           | b    |
    | twice       | 100         | 405       | 300        |           | a    |
    | twice       | 350         | 420       | 390        |           | b    |
    | grace       | 100         | 380       | 300        | voluntary | a    |
    | gone        | 100         | 330       |            | payment   | a    |
    | today       | 100         | 400       |            | payment   | a    |
    | back        | 100         | 200       |            | payment   | a    |
    | back        | 300         |           |            |           | b    |
    | to_come     | 401         |           |            |           | a    |
""").with_columns(amount_cents=pl.lit(None, pl.Int64))


def test_booked_ends_and_days_out_of_contract_are_as_known_on_the_day():
    lives = spells.from_contracts(TERMS, snapshot_day=DAY, after_days=60)
    booked = spells.booked_ends(TERMS, snapshot_day=DAY)
    people = TERMS.select("customer_id").unique().with_columns(started_day=pl.lit(100))
    counts = features.counts_at(ACTIVITY, lives, day=DAY)
    prices = spells.prices(TERMS.with_columns(amount_cents=1_000), snapshot_day=DAY)
    at = features.customers_at(people, lives, counts, booked, prices, day=DAY, after_days=60)

    standing = dict(at.select("customer_id", "standing").rows())
    assert {name: standing[name] for name in ("booked", "grace", "gone", "twice")} == {
        "booked": "ending",
        "grace": "ending",
        "gone": "finished",
        "twice": "ending",
    }
    paid = dict(at.select("customer_id", "price_cents").rows())
    assert (paid["booked"], paid["gone"]) == (1_000, None)
    found = at.select("customer_id", "booked_end_in_days", "ended_days_ago").rows()
    assert {row for row in found if row[1:] != (None, None)} == {
        *(("booked", 10, None), ("twice", 20, None)),
        *(("grace", None, 20), ("gone", None, 70), ("today", None, 0)),
    }


def test_in_an_activity_book_no_end_is_booked_and_nobody_is_out_of_contract():
    assert at().select("booked_end_in_days", "ended_days_ago").null_count().row(0) == (6, 6)
    assert at().schema["booked_end_in_days"] == at().schema["ended_days_ago"] == pl.Int64


@pytest.mark.parametrize("day", [330, 379, 380, 400, 405, 415])
def test_terms_as_known_later_give_the_spells_and_booked_ends_of_every_earlier_day(day):
    held = spells.terms_at(TERMS, snapshot_day=415)
    assert held.filter(customer_id="unbooked")["ended_day"].to_list() == [410]
    for make in (
        lambda terms: spells.from_contracts(terms, snapshot_day=day, after_days=60),
        lambda terms: spells.booked_ends(terms, snapshot_day=day),
        lambda terms: spells.terms_at(terms, snapshot_day=day),
    ):
        assert_frame_equal(make(held), make(TERMS), check_row_order=False)


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
    assert of("never", "standing", "days_since_last_activity") == (None, None)
    assert of("in_force", "active_days_total", "events_per_30d") == (0, 0.0)


def test_at_risk_is_whose_spell_is_not_yet_known_to_have_ended():
    risk = at().filter(standing="current")["customer_id"].to_list()
    assert risk == ["ann", "bob", "grace", "in_force"]


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
        assert (one["standing"] == "current") == any(row[1] > day - 60 for row in mine)
        if mine:
            since = max(one["start_day"], day - 89)
            spell = [row for row in mine if row[1] >= since]
            rate = 30 * sum(row[2] for row in spell) / (day - since + 1)
            assert one["events_per_30d"] == pytest.approx(rate)
            spell = {row[1]: row[2] for row in mine if row[1] >= one["start_day"]}
            assert_usage(one, spell, rows, day)
        if recent:
            weekend = sum(row[2] for row in recent if (row[1] + 3) % 7 >= 5)
            assert one["weekend_share_90d"] == pytest.approx(weekend / one["events_90d"])


def assert_usage(one: dict, active: dict[int, int], rows: list[tuple], day: int) -> None:
    """Features of usage are those of a literal count of the ``active`` days, with their events."""
    earliest = max(one["start_day"] + 1, min(row[1] for row in rows), day - 111)
    stretch = range(earliest, day - 27)
    before = sum(on in stretch for on in active)
    lately = sum(on > day - 28 for on in active)
    assert one["active_days_28d"] == lately
    assert (one["days_before"], one["active_days_before"]) == (len(stretch), before)
    if len(stretch) >= 28 and before:
        assert one["usage_ratio"] == pytest.approx((lately / 28) / (before / len(stretch)))
        pace = sum(active[on] for on in active if on in stretch) / len(stretch)
        weights = {day - ago: 28 - ago for ago in range(28)}
        weighted = sum(weights.get(on, 0) * events for on, events in active.items())
        assert one["usage_trend"] == pytest.approx(weighted / (pace * sum(weights.values())))
    else:
        assert one["usage_ratio"] is one["usage_trend"] is None
    gaps = [later - sooner for sooner, later in pairwise(sorted(active))]
    silence = (day - max(active)) / (sum(gaps) / len(gaps)) if gaps else None
    assert one["silence_ratio"] == (silence if silence is None else pytest.approx(silence))
