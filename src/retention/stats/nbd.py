"""NBD: how often customers buy whose rates are steady, and gamma distributed over customers.

Source: Ehrenberg (1959), Applied Statistics 8:26. Checked by simulation in tests/stats/test_nbd.py.
"""

import numpy as np
from scipy.special import digamma, gammaln

from retention.stats import likelihood


def fit(count: np.ndarray, days: np.ndarray) -> tuple[float, float]:
    """The likeliest shape ``r`` and days ``alpha`` of rates, of ``count`` purchases in ``days``.

    Raises:
        Refused: no likeliest parameters can be found.
    """
    (x, t), n = likelihood.grouped(count, days)
    unit = float(t @ n / n.sum())

    def of(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r, alpha = parameters
        after = alpha + t / unit
        value = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - (r + x) * np.log(after)
        slope_r = digamma(r + x) - digamma(r) + np.log(alpha) - np.log(after)
        return value, np.array([slope_r, r / alpha - (r + x) / after])

    (r, alpha), _ = likelihood.maximise(of, n, start=(0.5, 1.0))
    return r, alpha * unit
