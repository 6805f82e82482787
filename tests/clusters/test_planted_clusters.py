"""Planted groups, apart and overlapping, found again through the workbook's own features."""

from types import SimpleNamespace

import polars as pl
import pytest
from planted import customers_at
from sklearn.metrics import adjusted_rand_score

from retention import book as books
from retention.clusters import clusters, trust
from retention.tables.workspace import root
from retention_demo import simulate
from retention_runner import notebooks

CUSTOMERS = 5_000
SEEDS = range(1, 21)


def found(seed: int, setting: str) -> tuple[pl.DataFrame, list[int], clusters.Clustering]:
    """Everybody compared at the last day, with cluster and planted group; what is trusted."""
    own = books.load("simulated", root()).parameters["30_clusters"]
    asked = notebooks.declared(root() / "notebooks" / "30_clusters.ipynb") | own
    world = simulate.world(CUSTOMERS, seed, setting)
    customers = customers_at(world, simulate.LAST_DAY)
    r = SimpleNamespace(tables=SimpleNamespace(customers_at=customers))
    named = asked["features"], asked["logged"], asked["min_events_90d"]
    sizes = asked["min_cluster_size"], asked["min_samples"], asked["fit_at_most"]
    division = clusters.fit(clusters.behaviour(r, *named), *sizes)
    checks = trust.checks(division)
    groups = (
        world["truth"]
        .filter(pl.col("from_date") <= simulate.LAST_DAY)
        .sort("customer_id", "from_date")
        .unique("customer_id", keep="last", maintain_order=True)
        .select("customer_id", "group")
    )
    table = division.table.join(groups, on="customer_id")
    return table, trust.trusted(trust.judged(checks)), division


def right(table: pl.DataFrame) -> tuple[float, float]:
    """Adjusted Rand among those with a planted group, and the share of stragglers left as noise."""
    grouped = table.filter(pl.col("group") != "straggler")
    stragglers = table.filter(pl.col("group") == "straggler")
    rand = adjusted_rand_score(grouped["group"], grouped["cluster"])
    return rand, (stragglers["cluster"] == -1).mean()


def inventions(table: pl.DataFrame, trusted: list[int]) -> list[int]:
    """Trusted clusters that are not one planted group or whole ones together, to four fifths.

    A group counts by those of its customers who are in a cluster: where groups overlap, many at
    their edges are noise, and belong to nobody.
    """
    parts = table.filter(pl.col("cluster") >= 0).group_by("cluster", "group").agg(n=pl.len())
    shares = parts.sort("cluster", "group").with_columns(
        of_group=pl.col("n") / pl.col("n").sum().over("group"),
        of_cluster=pl.col("n") / pl.col("n").sum().over("cluster"),
    )
    whole = shares.filter(pl.col("of_group") >= 0.8, pl.col("group") != "straggler")
    held = whole.group_by("cluster").agg(pl.col("of_cluster").sum()).sort("cluster")
    good = held.filter(pl.col("of_cluster") >= 0.8)["cluster"].to_list()
    return [cluster for cluster in trusted if cluster not in good]


def test_a_cluster_that_cuts_a_group_is_an_invention():
    table = pl.DataFrame(
        {"cluster": [0] * 6 + [1] * 4 + [-1], "group": ["a"] * 6 + ["a", "a", "a", "b", "b"]}
    )
    assert inventions(table, [0, 1]) == [0, 1]
    whole = table.with_columns(group=pl.Series(["a"] * 6 + ["b"] * 5))
    assert inventions(whole, [0, 1]) == []
    assert inventions(whole.with_columns(group=pl.lit("straggler")), [0, 1]) == [0, 1]


def test_planted_groups_are_found_trusted_and_stragglers_are_noise():
    table, trusted, _ = found(1, "separate")
    rand, noise = right(table)
    print(f"\nadjusted Rand {rand:.3f}, stragglers in noise {noise:.1%}, {len(trusted)} trusted")

    assert rand >= 0.85
    assert noise >= 0.8
    assert trusted == [0, 1, 2, 3, 4]
    assert inventions(table, trusted) == []


@pytest.mark.slow
def test_planted_groups_are_found_in_every_one_of_twenty_worlds():
    worlds = [found(seed, "separate") for seed in SEEDS]
    rands, noises = zip(*(right(table) for table, *_ in worlds), strict=True)
    print(f"\nadjusted Rand {min(rands):.3f} to {max(rands):.3f}")
    print(f"stragglers in noise {min(noises):.1%} to {max(noises):.1%}")

    assert min(rands) >= 0.85
    assert min(noises) >= 0.8
    assert [inventions(table, trusted) for table, trusted, _ in worlds] == [[]] * len(SEEDS)


@pytest.mark.slow
def test_where_groups_overlap_whatever_is_trusted_is_planted():
    worlds = [found(seed, "overlap") for seed in SEEDS]
    print(f"\ntrusted clusters: {[len(trusted) for _, trusted, _ in worlds]}")
    print(f"of {[division.table['cluster'].max() + 1 for *_, division in worlds]} found")

    assert [inventions(table, trusted) for table, trusted, _ in worlds] == [[]] * len(SEEDS)
