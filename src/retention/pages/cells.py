"""Small cells of a table whose totals are known in several directions."""

import numpy as np
import polars as pl
from scipy.linalg import null_space
from scipy.optimize import linprog


def hide_moves(migrations: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """The table "migrations" as it may be published: null n where a cell is small or would be told.

    Known are how many were in each segment then and now, how many entered, left, stayed and moved,
    and how many moved by each cause unless these are fewer than ``min_cell`` by one of them.
    """
    by = pl.col("moved_by")
    moved = by.is_in(["customer", "definition"])
    told = migrations.filter(moved).group_by("moved_by").agg(pl.col("n").sum())["n"] >= min_cell
    cause = by if told.all() else pl.when(moved).then(pl.lit("moved")).otherwise(by)
    totals = ["previous_segment", "segment", "_cause"]
    hidden = hide_crossed(migrations.with_columns(_cause=cause), "n", ["n"], min_cell, totals)
    return hidden.drop("_cause")


def hide_crossed(
    frame: pl.DataFrame, count: str, columns: list[str], min_cell: int, totals: list[str]
) -> pl.DataFrame:
    """Null ``columns`` where ``count`` is 1 to ``min_cell`` - 1, and where totals would tell those.

    Takes   one row per cell; a cell without a row holds nobody. For every value of each of the
            columns ``totals`` (null is one, too) the sum of its cells may be known to a reader
    Returns ``frame`` with so many more cells hidden, small ones first, that no hidden one follows
            from the totals, all taken together, and that what is hidden of a total is at least
            ``min_cell``, unless the total itself is less; all cells where less will not do

    Source: secondary suppression by linear programmes, see Hundepool et al. (2012), Statistical
    Disclosure Control, chapter 4. Checked by other linear programmes in tests/test_cells.py.
    """
    if frame.is_empty():
        return frame
    counts = frame[count].fill_null(0).to_numpy()
    lines = _lines(frame, totals)
    hidden = (counts > 0) & (counts < min_cell)
    while (further := _further(counts, lines, hidden, min_cell)).any():
        hidden |= further
    return (
        frame.with_columns(pl.Series("_hidden", hidden))
        .with_columns(pl.when(~pl.col("_hidden")).then(name).alias(name) for name in columns)
        .drop("_hidden")
    )


def _further(counts: np.ndarray, lines: np.ndarray, hidden: np.ndarray, least: int) -> np.ndarray:
    """What to hide next: what one told cell needs, or the smallest of a total of which too little
    is hidden; nothing when all is well."""
    shown = (counts > 0) & ~hidden
    if (told := _told(lines, hidden)).size:
        needed = _through(counts, lines, hidden, told[0])
        return shown & needed if needed.any() else shown
    held, whole = lines @ (counts * hidden), lines @ counts
    few = lines[(held > 0) & (held < least) & (whole >= least)]
    places = np.flatnonzero(shown & few.any(axis=0))
    smallest = places[np.argsort(counts[places], kind="stable")][:1]
    return np.isin(np.arange(len(counts)), smallest)


def _lines(frame: pl.DataFrame, totals: list[str]) -> np.ndarray:
    """One row for each known total: which cells it is the sum of."""
    lines = [
        frame.select(pl.col(name).eq_missing(value)).to_series().to_numpy()
        for name in totals
        for value in frame[name].unique(maintain_order=True)
    ]
    return np.array(lines)


def _told(lines: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Places of the hidden cells that the totals tell: they cannot vary while all totals stand."""
    places = np.flatnonzero(hidden)
    if not len(places):
        return places
    free = null_space(lines[:, places].astype(float))
    return places[(np.abs(free) < 1e-9).all(axis=1)]


def _through(counts: np.ndarray, lines: np.ndarray, hidden: np.ndarray, cell: int) -> np.ndarray:
    """The cells, of fewest customers together, through which ``cell`` can vary while all totals
    stand; none where it cannot."""
    order = 1e-6 * np.arange(len(counts))  # so that equal ones are chosen in order
    costs = np.where(hidden, 0, counts) + order
    up = [(0, None if count else 0) for count in counts]
    down = up.copy()
    up[cell], down[cell] = (1, 1), (0, 0)
    ways = linprog(
        np.tile(costs, 2),
        A_eq=np.hstack([lines, -lines.astype(float)]),
        b_eq=np.zeros(len(lines)),
        bounds=[*up, *down],
    )
    return (
        np.abs(np.subtract(*np.split(ways.x, 2))) > 1e-7 if ways.x is not None else hidden & False
    )
