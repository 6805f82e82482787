import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, multinomial

from retention.stats.intervals import net, wilson


@given(st.integers(1, 5_000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_limits_equal_scipys(n, share, confidence):
    k = round(share * n)
    theirs = binomtest(k, n).proportion_ci(confidence, method="wilson")

    ours = pl.DataFrame({"k": [k], "n": [n]}).select(*wilson("k", "n", confidence))

    assert ours.row(0) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_no_rate_has_no_limits():
    frame = pl.DataFrame({"k": [0, None], "n": [0, 5]}, schema={"k": pl.Int64, "n": pl.Int64})

    assert frame.select(*wilson("k", "n")).rows() == [(None, None), (None, None)]


def counted_out(n: int, plus: float, minus: float) -> float:
    """How often the limits of a net share cover it: over every outcome of ``n`` answers."""
    outcomes = pl.DataFrame(
        [(a, b, n) for a in range(n + 1) for b in range(n + 1 - a)], ["a", "b", "n"], orient="row"
    )
    limits = outcomes.select(*net("a", "b", "n"))
    inside = (
        (limits["ci_lower"] <= plus - minus) & (limits["ci_upper"] >= plus - minus)
    ).to_numpy()
    counts = outcomes.select("a", "b", rest=n - pl.col("a") - pl.col("b")).to_numpy()
    return float(multinomial(n, [plus, minus, 1 - plus - minus]).pmf(counts)[inside].sum())


@pytest.mark.parametrize("n", [10, 30, 80])
def test_limits_of_a_net_share_cover_it_as_often_as_they_should(n):
    grid = [(a / 10, b / 10) for a in range(1, 10) for b in range(1, 10) if a + b <= 9]
    found = [counted_out(n, plus, minus) for plus, minus in grid]
    assert min(found) > 0.925
    assert sum(found) / len(found) == pytest.approx(0.955, abs=0.012)


def test_a_net_share_of_few_alike_answers_is_not_certain():
    frame = pl.DataFrame({"a": [5, 0, 3, 1], "b": [0, 5, 3, 0], "n": [5, 5, 6, 0]})
    all_for, all_against, even, none = frame.select(*net("a", "b", "n")).rows()
    assert all_for[0] < 0.8
    assert all_for[1] <= 1
    assert all_against == pytest.approx((-all_for[1], -all_for[0]))
    assert even[0] == pytest.approx(-even[1])
    assert none == (None, None)
    narrow, wide = (frame.select(*net("a", "b", "n", c)).row(2) for c in (0.8, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
