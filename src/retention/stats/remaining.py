"""Days under contract to be expected of those still there, by a curve of how long others stay."""

import numpy as np
import polars as pl

LAST_YEAR = 365  # days before the end of a curve of which the rate goes on, half of it at most


def days(
    curve: pl.DataFrame, tenure: np.ndarray, ahead: float, until: np.ndarray | None = None
) -> np.ndarray:
    """Of the next ``ahead`` days, how many each customer will still be there.

    Takes   curve: duration_days, survival (`kaplan_meier.curve`, from day 0); tenure: whole days up
            to and with today; until: days left to an end that is known, infinite where none is
    Returns the sum of S(t + u) / S(t) over the days; NaN where nobody of the curve stayed so long

    Beyond the curve the rate of its last 365 days goes on, or of its second half where that is
    shorter; which is an assumption.

    Source: the mean residual life, Klein and Moeschberger (2003), Survival Analysis, section 2.4,
    up to a horizon. Checked by hand and on planted lives in tests/stats/test_remaining.py.
    """
    left = np.full(len(tenure), float(ahead)) if until is None else np.minimum(ahead, until)
    survival = _daily(curve, int(tenure.max(initial=0) + np.ceil(ahead)) + 1)
    area = np.concatenate([[0.0], np.cumsum(survival)])
    whole = np.floor(left).astype(int)
    part = (left - whole) * survival[tenure + whole]
    lived = area[tenure + whole] - area[tenure] + part
    there = survival[tenure]
    return np.divide(lived, there, out=np.full(len(tenure), np.nan), where=there > 0)


def beyond(curve: pl.DataFrame, tenure: np.ndarray, ahead: float) -> np.ndarray:
    """Whose next ``ahead`` days lead beyond the end of the curve."""
    return tenure + ahead > curve["duration_days"].max()


def _daily(curve: pl.DataFrame, until: int) -> np.ndarray:
    """The share still there after each whole day, from 0 up to ``until``."""
    times, shares = (curve[name].to_numpy() for name in ("duration_days", "survival"))
    grid = np.arange(until + 1)
    known = shares[np.searchsorted(times, np.minimum(grid, times[-1]), "right") - 1]
    since = max(times[-1] - LAST_YEAR, times[-1] // 2)
    before = shares[np.searchsorted(times, since, "right") - 1]
    kept = shares[-1] / before if before > 0 else 0.0
    steps = np.maximum(grid - times[-1], 0) / max(times[-1] - since, 1)
    return known * kept**steps
