import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from retention.intervals import wilson


@given(st.integers(1, 5_000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_limits_equal_scipys(n, share, confidence):
    k = round(share * n)
    theirs = binomtest(k, n).proportion_ci(confidence, method="wilson")

    ours = pl.DataFrame({"k": [k], "n": [n]}).select(*wilson("k", "n", confidence))

    assert ours.row(0) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_no_rate_has_no_limits():
    frame = pl.DataFrame({"k": [0, None], "n": [0, 5]}, schema={"k": pl.Int64, "n": pl.Int64})

    assert frame.select(*wilson("k", "n")).rows() == [(None, None), (None, None)]
