"""The Kaplan-Meier curve with its limits."""

import numpy as np
import polars as pl

from retention.stats import intervals, risk_sets

CURVE = {
    **dict.fromkeys(("duration_days", "at_risk", "events"), pl.Int64),
    **dict.fromkeys(("survival", "ci_lower", "ci_upper"), pl.Float64),
}


def curve(
    durations: np.ndarray,
    events: np.ndarray,
    entry: np.ndarray | None = None,
    confidence: float = 0.95,
    least: int = 1,
) -> pl.DataFrame:
    """The share that has not left after each day on which somebody left, entered or was censored.

    Takes   durations (whole days, >= 1); events (bool); entry (days already lived on entering
            observation)
    Returns duration_days, at_risk, events, survival, ci_lower, ci_upper (log-log), in order. It has
            the days on which at least ``least`` are at risk: it begins, at 1, on the first from
            which they are (day 0 unless rows enter late), and stops with the last. No rows where so
            many never are.

    Source: Kaplan and Meier (1958), JASA 53:457; log-log limits after Kalbfleisch and Prentice
    (2002), section 1.4; late entry as delayed entry into the risk set. Checked on published data
    and against lifelines in tests/stats/test_kaplan_meier.py.
    """
    begin = risk_sets.begin(durations, events, entry, least)
    durations, events, entry = risk_sets.since(begin, durations, events, entry)
    if not durations.size:
        return pl.DataFrame(schema=CURVE)
    times = np.unique(np.concatenate([durations, entry[entry > begin]]))
    at_risk, ends = risk_sets.at(times, durations, events, entry)
    times, at_risk, ends = (part[at_risk > 0] for part in (times, at_risk, ends))
    survival = np.cumprod(1 - ends / at_risk)
    first = [[begin], [(entry <= begin).sum()], [0], [1.0], [1.0], [1.0]]
    later = [times, at_risk, ends, survival, *_limits(survival, at_risk, ends, confidence)]
    columns = [np.concatenate(pair) for pair in zip(first, later, strict=True)]
    whole = pl.DataFrame(dict(zip(CURVE, columns, strict=True)), schema=CURVE)
    return whole.filter((pl.col("at_risk") >= least).cum_prod().cast(pl.Boolean))


def _limits(
    survival: np.ndarray, at_risk: np.ndarray, ends: np.ndarray, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    """Log-log limits after Greenwood; the share itself where it is 1 or 0, of which no error can be
    estimated."""
    stay = at_risk - ends
    added = np.divide(ends, at_risk * stay, out=np.zeros(len(ends)), where=stay > 0)
    variance = survival**2 * np.cumsum(added)
    lower, upper = intervals.log_log(survival, variance, confidence)
    known = ~np.isnan(lower)
    return np.where(known, lower, survival), np.where(known, upper, survival)
