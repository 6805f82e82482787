"""What the promises of the project promise, and tables held against each other."""

from datetime import date

import polars as pl
import pytest
from drawing import drawn

from retention.tables import calendar, promises, rules
from retention.tables.rules import REAL, TEXT, TRUTH, WHOLE

NATIVE = {TEXT: pl.String, WHOLE: pl.Int64, REAL: pl.Float64, TRUTH: pl.Boolean}


@pytest.mark.parametrize("table", promises.PROMISES)
def test_every_promise_can_be_kept_and_names_only_its_own_columns(table):
    promise = promises.PROMISES[table]
    empty = pl.DataFrame(schema={name: NATIVE[kind] for name, kind in promise.columns.items()})

    assert rules.broken(empty, promise) == []
    assert promise.level in ("in", "customer", "aggregate")
    for names in (promise.grain, promise.optional, [rule.column for rule in promise.rules]):
        assert set(names) <= set(promise.columns)
    assert len(set(promise.optional)) == len(promise.optional)


@pytest.mark.parametrize("table", promises.PROMISES)
def test_no_published_table_promises_customers(table):
    promise = promises.PROMISES[table]
    assert ("customer_id" in promise.columns) == (promise.level != "aggregate")


KEPT = drawn("""
  | customer_id | day | second | kind     | order_id | amount_cents | product | category | channel |
  | ann         | 5   | 86399  | purchase | o        | 1            | tea     | drinks   | web     |
  | bob         | 4   |        | purchase |          | 2            |         |          |         |
  | bob         | 0   | 0      | visit    |          |              |         |          |         |
""")


def faults(table: str, frame: pl.DataFrame) -> list[tuple[str, str, int]]:
    found = rules.broken(frame, promises.PROMISES[table])
    return [(fault.column, fault.words, fault.n) for fault in found]


def test_events_that_keep_their_promise_break_nothing():
    assert faults("events", KEPT) == []
    assert faults("events", pl.concat([KEPT, KEPT])) == []  # alike is no fault: it is counted


def test_an_amount_may_be_missing_only_where_its_kind_never_has_one():
    free = KEPT.with_columns(amount_cents=pl.Series([1, None, None]))
    words = "is known for every event of a kind that has amounts"
    assert faults("events", free) == [("amount_cents", words, 1)]
    assert faults("events", free.with_columns(kind=pl.lit("visit"))) == [("amount_cents", words, 2)]
    assert faults("events", free.with_columns(amount_cents=pl.lit(None, pl.Int64))) == []


@pytest.mark.parametrize("odd", ["", " ann", "ann ", "\tann", "\u00a0ann"])
def test_an_id_has_no_space_around_it(odd):
    frame = KEPT.with_columns(customer_id=pl.Series(["ann", odd, "a b"]))
    assert faults("events", frame) == [("customer_id", promises.ID.words, 1)]


@pytest.mark.parametrize(
    ("table", "text", "words"),
    [
        ("customers", "| customer_id | started_day |\n| a | -25567 |", "is at least 1900-01-02"),
        (
            "contracts",
            "| customer_id | started_day | ended_day | booked_day | cause | plan | amount_cents |\n"
            "| a | -25567 | | | | | |",
            "is at least 1900-01-02",
        ),
        (
            "contracts",
            "| customer_id | started_day | ended_day | booked_day | cause | plan | amount_cents |\n"
            "| a | 5 | 4 | | | | |",
            "is not before started_day",
        ),
    ],
)
def test_placeholders_and_ends_before_the_start_are_named(table, text, words):
    ((column, found, n),) = faults(table, drawn(text))
    assert (found, n) == (words, 1)
    assert column.endswith("_day")


# Tables held against each other


PEOPLE = drawn("| customer_id | started_day | region |\n| ann | 5 | x |\n| bob |  | x |")
DONE = drawn("| customer_id | day | n |\n| ann | 5 | 2 |\n| bob | 4 | 1 |")


def against(rows: pl.DataFrame, people: pl.DataFrame = PEOPLE, day: str = "day"):
    found = promises.against_customers(rows, people, day)
    return [(fault.column, fault.words, fault.n) for fault in found]


def test_rows_on_the_first_day_of_a_customer_and_before_an_unknown_one_are_fine():
    assert against(DONE) == []


def test_rows_before_the_start_and_of_unknown_customers_are_counted_as_rows_of_the_source():
    early = DONE.with_columns(day=pl.Series([4, -9]))
    assert against(early) == [("day", "is not before the customer's start", 2)]
    assert against(DONE, PEOPLE.tail(1)) == [("customer_id", "is in the customers table", 2)]


def test_contracts_are_held_against_the_start_of_their_customer():
    terms = drawn("| customer_id | started_day | n |\n| ann | 4 | 1 |\n| bob | 4 | 1 |")
    assert against(terms, day="started_day") == [
        ("started_day", "is not before the customer's start", 1)
    ]


def test_texts_that_differ_by_capitals_alone_are_counted_per_column():
    frame = pl.DataFrame({"a": ["x", "X", "y", None], "b": ["1", "2", "2", "2"], "c": [None] * 4})
    frame = frame.cast({"c": pl.String})
    found = promises.one_spelling(frame, frame.columns)
    assert [(fault.column, fault.n, fault.of) for fault in found] == [("a", 2, "values")]
    assert not found[0].examples


@pytest.mark.parametrize(
    ("ids", "n"),
    [
        (["7", "8", "70", "x7"], 0),
        (["7", "07", "8"], 2),
        (["007", "07", "7"], 3),
        (["0", "00"], 2),
        (["a1", "0a1"], 2),
        (["7", "7"], 0),
    ],
)
def test_ids_that_differ_by_leading_zeros_alone_are_counted(ids, n):
    assert sum(fault.n for fault in promises.one_id(pl.Series(ids))) == n


@pytest.mark.parametrize(
    ("timezone", "day", "hour", "fine"),
    [
        ("Europe/Berlin", "2025-03-30", 1, True),
        ("Europe/Berlin", "2025-03-30", 2, False),
        ("Europe/Berlin", "2025-03-30", 3, True),
        ("Europe/Berlin", "2025-03-29", 2, True),
        ("Europe/Berlin", "2025-10-26", 2, True),
        ("America/New_York", "2025-03-09", 2, False),
        ("America/Santiago", "2025-09-07", 0, False),
        ("Australia/Lord_Howe", "2025-10-05", 2, True),  # half of this hour is shown
        ("UTC", "2025-03-30", 2, True),
        ("Pacific/Apia", "2011-12-30", 12, False),  # a whole day was left out
    ],
)
def test_no_event_happens_in_an_hour_that_clocks_skip(timezone, day, hour, fine):
    row = KEPT.head(1).with_columns(
        day=pl.lit(calendar.day_of(date.fromisoformat(day))), second=pl.lit(hour * 3600 + 1799)
    )
    held = promises.on_the_clocks(timezone)
    counts = rules.breaks(row, held).collect().row(0) if held else ()
    assert sum(counts) == (0 if fine else 1)
    dated = row.with_columns(second=pl.lit(None, pl.Int64))
    assert sum(rules.breaks(dated, held).collect().row(0) if held else ()) == 0


def test_without_a_zone_there_are_no_clocks():
    assert promises.on_the_clocks("") == []
