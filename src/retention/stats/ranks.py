"""Numbers by their rank, equal ones together, and ranks counted in n log n."""

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


def bands(value: str, shares: dict[str, float]) -> pl.Expr:
    """The band of each row by the column ``value``: the part of the known values that each of
    ``shares`` names, from the highest value down; the others are "low", null is "not known".

    Equal values are in one band, the higher one.
    """
    known, place = pl.col(value), pl.col(value).rank("min", descending=True) - 1
    band, until = pl.when(known.is_null()).then(pl.lit("not known")), 0.0
    for name, share in shares.items():
        until += share
        band = band.when(place < (until * known.count()).round(6)).then(pl.lit(name))
    return band.otherwise(pl.lit("low"))


def counted_after(
    ranks: np.ndarray, first: np.ndarray, asked: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How many of ``ranks``, from place ``first`` on, are below and how many equal ``asked``.

    Takes   ranks (integers >= 0, in the order that places count); first and asked, one of each
            per question

    Source: the wavelet matrix of Claude, Navarro and Ordóñez (2015), Information Systems 47:15:
    bit by bit from the highest, those with a zero are put before those with a one. Checked pair
    by pair in tests/test_scores.py.
    """
    end, below = np.full(len(first), len(ranks)), np.zeros(len(first), dtype=int)
    for bit in reversed(range(int(ranks.max(initial=0)).bit_length())):
        one = (ranks >> bit & 1).astype(bool)
        zeros = np.concatenate([[0], np.cumsum(~one)])
        high = (asked >> bit & 1).astype(bool)
        below += np.where(high, zeros[end] - zeros[first], 0)
        first, end = (np.where(high, zeros[-1] + at - zeros[at], zeros[at]) for at in (first, end))
        ranks = np.concatenate([ranks[~one], ranks[one]])
    return below, end - first
