"""sBG: of drawn cohorts, and of the years nobody showed it; published fits in tests/published."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from published.purchases import RENEWALS

from retention.errors import Refused
from retention.stats import sbg

LATER = {"Regular": [22.3, 20.7, 19.4, 18.3, 17.3], "High-End": [46.8, 44.5, 42.7, 40.9, 39.4]}


def counted(alive: list[int]) -> tuple[np.ndarray, np.ndarray]:
    stayed = np.zeros(len(alive) - 1)
    stayed[-1] = alive[-1]
    return -np.diff(alive), stayed


@pytest.mark.parametrize("name", RENEWALS)
def test_years_that_were_held_out_are_foretold_within_two_points(name):
    fit = sbg.fit(*counted(RENEWALS[name]))
    assert 100 * sbg.survival(fit, np.arange(8, 13)) == pytest.approx(LATER[name], abs=2)


def test_cohorts_of_different_age_are_one_sample():
    rng = np.random.default_rng(2)
    ends = rng.geometric(rng.beta(0.9, 3.0, 40_000))
    seen = rng.integers(1, 13, 40_000)  # renewals that each could have had so far
    left = ends <= seen
    lost = np.bincount(ends[left], minlength=13)[1:]
    stayed = np.bincount(seen[~left], minlength=13)[1:]

    fit = sbg.fit(lost, stayed)

    assert fit[:2] == pytest.approx([0.9, 3.0], rel=0.1)


@given(st.floats(0.05, 20), st.floats(0.05, 20))
def test_the_share_that_renews_rises_with_age_though_nobody_changes(alpha, beta):
    there = sbg.survival(sbg.Fit(alpha, beta, 0.0), np.arange(30))
    assert there[0] == pytest.approx(1)
    assert there[1] == pytest.approx(beta / (alpha + beta))
    assert (np.diff(there[1:] / there[:-1]) > 0).all()


@pytest.mark.parametrize(("lost", "stayed"), [([0, 0], [3, 4]), ([5, 0], [0, 0])])
def test_a_cohort_of_which_all_or_none_left_is_refused(lost, stayed):
    with pytest.raises(Refused, match="customers who left and customers who renewed"):
        sbg.fit(np.array(lost), np.array(stayed))
