"""Texts with few levels, none of them small."""

import numpy as np
import polars as pl

FEW = 9  # different numbers; more are divided into quarters


def collapsed(column: pl.Series, min_cell: int, most: int = 12) -> pl.Series:
    """``column`` as text, its levels that are small or too many as "other".

    Every level left stands for at least ``min_cell`` rows, so that none can be found again by
    taking the others from all; at most ``most`` are left. The unknown is a level of its own, and
    so is each of the `quarters` of more than FEW different numbers.
    """
    if column.dtype.is_numeric() and column.n_unique() > FEW:
        column = quarters(column)
    levels = column.cast(pl.String).fill_null("not known")
    counts = levels.value_counts().sort(["count", levels.name], descending=[True, False])
    kept = counts.filter(pl.col("count") >= min_cell)
    kept = kept if kept.height == counts.height <= most else kept.head(most - 1)
    rest = levels.len() - kept["count"].sum()
    if 0 < rest < min_cell:
        kept = kept.head(kept.height - 1)
    return levels.zip_with(levels.is_in(kept[levels.name].implode()), pl.Series(["other"]))


def quarters(column: pl.Series) -> pl.Series:
    """The numbers of ``column`` as text: in which quarter of them each lies, lowest first.

    The last says above what it lies, never how far up: that would be one row's value. Nor are the
    others': they end at three significant figures, by which the quarters are then divided.
    """
    bounds = [column.quantile(share, "lower") for share in (0.25, 0.5, 0.75)]
    bounds = {float(f"{bound:.3g}") for bound in bounds if bound is not None}
    bounds = sorted(bound for bound in bounds if column.min() <= bound < column.max())
    labels = [f"{n}: up to {bound:,.6g}" for n, bound in enumerate(bounds, 1)]
    last = f"above {bounds[-1]:,.6g}" if bounds else "all alike to three figures"
    labels.append(f"{len(bounds) + 1}: {last}")
    place = np.searchsorted(bounds, column.fill_null(0).to_numpy())
    named = pl.Series(column.name, np.array(labels)[place], pl.String)
    return named.set(column.is_null(), None)
