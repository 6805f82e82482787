"""Two rates against each other: exact limits of their ratio, and how often chance alarms."""

import numpy as np
from scipy.stats import beta, binom, hypergeom


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
    Biometrika 26:404. Checked against R's poisson.test and SciPy in tests/test_rate_ratio.py.
    """
    tail = (1 - confidence) / 2
    times = before_days / recent_days
    lower = np.where(recent > 0, beta.ppf(tail, np.maximum(recent, 1), before + 1), 0.0)
    upper = beta.isf(tail, recent + 1, np.maximum(before, 1))
    return times * lower / (1 - lower), np.where(before > 0, times * upper / (1 - upper), np.inf)


def false_alarms(
    active: np.ndarray, recent_days: int, before_days: np.ndarray, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """How probable it is that `exact` limits lie all below 1, and all above 1, by chance alone.

    By chance: as many of the days were ``active``, in both stretches together, but which of them is
    drawn at random. At most (1 - confidence) / 2 each; 0 where no outcome could show a change.

    Source: the number of active days in the recent stretch is then hypergeometric, as in Fisher's
    exact test. Checked by counting outcomes in tests/test_rate_ratio.py.
    """
    tail = (1 - confidence) / 2
    pairs, where = np.unique(np.stack([active, before_days]), axis=1, return_inverse=True)
    days = recent_days + pairs[1]
    few = binom.ppf(tail, pairs[0], recent_days / days) - 1
    many = binom.isf(tail, pairs[0], recent_days / days)
    chances = hypergeom(days, pairs[0], recent_days)
    return chances.cdf(few)[where], chances.sf(many)[where]
