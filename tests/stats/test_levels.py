"""Texts with few levels, none of them small; numbers in quarters."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from retention.stats import levels


def test_small_levels_and_too_many_become_other_and_none_is_left_small():
    text = ["big"] * 30 + ["middle"] * 12 + ["small"] * 7 + [None] * 11

    few = levels.collapsed(pl.Series("plan", text), min_cell=10)
    assert dict(few.value_counts().rows()) == {"big": 30, "middle": 12, "other": 18}

    many = pl.Series("city", [f"{number:02}" for number in range(40)] * 20)
    assert levels.collapsed(many, min_cell=10).n_unique() == 12


@given(st.lists(st.sampled_from("aaaabbbccd"), min_size=10, max_size=120))
def test_after_collapsing_no_level_is_small(texts):
    sizes = levels.collapsed(pl.Series("x", texts), min_cell=10).value_counts()["count"]

    assert sizes.min() >= 10 or sizes.len() == 1
    assert sizes.sum() == len(texts)


@given(st.lists(st.none() | st.integers(-5, 50) | st.floats(-1e9, 1e9), min_size=1, max_size=60))
def test_quarters_keep_order_name_no_customers_number_and_divide_by_what_they_name(values):
    column = pl.Series("x", [*values, 7], pl.Float64, strict=False)
    found = pl.DataFrame({"x": column, "group": levels.quarters(column)}).sort("x")

    assert (found["group"].is_null() == found["x"].is_null()).all()
    assert found.drop_nulls()["group"].is_sorted()
    for value, group in found.drop_nulls().rows():
        place, where, bound = group.replace(",", "").split(" ", 2)
        if where == "all":
            continue
        named = float(bound.removeprefix("to "))
        assert named == float(f"{named:.3g}")
        assert value <= named if where == "up" else value > named
        assert place in ("1:", "2:", "3:", "4:")


def test_quarters_round_and_leave_none_empty():
    incomes = pl.Series("income", [41_000.7, 42_001.3, 58_333.1, 99_999.9])
    assert levels.quarters(incomes).to_list() == [
        "1: up to 42,000", "2: up to 58,300", "3: above 58,300", "3: above 58,300",
    ]  # fmt: skip
    near = pl.Series("x", [1_000_001, 1_000_002, 1_000_003])
    assert levels.quarters(near).unique().to_list() == ["1: all alike to three figures"]
