"""Promises of tables: every kind of rule, counted, on examples without a name, in words."""

import narwhals as nw
import polars as pl
import pytest
from drawing import drawn
from hypothesis import given
from hypothesis import strategies as st

from retention.schema import Table
from retention.tables import rules
from retention.tables.rules import FAULT, REAL, TEXT, WHOLE, Broken, Rule


def promised(level: str, grain: tuple, columns: dict, **further) -> Table:
    return Table("orders", "a test", level, "", grain, columns, **further)


ORDERS = promised(
    "source",
    ("customer_id", "day"),
    {"customer_id": TEXT, "day": WHOLE, "ended_day": WHOLE, "share": REAL},
    optional=("ended_day", "share"),
    rules=(
        rules.at_least("day", 3, "wait"),
        rules.ordered("day", "ended_day", "turn it round"),
        rules.rate("share"),
    ),
)

SOUND = """
    | customer_id | day | ended_day | share |
    | ann         | 3   | 3         | 0.0   |
    | ann         | 4   |           | 1.0   |
    | bob         | 3   | 9         |       |
"""


def faults(text: str, promise: Table = ORDERS) -> list[tuple[str, str, int]]:
    found = rules.broken(drawn(text), promise)
    return [(fault.column, fault.words, fault.n) for fault in found]


def test_a_sound_table_breaks_nothing():
    assert faults(SOUND) == []


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ("|     | 5 |   |       |", "customer_id", "is known"),
        ("| ann | 2 |   |       |", "day", "is at least 1970-01-04"),
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
        ("day", "is at least 1970-01-04", 1),
        ("ended_day", "is not before day", 1),
        ("share", "lies between 0 and 1", 1),
        ("customer_id, day", "are unique together", 2),
    ]


def test_an_unknown_day_is_one_fault_and_breaks_no_other_rule():
    assert faults(f"{SOUND.rstrip()}\n| ann |   | 4 |  |") == [("day", "is known", 1)]


def test_a_rule_that_comes_out_null_is_broken():
    positive = Rule("n", "", nw.col("n") > 0)
    unsure = promised("source", ("n",), {"n": WHOLE}, optional=("n",), rules=(positive,))
    assert faults("| n |\n| 1 |\n| |", unsure) == [("n", "", 1)]


def test_types_and_columns_are_looked_at_first():
    found = faults("| customer_id | day | share | further |\n| | 1.5 | 2.5 | x |")
    assert found == [
        ("day", "is Int64, got Float64", 0),
        ("ended_day", "is a column of this table", 0),
        ("further", "is not a column of this table", 0),
    ]


def test_a_published_table_holds_no_customer():
    promise = promised("aggregate", ("n",), {"n": WHOLE}, further=True)
    found = faults("| n | customer_id |\n| 1 | ann |", promise)
    assert found == [("customer_id", "is not in a published table", 0)]


def test_the_grain_may_hold_blanks_and_counts_them_as_equal():
    pairs = promised("customer", ("a", "b"), {"a": TEXT, "b": TEXT}, optional=("b",))
    assert faults("| a | b |\n| x | |\n| y | |", pairs) == []
    assert faults("| a | b |\n| x | |\n| x | |", pairs) == [("a, b", "are unique together", 2)]


@given(st.lists(st.tuples(st.integers(0, 6), st.none() | st.integers(0, 6)), max_size=20))
def test_counts_are_those_of_a_literal_count(rows):
    schema = {"day": pl.Int64, "ended_day": pl.Int64}
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_row_index("customer_id")
    frame = frame.with_columns(pl.col("customer_id").cast(pl.String), share=pl.lit(0.5))
    found = {fault.words: fault.n for fault in rules.broken(frame.lazy(), ORDERS)}
    expected = {
        "is at least 1970-01-04": sum(day < 3 for day, _ in rows),
        "is not before day": sum(end is not None and end < day for day, end in rows),
    }
    assert found == {words: n for words, n in expected.items() if n}


def test_a_report_names_place_column_rule_rows_and_mending():
    found = [
        Broken("day", "is known", 1_200, "fill it"),
        Broken("customer_id, day", "are unique together", 2, of="values"),
        Broken("ended_day", "is not before day", 1),
        Broken("n", "is Int64, got String", 0),
    ]
    names = {"day": "at", "ended_day": "until"}
    said = rules.report("shop.csv", found, names).replace("promise broken: ", "")
    assert said.splitlines() == [
        "shop.csv: at: 'at is known', 1,200 rows break it; fill it",
        "shop.csv: customer_id, at: 'customer_id, at are unique together', 2 values break it",
        "shop.csv: until: 'until is not before at', 1 row breaks it",
        "shop.csv: n: 'n is Int64, got String'",
    ]


def test_examples_name_nobody_and_no_text():
    frame = drawn("""
        | customer_id | day | ended_day | share |
        | ann         | 5   | 4         | 0.5   |
        | bob         | 9   | 2         |       |
        | bob         | 8   | 2         |       |
        | carl        | 7   | 2         |       |
    """)
    (fault,) = rules.broken(frame, ORDERS)
    assert fault.n == 4
    assert fault.examples == (
        "customer #49915e0d, day 1970-01-06, ended_day 1970-01-05",
        "customer #81b637d8, day 1970-01-09, ended_day 1970-01-03",
        "customer #81b637d8, day 1970-01-10, ended_day 1970-01-03",
    )
    text = Rule("customer_id", "is short", nw.col("customer_id").str.len_chars() < 4)
    (shown,) = rules.examples(frame, ORDERS, text)
    assert shown == "customer #69bfe1e6, day 1970-01-08"


def test_examples_of_what_could_not_be_read_show_its_shape_alone():
    frame = pl.DataFrame(
        {"customer_id": ["ann", "bob"], "day": [None, 4], FAULT + "day": ["unread|99.aaa", None]},
        schema={"customer_id": pl.String, "day": pl.Int64, FAULT + "day": pl.String},
    )
    promise = promised(
        "source", ("customer_id",), {"customer_id": TEXT, "day": WHOLE}, unique=False
    )
    (fault,) = rules.broken(frame, promise)
    assert (fault.column, fault.n) == ("day", 1)
    assert fault.words == "can be read as a date such as 2025-06-30"
    assert fault.examples == ("customer #49915e0d, 99.aaa",)


@pytest.mark.parametrize("reason", rules.REASONS)
def test_each_reason_that_a_value_is_wrong_breaks_one_rule_alone(reason):
    frame = pl.DataFrame({"amount_cents": [1, None], FAULT + "amount_cents": [None, f"{reason}|9"]})
    least = (rules.at_least("amount_cents", 0),)
    promise = promised("source", (), {"amount_cents": WHOLE}, rules=least, unique=False)
    (fault,) = rules.broken(frame, promise)
    assert (fault.column, fault.n) == ("amount_cents", 1)
    assert (fault.words, fault.mend) == (
        rules.REASONS[reason][0].format("a number such as 12.50"),
        rules.REASONS[reason][1],
    )
    assert rules.broken(frame.head(1), promise) == []
