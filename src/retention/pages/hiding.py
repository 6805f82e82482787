"""Small cells of a table whose totals are known in more than one direction."""

import numpy as np
import polars as pl


def crossed(
    frame: pl.DataFrame, count: str, columns: list[str], min_cell: int, margins: list[str]
) -> pl.DataFrame:
    """Null ``columns`` where ``count`` is 1 to ``min_cell`` - 1, and where else it must be.

    Of each of ``margins`` (columns of labels) the total of every label is taken as known. Further
    cells are hidden, the smallest first, until no hidden one follows from what is shown and those
    totals, nor do the hidden ones of a label add up to less than ``min_cell``. Zeros stay. A cell
    that is all its label has is that label's total: no other can hide it, and it hides none.

    Takes   one row per cell; ``count`` not null
    Returns the same rows in the same order

    Source: complementary suppression; which cells follow is asked of the null space of the totals
    (Willenborg and de Waal (2001), Elements of Statistical Disclosure Control, chapter 6). Checked
    in tests/test_hiding.py by solving for what was hidden.
    """
    sizes = frame[count].to_numpy()
    labels = [frame[name].rank("dense").to_numpy() - 1 for name in margins]
    hidden = (sizes > 0) & (sizes < min_cell)
    alone = np.any([np.bincount(margin, sizes > 0)[margin] == 1 for margin in labels], axis=0)
    while (cell := _next(sizes, hidden, alone, labels, min_cell)) is not None:
        hidden[cell] = True
    shown = pl.Series("_shown", ~hidden)
    return frame.with_columns(pl.when(shown).then(name).alias(name) for name in columns)


def _next(
    sizes: np.ndarray,
    hidden: np.ndarray,
    alone: np.ndarray,
    labels: list[np.ndarray],
    min_cell: int,
) -> int | None:
    """The cell to hide next; None where what is hidden is safe, or all is hidden that can be."""
    free, secret = ~hidden & ~alone & (sizes > 0), hidden & ~alone
    for wanting in (_thin(sizes, secret, labels, min_cell), _determined(secret, labels)):
        partners = np.flatnonzero(free & wanting)
        if partners.size:
            return int(partners[np.argmin(sizes[partners])])
    return None


def _thin(
    sizes: np.ndarray, hidden: np.ndarray, labels: list[np.ndarray], min_cell: int
) -> np.ndarray:
    """Which cells have a label whose hidden ones add up to less than ``min_cell``."""
    found = np.zeros(len(sizes), dtype=bool)
    for margin in labels:
        for label in np.unique(margin[hidden]):
            own = margin == label
            found |= own & (sizes[hidden & own].sum() < min_cell)
    return found


def _determined(hidden: np.ndarray, labels: list[np.ndarray]) -> np.ndarray:
    """Which cells share a label with a hidden one that follows from the totals."""
    if not hidden.any():
        return hidden
    cells = np.flatnonzero(hidden)
    totals = np.vstack([margin[cells] == label for margin in labels for label in np.unique(margin)])
    fixed = np.diag(np.linalg.pinv(totals.astype(float)) @ totals) > 1 - 1e-9
    return np.any([np.isin(margin, margin[cells[fixed]]) for margin in labels], axis=0)
