"""The planted truth is there to be found: in the tables, in the hazards, in the behaviour."""

from datetime import timedelta

import hdbscan
import lifelines
import numpy as np
import planted
import polars as pl
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from workbooks import files

from retention_demo import behaviours, simulate

STRAGGLER = len(behaviours.GROUPS)


@pytest.fixture(scope="module")
def world() -> dict[str, pl.DataFrame]:
    return simulate.world(9_000, seed=7)


def features(world: dict[str, pl.DataFrame], day) -> pl.DataFrame:
    """Customers in force on ``day`` with 10 events in 90 days: the workbook's features, the group.

    A customer's label is the number of the group in ``behaviours.LABELS``.
    """
    group = world["truth"].filter(pl.col("from_date") <= day).group_by("customer_id")
    return (
        planted.customers_at(world, day)
        .filter(pl.col("standing").is_in(["current", "ending"]), pl.col("last_day").is_null())
        .filter(pl.col("events_90d") >= 10, pl.col("orders_90d") > 0)
        .join(group.agg(pl.col("group").last()), on="customer_id")
        .sort("customer_id")
        .select(
            "events_per_30d",
            "cents_per_order_90d",
            "weekend_share_90d",
            "order_share_90d",
            label=pl.col("group").cast(pl.Enum(behaviours.LABELS)).to_physical(),
        )
    )


def scaled(features: pl.DataFrame) -> np.ndarray:
    points = features.drop("label").to_numpy().copy()
    points[:, :2] = np.log(points[:, :2])
    lower, middle, upper = np.percentile(points, [25, 50, 75], axis=0)
    return (points - middle) / (upper - lower)


def observed(customers: int, seed: int) -> pl.DataFrame:
    """First spells as seen on the last day, with the terms of the planted model."""
    who = simulate.people(customers, seed)
    first = simulate.lives(who, seed).filter(pl.col("spell") == 0)
    until = pl.min_horizontal("ended", pl.lit(behaviours.LAST_DAY))
    return (
        who.select(
            "customer_id",
            "group",
            **{term: value.cast(pl.Float64) for term, value in simulate.TERMS.items()},
        )
        .join(first, on="customer_id")
        .with_columns(
            duration_days=(until - pl.col("started")).dt.total_days() + 1,
            cause=pl.when(pl.col("ended") <= behaviours.LAST_DAY).then("cause"),
        )
    )


def test_the_same_seed_writes_the_same_bytes_and_whole_blocks_are_those_of_a_larger_world(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(simulate, "BLOCK", 400)
    worlds = {"one": (1_000, 1), "again": (1_000, 1), "other": (1_000, 2), "small": (800, 1)}
    for name, (customers, seed) in worlds.items():
        simulate.write(tmp_path / name, customers, seed)
    one, again, other, small = (files(tmp_path / name) for name in worlds)

    tables = ("contracts", "customers", "events", "surveys", "truth")
    assert sorted(one) == [f"{name}/part-0000{n}.parquet" for name in tables for n in range(3)]
    assert one == again == one | small
    assert len(small) == 2 * len(tables)
    assert all(one[name] != other[name] for name in one)


def test_a_world_is_never_written_over_another(tmp_path):
    simulate.write(tmp_path / "world", 10, seed=1)
    with pytest.raises(FileExistsError):
        simulate.write(tmp_path / "world", 10, seed=1)


def test_terms_follow_each_other_and_only_open_ones_have_no_end(world):
    contracts = world["contracts"]
    gap = (pl.col("started").shift(-1).over("customer_id") - pl.col("ended")).dt.total_days()
    gaps, end = contracts.with_columns(gap=gap), ("ended", "cause", "booked")

    assert contracts.equals(contracts.sort("customer_id", "started"))
    assert contracts.select(pl.sum_horizontal(pl.col(end).is_null()).is_in([0, 3]).all()).item()
    assert contracts["booked"].max() <= behaviours.LAST_DAY < contracts["ended"].max()
    assert contracts.filter(pl.col("started") > pl.col("booked")).is_empty()
    assert contracts.filter(pl.col("booked") > pl.col("ended")).is_empty()
    assert gaps.filter(pl.col("cause") == "renewed")["gap"].is_between(1, 6).all()
    assert gaps.filter(pl.col("cause") == "renewed")["gap"].null_count() == 0
    assert gaps.filter(pl.col("cause") != "renewed")["gap"].min() > 45
    assert gaps.filter(pl.col("ended").is_null())["gap"].null_count() == gaps["ended"].null_count()


def test_events_happen_only_while_a_contract_is_in_force(world):
    day = pl.col("at").dt.date()
    events = world["events"].with_row_index()
    covered = (
        events.join(world["contracts"], on="customer_id")
        .filter(day >= pl.col("started"), (day <= pl.col("ended")) | pl.col("ended").is_null())
        .select(pl.col("index").n_unique())
        .item()
    )
    is_purchase = pl.col("kind") == "purchase"

    assert covered == events.height
    assert events.select(day.max()).item() <= behaviours.LAST_DAY
    assert world["events"].equals(world["events"].sort("customer_id", "at", maintain_order=True))
    assert events.filter(is_purchase == pl.col("order_id").is_null()).is_empty()
    assert events.filter(is_purchase == pl.col("amount").is_null()).is_empty()
    assert events["order_id"].drop_nulls().is_unique().all()


def test_every_planted_hazard_ratio_is_found_and_the_group_adds_nothing():
    table = observed(200_000, seed=11).with_columns(
        (pl.col("group") == name).cast(pl.Float64).alias(name)
        for name in list(behaviours.GROUPS)[1:]
    )
    terms = [*simulate.TERMS, *list(behaviours.GROUPS)[1:]]
    for cause, ratios in simulate.HAZARD_RATIOS.items():
        seen = table.select(
            *terms, "duration_days", event=pl.col("cause").eq_missing(pl.lit(cause))
        )
        cox = lifelines.CoxPHFitter().fit(seen.to_pandas(), "duration_days", "event")
        for term in terms:
            away = cox.params_[term] - np.log(ratios.get(term, 1.0))
            assert abs(away) < 4 * cox.standard_errors_[term], (cause, term)


def test_about_a_tenth_of_the_gone_return():
    spells = simulate.lives(simulate.people(50_000, seed=3), seed=3)
    gone = spells.filter(pl.col("spell") == 0, pl.col("ended") <= behaviours.LAST_DAY)
    returned = spells.filter(pl.col("spell") == 1)
    assert 0.05 < returned.height / gone.height < 0.15


def test_usage_falls_before_the_end_only_of_those_who_decline(world):
    ended = world["contracts"].filter(
        pl.col("cause").is_in(simulate.CAUSES), pl.col("ended") <= behaviours.LAST_DAY
    )
    before = (pl.col("ended") - pl.col("at").dt.date()).dt.total_days()
    long = (pl.col("ended") - pl.col("started")).dt.total_days() >= 112
    counts = (
        ended.filter(long)
        .join(world["truth"].unique("customer_id"), on="customer_id")
        .filter(pl.col("ended") == pl.col("true_ended"))
        .join(world["events"], on="customer_id")
        .group_by("declines")
        .agg(last=before.is_between(0, 27).sum(), earlier=before.is_between(84, 111).sum())
    )
    kept = dict(counts.select("declines", pl.col("last") / pl.col("earlier")).rows())
    assert 0.15 < kept[True] < 0.35  # fading from half to nothing: a quarter
    assert 0.9 < kept[False] < 1.1


def test_a_move_to_another_group_begins_a_quarter(world):
    later = world["truth"].filter(pl.col("customer_id").is_duplicated())
    moves = later.filter(pl.col("from_date") > pl.col("from_date").first().over("customer_id"))
    share = moves.height / world["customers"].height
    assert set(moves["from_date"]) == {day + timedelta(days=1) for day in behaviours.SNAPSHOTS[:-1]}
    assert 0.02 < share < 0.10
    assert later.filter(pl.col("group") == pl.col("group").shift(1).over("customer_id")).is_empty()


def test_groups_can_be_told_apart_by_who_knows_them_and_by_density_but_not_by_kmeans(world):
    seen = features(world, behaviours.LAST_DAY)
    label = seen["label"].to_numpy()
    grouped = label != STRAGGLER
    points = scaled(seen)
    best = planted.log_densities(seen).argmax(axis=1)
    density = hdbscan.HDBSCAN(min_cluster_size=len(points) // 40, min_samples=15).fit_predict(
        points
    )
    kmeans = KMeans(len(behaviours.GROUPS), n_init=10, random_state=0)

    assert len(points) > 5_000
    assert adjusted_rand_score(label, best) >= 0.98
    assert adjusted_rand_score(label, kmeans.fit_predict(points)) <= 0.75
    assert adjusted_rand_score(label[grouped], kmeans.fit_predict(points[grouped])) <= 0.75
    assert density.max() + 1 == len(behaviours.GROUPS)
    assert adjusted_rand_score(label[grouped], density[grouped]) >= 0.90
    assert np.mean(density[~grouped] == -1) >= 0.80


@pytest.mark.slow
def test_overlapping_groups_are_hard_even_for_who_knows_them():
    seen = features(simulate.world(9_000, seed=7, setting="overlap"), behaviours.LAST_DAY)
    best = planted.log_densities(seen, "overlap").argmax(axis=1)
    assert 0.90 <= adjusted_rand_score(seen["label"].to_numpy(), best) <= 0.95
