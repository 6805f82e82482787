"""Behaviour as points: scales, ties, ids."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from retention.stats import scaling


def behaviour(rows: list[tuple]) -> pl.DataFrame:
    ids = pl.int_range(len(rows), eager=True).cast(pl.String)
    return pl.DataFrame(rows, schema=["rate", "money"], orient="row").select(
        ids.alias("customer_id"), "rate", "money"
    )


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(-10, 10)), min_size=2, max_size=50))
def test_points_are_finite_and_centred(rows):
    points = scaling.points(scaling.compared(behaviour(rows), ["rate"]))
    assert np.isfinite(points).all()
    assert np.abs(np.median(points, axis=0)).max() <= 2 * scaling.JITTER


def test_a_feature_on_a_log_scale_says_so():
    compared = scaling.compared(behaviour([(0.0, 3.0), (np.e - 1, 4.0)]), ["rate"])
    assert compared.columns == ["customer_id", "rate (log)", "money"]
    assert compared["rate (log)"].to_list() == [0, 1]


def test_others_are_placed_on_the_scale_of_those_they_are_compared_with():
    usual = scaling.compared(behaviour([(value, 2 * value) for value in range(5)]), [])
    one = usual[4:].with_columns(rate=pl.lit(8))

    assert scaling.points(usual)[:, 0].round(2).tolist() == [-1, -0.5, 0, 0.5, 1]
    assert scaling.points(one, usual).round(2).tolist() == [[3, 1]]
    same = scaling.points(usual[3:], usual)
    assert (same == scaling.points(usual)[3:]).all()


def test_the_jitter_belongs_to_the_customer_and_is_tiny():
    ids = pl.Series([f"c{number}" for number in range(500)])
    whole, few = scaling._jitter(ids, 2, ""), scaling._jitter(ids[::2], 2, "")

    assert (whole[::2] == few).all()
    assert np.abs(whole).max() <= scaling.JITTER / 2
    assert len(np.unique(whole)) == whole.size
    assert (whole != scaling._jitter(ids, 2, "other ")).all()
