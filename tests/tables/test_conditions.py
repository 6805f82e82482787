"""The grammar of conditions, by a literal reading of it on drawn rows, on two engines."""

from datetime import date

import duckdb
import narwhals as nw
import polars as pl
import pytest
import yaml
from drawing import SHOP
from hypothesis import given
from hypothesis import strategies as st

from retention.book import Book, Range
from retention.tables import conditions

ROWS = pl.DataFrame(
    {
        "country": ["DE", "AT", None, "de", ""],
        "orders": [0, 5, None, 9, -1],
        "score": [0.5, None, 1.0, float("inf"), -0.0],
        "newsletter": [True, False, None, True, False],
        "born": [date(1970, 1, 1), date(1980, 6, 30), None, date(1999, 12, 31), date(1980, 6, 30)],
    }
)


def met(given: dict, frame=ROWS) -> list[bool]:
    held = nw.from_native(frame).select(holds=conditions.holds(given))
    return held["holds"].to_list()


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"country": "DE"}, [True, False, False, False, False]),
        ({"country": ["DE", "AT"]}, [True, True, False, False, False]),
        ({"country": Range(known=True)}, [True, True, False, True, True]),
        ({"orders": [0, -1]}, [True, False, False, False, True]),
        ({"orders": Range(at_least=5.0)}, [False, True, False, True, False]),
        ({"orders": Range(below=5.0)}, [True, False, False, False, True]),
        ({"orders": Range(at_least=0.0, below=9.0)}, [True, True, False, False, False]),
        ({"score": Range(at_least=0.5)}, [True, False, True, True, False]),
        ({"score": 0}, [False, False, False, False, True]),
        ({"newsletter": True}, [True, False, False, True, False]),
        ({"born": date(1980, 6, 30)}, [False, True, False, False, True]),
        ({"born": Range(at_least=date(1980, 6, 30))}, [False, True, False, True, True]),
        ({"country": ["DE", "AT"], "orders": Range(at_least=1.0)}, [False, True] + [False] * 3),
    ],
)
def test_each_kind_of_condition(condition, expected):
    assert met(condition) == expected
    with duckdb.connect() as database:
        database.register("rows", ROWS)
        relation = nw.from_native(database.table("rows"))
        held = relation.select(h=conditions.holds(condition)).collect("polars")
        assert held["h"].to_list() == expected


NUMBERS = st.none() | st.integers(-3, 3)
WANTED = st.one_of(
    st.integers(-3, 3),
    st.lists(st.integers(-3, 3), min_size=1, max_size=3),
    st.builds(
        Range,
        at_least=st.none() | st.integers(-3, 3).map(float),
        below=st.none() | st.integers(-3, 3).map(float),
        known=st.sampled_from([None, True]),
    ),
)


def literally(value: int | None, condition) -> bool:
    """What the grammar says, read word by word."""
    if value is None:
        return False
    if isinstance(condition, list):
        return value in condition
    if not isinstance(condition, Range):
        return value == condition
    above = condition.at_least is None or value >= condition.at_least
    return above and (condition.below is None or value < condition.below)


@given(
    st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=12),
    st.fixed_dictionaries({}, optional={"a": WANTED, "b": WANTED}),
)
def test_a_row_meets_what_a_literal_reading_says(rows, wanted):
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.Int64}, orient="row")
    expected = [
        all(literally(row[name], condition) for name, condition in wanted.items())
        for row in frame.iter_rows(named=True)
    ]
    held = nw.from_native(frame).with_columns(h=conditions.holds(wanted))["h"]
    assert held.to_list() == expected
    assert held.null_count() == 0


def test_a_book_writes_them_in_yaml():
    text = "{a: x, b: [1, 2], c: {at_least: 1, below: 2025-01-01}, d: {known: true}}"
    book = SHOP + f"only: {text}\n"
    assert Book.model_validate(yaml.safe_load(book)).only == {
        **{"a": "x", "b": [1, 2]},
        "c": Range(at_least=1, below=date(2025, 1, 1)),
        "d": Range(known=True),
    }


@pytest.mark.parametrize(
    ("condition", "column", "words"),
    [
        ("DE", "country", None),
        (5, "country", "holds text, and the condition speaks of numbers"),
        ([True, "x"], "country", "holds text, and the condition speaks of truths"),
        (Range(at_least=date(2025, 1, 1)), "country", "holds text, and the condition speaks of da"),
        (Range(at_least=0), "score", None),
        ("5", "orders", "holds numbers, and the condition speaks of text"),
        (1, "newsletter", "holds truths, and the condition speaks of numbers"),
        (date(2025, 1, 1), "born", None),
        ("2025-01-01", "born", "holds dates, and the condition speaks of text"),
    ],
)
def test_values_of_another_kind_than_the_column_are_named(condition, column, words):
    said = conditions.misfit(condition, nw.from_native(ROWS).schema[column])
    assert (said or "").startswith(words or "")
    assert (said is None) == (words is None)
