"""Tables held against each other, texts against texts, times against the clocks of a zone."""

from datetime import date

import polars as pl
import pytest
from drawing import drawn

from retention.tables import calendar, rules
from retention_intake import checks

PEOPLE = drawn("| customer_id | started_day | region |\n| ann | 5 | x |\n| bob |  | x |")
DONE = drawn("| customer_id | day | n |\n| ann | 5 | 2 |\n| bob | 4 | 1 |")


def test_rows_before_the_start_and_of_unknown_customers_are_counted_as_rows_of_the_source():
    early = DONE.with_columns(day=pl.Series([4, -9]))
    for rows, people, expected in (
        (DONE, PEOPLE, []),
        (early, PEOPLE, [("day", "is not before the customer's start", 2)]),
        (DONE, PEOPLE.tail(1), [("customer_id", "is in the customers table", 2)]),
    ):
        found = checks.against_customers(rows, people, "day")
        assert [(fault.column, fault.words, fault.n) for fault in found] == expected


def test_texts_that_differ_by_capitals_alone_are_counted_per_column():
    frame = pl.DataFrame({"a": ["x", "X", "y", None], "b": ["1", "2", "2", "2"], "c": [None] * 4})
    found = checks.one_spelling(frame.cast({"c": pl.String}), frame.columns)
    assert [(fault.column, fault.n, fault.of) for fault in found] == [("a", 2, "values")]
    assert not found[0].examples


@pytest.mark.parametrize(
    ("ids", "n"), [("7 8 70 x7 7", 0), ("7 07 8", 2), ("007 07 7", 3), ("0 00", 2), ("a1 0a1", 2)]
)
def test_ids_that_differ_by_leading_zeros_alone_are_counted(ids, n):
    assert sum(fault.n for fault in checks.one_id(pl.Series(ids.split()))) == n


@pytest.mark.parametrize(
    ("timezone", "day", "hour", "fine"),
    [
        ("Europe/Berlin", "2025-03-30", 2, False),
        ("Europe/Berlin", "2025-10-26", 2, True),
        ("Australia/Lord_Howe", "2025-10-05", 2, True),  # half of this hour is shown
        ("Pacific/Apia", "2011-12-30", 12, False),  # a whole day was left out
        ("", "2025-03-30", 2, True),
    ],
)
def test_no_event_happens_in_an_hour_that_clocks_skip(timezone, day, hour, fine):
    at = calendar.day_of(date.fromisoformat(day))
    row = pl.DataFrame({"day": [at, at], "second": [hour * 3600 + 1799, None]})
    held = checks.on_the_clocks(timezone)
    counts = rules.breaks(row, held).collect().row(0) if held else ()
    assert sum(counts) == (0 if fine else 1)
