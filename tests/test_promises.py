"""Promises of tables: every kind of rule, counted; and what the promises themselves promise."""

import narwhals as nw
import polars as pl
import pytest
from drawing import drawn
from hypothesis import given
from hypothesis import strategies as st

from retention.errors import Refused
from retention.tables import promises, rules
from retention.tables.rules import REAL, TEXT, TRUTH, WHOLE, Broken, Promise, Rule

NATIVE = {TEXT: pl.String, WHOLE: pl.Int64, REAL: pl.Float64, TRUTH: pl.Boolean}

ORDERS = Promise(
    "a test",
    "in",
    ("customer_id", "day"),
    {"customer_id": TEXT, "day": WHOLE, "ended_day": WHOLE, "share": REAL},
    optional=("ended_day", "share"),
    rules=(
        rules.at_least("day", 3, "wait"),
        rules.ordered("day", "ended_day", "turn it round"),
        *rules.rate("share"),
    ),
)

SOUND = """
    | customer_id | day | ended_day | share |
    | ann         | 3   | 3         | 0.0   |
    | ann         | 4   |           | 1.0   |
    | bob         | 3   | 9         |       |
"""


def faults(text: str, promise: Promise = ORDERS) -> list[tuple[str, str, int]]:
    found = rules.broken(drawn(text), promise)
    return [(fault.column, fault.words, fault.n) for fault in found]


def test_a_sound_table_breaks_nothing():
    assert faults(SOUND) == []


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ("|     | 5 |   |       |", "customer_id", "is known"),
        ("| ann | 2 |   |       |", "day", "is at least 3"),
        ("| ann | 5 | 4 |       |", "ended_day", "is not before day"),
        ("| ann | 5 |   | 1.01  |", "share", "lies between 0 and 1"),
        ("| ann | 5 |   | -0.01 |", "share", "lies between 0 and 1"),
        ("| ann | 5 |   | nan   |", "share", "lies between 0 and 1"),
        ("| <Script | 5 |  |    |", "customer_id", "holds no <script> tag"),
    ],
)
def test_each_rule_is_broken_by_the_rows_that_break_it(row, column, words):
    again = row.replace("5", "6")
    assert faults(f"{SOUND.rstrip()}\n{row}") == [(column, words, 1)]
    if again != row:
        assert faults(f"{SOUND.rstrip()}\n{row}\n{again}") == [(column, words, 2)]


def test_all_broken_rules_are_found_at_once():
    found = faults(f"{SOUND.rstrip()}\n|   | 2 | 1 | 7.5 |\n| ann | 3 | | |")
    assert found == [
        ("customer_id", "is known", 1),
        ("day", "is at least 3", 1),
        ("ended_day", "is not before day", 1),
        ("share", "lies between 0 and 1", 1),
        ("customer_id, day", "are unique together", 2),
    ]


def test_an_unknown_day_is_one_fault_and_breaks_no_other_rule():
    assert faults(f"{SOUND.rstrip()}\n| ann |   | 4 |  |") == [("day", "is known", 1)]


def test_a_rule_that_comes_out_null_is_broken():
    unsure = Promise(
        "a test", "in", ("n",), {"n": WHOLE}, ("n",), (Rule("n", "", nw.col("n") > 0),)
    )
    assert faults("| n |\n| 1 |\n| |", unsure) == [("n", "", 1)]


def test_types_and_columns_are_looked_at_first():
    found = faults("| customer_id | day | share | further |\n| | 1.5 | 2.5 | x |")
    assert found == [
        ("day", "is Int64, got Float64", 0),
        ("ended_day", "is a column of this table", 0),
        ("further", "is not a column of this table", 0),
    ]


def test_a_published_table_holds_no_customer():
    promise = Promise("a test", "aggregate", ("n",), {"n": WHOLE}, further=True)
    found = faults("| n | customer_id |\n| 1 | ann |", promise)
    assert found == [("customer_id", "is not in a published table", 0)]


def test_the_grain_may_hold_blanks_and_counts_them_as_equal():
    pairs = Promise("a test", "customer", ("a", "b"), {"a": TEXT, "b": TEXT}, optional=("b",))
    assert faults("| a | b |\n| x | |\n| y | |", pairs) == []
    assert faults("| a | b |\n| x | |\n| x | |", pairs) == [("a, b", "are unique together", 2)]


def test_the_grain_may_be_free():
    free = Promise("a test", "in", ("a",), {"a": TEXT}, unique=False)
    assert faults("| a |\n| x |\n| x |", free) == []


@given(st.lists(st.tuples(st.integers(0, 6), st.none() | st.integers(0, 6)), max_size=20))
def test_counts_are_those_of_a_literal_count(rows):
    schema = {"day": pl.Int64, "ended_day": pl.Int64}
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_row_index("customer_id")
    frame = frame.with_columns(pl.col("customer_id").cast(pl.String), share=pl.lit(0.5))
    found = {fault.words: fault.n for fault in rules.broken(frame.lazy(), ORDERS)}
    expected = {
        "is at least 3": sum(day < 3 for day, _ in rows),
        "is not before day": sum(end is not None and end < day for day, end in rows),
    }
    assert found == {words: n for words, n in expected.items() if n}


def test_a_report_names_place_column_rule_rows_and_mending():
    found = [
        Broken("day", "is known", 1_200, "fill it"),
        Broken("customer_id, day", "are unique together", 2),
        Broken("n", "is Int64, got String", 0),
    ]
    assert rules.report("shop.csv", found, {"day": "ordered at"}).splitlines() == [
        "shop.csv: ordered at: promise broken: 'ordered at is known', 1,200 rows break it; fill it",
        "shop.csv: customer_id, ordered at: promise broken: 'customer_id, ordered at are unique "
        "together', 2 rows break it",
        "shop.csv: n: promise broken: 'n is Int64, got String'",
    ]


# The promises of the project


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


EVENTS = drawn("""
    | customer_id | day | hour | kind     | order_id | amount_cents | product | category | channel |
    | ann         | 5   |      | purchase |          | 1            |         |          |         |
    | bob         | 4   |      | purchase |          | 2            |         |          |         |
""").cast({"hour": pl.Int64})
PEOPLE = drawn("| customer_id | started_day |\n| ann | 5 |\n| bob |  |")


def test_events_on_the_first_day_of_a_customer_and_before_an_unknown_one_are_fine():
    promises.check_inputs(EVENTS, PEOPLE, None, {})


def test_without_a_place_the_table_is_named():
    with pytest.raises(Refused, match=r"^customers: customer_id: promise broken: .*, 2 rows"):
        promises.check_inputs(EVENTS, pl.concat([PEOPLE, PEOPLE.head(1)]), None, {})
    with pytest.raises(Refused, match=r"^events: customer_id: promise broken: .*, 1 rows"):
        promises.check_inputs(EVENTS, PEOPLE.head(1), None, {})


def test_an_amount_may_be_missing_only_where_its_kind_never_has_one():
    visit = EVENTS.with_columns(kind=pl.Series(["purchase", "visit"]))
    free = visit.with_columns(amount_cents=pl.Series([1, None]))
    promises.check_inputs(free, PEOPLE, None, {})
    with pytest.raises(Refused, match="of a kind that has amounts', 1 rows"):
        promises.check_inputs(free.with_columns(kind=pl.lit("visit")), PEOPLE, None, {})
