"""Rates that are gamma distributed over customers are found again."""

import numpy as np
import pytest

from retention.stats import nbd


def test_planted_rates_are_found():
    rng = np.random.default_rng(1)
    days = rng.integers(30, 300, 20_000).astype(float)
    count = rng.poisson(rng.gamma(0.8, 1 / 40, len(days)) * days)

    r, alpha = nbd.fit(count, days)

    assert (r, alpha) == (pytest.approx(0.8, rel=0.05), pytest.approx(40, rel=0.08))


def test_neither_the_unit_of_time_nor_the_order_of_rows_matters():
    rng = np.random.default_rng(2)
    count, days = rng.poisson(3, 500), rng.integers(10, 90, 500).astype(float)
    count[:100] = 0
    order = rng.permutation(500)

    assert nbd.fit(count[order], days[order]) == pytest.approx(nbd.fit(count, days), rel=1e-6)
    r, alpha = nbd.fit(count, 7 * days)
    assert (r, alpha / 7) == pytest.approx(nbd.fit(count, days), rel=1e-4)
