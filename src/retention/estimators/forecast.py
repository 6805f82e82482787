"""Purchases to be expected of customers without a contract: MBG/NBD, and some who never go.

BG/NBD takes who bought only once to be alive for ever, and who went to be gone for ever. Here the
first purchase may be the last (MBG/NBD), and `STAYING` of the forecast is that of a model in which
nobody ever goes (NBD): customers do come back after silences in which they counted as gone.

Source: Bates and Granger (1969), Operational Research Quarterly 20:451 (combining forecasts);
Ehrenberg (1959), Applied Statistics 8:26, and Morrison and Schmittlein (1988), J. of Business and
Economic Statistics 6:145 (NBD). Chosen on CDNOW's 1/10 sample alone, judged once on other customers
(benchmarks/value.py). Checked in tests/test_forecast.py.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import digamma, gammaln

from retention.estimators import bg_nbd, likelihood

STAYING = 0.15  # share of the forecast that is of a model in which nobody goes


class Fit(NamedTuple):
    """Both models: MBG/NBD, and the r and alpha of NBD."""

    going: bg_nbd.Fit
    staying: tuple[float, float]


def fit(frequency: np.ndarray, recency: np.ndarray, age: np.ndarray) -> Fit:
    """Both models of the same customers, in the words of `bg_nbd`.

    Raises:
        Refused: nobody bought again, or no likeliest parameters can be found.
    """
    going = bg_nbd.fit(frequency, recency, age, at_first=True)
    return Fit(going, nbd(frequency, age))


def expected(
    fit: Fit, frequency: np.ndarray, recency: np.ndarray, age: np.ndarray, horizon: float
) -> np.ndarray:
    """Days with a purchase to be expected of each customer in the next ``horizon``."""
    r, alpha = fit.staying
    steady = (r + frequency) / (alpha + age) * horizon
    going = bg_nbd.expected(fit.going, frequency, recency, age, horizon)
    return (1 - STAYING) * going + STAYING * steady


def nbd(frequency: np.ndarray, age: np.ndarray) -> tuple[float, float]:
    """r and alpha of NBD: steady rates, gamma distributed over customers, and nobody ever goes.

    Raises:
        Refused: no likeliest parameters can be found.
    """
    (x, t), n = likelihood.grouped(frequency, age)
    unit = float(t @ n / n.sum())

    def of(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r, alpha = parameters
        whole = alpha + t / unit
        value = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - (r + x) * np.log(whole)
        slope_r = digamma(r + x) - digamma(r) + np.log(alpha) - np.log(whole)
        return value, np.array([slope_r, r / alpha - (r + x) / whole])

    (r, alpha), _ = likelihood.maximise(of, n, start=(0.5, 0.5))
    return r, alpha * unit
