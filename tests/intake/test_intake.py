"""What a refresh takes: every promise checked, `only:` kept, nothing later than the snapshot."""

import re
from datetime import date

import polars as pl
import pytest
from drawing import day
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inputs import (
    ALL,
    CONTRACTS,
    CUSTOMERS,
    EVENTS,
    FORMS,
    SECRET_ID,
    change,
    message,
    place,
    put,
    take,
)
from polars.testing import assert_frame_equal

from retention import schema
from retention.tables import rules

# What is taken


@FORMS
def test_days_customers_contracts_and_counts_are_taken(tmp_path, form):
    got = take(tmp_path, put(tmp_path, form, ALL))

    days = got["activity"].sort("customer_id", "day")
    assert days.rows() == [
        (SECRET_ID, day("2025-06-01"), "purchase", 1, 1, 1250),
        ("bob", day("2025-06-02"), "purchase", 1, 1, 10),
        ("bob", day("2025-06-30"), "visit", 1, 0, 0),
    ]
    assert got["habits"]["events"].sum() == 3
    assert got["baskets"].is_empty()
    assert got["customers"].rows() == [
        (SECRET_ID, day("2025-06-01"), "north"),
        ("bob", day("2025-05-01"), "south"),
    ]
    assert got["contracts"]["ended_day"].to_list() == [None, day("2025-06-10")]
    assert dict(got["intake"].filter(measure="rows").select("table", "n").rows()) == {
        "contracts": 2,
        "customers": 2,
        "events": 3,
    }
    for name in ("activity", "habits", "baskets"):
        assert not rules.broken(got[name], schema.TABLES[name])


@FORMS
def test_without_a_customers_table_customers_come_from_events_and_their_start_is_unknown(
    tmp_path, form
):
    got = take(tmp_path, put(tmp_path, form, {"events": EVENTS}))
    assert got["customers"].rows() == [(SECRET_ID, None), ("bob", None)]
    assert "contracts" not in got
    more = change(CONTRACTS, customer_id=["carl", "bob"])
    root = tmp_path / "more"
    got = take(root, put(root, form, {"events": EVENTS, "contracts": more}))
    assert got["customers"]["customer_id"].to_list() == [SECRET_ID, "bob", "carl"]


@FORMS
def test_the_order_of_rows_never_matters_and_every_value_does(tmp_path, form):
    marks = set()
    for number, tables in enumerate([ALL, {name: frame.reverse() for name, frame in ALL.items()}]):
        root = tmp_path / str(number)
        marks.add(take(root, put(root, form, tables)).fingerprint())
    assert len(marks) == 1
    changed = [
        ALL | {"events": change(EVENTS, amount=[12.5, 0.11, None])},
        ALL | {"events": change(EVENTS, kind=["purchase", "purchase", "call"])},
        ALL | {"customers": change(CUSTOMERS, region=["north", "north"])},
        ALL | {"customers": change(CUSTOMERS, region=["north", None])},
        ALL | {"contracts": change(CONTRACTS, cause=[None, "payment"])},
        {"events": EVENTS, "customers": CUSTOMERS},
    ]
    for number, tables in enumerate(changed, start=2):
        root = tmp_path / str(number)
        marks.add(take(root, put(root, form, tables)).fingerprint())
    assert len(marks) == 1 + len(changed)


@FORMS
def test_events_that_are_alike_are_all_counted_and_reported(tmp_path, form):
    twice = pl.concat([EVENTS, EVENTS.head(1), EVENTS.head(2)])
    got = take(tmp_path, put(tmp_path, form, {"events": twice}))
    assert got["intake"].filter(measure="duplicates")["n"].item() == 3
    assert got["activity"]["events"].sum() == 6


# Nothing later


LATER = {
    "events": pl.DataFrame(
        {
            "customer_id": ["bob", "dora", "", "<script>"],
            "at": [date(2025, 7, 1), date(2030, 1, 1), date(2025, 7, 1), date(2025, 7, 2)],
            "kind": ["PURCHASE", "later", "purchase", "purchase"],
            "amount": [-1.0, 1e15, None, float("nan")],
        }
    ),
    "contracts": pl.DataFrame(
        {
            "customer_id": ["bob", "nobody"],
            "started": [date(2025, 7, 1), date(2025, 8, 1)],
            "ended": [None, date(2025, 7, 31)],
            "cause": [None, "VOLUNTARY"],
            "amount": [-39.0, 1.0],
        }
    ),
}


@FORMS
def test_what_is_later_than_the_snapshot_changes_nothing_whatever_it_holds(tmp_path, form):
    """Not even a fault in it is looked at, nor is it counted."""
    known, root = take(tmp_path, put(tmp_path, form, ALL)), tmp_path / "later"
    later = {table: pl.concat([ALL[table], rows]) for table, rows in LATER.items()}
    got = take(root, put(root, form, ALL | later))
    assert got.fingerprint() == known.fingerprint()
    assert_frame_equal(got["intake"], known["intake"])


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob", "carl"]),
        st.integers(0, 5),
        st.sampled_from(["purchase", "visit"]),
        st.integers(0, 500),
    ),
    min_size=1,
    max_size=15,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(ROWS, st.integers(0, 5))
def test_a_snapshot_sees_what_a_source_without_the_rest_holds(tmp_path, rows, cut):
    schema = {"customer_id": pl.String, "at": pl.Int32, "kind": pl.String, "amount": pl.Int64}
    log = pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col("at").cast(pl.Date))
    known = log.filter(pl.col("at").cast(pl.Int32) <= cut)
    if known.is_empty():
        return
    snapshot = date(1970, 1, 1 + cut)
    one, two = (
        take(tmp_path, put(tmp_path, "parquet", {"events": frame}), snapshot)
        for frame in (log, known)
    )
    assert one.fingerprint() == two.fingerprint()


# What `only:` leaves out


PLACES = CUSTOMERS.with_columns(country=pl.Series(["DE", "FR"]), size=pl.Series([1, 2]))


@FORMS
@pytest.mark.parametrize(
    "only",
    [
        {"country": "DE"},
        {"country": ["DE", "AT"]},
        {"size": 1},
        {"size": {"below": 2}},
        {"region": {"known": True}, "country": "DE"},
    ],
)
def test_only_keeps_the_customers_who_meet_it_and_what_they_did(tmp_path, form, only):
    tables = {"events": EVENTS, "customers": PLACES, "contracts": CONTRACTS}
    got = take(tmp_path, put(tmp_path, form, tables, only=only))
    assert got["customers"]["customer_id"].to_list() == [SECRET_ID]
    assert (
        set(got["activity"]["customer_id"]) == set(got["contracts"]["customer_id"]) == {SECRET_ID}
    )
    assert set(got["habits"]["customer_id"]) == {SECRET_ID}
    left_out = got["intake"].filter(measure="left out by only").select("table", "n").rows()
    assert left_out == [("contracts", 1), ("customers", 1), ("events", 2)]
    assert got["intake"].filter(measure="rows")["n"].to_list() == [2, 2, 3]


@FORMS
def test_only_keeps_the_rows_that_meet_it(tmp_path, form):
    got = take(tmp_path, put(tmp_path, form, {"events": EVENTS}, only={"amount": {"at_least": 1}}))
    assert got["activity"]["customer_id"].to_list() == [SECRET_ID]
    assert got["intake"].filter(measure="left out by only")["n"].item() == 2


@FORMS
def test_what_only_leaves_out_may_be_broken(tmp_path, form):
    """A way out that messages name: rows that break a promise may be left out."""
    log = change(EVENTS, amount=[-1.0, 5.0, None], customer_id=[" x", "bob", "bob"])
    log = log.with_columns(test=pl.Series([1, 0, 0]))
    assert "promise broken" in message(tmp_path, form, events=log)
    root = tmp_path / "only"
    got = take(root, put(root, form, {"events": log}, only={"test": 0}))
    assert got["customers"]["customer_id"].to_list() == ["bob"]


@FORMS
def test_a_missing_value_meets_no_condition(tmp_path, form):
    people = PLACES.with_columns(country=pl.Series([None, "FR"]))
    for number, only in enumerate(({"country": "FR"}, {"country": {"known": True}})):
        root = tmp_path / str(number)
        given_ = put(root, form, {"events": EVENTS, "customers": people}, only=only)
        assert take(root, given_)["customers"]["customer_id"].to_list() == ["bob"]


# Broken promises


@FORMS
def test_columns_are_called_what_the_user_calls_them(tmp_path, form):
    theirs = {"customer_id": "user", "at": "ordered_at", "amount": "total"}
    log = change(EVENTS, amount=[-1.0, 1.0, None]).rename(theirs)
    log = log.with_columns(ordered_at=pl.Series([None, None, date(2025, 6, 1)]))
    said = message(tmp_path, form, {"columns": {"events": theirs}}, events=log).splitlines()
    where = place(form, "events")
    assert said[0].startswith(f"{where}: ordered_at: promise broken: 'ordered_at is known', 2")
    assert said[1].startswith(f"{where}: total: promise broken: 'total is at least 0'")


@FORMS
def test_every_broken_promise_of_every_table_is_in_one_message(tmp_path, form):
    said = message(
        tmp_path,
        form,
        events=change(EVENTS, amount=[-1.0, 5.0, None], customer_id=[None, "bob", SECRET_ID]),
        customers=change(CUSTOMERS, customer_id=[SECRET_ID, SECRET_ID]),
    )
    assert [line.partition(":")[0] for line in said.splitlines()] == [
        place(form, "events"),
        place(form, "events"),
        place(form, "customers"),
    ]


@FORMS
def test_examples_name_nobody_and_days_and_are_three_at_most(tmp_path, form):
    many = pl.concat([EVENTS] * 4).with_columns(amount=pl.lit(-5.0))
    said = message(tmp_path, form, events=many)
    shown = re.search(r"12 rows break it \(such as ([^)]*)\)", said)[1].split("; ")
    assert len(shown) == 3
    for one in shown:
        words = r"customer #[0-9a-f]{8}, day 2025-06-\d\d, amount_cents -500"
        assert re.fullmatch(words.replace("day", "(at|day)").replace("_cents", "(_cents)?"), one)


def test_without_a_customers_table_a_missing_id_is_the_fault_of_its_table_alone(tmp_path):
    said = message(tmp_path, "csv", events=change(EVENTS, customer_id=[None, "bob", SECRET_ID]))
    assert said.count("promise broken") == 1


@FORMS
def test_a_far_end_of_a_contract_stays_as_it_is(tmp_path, form):
    far = change(CONTRACTS, ended=[date(9999, 12, 31), date(2025, 6, 10)])
    got = take(tmp_path, put(tmp_path, form, ALL | {"contracts": far}))
    assert got["contracts"]["ended_day"].to_list() == [day("9999-12-31"), day("2025-06-10")]
