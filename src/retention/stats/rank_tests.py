"""The log-rank test, and p-values corrected for being many."""

import numpy as np
from scipy.stats import chi2


def log_rank(at_risk: np.ndarray, events: np.ndarray) -> tuple[float, int, float]:
    """Test whether groups share one survival curve.

    Takes   one row per group (two or more) and one column per time at which anybody left: how many
            are at risk just before, how many leave
    Returns statistic (chi-squared), degrees of freedom, p-value

    Source: Mantel (1966); with late entry the risk sets shrink accordingly (lifelines' test has
    none). Weak where curves cross. Checked on Walton's data and against lifelines in
    tests/survival/test_comparisons.py.
    """
    n, d = at_risk.sum(axis=0), events.sum(axis=0)
    at_risk, events, n, d = at_risk[:, n > 0], events[:, n > 0], n[n > 0], d[n > 0]
    share = at_risk / n
    difference = (events - share * d).sum(axis=1)[:-1]
    spread = d * (n - d) / np.maximum(n - 1, 1)
    covariance = np.diag((share * spread).sum(axis=1)) - (share * spread) @ share.T
    statistic = float(difference @ np.linalg.pinv(covariance[:-1, :-1]) @ difference)
    df = len(at_risk) - 1
    return statistic, df, float(chi2.sf(statistic, df))


def holm(p_values: np.ndarray) -> np.ndarray:
    """``p_values`` of tests made together, each raised so that by chance alone one in all of them
    falls below a level no more often than the level says.

    Source: Holm (1979), Scand J Statist 6:65. Checked by hand in
    tests/survival/test_comparisons.py.
    """
    order = np.argsort(p_values, kind="stable")
    raised = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(raised, 1)
    return adjusted
