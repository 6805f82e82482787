"""Limits of estimated shares that are no plain shares."""

import numpy as np
from scipy.stats import norm

ROUNDING = 1e-12


def log_log(
    share: np.ndarray, variance: np.ndarray, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Limits of ``share``, symmetric for log(-log(share)), so that they stay between 0 and 1.

    NaN where a share is 0 or 1: of those no error can be estimated.

    Source: Kalbfleisch and Prentice (2002), section 1.4. Checked against lifelines in
    tests/test_scores.py.
    """
    inside = (share > ROUNDING) & (share < 1 - ROUNDING)
    p = np.where(inside, share, np.nan)
    reach = float(norm.ppf(0.5 + confidence / 2)) * np.sqrt(variance) / (p * -np.log(p))
    return p ** np.exp(reach), p ** np.exp(-reach)
