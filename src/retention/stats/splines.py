"""Natural cubic splines: smooth curves that are straight lines at both ends."""

import numpy as np

AT = (0.02, 0.1, 0.35, 0.65, 0.9, 0.98)  # closer together in the tails, where risks bend


def knots(values: np.ndarray) -> np.ndarray:
    """Where a natural spline of ``values`` may bend: those quantiles of them that differ."""
    return np.unique(np.quantile(values, AT, method="lower")) if len(values) else np.array([])


def natural(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The columns of a natural cubic spline with the knots ``at``, one row per value.

    A straight line alone where there are fewer than three knots.

    Source: Harrell (2015), section 2.4.5. Checked in tests/stats/test_splines.py.
    """
    straight = values[:, None].astype(float)
    if len(at) < 3:
        return straight
    *inner, last, end = at

    def cube(knot: float) -> np.ndarray:
        above = np.clip(values - knot, 0, None)
        return above * above * above

    near, far = cube(last), cube(end)
    bends = [
        cube(knot) - near * ((end - knot) / (end - last)) + far * ((last - knot) / (end - last))
        for knot in inner
    ]
    return np.column_stack([straight, *bends]) / np.array([1.0] + [(end - at[0]) ** 2] * len(inner))
