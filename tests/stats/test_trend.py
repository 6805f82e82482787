"""The trend of shares over ordered groups: against R, and on planted trends."""

import numpy as np
import pytest
from scipy.stats import t

from retention.stats import trend as estimator


def test_the_trend_is_that_of_r():
    """prop.trend.test(c(83, 90, 129, 70), c(86, 93, 136, 82)): X-squared 8.2249, and
    prop.test of the same: X-squared 12.6004 on 3 df. The rest is scatter about the line."""
    count, n = np.array([83, 90, 129, 70]), np.array([86, 93, 136, 82])

    found = estimator.trend(count, n, np.arange(4))

    assert found.dispersion == pytest.approx((12.6004 - 8.2249) / 2, abs=1e-4)
    statistic = t(2).isf(found.p_value / 2) ** 2 * found.dispersion
    assert statistic == pytest.approx(8.2249, abs=1e-4)
    half = (found.ci_upper - found.ci_lower) / 2
    assert half == pytest.approx(t(2).ppf(0.975) * abs(found.slope) / t(2).isf(found.p_value / 2))


def test_where_cohorts_scatter_no_more_than_chance_the_test_is_that_of_cochran_and_armitage():
    """prop.trend.test(c(15, 24, 31), c(100, 100, 100)): X-squared 7.1490, p 0.0075."""
    found = estimator.trend(np.array([15, 24, 31]), np.full(3, 100), np.arange(3))

    assert found.dispersion == 1
    assert found.p_value == pytest.approx(0.0075, abs=5e-5)
    assert found.slope == pytest.approx(0.08)


@pytest.mark.parametrize(
    ("count", "n"), [([1, 2], [9, 9]), ([0, 0, 0], [9, 9, 9]), ([9, 9, 9], [9, 9, 9])]
)
def test_nothing_can_be_said_of_two_groups_or_of_no_difference(count, n):
    found = estimator.trend(np.array(count), np.array(n), np.arange(len(n)))
    assert np.isnan(found).all()


def drawn_share(rng, cohorts: int, slope: float, between: float) -> estimator.Trend:
    n = rng.integers(200, 400, cohorts)
    step = np.arange(cohorts)
    share = 0.4 + slope * (step - step.mean()) + rng.normal(0, between, cohorts)
    return estimator.trend(rng.binomial(n, share.clip(0.01, 0.99)), n, step)


@pytest.mark.parametrize(("cohorts", "between"), [(3, 0.0), (24, 0.08)])
def test_without_a_trend_one_is_found_no_more_often_than_said(cohorts, between):
    rng = np.random.default_rng((cohorts, int(1000 * between)))
    found = np.mean([drawn_share(rng, cohorts, 0, between).p_value < 0.05 for _ in range(800)])
    assert found < 0.072


def test_limits_cover_a_planted_trend_as_often_as_they_say():
    rng = np.random.default_rng(7)
    drawn = [drawn_share(rng, 24, 0.005, 0.03) for _ in range(800)]
    covered = np.mean([one.ci_lower <= 0.005 <= one.ci_upper for one in drawn])
    assert 0.93 <= covered <= 0.98
    assert np.mean([one.p_value < 0.05 for one in drawn]) > 0.8
