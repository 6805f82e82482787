"""Small cells of a table whose totals are known in several directions."""

from collections.abc import Collection

import numpy as np
import polars as pl
from scipy.linalg import null_space
from scipy.optimize import linprog


def hide_moves(migrations: pl.DataFrame, changes: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """The table "migrations" as it may be published beside the table "segment_changes".

    Null n where a cell is small or would be told. Known are how many were in each segment then
    and now, how many entered, left, stayed and moved, and by which cause unless these are fewer
    than ``min_cell``; and of ``changes`` n, and by the Jaccard index who left and entered together.
    """
    by, then, now = (pl.col(name) for name in ("moved_by", "previous_segment", "segment"))
    moved = by.is_in(["customer", "definition"])
    told = (
        migrations.filter(moved).group_by(by, maintain_order=True).agg(pl.col("n").sum())["n"]
        >= min_cell
    )
    cause = by if told.all() else pl.when(moved).then(pl.lit("moved")).otherwise(by)
    pairs = changes.select("previous_segment", "segment").drop_nulls().iter_rows()
    sums = [
        known
        for old, new in pairs
        for known in (
            (then == old) & (now == new),
            ((then == old) & now.is_null()) | (then.is_null() & (now == new)),
        )
    ]
    hidden = hide_crossed(
        migrations.with_columns(_cause=cause),
        "n",
        min_cell,
        totals=["previous_segment", "segment", "_cause"],
        sums=sums,
    )
    return hidden.drop("_cause")


def hide_crossed(
    frame: pl.DataFrame,
    count: str,
    min_cell: int,
    *,
    totals: list[str],
    sums: Collection[pl.Expr] = (),
    columns: Collection[str] = (),
) -> pl.DataFrame:
    """Null ``columns`` (if none are named, ``count``) where ``count`` is 1 to ``min_cell`` - 1, and
    where totals would tell those.

    Takes   one row per cell; a cell without a row holds nobody. What a reader may know: for every
            value of each of the columns ``totals`` (null is one, too) the sum of its cells, and
            the sum of the cells for which each of ``sums`` is true
    Returns ``frame`` with so many more cells hidden, small ones first, that no hidden one follows
            from all these together, and that what is hidden of one of them is at least
            ``min_cell``, unless it is less as a whole. A cell that the totals tell whatever is
            hidden, as the only one of its total, hides no other

    Source: secondary suppression by linear programmes, see Hundepool et al. (2012), Statistical
    Disclosure Control, chapter 4. Checked by other linear programmes in tests/test_cells.py.
    """
    if frame.is_empty():
        return frame
    counts = frame[count].fill_null(0).to_numpy()
    each = [pl.col(name).eq_missing(one) for name in totals for one in frame[name].unique().sort()]
    known = [frame.select(cells.fill_null(False)).to_series() for cells in (*each, *sums)]
    lines = np.array([cells.to_numpy() for cells in known])
    free = counts > 0
    free[_told(lines, free)] = False
    hidden = (counts > 0) & (counts < min_cell)
    while (further := _further(counts, lines, hidden & free, free, min_cell)).any():
        hidden |= further
    shown = pl.Series("_shown", ~hidden)
    return frame.with_columns(pl.when(shown).then(name).alias(name) for name in columns or [count])


def _further(
    counts: np.ndarray, lines: np.ndarray, hidden: np.ndarray, free: np.ndarray, least: int
) -> np.ndarray:
    """What to hide next of the ``free``: what the smallest told cell needs, or the smallest cell of
    a total of which too little is hidden; nothing when all is well."""
    shown = free & ~hidden
    if (told := _told(lines, hidden)).size:
        first = told[np.lexsort((told, counts[told]))[0]]
        return shown & _through(np.where(free, counts, 0), lines, hidden, first)
    held = lines @ (counts * hidden)
    few = lines[(held > 0) & (held < least)]
    places = np.flatnonzero(shown & few.any(axis=0))
    smallest = places[np.argsort(counts[places], kind="stable")][:1]
    return np.isin(np.arange(len(counts)), smallest)


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
