"""Clusters on planted groups; order of rows, ids and ties."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from retention import book as books
from retention.analysis import clusters
from retention.errors import Refused
from retention.tables import simulate, task, workspace

FEATURES = ["rate", "money"]


def customers(counts: bool = False, seed: int = 1) -> tuple[pl.DataFrame, np.ndarray]:
    """Three groups of unequal size and a few who belong to none, as customers_at."""
    rng = np.random.default_rng(seed)
    sizes, centres = [400, 250, 150, 40], [(2, 8), (12, 8), (7, 30)]
    blobs = [rng.normal(centre, 0.8, (n, 2)) for n, centre in zip(sizes[:3], centres, strict=True)]
    points = np.vstack([*blobs, rng.uniform((0, 0), (16, 40), (sizes[3], 2))]).clip(0)
    points = points.round() if counts else points
    frame = pl.DataFrame(points, schema=FEATURES).select(
        pl.concat_str(pl.lit("c"), pl.int_range(pl.len())).alias("customer_id"),
        *FEATURES,
        in_risk_set=pl.lit(True),
        events_90d=pl.lit(20),
        amount_cents_365d=pl.lit(100),
    )
    return frame, np.repeat([0, 1, 2, -1], sizes)


def found_in(frame: pl.DataFrame) -> pl.DataFrame:
    behaviour = clusters.behaviour(frame, FEATURES, 10)
    return clusters.fit(behaviour, logged=["money"], min_cluster_size=50, min_samples=10)


def test_planted_groups_are_found():
    frame, group = customers()
    planted = frame.select("customer_id", pl.Series("group", group)).sort("customer_id")

    found = found_in(frame)

    assert found["cluster"].max() == 2
    grouped = (planted["group"] >= 0).to_numpy()
    labels = found["cluster"].to_numpy()
    assert adjusted_rand_score(planted["group"].to_numpy()[grouped], labels[grouped]) >= 0.95
    assert found["cluster"].value_counts().sort("cluster")["count"][1:].is_sorted(descending=True)


@pytest.mark.parametrize("counts", [False, True])
def test_labels_do_not_depend_on_the_order_of_rows(counts):
    frame, _ = customers(counts)
    found = found_in(frame)

    for seed in range(3):
        assert found_in(frame.sample(fraction=1, shuffle=True, seed=seed)).equals(found)


def test_the_jitter_belongs_to_the_customer_and_is_tiny():
    frame, _ = customers(counts=True)
    few = frame.filter(pl.int_range(pl.len()) % 2 == 0)
    ids = few["customer_id"]

    whole = dict(zip(frame["customer_id"], clusters._jitter(frame["customer_id"], 2), strict=True))
    part = clusters._jitter(ids, 2)

    assert all((whole[name] == row).all() for name, row in zip(ids, part, strict=True))
    assert np.abs(part).max() <= clusters.JITTER / 2
    assert len(np.unique(part)) == part.size


def test_segments_are_the_clusters_without_noise():
    frame, _ = customers()
    found = found_in(frame)

    segments = clusters.segments(found, frame, FEATURES)
    members = clusters.members(found)

    assert segments["segment"].to_list() == ["s1", "s2", "s3"]
    assert segments["n"].sum() == members.height == (found["cluster"] >= 0).sum()
    assert segments["share_of_customers"].to_list() == pytest.approx(
        (segments["n"] / frame.height).to_list()
    )
    assert segments["share_of_amount"].to_list() == pytest.approx(
        segments["share_of_customers"].to_list()
    )
    first = frame.join(members.filter(segment="s1"), on="customer_id")
    assert segments["rate"][0] == pytest.approx(first["rate"].median())


def test_the_profile_shows_what_sets_a_segment_apart():
    frame, _ = customers()
    found = found_in(frame)
    behaviour = clusters.behaviour(frame, FEATURES, 10)

    profile = clusters.profile(behaviour, ["money"], found)

    rate = dict(profile.filter(trait="rate").select("segment", "difference").rows())
    assert rate["s1"] < rate["s3"] < rate["s2"]
    money = dict(profile.filter(trait="money").select("segment", "difference").rows())
    assert money["s3"] == max(money.values())


def test_simulated_groups_are_found_through_the_tables_and_stragglers_are_noise(workbook):
    book = books.at(books.load("simulated", workbook), simulate.LAST_DAY)
    space = workspace.Workspace("simulated", str(simulate.LAST_DAY), "tables", workbook / "built")
    task.build(book, space)
    truth = (
        pl.scan_parquet(workbook / "work" / ".simulated" / "*" / "truth.parquet")
        .filter(pl.col("from_date") <= simulate.LAST_DAY)
        .sort("customer_id", "from_date")
        .group_by("customer_id", maintain_order=True)
        .agg(pl.col("group").last())
        .collect()
    )
    given = book.parameters["30_clusters"]

    behaviour = clusters.behaviour(
        workspace.read_table(space, "customers_at"), given["features"], given["min_events_90d"]
    )
    found = clusters.fit(
        behaviour, given["logged"], given["min_cluster_size"], given["min_samples"]
    ).join(truth, on="customer_id")

    grouped = found.filter(pl.col("group") != "straggler")
    stragglers = found.filter(pl.col("group") == "straggler")
    assert found["cluster"].max() + 1 == 5
    assert adjusted_rand_score(grouped["group"], grouped["cluster"]) >= 0.85
    assert (stragglers["cluster"] == -1).mean() >= 0.8


def test_who_did_too_little_or_is_gone_is_not_compared():
    frame, _ = customers()
    some = frame.with_columns(
        in_risk_set=pl.int_range(pl.len()) != 0,
        events_90d=pl.when(pl.int_range(pl.len()) == 1).then(9).otherwise(10),
        rate=pl.when(pl.int_range(pl.len()) != 2).then("rate"),
    )

    compared = clusters.behaviour(some, FEATURES, 10)

    assert compared.height == frame.height - 3
    assert compared["customer_id"].is_sorted()


def test_what_cannot_be_compared_is_refused():
    frame, _ = customers()
    with pytest.raises(Refused, match="no number 'colour'"):
        clusters.behaviour(frame, ["colour"], 0)
    with pytest.raises(Refused, match="no number 'customer_id'"):
        clusters.behaviour(frame, ["customer_id"], 0)


@pytest.mark.parametrize("least", [0, 21])
def test_too_few_customers_are_noise_and_stop_nothing(least):
    frame, _ = customers()
    behaviour = clusters.behaviour(frame, FEATURES, least)

    found = clusters.fit(behaviour, [], min_cluster_size=1_000, min_samples=10)

    assert found.height == behaviour.height
    assert found.filter(pl.col("cluster") >= 0).is_empty()
    assert clusters.segments(found, frame, FEATURES).is_empty()
    assert clusters.profile(behaviour, [], found).is_empty()
    assert clusters.picture(behaviour, [], found).height == behaviour.height
    assert clusters.headline(clusters.profile(behaviour, [], found)) == "No group to describe"


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(-10, 10)), min_size=2, max_size=50))
def test_scaled_behaviour_is_finite_and_centred(rows):
    behaviour = pl.DataFrame(rows, schema=FEATURES, orient="row").select(
        pl.int_range(pl.len()).cast(pl.String).alias("customer_id"), *FEATURES
    )

    points = clusters.scale(behaviour, logged=["rate"])

    assert np.isfinite(points).all()
    assert np.abs(np.median(points, axis=0)).max() <= 2 * clusters.JITTER
