"""What labels say about an outcome, out of fold."""

import numpy as np
import pytest

from retention.stats import usefulness


def test_a_planted_part_of_the_variance_is_found():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 20_000)
    outcome = labels + rng.normal(scale=np.sqrt(labels.var()), size=len(labels))
    assert usefulness.r_squared(labels, outcome) == pytest.approx(0.5, abs=0.02)


def test_labels_that_say_nothing_explain_nothing_however_many_there_are():
    rng = np.random.default_rng(2)
    outcome = rng.normal(size=2_000)
    assert abs(usefulness.r_squared(rng.integers(0, 4, 2_000), outcome)) < 0.01
    assert usefulness.r_squared(rng.integers(0, 400, 2_000), outcome) < -0.1
    assert usefulness.r_squared(np.arange(2_000), outcome) == pytest.approx(0, abs=0.01)


def test_an_outcome_that_never_varies_cannot_be_explained():
    assert np.isnan(usefulness.r_squared(np.array([0, 1, 0, 1, 1]), np.ones(5)))
