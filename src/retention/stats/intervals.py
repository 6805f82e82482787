"""Intervals for rates, as expressions; of shares that are estimated as curves, as arrays."""

import numpy as np
import polars as pl
from scipy.stats import norm

ROUNDING = 1e-12


def wilson(count: str, n: str, confidence: float = 0.95) -> tuple[pl.Expr, pl.Expr]:
    """Limits of the rate ``count / n``, named ci_lower and ci_upper; null where n is 0 or null.

    Source: Wilson (1927), JASA 22:209. Checked against scipy's binomtest in
    tests/stats/test_intervals.py.
    """
    z = float(norm.ppf(0.5 + confidence / 2))
    k, size = pl.col(count).cast(pl.Float64), pl.when(pl.col(n) > 0).then(pl.col(n))
    centre = (k + z * z / 2) / (size + z * z)
    half = z / (size + z * z) * (k * (size - k) / size + z * z / 4).sqrt()
    return (
        (centre - half).clip(0, 1).alias("ci_lower"),
        (centre + half).clip(0, 1).alias("ci_upper"),
    )


def share(
    count: str,
    n: str,
    confidence: float = 0.95,
    names: tuple[str, str, str] = ("share", "ci_lower", "ci_upper"),
) -> list[pl.Expr]:
    """The rate ``count / n`` with its limits (see `wilson`), by ``names``; null where n is 0."""
    rate = (pl.col(count) / pl.col(n)).fill_nan(None)
    return [
        one.alias(name)
        for one, name in zip((rate, *wilson(count, n, confidence)), names, strict=True)
    ]


def net(plus: str, minus: str, n: str, confidence: float = 0.95) -> tuple[pl.Expr, pl.Expr]:
    """Limits of the net share ``(plus - minus) / n``, -1 to 1, named ci_lower and ci_upper; null
    where n is 0 or null.

    The variance of a net share is p+ + p- - (p+ - p-) ** 2, divided by n; one answer is added to
    either side, without which few or equal answers would seem certain.

    Source: Bonett and Price (2012), Journal of Educational and Behavioral Statistics 37:479 (a
    difference of paired proportions is a net share). Coverage is counted out over all outcomes in
    tests/stats/test_intervals.py.
    """
    z = float(norm.ppf(0.5 + confidence / 2))
    size = pl.when(pl.col(n) > 0).then(pl.col(n)) + 2
    above, below = (pl.col(plus) + 1) / size, (pl.col(minus) + 1) / size
    centre = above - below
    half = z * ((above + below - centre**2) / size).sqrt()
    return (
        (centre - half).clip(-1, 1).alias("ci_lower"),
        (centre + half).clip(-1, 1).alias("ci_upper"),
    )


def log_log(
    share: np.ndarray, variance: np.ndarray, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Limits of ``share``, symmetric for log(-log(share)), so that they stay between 0 and 1.

    NaN where a share is 0 or 1: of those no error can be estimated.

    Source: Kalbfleisch and Prentice (2002), section 1.4. Checked against lifelines in
    tests/stats/test_kaplan_meier.py.
    """
    inside = (share > ROUNDING) & (share < 1 - ROUNDING)
    p = np.where(inside, share, np.nan)
    reach = float(norm.ppf(0.5 + confidence / 2)) * np.sqrt(variance) / (p * -np.log(p))
    return p ** np.exp(reach), p ** np.exp(-reach)
