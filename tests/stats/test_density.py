"""HDBSCAN in parts: published values, cuts as new fits, groups lent to other points."""

import warnings
from pathlib import Path

import hdbscan
import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from retention.stats import density

CLUSTERABLE = Path(__file__).parents[3] / "shared" / "data" / "clusterable" / "clusterable_data.npy"


EXACT = {"min_cluster_size": 50, "min_samples": 10, "approx_min_span_tree": False}


def blobs(seed: int = 0, n: int = 1_200) -> np.ndarray:
    """Three bells in three dimensions, and a tenth scattered among them."""
    rng = np.random.default_rng(seed)
    middles = np.array([(0, 0, 0), (6, 0, 0), (0, 7, 2)])
    points = middles[rng.integers(3, size=n)] + rng.normal(size=(n, 3))
    points[: n // 10] = rng.uniform(-5, 12, (n // 10, 3))
    return points


def usual(points: np.ndarray, **settings) -> hdbscan.HDBSCAN:
    """The package by itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return hdbscan.HDBSCAN(**settings).fit(points)


@pytest.mark.skipif(not CLUSTERABLE.is_file(), reason="no clusterable_data.npy of hdbscan's")
def test_published_values_of_the_package_are_met_and_the_order_of_rows_moves_few():
    """Its approximate tree differs by a few points at edges from one processor to another."""
    points = np.load(CLUSTERABLE)
    fit, usually = density.fit(points, 15, 15), density.fit(points, 15, 15, exact=False)

    published = np.array([547, 406, 356, 316, 275, 209, 200])
    assert np.abs(np.bincount(usually.labels + 1) - published).max() <= 2
    assert sorted(usually.persistence) == pytest.approx(
        [0.0930, 0.1725, 0.2087, 0.2189, 0.3072, 0.3094], abs=0.002
    )
    assert hdbscan.validity.validity_index(points, usually.labels) == pytest.approx(0.04, abs=0.001)
    assert (fit.labels < 0).sum() == 581
    assert adjusted_rand_score(usually.labels, fit.labels) == pytest.approx(0.9615, abs=0.002)
    order = np.random.default_rng(0).permutation(len(points))
    again = density.fit(points[order], 15, 15).labels
    assert adjusted_rand_score(fit.labels[order], again) >= 0.999


def test_a_cut_is_a_new_fit():
    fit = density.fit(blobs(), 50, 10)
    for size in (15, 50, 120, 350):
        cut, new = density.cut(fit, size), density.fit(blobs(), size, 10)
        for name in ("labels", "membership", "persistence"):
            np.testing.assert_allclose(getattr(cut, name), getattr(new, name))
        assert density.nodes(cut).equals(density.nodes(new))


def test_groups_are_those_of_the_package_the_largest_first():
    points = blobs()
    fit = density.fit(points, 50, 10)
    theirs = usual(points, **EXACT)

    assert adjusted_rand_score(theirs.labels_, fit.labels) == 1
    assert ((theirs.labels_ < 0) == (fit.labels < 0)).all()
    assert (theirs.probabilities_ == fit.membership).all()
    sizes = np.bincount(fit.labels[fit.labels >= 0])
    assert len(sizes) == 3
    assert (np.diff(sizes) <= 0).all()


def test_the_tree_holds_every_point_and_names_its_groups():
    fit = density.fit(blobs(), 50, 10)
    nodes = density.nodes(fit)
    tops = density.branches(nodes)

    assert nodes["n"][0] == len(fit.points)
    assert tops["group"].to_list() == [0, 1, 2]
    assert tops["n"].to_list() == np.bincount(fit.labels[fit.labels >= 0]).tolist()
    children = nodes.drop_nulls("parent").join(nodes, left_on="parent", right_on="node")
    assert (children["birth"] == children["death_right"]).all()
    beneath = children.group_by("parent").agg(total=children["n"].sum())
    assert beneath.height == (nodes["n_at_death"] > 0).sum()


def test_a_point_joins_the_group_that_the_package_would_give_it():
    points, new = blobs(), blobs(seed=1)
    fit = density.fit(points, 50, 10)
    labels, membership, nearest = density.assign(density.model(fit), new)
    theirs = usual(points, **EXACT, prediction_data=True)
    given, _ = hdbscan.approximate_predict(theirs, new)
    number = {label: fit.labels[np.argmax(theirs.labels_ == label)] for label in (-1, 0, 1, 2)}

    assert np.mean([number[label] for label in given] == labels) >= 0.99
    assert ((membership > 0) == (labels >= 0)).all()
    assert membership.max() <= 1
    close = nearest[labels >= 0]
    assert (fit.labels[close] == labels[labels >= 0]).all()
    far = density.assign(density.model(fit), np.full((1, 3), 1e6))
    assert [part.tolist() for part in far] == [[-1], [0], [-1]]


def test_the_nearest_vote_and_the_smaller_label_wins_a_tie():
    model, labels = np.array([[0.0], [1.0], [2.0], [10.0]]), np.array([1, 0, 0, 1])
    winner, share = density.nearest(model, labels, np.array([[0.1], [9.0]]), 3)
    assert winner.tolist() == [0, 0]
    assert share.tolist() == pytest.approx([2 / 3, 2 / 3])
    assert density.nearest(model, labels, np.array([[9.0]]), 2)[0].tolist() == [0]


@pytest.mark.parametrize("n", [0, 1, 11, 99])
def test_too_few_points_are_noise_and_stop_nothing(n):
    fit = density.fit(blobs()[:n], 50, 10)
    assert (fit.labels == -1).all()
    assert density.nodes(fit).is_empty()
    assert (density.cut(fit, 20).labels == -1).all()
