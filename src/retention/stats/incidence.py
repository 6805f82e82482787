"""How many have left for one cause by each time, when other causes compete for them."""

import numpy as np
import polars as pl

from retention.errors import Refused
from retention.stats import intervals, risk_sets


def cumulative_incidence(
    durations: np.ndarray,
    causes: np.ndarray,
    of: int,
    entry: np.ndarray | None = None,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """Estimate the share that has left for cause ``of`` by each time.

    The shares of all causes and of those still there add up to 1. (1 - Kaplan-Meier of one cause,
    with the others as censored, would be too high.)

    Takes   durations (days); causes (integers, 0 = censored); entry (days already lived on entering
            observation: at risk only after them)
    Returns one row per distinct duration, in order: duration_days, at_risk (just before), events
            (of this cause), incidence, ci_lower, ci_upper (log-log; null where incidence is 0 or
            1, of which no error can be estimated). With late entry, if all at risk leave at once
            before others enter, nothing is added from then on: begin after it, by
            `risk_sets.begin` and `risk_sets.since`.

    Raises:
        Refused: an ``entry`` is not before its duration.

    Source: Aalen and Johansen (1978), Scandinavian Journal of Statistics 5:141, as a product limit,
    exact with ties; variance by the delta method, Marubini and Valsecchi (1995), section 10.3:
    without censoring that of a plain share. Checked on Scrucca's data, against scikit-survival
    and with planted causes in tests/stats/test_incidence.py.
    """
    if entry is not None and not (entry < durations).all():
        raise Refused("everyone must enter observation before their duration ends")
    times = np.unique(durations)
    at_risk, ends = risk_sets.at(times, durations, causes > 0, entry)
    _, ours = risk_sets.at(times, durations, causes == of)
    before = np.append(1.0, np.cumprod(1 - ends / at_risk)[:-1])
    incidence = np.cumsum(before * ours / at_risk)
    variance = _variance(at_risk, ends, ours, before)
    lower, upper = intervals.log_log(incidence, variance, confidence)
    return pl.DataFrame(
        {
            "duration_days": times,
            "at_risk": at_risk,
            "events": ours,
            "incidence": incidence,
            "ci_lower": lower,
            "ci_upper": upper,
        },
        nan_to_null=True,
    )


def _variance(
    at_risk: np.ndarray, ends: np.ndarray, ours: np.ndarray, before: np.ndarray
) -> np.ndarray:
    """The sum over s <= t of (I(t) - I(s))^2 a(s) + b(s) - 2 (I(t) - I(s)) c(s), multiplied out."""
    n, stay, gained = at_risk.astype(float), at_risk - ends, before * ours / at_risk
    incidence = np.cumsum(gained)
    a = np.divide(ends, n * stay, out=np.zeros(len(n)), where=stay > 0)
    b = before**2 * ours * (n - ours) / n**3
    first = a * incidence + gained / n
    last = a * incidence**2 + b + 2 * incidence * gained / n
    whole = incidence * (incidence * np.cumsum(a) - 2 * np.cumsum(first)) + np.cumsum(last)
    return np.maximum(whole, 0)
