"""Two rates against each other: exact limits of their ratio."""

import numpy as np
from scipy.stats import beta


def exact(
    recent: np.ndarray,
    before: np.ndarray,
    recent_days: float,
    before_days: np.ndarray,
    confidence: float = 0.95,
) -> tuple[np.ndarray, np.ndarray]:
    """Limits of the rate of ``recent`` over that of ``before``: 0 without any of late, infinity
    without any before.

    Of two Poisson counts, given their sum, one is binomial: the limits are Clopper's and Pearson's
    for its share, so that at least ``confidence`` of them hold the truth, of small counts more.

    Takes   recent and before (whole numbers): how often in recent_days and in before_days (> 0)

    Source: Przyborowski and Wilenski (1940), Biometrika 31:313; Clopper and Pearson (1934),
    Biometrika 26:404. Checked against R's poisson.test and SciPy in tests/stats/test_rate_ratio.py.
    """
    tail = (1 - confidence) / 2
    times = before_days / recent_days
    lower = np.where(recent > 0, beta.ppf(tail, np.maximum(recent, 1), before + 1), 0.0)
    upper = beta.isf(tail, recent + 1, np.maximum(before, 1))
    return times * lower / (1 - lower), np.where(before > 0, times * upper / (1 - upper), np.inf)
