"""What the promises of the project promise, and tables held against each other."""

import polars as pl
import pytest
from drawing import drawn

from retention import schema
from retention.tables import rules
from retention.tables.rules import REAL, TEXT, TRUTH, WHOLE

NATIVE = {TEXT: pl.String, WHOLE: pl.Int64, REAL: pl.Float64, TRUTH: pl.Boolean}


@pytest.mark.parametrize("table", schema.TABLES)
def test_every_promise_can_be_kept_and_names_only_its_own_columns(table):
    promise = schema.TABLES[table]
    empty = pl.DataFrame(schema={name: NATIVE[kind] for name, kind in promise.columns.items()})

    assert rules.broken(empty, promise) == []
    assert promise.level in ("source", "customer", "kept", "aggregate")
    for names in (promise.grain, promise.optional, [rule.column for rule in promise.rules]):
        assert set(names) <= set(promise.columns)
    assert len(set(promise.optional)) == len(promise.optional)


@pytest.mark.parametrize("table", schema.TABLES)
def test_no_published_table_promises_customers(table):
    promise = schema.TABLES[table]
    assert ("customer_id" in promise.columns) == (promise.level in ("source", "customer"))


KEPT = drawn("""
  | customer_id | day | second | kind     | order_id | amount_cents | product | category | channel |
  | ann         | 5   | 86399  | purchase | o        | 1            | tea     | drinks   | web     |
  | bob         | 4   |        | purchase |          | 2            |         |          |         |
  | bob         | 0   | 0      | visit    |          |              |         |          |         |
""")


def faults(table: str, frame: pl.DataFrame) -> list[tuple[str, str, int]]:
    found = rules.broken(frame, schema.TABLES[table])
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
    assert faults("events", frame) == [("customer_id", schema.ID.words, 1)]


CONTRACT = (
    "| customer_id | started_day | ended_day | booked_day | observed_until_day | cause | plan "
)
CONTRACT += "| amount_cents |\n"


@pytest.mark.parametrize(
    ("table", "text", "words"),
    [
        ("customers", "| customer_id | started_day |\n| a | -25567 |", "is at least 1900-01-02"),
        ("contracts", f"{CONTRACT}| a | -25567 | | | | | | |", "is at least 1900-01-02"),
        ("contracts", f"{CONTRACT}| a | 5 | | | 4 | | | |", "is not before started_day"),
        ("contracts", f"{CONTRACT}| a | 5 | 4 | | | | | |", "is not before started_day"),
    ],
)
def test_placeholders_and_ends_before_the_start_are_named(table, text, words):
    ((column, found, n),) = faults(table, drawn(text))
    assert (found, n) == (words, 1)
    assert column.endswith("_day")
