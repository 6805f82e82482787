"""Would the same groups be found among other customers? Samples of the points, fitted anew."""

from dataclasses import dataclass

import numpy as np

from retention.stats import density, overlap

SAMPLES = 8
SHARE = 0.8  # of the points, in each sample
AT_MOST = 20_000  # points in a sample


@dataclass(frozen=True)
class Sample:
    """Some of all rows, and the groups that they form by themselves."""

    rows: np.ndarray
    fit: density.Fit


def samples(
    points: np.ndarray, min_cluster_size: int, min_samples: int, many: int = SAMPLES
) -> list[Sample]:
    """``many`` seeded samples: four in five of the ``points``, at most `AT_MOST`.

    The smallest size of a group shrinks as the sample does.
    """
    n = len(points)
    kept, found = min(round(SHARE * n), AT_MOST), []
    for number in range(many):
        rows = np.sort(np.random.default_rng((number, n)).choice(n, kept, replace=False))
        size = shrunk(min_cluster_size, kept, n)
        found.append(Sample(rows, density.fit(points[rows], size, min_samples)))
    return found


def shrunk(min_cluster_size: int, kept: int, n: int) -> int:
    """The smallest size of a group among ``kept`` of ``n`` points."""
    return max(round(min_cluster_size * kept / n), 2) if n else min_cluster_size


def stability(labels: np.ndarray, samples: list[Sample], min_cluster_size: int) -> np.ndarray:
    """How much of each group is found again in the samples, 0 to 1: the mean Jaccard of its best
    matches.

    Takes   ``labels`` of all points, for groups of at least ``min_cluster_size``

    Source: Hennig (2007), Computational Statistics and Data Analysis 52:258; in samples without
    replacement, as copies of a point would be dense by themselves. Checked on published values in
    tests/stats/test_stability.py.
    """
    found = []
    for one in samples:
        size = shrunk(min_cluster_size, len(one.rows), len(labels))
        found.append(overlap.best(labels[one.rows], density.cut(one.fit, size).labels))
    return np.mean(found, axis=0)
