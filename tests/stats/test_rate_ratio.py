"""Ratios of two rates: published limits, SciPy's, and coverage counted outcome by outcome."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, poisson

from retention.stats import rate_ratio

RECENT = 28


def test_limits_are_those_of_r():
    """The example of R's help on poisson.test: 11 in 800 against 21 in 3,011 years."""
    lower, upper = rate_ratio.exact(np.array([11]), np.array([21]), 800, np.array([3011]))
    assert (round(lower[0], 7), round(upper[0], 7)) == (0.8584264, 4.2772659)


COUNTS = st.integers(0, 60)


@given(COUNTS, COUNTS, st.integers(28, 84), st.sampled_from([0.8, 0.95, 0.99]))
def test_limits_are_the_odds_of_scipys_exact_ones(recent, before, days, confidence):
    lower, upper = rate_ratio.exact(
        np.array([recent]), np.array([before]), RECENT, np.array([days]), confidence
    )
    if recent + before == 0:
        assert (lower[0], upper[0]) == (0, np.inf)
        return
    share = binomtest(recent, recent + before).proportion_ci(confidence, "exact")
    odds = [p / (1 - p) if p < 1 else np.inf for p in share]
    assert [lower[0], upper[0]] == pytest.approx([days / RECENT * odd for odd in odds])


def outcomes(before: float, days: int, ratio: float):
    """Every outcome of note of two Poisson counts, and how probable it is."""
    means = (before * RECENT / days * ratio, before)
    recent, earlier = (
        counts.ravel()
        for counts in np.meshgrid(*(np.arange(mean + 12 * mean**0.5 + 15) for mean in means))
    )
    return recent, earlier, poisson.pmf(recent, means[0]) * poisson.pmf(earlier, means[1])


@pytest.mark.parametrize("days", [28, 56, 84])
@pytest.mark.parametrize("before", [0.1, 0.5, 1, 2, 5, 10, 30, 80])
@pytest.mark.parametrize("ratio", [0.25, 0.5, 1, 2])
def test_limits_hold_the_truth_as_often_as_they_say_whatever_the_counts(before, days, ratio):
    """Also of those alone who were active before, of whom alone a ratio is told."""
    recent, earlier, chance = outcomes(before, days, ratio)
    lower, upper = rate_ratio.exact(recent, earlier, RECENT, np.full(len(recent), days))
    held = (lower <= ratio) & (ratio <= upper)
    seen = earlier > 0
    assert chance.sum() == pytest.approx(1, abs=1e-9)
    assert (chance * held).sum() >= 0.95
    assert (chance * held)[seen].sum() / chance[seen].sum() >= 0.95
