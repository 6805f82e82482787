"""Parts by KMeans: planted ones are found and found again, those of one bell are not."""

import numpy as np

from retention.stats import partition


def bells(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    middles = np.repeat([(0, 0), (9, 0), (0, 9)], [500, 300, 200], axis=0)
    return middles + rng.normal(size=(1000, 2))


def test_planted_parts_are_found_the_largest_first():
    points = bells()
    labels = partition.nearest(points, partition.centres(points, 3))

    assert np.bincount(labels).tolist() == [500, 300, 200]
    rand, worst = partition.found_again(points, 3)
    assert min(rand, worst) > 0.99


def test_parts_that_cut_a_bell_are_not_found_again():
    points = np.random.default_rng(1).normal(size=(800, 2))  # round: any cut is as good
    assert partition.found_again(points, 5)[1] < 0.7


def test_the_order_of_rows_moves_nobody():
    points = bells(3)
    order = np.random.default_rng(0).permutation(len(points))
    labels = partition.nearest(points, partition.centres(points, 3))
    mixed = partition.nearest(points[order], partition.centres(points[order], 3))
    assert (labels[order] == mixed).all()
