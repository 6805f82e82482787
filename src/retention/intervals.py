"""Intervals for rates, as expressions."""

import polars as pl
from scipy.stats import norm


def wilson(count: str, n: str, confidence: float = 0.95) -> tuple[pl.Expr, pl.Expr]:
    """Limits of the rate ``count / n``, named ci_lower and ci_upper; null where n is 0 or null.

    Source: Wilson (1927), JASA 22:209. Checked against scipy's binomtest in
    tests/test_intervals.py.
    """
    z = float(norm.ppf(0.5 + confidence / 2))
    k, size = pl.col(count).cast(pl.Float64), pl.when(pl.col(n) > 0).then(pl.col(n))
    centre = (k + z * z / 2) / (size + z * z)
    half = z / (size + z * z) * (k * (size - k) / size + z * z / 4).sqrt()
    return (
        (centre - half).clip(0, 1).alias("ci_lower"),
        (centre + half).clip(0, 1).alias("ci_upper"),
    )
