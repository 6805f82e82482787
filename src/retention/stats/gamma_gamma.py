"""Gamma-Gamma: what a customer spends per purchase, between their own mean and that of all.

Amounts of one customer vary around a mean of their own, and these means over customers; neither has
to do with how often they buy, which must be checked (`correlation`).

Source: Fader and Hardie (2013), "The Gamma-Gamma Model of Monetary Value", equations 1 and 3;
Fader, Hardie and Lee (2005), J. of Marketing Research 42:415. Checked on the published fit
(`make numbers`), on planted means and against lifetimes in tests/stats/test_gamma_gamma.py.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.special import digamma, gammaln

from retention.errors import Refused
from retention.stats import likelihood


class Fit(NamedTuple):
    """Parameters (``gamma`` in money) and the log-likelihood of the customers."""

    p: float
    q: float
    gamma: float
    log_likelihood: float


def fit(purchases: np.ndarray, mean: np.ndarray) -> Fit:
    """The parameters under which the means are likeliest.

    Takes   purchases: how many amounts of a customer are known (>= 1); mean: their mean (> 0)

    Raises:
        Refused: there is nobody, all means are equal, or no likeliest parameters can be found.
    """
    (x, z), n = likelihood.grouped(purchases, mean)
    if len(np.unique(z)) < 2:
        raise Refused("amounts do not differ between customers: there is nothing to learn")
    unit = float(z @ n / n.sum())
    model = partial(_log_likelihood, x=x, z=z / unit)
    (p, q, gamma), value = likelihood.maximise(model, n, start=(3.0, 3.0, 1.0))
    return Fit(p, q, gamma * unit, value - float(n.sum() * np.log(unit)))


def expected_mean(fit: Fit, purchases: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """What the next purchase of each customer is expected to amount to.

    Takes   as `fit`; of who has no known amount, 0 purchases: they get the mean of all. NaN where
            the distribution has no mean (q <= 1)
    """
    p, q, gamma = fit[:3]
    weight = p * purchases + q - 1
    known = np.where(purchases > 0, mean, 0.0)
    return np.where(q > 1, p * (gamma + purchases * known) / weight, np.nan)


def correlation(frequency: np.ndarray, mean: np.ndarray) -> float:
    """Pearson's correlation of how often and how much customers buy; NaN where one never varies."""
    if len(mean) < 3 or np.ptp(frequency) == 0 or np.ptp(mean) == 0:
        return float("nan")
    return float(np.corrcoef(frequency, mean)[0, 1])


def _log_likelihood(
    parameters: np.ndarray, x: np.ndarray, z: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The log-likelihood of each mean, and its slopes by p, q and gamma."""
    p, q, gamma = parameters
    whole, both = p * x + q, gamma + x * z
    value = gammaln(whole) - gammaln(p * x) - gammaln(q) + q * np.log(gamma)
    value = value + (p * x - 1) * np.log(z) + p * x * np.log(x) - whole * np.log(both)
    slope_p = x * (digamma(whole) - digamma(p * x) + np.log(z) + np.log(x) - np.log(both))
    slope_q = digamma(whole) - digamma(q) + np.log(gamma) - np.log(both)
    return value, np.array([slope_p, slope_q, q / gamma - whole / both])
