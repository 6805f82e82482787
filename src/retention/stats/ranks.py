"""Numbers by their rank, equal ones together."""

import numpy as np
import polars as pl

SAME = 1e-12  # of the largest: risks nearer to each other differ by rounding, which no two
# machines do alike


def levels(risk: np.ndarray) -> np.ndarray:
    """The rank of each risk among the distinct ones, 0 for the lowest."""
    order = np.argsort(risk, kind="stable")
    ranked = risk[order]
    higher = np.diff(ranked, prepend=ranked[:1]) > SAME * np.abs(ranked).max(initial=0)
    level = np.empty(len(risk), dtype=int)
    level[order] = np.cumsum(higher)
    return level


def bands(value: str, shares: dict[str, float], rest: str = "low") -> pl.Expr:
    """The band of each row by the column ``value``: the part of the known values that each of
    ``shares`` names, from the highest value down; the others are the ``rest``, null is "not known".

    Equal values are in one band, the higher one.
    """
    known, place = pl.col(value), pl.col(value).rank("min", descending=True) - 1
    band, until = pl.when(known.is_null()).then(pl.lit("not known")), 0.0
    for name, share in shares.items():
        until += share
        band = band.when(place < (until * known.count()).round(6)).then(pl.lit(name))
    return band.otherwise(pl.lit(rest))


def parts(values: np.ndarray, k: int) -> np.ndarray:
    """In which of ``k`` parts of nearly equal size each value lies, 0 = the smallest; equal values
    are in one part."""
    fewer = np.searchsorted(np.sort(values), values)
    return k * fewer // max(len(values), 1)
