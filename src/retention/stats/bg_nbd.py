"""BG/NBD: how often customers without a contract buy again, and whether they still may.

While alive a customer buys at a rate that is steady for them and gamma distributed over customers;
after a purchase they may be gone for good, with a chance that is beta distributed. In BG/NBD only
repeat purchases give that chance, so that who bought once is alive for ever; in MBG/NBD the first
one does too (``at_first``). Three numbers of each customer suffice, in one unit of time:
``frequency`` (days with a purchase after the first), ``recency`` (age at the last of them, 0 where
there is none) and ``age`` (since the first).

Source: Fader, Hardie and Lee (2005), Marketing Science 24:275; MBG/NBD: Batislam, Denizel and
Filiztekin (2007), Int. J. of Research in Marketing 24:201. Checked on the published fit
(`make numbers`), by simulation and against lifetimes in tests/stats/test_bg_nbd.py.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.special import betaln, digamma, expit, gammaln, hyp2f1, log_expit

from retention.errors import Refused
from retention.stats import likelihood

ALIKE = 100.0  # a from which on chances count as no more alike: beyond, the series overflows
NEAR_ONE = 1e-6  # at a = 1 the mean is a limit: it is taken from this far beside it


class Fit(NamedTuple):
    """Parameters (``alpha`` in units of time) and the log-likelihood of the customers."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float
    at_first: bool = False


def fit(frequency: np.ndarray, recency: np.ndarray, age: np.ndarray, at_first: bool = False) -> Fit:
    """The parameters under which what was seen is likeliest.

    Equal customers are counted once with their number, and time is scaled to its mean, so that
    neither how many there are nor the unit matters.

    Raises:
        Refused: nobody bought again, or no likeliest parameters can be found.
    """
    if not (frequency > 0).any():
        raise Refused("nobody bought again: there is no rate to learn")
    (x, tx, t), n = likelihood.grouped(frequency, recency, age)
    unit, x = float(t @ n / n.sum()), x.astype(int)
    model = partial(_log_likelihood, x=x, tx=tx / unit, t=t / unit, at_first=at_first)
    (r, alpha, a, b), value = likelihood.maximise(model, n, start=(0.5, 0.5, 0.8, 2.0))
    return Fit(r, alpha * unit, a, b, value - float(n @ x * np.log(unit)), at_first)


def expected(
    fit: Fit, frequency: np.ndarray, recency: np.ndarray, age: np.ndarray, horizon: float
) -> np.ndarray:
    """Days with a purchase to be expected of each customer in the next ``horizon``.

    Equation 10 of the source; the hypergeometric function after Euler's transformation, whose
    terms stay small however often a customer has bought.
    """
    r, _, a, b = fit[:4]
    alike = min(1, ALIKE / a)
    a, stayed = a * alike, (b + frequency + fit.at_first) * alike
    a = 1 + NEAR_ONE if abs(a - 1) < NEAR_ONE else a
    ever = a + stayed - 1
    ahead = horizon / (fit.alpha + age + horizon)
    series = hyp2f1(ever - r - frequency, a - 1, ever, ahead)
    grown = ever / (a - 1) * (1 - (1 - ahead) ** (a - 1) * series)
    return grown * alive(fit, frequency, recency, age)


def alive(fit: Fit, frequency: np.ndarray, recency: np.ndarray, age: np.ndarray) -> np.ndarray:
    """The chance that each customer has not gone."""
    r, alpha, a, b = fit[:4]
    chances = frequency + fit.at_first
    waited = (r + frequency) * np.log((alpha + age) / (alpha + recency))
    odds = np.log(_left(b, chances)) - np.log(a) - waited
    return np.where(chances > 0, expit(odds), 1.0)


def quiet(
    fit: Fit, frequency: np.ndarray, recency: np.ndarray, age: np.ndarray, horizon: float
) -> np.ndarray:
    """The chance that each customer buys nothing in the next ``horizon``: gone, or alive and by
    chance without a purchase.

    Source: equation 8 of Fader, Hardie and Lee (2005) gives P(X = 0) of a new customer; with the
    gamma posterior of the rate, alpha + age and r + frequency stand for alpha and r. Checked by
    simulation in tests/stats/test_bg_nbd.py.
    """
    waits = (fit.alpha + age) / (fit.alpha + age + horizon)
    return 1 - alive(fit, frequency, recency, age) * (1 - waits ** (fit.r + frequency))


def _log_likelihood(
    parameters: np.ndarray, x: np.ndarray, tx: np.ndarray, t: np.ndarray, at_first: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The log-likelihood of each customer (equation 6), and its slopes by r, alpha, a and b."""
    r, alpha, a, b = parameters
    chances = x + at_first
    left = _left(b, chances)
    log_age, log_recency = np.log(alpha + t), np.log(alpha + tx)
    odds = np.log(left) - np.log(a) + (r + x) * (log_recency - log_age)  # to stay against gone
    odds = np.where(chances > 0, odds, np.inf)
    stays = expit(odds)
    goes = 1 - stays
    either = -(r + x) * log_age - log_expit(odds)
    counts = np.arange(x.max() + 1)  # what depends on counts alone is computed once for each
    value = gammaln(r + counts) - gammaln(r) + r * np.log(alpha)
    value = value + betaln(a, b + counts + at_first) - betaln(a, b)
    slope_r = digamma(r + counts) - digamma(r) + np.log(alpha)
    both = digamma(a + b) - digamma(a + b + counts + at_first)
    slope_b = both + digamma(b + counts + at_first) - digamma(b)
    value, slope_r, both, slope_b = (part[x] for part in (value, slope_r, both, slope_b))
    slope_r = slope_r - stays * log_age - goes * log_recency
    slope_alpha = r / alpha - (r + x) * (stays / (alpha + t) + goes / (alpha + tx))
    slopes = np.array([slope_r, slope_alpha, both + goes / a, slope_b - goes / left])
    return value + either, slopes


def _left(b: float, chances: np.ndarray) -> np.ndarray:
    """What divides the chance to have gone; 1 where there was no chance, so that it is not used."""
    return np.where(chances > 0, b + chances - 1, 1.0)
