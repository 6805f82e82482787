"""NBD that forgets: nobody goes, but the rate of each customer wanders, and old purchases fade.

A customer's rate is gamma distributed with ``r`` plus the repeat purchases, and ``alpha`` plus the
days, both of the past alone and counted the less the longer ago: by half after every `Fit.half`
days. Without fading that is NBD. What a month brings is then negative binomial given the months
before it, so that the likelihood of all months tells r, alpha and how soon to forget.

Source: Harvey and Fernandes (1989), J. of Business and Economic Statistics 7:407 (counts with
discounted gamma rates); Ehrenberg (1959), Applied Statistics 8:26 (NBD). Checked in
tests/stats/test_forgetting.py.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import digamma, gammaln

from retention.stats import likelihood

MONTH = 30  # days that are forecast at a time where the parameters are learned
HALVES = (*(15 * 2 ** (step / 2) for step in range(13)), np.inf)  # days, from 15 to 960, and never
MOST = 50_000  # customers learnt from: more are drawn from, always the same ones


class History(NamedTuple):
    """What is known on a day: ``age`` of each customer (days since the first purchase) and of
    every day with a repeat purchase the customer's place, ``who``, and the age ``at`` it."""

    age: np.ndarray
    who: np.ndarray
    at: np.ndarray


class Fit(NamedTuple):
    """r, alpha (days), the days after which a purchase counts half, and the log-likelihood."""

    r: float
    alpha: float
    half: float
    log_likelihood: float


def fit(history: History) -> Fit:
    """The likeliest of the fits with each of `HALVES`.

    Raises:
        Refused: no likeliest parameters can be found.
    """
    drawn = some(history, MOST)
    return max((_fit(drawn, half) for half in HALVES), key=lambda found: found.log_likelihood)


def expected(fit: Fit, history: History, horizon: float) -> np.ndarray:
    """Days with a purchase to be expected of each customer in the next ``horizon`` days."""
    age, who, at = history
    count = np.bincount(who, np.exp2((at - age[who]) / fit.half), minlength=len(age))
    return (fit.r + count) / (fit.alpha + _faded(age, fit.half)) * horizon


def some(history: History, most: int) -> History:
    """``most`` customers, drawn with a fixed seed; all where there are no more."""
    n = len(history.age)
    if n <= most:
        return history
    return only(history, np.isin(np.arange(n), np.random.default_rng(1).permutation(n)[:most]))


def only(history: History, kept: np.ndarray) -> History:
    """The history of the customers that are ``kept`` (true or false of each)."""
    own = kept[history.who]
    return History(history.age[kept], (np.cumsum(kept) - 1)[history.who[own]], history.at[own])


def _faded(days: np.ndarray, half: float) -> np.ndarray:
    """What ``days`` up to now count, each the less the longer ago."""
    return days if np.isinf(half) else -np.expm1(-np.log(2) / half * days) * half / np.log(2)


def _fit(history: History, half: float) -> Fit:
    (count, past, days, y), n = likelihood.grouped(*_months(history, half))
    unit, some = float(days @ n / n.sum()), y > 0
    past, days = past / unit, days / unit

    def of(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r, alpha = parameters
        a, before, after = r + count, alpha + past, alpha + past + days
        slope_r = np.log(before) - np.log(after)
        value = a * slope_r
        own, bought = a[some], y[some]
        value[some] += gammaln(own + bought) - gammaln(own) + bought * np.log((days / after)[some])
        slope_r[some] += digamma(own + bought) - digamma(own)
        return value, np.array([slope_r, a / before - (a + y) / after])

    (r, alpha), value = likelihood.maximise(of, n, start=(0.5, 1.0))
    return Fit(r, alpha * unit, half, value)


def _months(history: History, half: float) -> list[np.ndarray]:
    """Of every month of every customer: purchases and days before it, faded; its days; purchases.

    Months count from the first purchase; the last one is as long as it is known.
    """
    age, who, at = history
    month, months, count = (np.ceil(at / MONTH) - 1).astype(int), [], np.zeros(len(age))
    for number in range(int(np.ceil(age.max() / MONTH))):
        start, own, known = number * MONTH, month == number, age > number * MONTH
        bought = np.bincount(who[own], minlength=len(age))
        past = np.full(known.sum(), _faded(np.array(float(start)), half))
        days = np.minimum(age[known] - start, MONTH)
        months.append((count[known], past, days, bought[known]))
        fresh = np.bincount(who[own], np.exp2((at[own] - start - MONTH) / half), len(age))
        count = count * np.exp2(-MONTH / half) + fresh
    return [np.concatenate(column) for column in zip(*months, strict=True)]
