"""How far two divisions of the same rows agree, group by group."""

import numpy as np


def jaccard(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Rows in both groups over rows in either: one row per group of ``ours``, a column of theirs.

    Takes   labels of the same rows, from 0; -1 belongs to no group

    Source: Jaccard (1901). Checked on a literal count in tests/stats/test_overlap.py.
    """
    k, m = ours.max(initial=-1) + 1, theirs.max(initial=-1) + 1
    both = np.zeros((k, m))
    np.add.at(both, (ours[grouped := (ours >= 0) & (theirs >= 0)], theirs[grouped]), 1)
    sizes = np.bincount(ours[ours >= 0], minlength=k)[:, None]
    others = np.bincount(theirs[theirs >= 0], minlength=m)
    return both / np.maximum(sizes + others - both, 1)


def best(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Of each group of ``ours``, the largest `jaccard` with one of ``theirs``; 0 without any."""
    return jaccard(ours, theirs).max(axis=1, initial=0)
