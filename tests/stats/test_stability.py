"""Groups found again in samples of the points: published values, planted and unplanted groups."""

from pathlib import Path

import numpy as np
import pytest

from retention.stats import density, stability

CLUSTERABLE = Path(__file__).parents[3] / "shared" / "data" / "clusterable" / "clusterable_data.npy"


@pytest.mark.skipif(
    not CLUSTERABLE.is_file(), reason="optional data: hdbscan's clusterable_data.npy is not here"
)
def test_published_groups_come_back_as_published():
    """How samples were drawn is not said, nor was the smallest size shrunk: within .03."""
    points = np.load(CLUSTERABLE)
    fit = density.fit(points, 15, 15, exact=False)
    rng = np.random.default_rng(0)
    found = [rng.choice(len(points), int(0.8 * len(points)), replace=False) for _ in range(25)]
    samples = [
        stability.Sample(rows, density.fit(points[rows], 15, 15, exact=False)) for rows in found
    ]
    size = round(15 / 0.8)  # shrinks to 15 in samples

    again = stability.stability(fit.labels, samples, size)

    assert sorted(again) == pytest.approx([0.876, 0.930, 0.939, 0.959, 0.971, 0.973], abs=0.03)


def test_planted_groups_come_back_and_pieces_of_one_do_not():
    rng = np.random.default_rng(3)
    apart = np.vstack([rng.normal(0, 1, (400, 2)), rng.normal(8, 1, (300, 2))])
    even = rng.uniform(0, 1, (700, 2))
    found = {}
    for name, points in {"apart": apart, "even": even}.items():
        fit, samples = density.fit(points, 30, 5), stability.samples(points, 30, 5)
        found[name] = stability.stability(fit.labels, samples, 30)

    assert len(found["apart"]) == 2
    assert found["apart"].min() >= 0.85
    assert len(found["even"]) >= 2
    assert found["even"].min() < 0.6


def test_samples_are_seeded_and_hold_four_in_five():
    points = np.random.default_rng(0).normal(size=(200, 2))
    first, second = (stability.samples(points, 20, 5) for _ in range(2))

    assert [len(one.rows) for one in first] == [160] * stability.SAMPLES
    assert all((a.rows == b.rows).all() for a, b in zip(first, second, strict=True))
    assert len({tuple(one.rows) for one in first}) == stability.SAMPLES


@pytest.mark.parametrize(
    ("size", "kept", "n", "shrunk"), [(100, 80, 100, 80), (15, 1, 100, 2), (15, 0, 0, 15)]
)
def test_the_smallest_size_shrinks_as_the_sample_does(size, kept, n, shrunk):
    assert stability.shrunk(size, kept, n) == shrunk
