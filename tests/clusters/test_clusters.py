"""Clusters on planted groups: order of rows, ids, samples, and the model that is kept."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import adjusted_rand_score

from retention.clusters import clusters
from retention.errors import Refused

FEATURES = ["rate", "money"]
IDS = pl.DataFrame({"cluster": [0, 1, 2], "segment": ["s1", "s2", "s3"]})


def customers(
    counts: bool = False, seed: int = 1, times: int = 1
) -> tuple[pl.DataFrame, np.ndarray]:
    """Three groups of unequal size and a few who belong to none, as customers_at."""
    rng = np.random.default_rng(seed)
    sizes = np.array([400, 250, 150, 40]) * times
    middles = [(2, 8), (12, 8), (7, 30)]
    bells = [rng.normal(middle, 0.8, (n, 2)) for n, middle in zip(sizes[:3], middles, strict=True)]
    points = np.vstack([*bells, rng.uniform((0, 0), (16, 40), (sizes[3], 2))]).clip(0)
    points = points.round() if counts else points
    frame = pl.DataFrame(points, schema=FEATURES).select(
        pl.concat_str(pl.lit("c"), pl.int_range(pl.len())).alias("customer_id"),
        *FEATURES,
        standing=pl.lit("current"),
        events_90d=pl.lit(20),
    )
    return frame, np.repeat([0, 1, 2, -1], sizes)


def found_in(frame: pl.DataFrame, fit_at_most: int = 10_000, size: int = 50):
    found = clusters.fit(behaviour(frame, FEATURES, ["money"], 10), size, 10, fit_at_most)
    return found, found.table


def behaviour(frame: pl.DataFrame, *asked) -> clusters.Behaviour:
    return clusters.behaviour(SimpleNamespace(tables=SimpleNamespace(customers_at=frame)), *asked)


def refresh(min_cell: int = 10) -> SimpleNamespace:
    return SimpleNamespace(min_cell=min_cell)


def test_planted_groups_are_found_and_few_others_join_them():
    frame, group = customers()
    planted = frame.select("customer_id", pl.Series("group", group)).sort("customer_id")["group"]

    found, labelled = found_in(frame)

    assert labelled["cluster"].max() == 2
    assert adjusted_rand_score(planted, labelled["cluster"]) >= 0.9
    shown = clusters.tree(refresh(), found)
    assert shown.headline(shown.table) == "3 clusters stand out"
    [noise] = shown.findings
    assert noise.value == (labelled["cluster"] == -1).mean()
    assert 0 < noise.ci[0] <= noise.ci[1] < 0.3
    assert clusters.tree(refresh(min_cell=1_000), found).findings == []
    assert "HDBSCAN on rate, money (log), each" in shown.definition


@pytest.mark.parametrize("counts", [False, True])
def test_labels_do_not_depend_on_the_order_of_rows(counts):
    frame, _ = customers(counts)
    labelled = found_in(frame)[1]

    for seed in range(3):
        shuffled = frame.sample(fraction=1, shuffle=True, seed=seed)
        assert found_in(shuffled)[1].equals(labelled)


@pytest.mark.parametrize("times", [1, 4])
def test_under_other_ids_the_clusters_are_the_same(times):
    frame, _ = customers(times=times)
    other = frame.with_columns(customer_id=pl.col("customer_id").str.reverse() + "x")
    _, labelled = found_in(frame)
    again = found_in(other)[1].with_columns(
        customer_id=pl.col("customer_id").str.strip_suffix("x").str.reverse()
    )

    both = labelled.join(again, on="customer_id", validate="1:1")
    assert adjusted_rand_score(both["cluster"], both["cluster_right"]) >= 0.98


def test_of_too_many_a_sample_is_clustered_and_the_others_join_it():
    frame, _ = customers(times=5)
    whole, labelled = found_in(frame, size=200)
    part, sampled = found_in(frame, fit_at_most=1_500, size=200)

    assert (len(whole.rows), len(part.rows)) == (4_200, 1_500)
    assert part.smallest == round(200 * 1_500 / 4_200)
    assert adjusted_rand_score(labelled["cluster"], sampled["cluster"]) >= 0.95
    assert (sampled["cluster"].to_numpy()[part.rows] == part.fit.labels).mean() >= 0.995
    assert sampled["membership"].is_between(0, 1).all()
    said = [clusters.tree(refresh(), one).definition for one in (whole, part)]
    assert ["Found among 1,500 customers drawn at random" in one for one in said] == [False, True]


def test_who_is_in_no_segment_has_a_nearest_one():
    frame, _ = customers()
    found, _ = found_in(frame)
    table = clusters.with_nearest(found, IDS[:2])
    outside = ~table["cluster"].is_in([0, 1])

    assert table["nearest_segment"].is_not_null().to_list() == outside.to_list()
    assert table.filter(outside)["nearest_probability"].is_between(0.5, 1).all()
    third = table.filter(cluster=2)
    assert third["nearest_segment"].is_in(["s1", "s2"]).all()
    nobody = clusters.with_nearest(found, IDS.clear())
    assert nobody["nearest_segment"].null_count() == nobody.height == 840


def test_the_model_places_its_own_customers_where_they_were():
    frame, _ = customers()
    found, labelled = found_in(frame)
    model = clusters.model(found, IDS)
    before = labelled.join(IDS, on="cluster", how="left", maintain_order="left")

    placed = clusters.placed(model, frame, labelled)

    assert model.columns == [*clusters.MODEL, "rate", "money (log)"]
    assert placed["customer_id"].to_list() == before["customer_id"].to_list()
    assert placed["segment"].eq_missing(before["segment"]).mean() >= 0.995


def test_the_model_follows_customers_who_move_and_not_groups_that_do():
    frame, _ = customers()
    found, labelled = found_in(frame)
    model = clusters.model(found, IDS)
    some = labelled.filter(cluster=0)["customer_id"][:50]
    there = frame.with_columns(
        rate=pl.when(pl.col("customer_id").is_in(some.to_list())).then(12.0).otherwise("rate")
    )

    placed = clusters.placed(model, there, some.to_frame())

    assert (placed["segment"] == "s2").sum() >= 45
    nobody = clusters.placed(model.clear(), there, some.to_frame())
    assert nobody["segment"].null_count() == 50
    assert clusters.placed(model, there.drop("rate"), some.to_frame())["segment"].null_count() == 50


def test_untrusted_clusters_are_nothing_in_the_model():
    frame, _ = customers()
    found, labelled = found_in(frame)
    model = clusters.model(found, IDS.filter(cluster=1))
    others = labelled.filter(pl.col("cluster") != 1)

    assert model["segment"].drop_nulls().unique().to_list() == ["s2"]
    assert clusters.placed(model, frame, others)["segment"].null_count() == others.height


def test_one_event_more_is_the_unit_of_a_share():
    frame = pl.DataFrame(
        {
            "customer_id": ["a", "b"],
            "standing": ["current"] * 2,
            "events_90d": [10, 4],
            "tenure_days": [300, 45],
            "weekend_share_90d": [0.5, 0.25],
            "events_per_30d": [3.0, 1.0],
            "cents_per_order_90d": [5.0, 6.0],
            "orders_90d": [2, 0],
            "amount_cents_90d": [700, 0],
        }
    )
    assert behaviour(frame, frame.columns[4:], [], 0).units.rows() == [
        ("a", 0.1, 30 / 90, 0.0, 1.0, 350.0),
        ("b", 0.25, 30 / 45, 0.0, 1.0, 1.0),
    ]


def test_who_did_too_little_or_is_gone_is_not_compared():
    number, (frame, _) = pl.int_range(pl.len()), customers()
    some = frame.with_columns(
        standing=pl.when(number != 0).then(pl.lit("current")).otherwise(pl.lit("lapsed")),
        events_90d=pl.when(number == 1).then(9).otherwise(10),
        rate=pl.when(number != 2).then("rate"),
    )
    compared = behaviour(some, FEATURES, [], 10).table
    assert compared["customer_id"].to_list() == sorted(frame["customer_id"][3:])


@pytest.mark.parametrize(
    ("features", "logged", "words"),
    [
        (["colour"], [], "no number 'colour'"),
        (["customer_id"], [], "no number 'customer_id'"),
        (FEATURES, ["mony"], "logged: 'mony' is no feature; did you mean 'money'"),
        (FEATURES, ["money"], "logged: 'money' is below 0 of"),
    ],
)
def test_what_cannot_be_compared_is_refused(features, logged, words):
    frame = customers()[0].with_columns(pl.col("money") - 9)
    with pytest.raises(Refused, match=words):
        behaviour(frame, features, logged, 0)


@pytest.mark.parametrize("least", [0, 21])
def test_too_few_customers_are_noise_and_stop_nothing(least):
    frame, _ = customers()
    known = behaviour(frame, FEATURES, [], least)

    found = clusters.fit(known, 1_000, 10, 10_000)
    table = clusters.with_nearest(found, IDS.clear())

    assert table.height == known.table.height
    assert table.filter(pl.col("cluster") >= 0).is_empty()
    assert clusters.tree(refresh(), found).table.is_empty()
    assert clusters.model(found, IDS.clear())["segment"].null_count() == table.height
