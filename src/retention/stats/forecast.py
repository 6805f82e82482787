"""Purchases to be expected of customers without a contract: of some who go, of some who change.

BG/NBD takes who bought only once to be alive for ever, who went to be gone for ever, and rates to
be steady. Here two models that err in opposite ways are mixed: MBG/NBD, in which the first
purchase may be the last and nobody comes back, and an NBD that forgets, in which nobody goes and
rates wander. The weight is learnt from the history at hand: both models, of what was known when a
third of it had yet to come, are held against who bought how much in that third. Only shares count,
not sums: a season or a trend moves sums as much as a wrong model does.

Source: Bates and Granger (1969), Operational Research Quarterly 20:451 (combining forecasts);
Yao, Vehtari, Simpson and Gelman (2018), Bayesian Analysis 13:917 (weights by what was held out);
`bg_nbd` and `forgetting` for the models. Chosen on CDNOW's 1/10 sample alone (benchmarks/value.py
judges it on other customers). Checked in tests/stats/test_forecast.py.
"""

from typing import NamedTuple

import numpy as np

from retention.errors import Refused
from retention.stats import bg_nbd, forgetting
from retention.stats.forgetting import History

HELD_OUT = 1 / 3  # of the longest age: what the weight is learnt from
WEIGHTS = np.arange(0.005, 1, 0.01)  # of the NBD that forgets
BEFOREHAND = (1 - WEIGHTS) ** 2  # beta(1, 3): a quarter, before anything is learnt


class Fit(NamedTuple):
    """Both models, and the weight of the second."""

    going: bg_nbd.Fit
    changing: forgetting.Fit
    weight: float


def fit(history: History) -> Fit:
    """Both models of the same customers, and their weight.

    Raises:
        Refused: nobody bought again, or no likeliest parameters can be found.
    """
    return Fit(*_models(history), _weight(history))


def expected(fit: Fit, history: History, horizon: float) -> np.ndarray:
    """Days with a purchase to be expected of each customer in the next ``horizon`` days."""
    going = bg_nbd.expected(fit.going, *lives(history), horizon)
    changing = forgetting.expected(fit.changing, history, horizon)
    return going + fit.weight * (changing - going)


def lives(history: History) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """frequency, recency and age, in the words of `bg_nbd`."""
    age, who, at = history
    recency = np.zeros(len(age))
    np.maximum.at(recency, who, at)
    return np.bincount(who, minlength=len(age)).astype(float), recency, age


def earlier(history: History, days: float) -> tuple[History, np.ndarray]:
    """What was known ``days`` ago, and what each customer known then has bought since."""
    known = history.age >= days
    age, who, at = forgetting.only(history, known)
    then = age - days
    past = at <= then[who]
    return History(then, who[past], at[past]), np.bincount(who[~past], minlength=len(age))


def _models(history: History) -> tuple[bg_nbd.Fit, forgetting.Fit]:
    return bg_nbd.fit(*lives(history), at_first=True), forgetting.fit(history)


def _weight(history: History) -> float:
    """The mean weight after what was held out; that of beforehand where nothing can be learnt."""
    drawn = forgetting.some(history, forgetting.MOST)
    days = np.floor(HELD_OUT * drawn.age.max())
    then, came = earlier(drawn, days)
    try:
        models = _models(then)
    except Refused:
        return float(np.average(WEIGHTS, weights=BEFOREHAND))
    who = np.flatnonzero(came)
    said = [expected(Fit(*models, weight), then, days) for weight in (0.0, 1.0)]
    going, changing = ([part[who, None], part.sum()] for part in said)
    own, whole = (one + WEIGHTS * (other - one) for one, other in zip(going, changing, strict=True))
    shares = came[who] @ np.log(own) - came.sum() * np.log(whole)  # multinomial log-likelihoods
    likely = np.exp(shares - shares.max(initial=-np.inf)) * BEFOREHAND
    return float(np.average(WEIGHTS, weights=likely))
