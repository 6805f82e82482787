"""Customers in groups over six refreshes, with planted moves, splits, mergers, arrivals and ends.

Points are drawn around the middles of groups; a customer stays near their own place in it. The
groups are found by HDBSCAN, refresh after refresh, as a book's would be.
"""

import warnings

import hdbscan
import numpy as np
import polars as pl
from scipy.spatial import KDTree

MIN_CLUSTER_SIZE, MIN_SAMPLES = 100, 15
NOBODY = "-"  # belongs to no group
# Middles at each refresh: b falls apart at the third, e comes at the fourth, c and d become one at
# the fifth, a ends at the sixth. b and B are one group until then, c and d from then on.
STORY = {
    "a": [(0, 0)] * 5 + [None],
    "b": [(9, 0)] * 2 + [(9, -1.5)] + [(9, -3)] * 3,
    "B": [(9, 0)] * 2 + [(9, 5)] * 4,
    "c": [(0, 9)] * 3 + [(0, 10)] + [(2, 11.5)] * 2,
    "d": [(5, 17)] * 4 + [(2, 11.5)] * 2,
    "e": [None] * 3 + [(14, 13)] * 3,
    "f": [(-8, 6)] * 6,
}
SIZES = {"a": 700, "b": 500, "B": 420, "c": 600, "d": 450, "e": 400, "f": 900, NOBODY: 250}
EXPECTED = [  # what is to be told at each refresh, by lineages
    [],
    [("a", "a", "same"), ("b", "b", "same"), ("c", "c", "same"), ("d", "d", "same")],
    [("a", "a", "same"), ("b", "b", "split"), ("b", "B", "split"), ("c", "c", "same")],
]


def fitted(points: np.ndarray) -> np.ndarray:
    """Labels of HDBSCAN, -1 for noise."""
    fitter = hdbscan.HDBSCAN(
        min_cluster_size=MIN_CLUSTER_SIZE,
        min_samples=MIN_SAMPLES,
        approx_min_span_tree=False,
        core_dist_n_jobs=1,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module="sklearn|hdbscan")
        return fitter.fit(points).labels_


def placed(old: np.ndarray, labels: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Where the old groups would place new points: with the old point nearest to each by mutual
    reachability, unless it is sparser there than anywhere in that point's group."""
    tree = KDTree(old)
    core = tree.query(old, MIN_SAMPLES)[0][:, -1]
    far, near = tree.query(new, 2 * MIN_SAMPLES)
    reach = np.maximum(np.maximum(far, core[near]), far[:, MIN_SAMPLES - 1, None])
    best = reach.argmin(axis=1, keepdims=True)
    label = np.take_along_axis(labels[near], best, 1)[:, 0]
    widest = np.array([core[labels == one].max() for one in range(labels.max() + 1)] + [-np.inf])
    return np.where(np.take_along_axis(reach, best, 1)[:, 0] <= widest[label], label, -1)
