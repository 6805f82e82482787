"""KMeans, and whether its parts would be found again."""

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from retention.stats import overlap
from retention.stats.stability import SAMPLES, SHARE

AT_MOST = 100_000  # points that centres are learned from; more are drawn from


def centres(points: np.ndarray, k: int) -> np.ndarray:
    """The ``k`` centres nearest to which the points lie, those of the largest parts first.

    Source: Lloyd (1982), IEEE Trans. Information Theory 28:129, as scikit-learn has it, ten starts.
    """
    few = points[np.lexsort(points.T)]  # the order of rows must not matter
    if len(few) > AT_MOST:
        few = few[np.random.default_rng(0).permutation(len(few))[:AT_MOST]]
    found = KMeans(k, n_init=10, random_state=0).fit(few)
    sizes = np.bincount(found.labels_, minlength=k)
    return found.cluster_centers_[np.lexsort((found.cluster_centers_[:, 0], -sizes))]


def nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The number of the centre nearest to each point."""
    return ((points[:, None, :] - centres) ** 2).sum(axis=2).argmin(axis=1)


def found_again(points: np.ndarray, k: int) -> tuple[float, float]:
    """How far the parts are found again in samples of four in five points: the mean adjusted Rand
    index, and the mean Jaccard index of the worst part.

    Source: Hennig (2007), Computational Statistics and Data Analysis 52:258. Checked in
    tests/stats/test_partition.py.
    """
    n, labels = len(points), nearest(points, centres(points, k))
    rand, parts = [], []
    for number in range(SAMPLES):
        rows = np.random.default_rng((number, n)).permutation(n)[: round(SHARE * n)]
        theirs = nearest(points[rows], centres(points[rows], k))
        rand.append(adjusted_rand_score(labels[rows], theirs))
        parts.append(overlap.best(labels[rows], theirs))
    return float(np.mean(rand)), float(np.mean(parts, axis=0).min())
