"""Cox regression by lifelines, and the risk it gives to those who have stayed so far.

pandas stays inside this module.
"""

import warnings
from typing import NamedTuple

import numpy as np
import pandas
import polars as pl
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError, ConvergenceWarning

from retention.errors import Refused

STEPS = (0.95, 0.25)  # of Newton's: lifelines' own first, which overshoots where ratios are large


class Baseline(NamedTuple):
    """The cumulative hazard of whom the covariates say nothing about, a step at each of ``times``;
    not known beyond ``last``."""

    times: np.ndarray
    cumulative: np.ndarray
    last: float


def fit(
    design: pl.DataFrame,
    durations: np.ndarray,
    events: np.ndarray,
    *,
    entry: np.ndarray | None = None,
    strata: list[str] | None = None,
    penalizer: float = 0.0,
    confidence: float = 0.95,
) -> CoxPHFitter:
    """Fit hazards that are proportional in the columns of ``design``, ties after Efron.

    Takes   design: numbers, one row per customer, and the columns named in ``strata``, which each
            have a baseline of their own; durations (> 0); events (bool); entry (durations already
            lived on entering observation)

    Raises:
        Refused: no end was seen, or the fit does not converge.

    Source: Cox (1972), JRSS B 34:187; Efron (1977), JASA 72:557. Checked on Rossi's data in
    tests/published/test_numbers.py.
    """
    if not events.any():
        raise Refused("no customer left: nothing to fit")
    frame = pandas.DataFrame({name: design[name].to_numpy() for name in design.columns})
    late = entry is not None and bool((entry > 0).any())
    frame = frame.assign(_duration=durations, _event=events, **({"_entry": entry} if late else {}))
    named = {"entry_col": "_entry" if late else None, "strata": strata}
    fitter = CoxPHFitter(alpha=1 - confidence, penalizer=penalizer)
    for step in STEPS:
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("error", ConvergenceWarning)
                warnings.filterwarnings("ignore", ".*may harm convergence", ConvergenceWarning)
                return fitter.fit(
                    frame, "_duration", "_event", **named, fit_options={"step_size": step}
                )
        except (ConvergenceError, ConvergenceWarning) as error:
            why = str(error).splitlines()[0]
    raise Refused(
        f"Cox regression on {', '.join(design.columns)} does not converge: a covariate separates "
        "those who left from the others, is nearly constant, or follows from others; leave one out "
        f"({why})"
    )


def conditional_risk(
    base: Baseline, ratio: np.ndarray, since: np.ndarray, horizon: float
) -> np.ndarray:
    """P(T <= since + horizon | T > since): the risk of those who have stayed until ``since``.

    NaN beyond the data: where ``since`` + ``horizon`` lies after the last duration seen, the
    hazard is not zero but unknown.

    Source: 1 - S(since + horizon) / S(since), S the survival of the fit; only the two baseline
    values needed are read, never a curve per customer. Checked on Telco in
    tests/published/test_numbers.py and against lifelines in tests/stats/test_cox.py.
    """
    steps = np.concatenate([[0.0], base.cumulative])
    since = np.asarray(since, dtype=float)
    lived, later = (
        steps[np.searchsorted(base.times, time, "right")] for time in (since, since + horizon)
    )
    risk = -np.expm1(-(later - lived) * ratio)
    return np.where(since + horizon > base.last, np.nan, risk)
