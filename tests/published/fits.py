"""A Cox regression under the names of published.csv: its estimates, and scores of its risks.

Scores are those of scikit-survival, for which whoever is censored on a day is gone before others
leave on that day; for `scores` they are still there. So durations are handed on half a day late,
and censoring is learnt from them as they are: the share followed until then is scikit-survival's.
"""

from contextlib import redirect_stdout
from io import StringIO
from typing import NamedTuple

import numpy as np
import pandas
import polars as pl
from lifelines import CoxPHFitter
from lifelines.calibration import survival_probability_calibration
from lifelines.statistics import proportional_hazard_test
from matplotlib.figure import Figure

from retention.stats import cox, scores

Found = dict[str, float]
TRANSFORMS = {"rank": "by rank", "km": "by Kaplan-Meier"}


class Fit(NamedTuple):
    """A Cox regression and what it was fitted on."""

    fitter: CoxPHFitter
    design: pl.DataFrame
    durations: np.ndarray
    events: np.ndarray


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


def harrell_c(fit: Fit) -> float:
    """How well the regression sorts its rows."""
    return scores.harrell_c(fit.durations, fit.events, cox.ratios(fit.fitter, fit.design))


def uno_c(fit: Fit, tau: float) -> float:
    """The same of those who left before ``tau``, freed from censoring."""
    ratios = cox.ratios(fit.fitter, fit.design)
    return scores.uno_c(fit.durations + 0.5, fit.events, ratios, tau, fit[2:])


def brier(fit: Fit, risk: np.ndarray, time: float) -> float:
    """How far ``risk`` lies from what happened by ``time`` (a whole number)."""
    return scores.brier(fit.durations + 0.5, fit.events, risk, time + 0.75, fit[2:])


def dynamic_auc(fit: Fit, risk: np.ndarray, time: float) -> float:
    """How well ``risk`` tells who left by ``time`` (a whole number)."""
    return scores.dynamic_auc(fit.durations + 0.5, fit.events, risk, time + 0.75, fit[2:])


def integrated_brier(fit: Fit, times: np.ndarray) -> float:
    """The mean of `brier` over a range, of the risks that the regression itself gives."""
    return scores.integrated(times, np.array([brier(fit, risk(fit, time), time) for time in times]))


def risk(fit: Fit, horizon: float, since: float = 0) -> np.ndarray:
    """P(T <= since + horizon | T > since) of those it was fitted on."""
    ratios = cox.ratios(fit.fitter, fit.design)
    return cox.conditional_risk(
        cox.baseline(fit.fitter), ratios, np.full(len(ratios), since), horizon
    )


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
