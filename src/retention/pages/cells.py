"""Small cells of a table whose totals are known in several directions."""

import numpy as np
import polars as pl
from scipy.linalg import null_space


def hide_crossed(
    frame: pl.DataFrame, count: str, columns: list[str], min_cell: int, totals: list[str]
) -> pl.DataFrame:
    """Null ``columns`` where ``count`` is 1 to ``min_cell`` - 1, and where totals would tell those.

    Takes   one row per cell; a cell without a row holds nobody. For every value of each of the
            columns ``totals`` (null is one, too) the sum of its cells may be known to a reader
    Returns ``frame`` with so many more cells hidden, small ones first, that no hidden one follows
            from the totals, all taken together, and that what is hidden of a total is at least
            ``min_cell``; all cells where less will not do

    Source: secondary suppression, see Hundepool et al. (2012), Statistical Disclosure Control,
    chapter 4. Checked by linear programmes in tests/test_cells.py.
    """
    if frame.is_empty():
        return frame
    counts = frame[count].fill_null(0).to_numpy()
    lines = _lines(frame, totals)
    small = (counts > 0) & (counts < min_cell)
    hidden = small.copy()
    while (told := _told(counts, lines, hidden, min_cell)).any():
        rest = ~hidden & (counts > 0)
        beside = rest & lines[lines[:, told].any(axis=1)].any(axis=0)
        if not rest.any():
            break
        further = np.flatnonzero(beside if beside.any() else rest)
        hidden[further[counts[further].argmin()]] = True
    hidden = _without_needless(counts, lines, hidden, small, min_cell)
    return (
        frame.with_columns(pl.Series("_hidden", hidden))
        .with_columns(pl.when(~pl.col("_hidden")).then(name).alias(name) for name in columns)
        .drop("_hidden")
    )


def _without_needless(
    counts: np.ndarray, lines: np.ndarray, hidden: np.ndarray, small: np.ndarray, least: int
) -> np.ndarray:
    """``hidden`` without the large cells that can be shown after all, the largest first."""
    if _told(counts, lines, hidden, least).any():
        return hidden
    for place in np.argsort(-counts, kind="stable"):
        fewer = hidden & (np.arange(len(counts)) != place)
        if hidden[place] and not small[place] and not _told(counts, lines, fewer, least).any():
            hidden = fewer
    return hidden


def _lines(frame: pl.DataFrame, totals: list[str]) -> np.ndarray:
    """One row for each known total: which cells it is the sum of."""
    lines = [
        frame.select(pl.col(name).eq_missing(value)).to_series().to_numpy()
        for name in totals
        for value in frame[name].unique(maintain_order=True)
    ]
    return np.array(lines)


def _told(counts: np.ndarray, lines: np.ndarray, hidden: np.ndarray, least: int) -> np.ndarray:
    """Which of the hidden cells the totals tell, or of which too few are hidden in a total."""
    places = np.flatnonzero(hidden)
    told = np.zeros(len(counts), bool)
    if not len(places):
        return told
    free = null_space(lines[:, places].astype(float))
    told[places] = (np.abs(free) < 1e-9).all(axis=1)
    held = lines @ (counts * hidden)
    few = (held > 0) & (held < least)
    return told | (lines[few].any(axis=0) & hidden)
