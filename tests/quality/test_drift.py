"""What refreshes keep to compare themselves by: profiles without small cells, and the index."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from retention.quality import drift

MIN_CELL = 5
COUNTS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=2, max_size=12)


def customers(**columns) -> pl.DataFrame:
    """Current customers with these columns, and what `in_force` leaves out."""
    n = len(next(iter(columns.values())))
    ids = {"customer_id": [f"c{number}" for number in range(n)], "standing": ["current"] * n}
    return pl.DataFrame(ids | columns).with_columns(
        pl.lit(1, pl.Int64).alias(name) for name in ("spell", "start_day", "last_day")
    )


def tables(at: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Tables of the customers ``at``, each with one event of one kind."""
    one = at.select("customer_id", events=pl.lit(1, pl.Int64))
    texts = {"activity": "kind", "habits": "channel", "baskets": "category", "spells": "cause"}
    made = {name: one.with_columns(pl.lit("one").alias(text)) for name, text in texts.items()}
    return made | {"customers_at": at}


def profiled(values: list, min_cell: int = MIN_CELL) -> dict[str, int | None]:
    """n by level of an attribute of these ``values``."""
    found = drift.profile(drift.in_force(customers(value=values)), min_cell)
    return dict(found.filter(column="value").select("level", "n").iter_rows())


def test_the_index_by_hand():
    assert drift.psi([50, 50], [75, 25]) == pytest.approx(0.2746531, abs=1e-7)


def test_an_empty_group_counts_as_half_a_customer_and_one_empty_twice_not_at_all():
    expected = (0.9 - 1) * math.log(0.9 / 1) + (0.1 - 0.005) * math.log(0.1 / 0.005)
    assert drift.psi([100, 0, 0], [90, 10, 0]) == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(1, 500)), min_size=2, max_size=12))
def test_the_index_is_the_divergence_both_ways(pairs):
    then, now = (list(counts) for counts in zip(*pairs, strict=True))
    both_ways = entropy(then, now) + entropy(now, then)
    assert drift.psi(then, now) == pytest.approx(both_ways, abs=1e-9)


@given(COUNTS.filter(lambda pairs: all(sum(side) for side in zip(*pairs, strict=True))))
def test_the_index_is_zero_for_equals_never_below_and_blind_to_order(pairs):
    then, now = (list(counts) for counts in zip(*pairs, strict=True))
    assert drift.psi(then, then) == 0
    assert drift.psi(then, now) >= 0
    assert drift.psi(then[::-1], now[::-1]) == drift.psi(then, now)


def test_chance_is_what_samples_of_one_population_seldom_exceed():
    shares, rng = [0.1] * 10, np.random.default_rng(1)
    drawn = rng.multinomial(400, shares, size=(2, 2000))
    beyond = [drift.psi(*pair) > drift.chance(10, 400, 400) for pair in zip(*drawn, strict=True)]
    assert 0.001 < sum(beyond) / len(beyond) < 0.03


def test_tenths_of_a_feature_hold_a_tenth_each():
    found = profiled([float(number) for number in range(1, 101)])
    assert [found[f"{tenth:02}"] for tenth in range(1, 11)] == [10] * 10
    assert found[drift.UNKNOWN] == 0


def test_ties_make_fewer_tenths_and_a_constant_one():
    found = profiled([0] * 60 + list(range(1, 41)))
    assert (found["01"], sum(found.values()), len(found)) == (60, 100, 6)
    assert profiled([7] * 30) == {"01": 30, "02": 0, drift.UNKNOWN: 0}
    assert profiled([12345] * 30) == {"01": 0, "02": 30, drift.UNKNOWN: 0}


def test_an_unknown_feature_has_no_tenths():
    assert profiled(pl.Series([None] * 30, dtype=pl.Float64)) == {"01": 0, drift.UNKNOWN: 30}


@given(st.lists(st.sampled_from("abcdefgh") | st.none(), min_size=20, max_size=60))
def test_levels_of_few_customers_are_not_named(values):
    counts = {level or drift.UNKNOWN: values.count(level) for level in values}
    assert profiled(values) == {level: n for level, n in counts.items() if n >= MIN_CELL}


@given(st.lists(st.integers(-3, 3) | st.none(), min_size=20, max_size=60))
def test_small_groups_of_numbers_are_hidden(values):
    found = profiled(pl.Series(values, dtype=pl.Int64))
    assert all(not n or n >= MIN_CELL for n in found.values())
    unknown = values.count(None)
    assert found[drift.UNKNOWN] == (None if 0 < unknown < MIN_CELL else unknown)


def test_values_are_counted_in_the_groups_of_another_time():
    groups = pl.DataFrame(
        [("01", 2.0), ("02", 5.0), ("03", math.inf), (drift.UNKNOWN, None)],
        drift.GROUP,
        orient="row",
    )
    frame = pl.DataFrame({"customer_id": list("abcdef"), "value": [2, 3, 5, 6, None, 7]})
    assert drift.counted(frame, "value", groups)["n"].to_list() == [1, 2, 2, 1]
    texts = frame.with_columns(pl.col("value").cast(pl.String))
    assert drift.counted(texts, "value", groups)["n"].to_list() == [0, 0, 0, 1]
