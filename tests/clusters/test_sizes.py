"""Which smallest size to choose."""

import numpy as np
import pytest

from retention.clusters import sizes
from retention.stats import density, stability


def compared(size: int, n: int = 900):
    """Three bells of a third each, cut at several sizes."""
    rng = np.random.default_rng(0)
    middles = np.repeat([(0, 0), (9, 0), (0, 9)], n // 3, axis=0)
    points = middles + rng.normal(size=(n, 2))
    fit = density.fit(points, size, 5)
    return sizes.compared(fit, stability.samples(points, size, 5), size, n, 10)


def test_sizes_are_side_by_side_and_one_that_finds_all_groups_is_recommended():
    table = compared(100)
    best = table.filter("recommended")

    assert table["min_cluster_size"].to_list() == [25, 50, 75, 100, 150, 200, 300, 400]
    assert table.filter("chosen")["min_cluster_size"].to_list() == [100]
    assert best["stable_clusters"].to_list() == [3]
    assert best["found_again"].item() >= 0.85
    assert table.filter(min_cluster_size=400)["clusters"].item() <= 2
    for row in table.iter_rows(named=True):
        assert row["share_in_stable"] <= 1 - row["noise_share"] + 1e-9


def test_the_chosen_size_is_recommended_among_equals():
    table = compared(100)
    assert table.filter("recommended")["min_cluster_size"].to_list() == [100]
    assert sizes.headline(table) == "At least 100 customers, as chosen, is also what is recommended"


def test_a_size_that_hides_groups_is_told_from_the_better_one():
    table = compared(350)
    best = table.filter("recommended")["min_cluster_size"].item()

    assert best < 350
    assert sizes.headline(table) == f"Chosen: at least 350 customers; recommended: at least {best}"


def test_no_size_is_below_a_cell_and_none_is_recommended_without_groups():
    table = compared(12, 18)

    assert table["min_cluster_size"].min() == 10
    assert not table["recommended"].any()
    assert sizes.headline(table) == (
        "No smallest size gives a group that is found again in other samples"
    )


@pytest.mark.parametrize("words", ["0.75 or more", "at least 90%"])
def test_the_definition_states_its_limits(words):
    assert words in sizes.definition()
