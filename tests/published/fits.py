"""A Cox regression under the names of published.csv: its estimates, and scores of its risks.

Censoring is met by weights: who is seen stands also for those like them who were censored earlier.
As in scikit-survival, whoever is censored on a day is gone before others leave on that day.
"""

from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from io import StringIO

import numpy as np
import pandas
import polars as pl
from lifelines import CoxPHFitter
from lifelines.calibration import survival_probability_calibration
from lifelines.statistics import proportional_hazard_test
from matplotlib.figure import Figure

from retention.stats import cox, kaplan_meier, risk_sets, scores

Found = dict[str, float]
TRANSFORMS = {"rank": "by rank", "km": "by Kaplan-Meier"}


@dataclass(frozen=True)
class Fit:
    """A Cox regression and what it was fitted on."""

    fitter: CoxPHFitter
    design: pl.DataFrame
    durations: np.ndarray
    events: np.ndarray

    @cached_property
    def ratios(self) -> np.ndarray:
        """How many times the baseline hazard each row has."""
        return self.fitter.predict_partial_hazard(to_pandas(self.design)).to_numpy()

    @cached_property
    def uncensored(self) -> tuple[np.ndarray, np.ndarray]:
        """Times, and the share that is not censored up to and on each, were there no events."""
        times = np.unique(self.durations)
        at_risk, ends = risk_sets.at(times, self.durations, self.events)
        _, gone = risk_sets.at(times, self.durations, ~self.events)
        return times, np.append(1.0, np.cumprod(1 - gone / np.maximum(at_risk - ends, 1)))


def fit(design: pl.DataFrame, durations: pl.Series, events: pl.Series, **options) -> Fit:
    """`cox.fit`, with what it was fitted on."""
    lives = durations.to_numpy(), events.to_numpy()
    return Fit(cox.fit(design, *lives, **options), design, *lives)


def estimates(fit: Fit) -> Found:
    """What the regression says of its terms and of itself."""
    figures = {"coefficient": "coef", "standard error": "se(coef)", "z": "z", "p-value": "p"}
    return {
        f"Cox, {term}: {name}": row[theirs]
        for term, row in fit.fitter.summary.iterrows()
        for name, theirs in figures.items()
    } | {
        "Cox: log-likelihood": fit.fitter.log_likelihood_,
        "Cox: partial AIC": fit.fitter.AIC_partial_,
        "Cox: likelihood ratio": fit.fitter.log_likelihood_ratio_test().test_statistic,
        "Cox: Harrell's C": harrell_c(fit),
    }


def schoenfeld(fit: Fit, transform: str) -> Found:
    """lifelines' test of proportional hazards, term by term."""
    test = proportional_hazard_test(fit.fitter, as_fitted(fit), time_transform=transform)
    by = f"Schoenfeld test {TRANSFORMS[transform]}"
    return {
        f"{by}, {term}: {name}": row[theirs]
        for term, row in test.summary.iterrows()
        for name, theirs in {"statistic": "test_statistic", "p-value": "p"}.items()
    }


def ici(fit: Fit, time: int) -> float:
    """lifelines' index of calibration, which it draws and prints as well."""
    with redirect_stdout(StringIO()):
        axes = Figure().add_subplot()
        return survival_probability_calibration(fit.fitter, as_fitted(fit), time, axes)[1]


def as_fitted(fit: Fit) -> pandas.DataFrame:
    """What was fitted, as lifelines wants to see it again."""
    return to_pandas(fit.design).assign(_duration=fit.durations, _event=fit.events)


def _in_order(durations, events, risk, weights=None) -> float:
    """Of pairs of whom one is seen to leave first, the (weighted) share in which that one had the
    higher risk; equal risks half. Whoever is censored when another leaves stayed longer."""
    good = pairs = 0.0
    for first in np.flatnonzero(events):
        weight = 1.0 if weights is None else weights[first]
        later = (durations > durations[first]) | ((durations == durations[first]) & ~events)
        others = risk[later]
        good += weight * ((others < risk[first]).sum() + (others == risk[first]).sum() / 2)
        pairs += weight * later.sum()
    return float(good / pairs)


def harrell_c(fit: Fit) -> float:
    """How well the regression sorts its rows."""
    return _in_order(fit.durations, fit.events, fit.ratios)


def uno_c(fit: Fit, tau: float) -> float:
    """The same of those who left before ``tau``, freed from censoring."""
    early = fit.events & (fit.durations < tau)
    weights = early / _followed(fit, np.minimum(fit.durations, fit.durations[early].max())) ** 2
    return _in_order(fit.durations, early, fit.ratios, weights)


def brier(fit: Fit, risk: np.ndarray, time: float) -> float:
    """How far ``risk`` lies from what happened by ``time``."""
    left, weights = _known_by(fit, time)
    return float(np.mean(weights * (risk - left) ** 2))


def dynamic_auc(fit: Fit, risk: np.ndarray, time: float) -> float:
    """How well ``risk`` tells who left by ``time``."""
    left, weights = _known_by(fit, time)
    return scores.auc(left, risk, weights)


def integrated_brier(fit: Fit, times: np.ndarray) -> float:
    """The mean of `brier` over a range, of the risks that the regression itself gives."""
    each = np.array([brier(fit, risk(fit, time), time) for time in times])
    return float(np.trapezoid(each, times) / (times[-1] - times[0]))


def calibration_error(fit: Fit, risk: np.ndarray, time: float) -> float:
    """The mean distance of ``risk`` from the share that left, by groups of equal risk."""
    groups = [risk == level for level in np.unique(risk)]
    apart = [
        abs(risk[own][0] - left_by(fit.durations[own], fit.events[own], time)) for own in groups
    ]
    return float(np.average(apart, weights=[own.sum() for own in groups]))


def left_by(durations: np.ndarray, events: np.ndarray, time: float) -> float:
    """1 - Kaplan-Meier."""
    curve = kaplan_meier.curve(durations, events).filter(pl.col("duration_days") <= time)
    return 1 - curve["survival"][-1]


def _followed(fit: Fit, until: np.ndarray) -> np.ndarray:
    """The share that is not censored up to and on ``until``."""
    times, share = fit.uncensored
    return share[np.searchsorted(times, until, "right")]


def _known_by(fit: Fit, time: float) -> tuple[np.ndarray, np.ndarray]:
    """Who left by ``time``, and the weights of all: 0 where that is not known."""
    left = fit.events & (fit.durations <= time)
    there = left | (fit.durations > time)
    return left, there / np.where(there, _followed(fit, np.minimum(fit.durations, time)), 1)


def risk(fit: Fit, horizon: float, since: float = 0) -> np.ndarray:
    """P(T <= since + horizon | T > since) of those it was fitted on."""
    table = fit.fitter.baseline_cumulative_hazard_
    base = cox.Baseline(table.index.to_numpy(), table.to_numpy()[:, 0], fit.durations.max())
    return cox.conditional_risk(base, fit.ratios, np.full(len(fit.ratios), since), horizon)


def dummies(frame: pl.DataFrame) -> pl.DataFrame:
    """Texts as 0 and 1 for each of their levels but the first of the alphabet."""
    texts = frame.select(pl.col(pl.String)).columns
    against = [f"{name}_{frame[name].min()}" for name in texts]
    return frame.to_dummies(texts).drop(against).cast(pl.Float64)


def to_pandas(frame: pl.DataFrame) -> pandas.DataFrame:
    """The same columns, for lifelines."""
    return pandas.DataFrame({name: frame[name].to_numpy() for name in frame.columns})


def to_polars(frame: pandas.DataFrame) -> pl.DataFrame:
    """The same columns, of a data set that lifelines carries."""
    return pl.DataFrame({name: frame[name].to_numpy() for name in frame.columns})
