"""Shifted beta-geometric: how a cohort under contract thins out, renewal by renewal.

At every renewal a customer leaves with a chance that is steady for them and beta distributed over
customers. Those likely to leave go first, so that the share renewing rises with age though nobody
changes: a curve drawn through past renewals would fall too far.

Source: Fader and Hardie (2007), J. of Interactive Marketing 21:76. Checked on the published fits
(`make numbers`) and on drawn cohorts in tests/test_sbg.py.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.special import betaln, digamma

from retention.errors import Refused
from retention.stats import likelihood


class Fit(NamedTuple):
    """Parameters and the log-likelihood of the customers."""

    alpha: float
    beta: float
    log_likelihood: float


def fit(lost: np.ndarray, stayed: np.ndarray) -> Fit:
    """The parameters under which the counts are likeliest.

    Takes   lost: customers who left at the 1st, 2nd, ... renewal; stayed: customers who had come
            through so many renewals when last seen (as long as ``lost``)

    Raises:
        Refused: nobody left, or nobody stayed through any renewal.
    """
    renewals = np.arange(1.0, len(lost) + 1)
    came_through = stayed.sum() + lost[1:].sum()
    if not lost.sum() or not came_through:
        raise Refused("a cohort needs customers who left and customers who renewed")
    model = partial(_log_likelihood, t=renewals)
    n = np.concatenate([lost, stayed]).astype(float)
    (alpha, beta), value = likelihood.maximise(model, n, start=(1.0, 1.0))
    return Fit(alpha, beta, value)


def survival(fit: Fit, renewals: np.ndarray) -> np.ndarray:
    """The share of new customers who come through so many renewals (equation 6)."""
    return np.exp(betaln(fit.alpha, fit.beta + renewals) - betaln(fit.alpha, fit.beta))


def _log_likelihood(parameters: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of leaving at each renewal, then of coming through it, and the slopes by alpha and beta."""
    alpha, beta = parameters
    whole = betaln(alpha, beta)
    value = [betaln(alpha + 1, beta + t - 1) - whole, betaln(alpha, beta + t) - whole]
    both = digamma(alpha + beta) - digamma(alpha + beta + t)
    slope_alpha = [both + 1 / alpha, both]
    rest = both - digamma(beta)
    slope_beta = [rest + digamma(beta + t - 1), rest + digamma(beta + t)]
    return np.concatenate(value), np.array([np.concatenate(s) for s in (slope_alpha, slope_beta)])
