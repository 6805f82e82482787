"""What the data hold: measures and coverage, on drawn tables."""

from datetime import date

import polars as pl
import pytest
from drawing import drawn
from polars.testing import assert_frame_equal

from retention.quality import measures
from retention.tables import promises, rules

EXCLUSIONS = drawn("| rule | n |\n| too_new | 3 |\n| too_new | -1 |\n| | 2 |\n| other | 0 |")
FINE = drawn("| customer_id | segment |\n| ann | s1 |")


def test_tables_are_measured_by_rows_broken_rules_and_nulls():
    found = measures.measure({"members": FINE, "exclusions": EXCLUSIONS})
    expected = drawn("""
        | table      | column      | measure        | value |
        | exclusions |             | rows           | 4.0   |
        | exclusions |             | broken rules   | 3.0   |
        | exclusions | rule        | share of nulls | 0.25  |
        | exclusions | n           | share of nulls | 0.0   |
        | members    |             | rows           | 1.0   |
        | members    |             | broken rules   | 0.0   |
        | members    | customer_id | share of nulls | 0.0   |
        | members    | segment     | share of nulls | 0.0   |
    """)
    assert_frame_equal(found, expected)


def test_what_is_measured_keeps_its_own_promise():
    for tables in ({"members": FINE, "exclusions": EXCLUSIONS}, {"members": FINE.clear()}):
        assert rules.broken(measures.measure(tables), promises.PROMISES["data_quality"]) == []


def test_an_empty_table_has_no_nulls():
    found = measures.measure({"members": FINE.clear()})
    assert found.filter(pl.col("column").is_not_null())["value"].to_list() == [0.0, 0.0]


def test_coverage_is_counted_by_kind():
    activity = drawn("""
        | customer_id | day | kind     | events | orders | amount_cents |
        | ann         | 0   | purchase | 2      | 1      | 150          |
        | ann         | 31  | purchase | 1      | 1      | 50           |
        | bob         | 30  | purchase | 1      | 1      | 1            |
        | bob         | 30  | visit    | 7      | 0      | 0            |
    """)
    found = measures.coverage(activity.sample(fraction=1, shuffle=True, seed=1))
    assert found.columns[-2:] == ["first_date", "last_date"]
    assert found.drop("amount").rows() == [
        ("purchase", 2, 4, 3, date(1970, 1, 1), date(1970, 2, 1)),
        ("visit", 1, 7, 0, date(1970, 1, 31), date(1970, 1, 31)),
    ]
    assert found["amount"].to_list() == pytest.approx([2.01, 0])


def test_coverage_is_in_order_of_kind():
    kinds = list("gfedcba")
    activity = pl.DataFrame({"customer_id": kinds, "day": range(7), "kind": kinds}).with_columns(
        events=pl.lit(1), orders=pl.lit(1), amount_cents=pl.lit(1)
    )
    assert measures.coverage(activity)["kind"].to_list() == sorted(kinds)
