"""Customers who behave alike: HDBSCAN on scaled behaviour, with noise shown as noise."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from retention.errors import Refused, nearest
from retention.stats import density, scaling, stability
from retention.stats.scaling import LOG
from retention.stats.stability import Sample, shrunk

MODEL = ("customer_id", "segment", "min_samples", "core_distance", "born_at")
LENT = {"cluster": pl.Int64, "nearest_probability": pl.Float64}
NEIGHBOURS = 25  # members of segments that say which one is nearest


def _worth(amount: str, orders: str) -> pl.Expr:
    """The amount of an order, on average; a cent where there was none."""
    return pl.when(pl.col(orders) > 0).then(pl.col(amount) / pl.col(orders)).otherwise(1.0)


# What one event or order more would make of a feature that counts them, but not as such.
ONE_MORE = {
    "amount_cents_total": _worth("amount_cents_total", "orders_total"),
    "amount_cents_365d": _worth("amount_cents_total", "orders_total"),
    "amount_cents_90d": _worth("amount_cents_90d", "orders_90d"),
    "events_per_30d": 30 / pl.min_horizontal("tenure_days", 90),
    "weekend_share_90d": 1 / pl.col("events_90d"),
    "order_share_90d": 1 / pl.col("events_90d"),
    "usage_ratio": pl.col("days_before") / (28 * pl.col("active_days_before")),
}


@dataclass(frozen=True)
class Clustering:
    """Compared customers as points, in order of customer_id, and their clusters."""

    points: np.ndarray
    rows: np.ndarray  # of the customers that were fitted; the others are assigned
    fit: density.Fit
    min_cluster_size: int  # among the fitted
    labels: np.ndarray  # 0 = the largest cluster, -1 = noise
    membership: np.ndarray  # 0 (edge) to 1 (core)
    outlier_scores: np.ndarray  # 0 to 1


def behaviour(
    customers: pl.DataFrame, features: list[str], logged: list[str], min_events: int
) -> pl.DataFrame:
    """The customers that can be compared, with the features to compare them by.

    Takes   customers_at: customer_id, in_risk_set, events_90d, ``features``, of which some are to
            be ``logged``
    Returns customer_id and the features (float), sorted by customer_id: customers in the risk set
            with at least ``min_events`` events in 90 days and every feature known

    Raises:
        Refused: there is no feature, one is unknown or no number, one to be logged is no feature
            or below 0.
    """
    if not features:
        raise Refused("clusters need at least one feature: name some as `features`")
    for name in features:
        if name not in customers.columns or not customers[name].dtype.is_numeric():
            raise Refused(f"clusters need numeric features; customers_at has no number {name!r}")
    for name in logged:
        if name not in features:
            raise Refused(f"logged: {name!r} is no feature{nearest(name, features)}")
    compared = (
        customers.filter(pl.col("in_risk_set"), pl.col("events_90d") >= min_events)
        .select("customer_id", pl.col(features).cast(pl.Float64))
        .drop_nulls()
        .drop_nans()
        .sort("customer_id")
    )
    for name in logged:
        if below := (compared[name] < 0).sum():
            raise Refused(f"logged: {name!r} is below 0 of {below} customers: leave it unlogged")
    return compared


def smallest(min_cluster_size: int, min_cell: int) -> int:
    """``min_cluster_size``, if clusters of that size may be shown.

    Raises:
        Refused: it is below ``min_cell``.
    """
    if min_cluster_size < min_cell:
        raise Refused(f"min_cluster_size is {min_cluster_size}, below min_cell ({min_cell})")
    return min_cluster_size


def units(customers: pl.DataFrame, behaviour: pl.DataFrame) -> pl.DataFrame:
    """What one event, day or order more would make of each feature: 1 of a count, of an amount
    what an order brings, 0 of what counts nothing.

    Takes   customers_at; ``behaviour`` of some of them (see `behaviour`)
    Returns customer_id and the features, in the same order
    """
    names = behaviour.columns[1:]
    one = {name: float(customers[name].dtype.is_integer()) for name in names}
    chosen = [ONE_MORE.get(name, pl.lit(one[name])).alias(name) for name in names]
    return behaviour.select("customer_id").join(
        customers.select("customer_id", *chosen), on="customer_id", maintain_order="left"
    )


def fit(
    behaviour: pl.DataFrame,
    logged: list[str],
    min_cluster_size: int,
    min_samples: int,
    fit_at_most: int,
) -> Clustering:
    """Cluster customers by density, ``logged`` features on a log scale.

    More than ``fit_at_most`` customers are not all looked at: a seeded sample is clustered, by a
    smallest size that shrinks with it, and each other customer joins the cluster it would join
    if it were added to the sample, or none. Fewer than two groups need are all noise.

    Takes   behaviour (see `behaviour`)

    Source: see `density.fit`. Checked on planted groups in tests/test_clusters.py.
    """
    compared, n = scaling.compared(behaviour, logged), behaviour.height
    rows, size = np.arange(n), min_cluster_size
    if n > fit_at_most:
        rows = np.sort(np.random.default_rng(n).choice(n, fit_at_most, replace=False))
        size = max(shrunk(min_cluster_size, fit_at_most, n), min_samples)
    points = scaling.points(compared, compared[rows])
    fitted = density.fit(points[rows], size, min_samples)
    scores = density.outlier_scores(fitted)
    if len(rows) == n:
        return Clustering(points, rows, fitted, size, fitted.labels, fitted.membership, scores)
    labels, membership, nearest = density.assign(density.model(fitted), points)
    labels[rows], membership[rows] = fitted.labels, fitted.membership
    scores = np.append(scores, 1.0)[nearest]
    return Clustering(points, rows, fitted, size, labels, membership, scores)


def samples(clustering: Clustering) -> list[Sample]:
    """Seeded samples of the customers that were fitted, each with the clusters it has by itself."""
    fit = clustering.fit
    return stability.samples(fit.points, clustering.min_cluster_size, fit.min_samples)


def tree(clustering: Clustering) -> pl.DataFrame:
    """What parts into what as density rises, a row per node (see `density.nodes`)."""
    return density.nodes(clustering.fit)


def branches(tree: pl.DataFrame) -> pl.DataFrame:
    """The rows of `tree` at which clusters begin, in their order."""
    return density.branches(tree)


def labelled(behaviour: pl.DataFrame, clustering: Clustering) -> pl.DataFrame:
    """Every compared customer: customer_id, cluster, membership, outlier_score."""
    return behaviour.select(
        "customer_id",
        cluster=pl.Series(clustering.labels, dtype=pl.Int64),
        membership=pl.Series(clustering.membership, dtype=pl.Float64),
        outlier_score=pl.Series(clustering.outlier_scores, dtype=pl.Float64),
    )


def noise(clustering: Clustering, samples: list[Sample], min_cell: int) -> dict:
    """The share of the compared customers that is noise, and the least and most of it in the
    ``samples``, as value and ci; unknown of nobody, and of fewer than ``min_cell``."""
    noise = (clustering.labels < 0).sum()
    if not len(clustering.labels) or 0 < noise < min_cell:
        return {"value": None, "ci": None}
    shares = [float((one.fit.labels < 0).mean()) for one in samples]
    return {"value": noise / len(clustering.labels), "ci": (min(shares), max(shares))}


def with_nearest(labelled: pl.DataFrame, clustering: Clustering, ids: pl.DataFrame) -> pl.DataFrame:
    """The table "clusters": ``labelled``, and where those belong that are in no segment.

    Takes   labelled; ids: cluster, segment: which segment each trusted cluster is
    Returns also nearest_segment, the commonest segment among the nearest `NEIGHBOURS` customers in
            one, and nearest_probability, its share of them; null of who is in a segment, and
            where there is none
    """
    known = ids["cluster"].sort().to_list()
    within = np.isin(clustering.labels, known)
    near = labelled.filter(~pl.Series(within)).select("customer_id")
    cluster, share = pl.Series([], dtype=pl.Int64), []
    if known and near.height:
        number = np.searchsorted(known, clustering.labels[within])
        lent, share = density.nearest(
            clustering.points[within], number, clustering.points[~within], NEIGHBOURS
        )
        cluster = pl.Series(known).gather(lent)
    lent = pl.DataFrame({"cluster": cluster, "nearest_probability": share}).cast(LENT)
    near = pl.concat([near[: lent.height], lent], how="horizontal")
    near = near.join(ids, on="cluster", how="left").rename({"segment": "nearest_segment"})
    found = labelled.join(near.drop("cluster"), on="customer_id", how="left", maintain_order="left")
    return found.select(*labelled.columns, "nearest_segment", "nearest_probability")


def model(
    behaviour: pl.DataFrame, logged: list[str], clustering: Clustering, ids: pl.DataFrame
) -> pl.DataFrame:
    """What the next refresh needs to place its customers as this one would.

    Takes   ids: cluster, segment
    Returns the table "cluster_model": customer_id (of those that were fitted), segment (null =
            none), min_samples, core_distance (to that many neighbours), born_at (the density from
            which on the segment stands by itself), and the features as compared ("x (log)")
    """
    kept = density.model(clustering.fit)
    births = pl.DataFrame({"cluster": range(len(kept.births)), "born_at": kept.births})
    segments = ids.join(births.cast({"cluster": pl.Int64}), on="cluster", how="left")
    facts = {
        "cluster": pl.Series(clustering.fit.labels, dtype=pl.Int64),
        "min_samples": pl.lit(kept.min_samples, pl.Int64),
        "core_distance": pl.Series(kept.core, dtype=pl.Float64),
    }
    return (
        scaling.compared(behaviour[clustering.rows], logged)
        .with_columns(**facts)
        .join(segments, on="cluster", how="left", maintain_order="left")
        .select(*MODEL, pl.exclude("cluster", *MODEL))
    )


def placed(model: pl.DataFrame, customers: pl.DataFrame, ids: pl.DataFrame) -> pl.DataFrame:
    """The segment in which an earlier ``model`` would place customers as they are now.

    Takes   the table "cluster_model" of the previous refresh; customers_at of this one; ``ids``:
            the customer_id of whom to place
    Returns customer_id, segment (null = none), sorted; who lacks a feature is in none, and
            everybody if there is no model

    Where customers_at has a feature of the model no more, nobody can be placed: see `lost`.
    """
    if model.is_empty() or lost(model, customers):
        return ids.select("customer_id", segment=pl.lit(None, pl.String)).sort("customer_id")
    compared = model.select("customer_id", pl.exclude(MODEL))
    features = [name.removesuffix(LOG) for name in compared.columns[1:]]
    logged = [name.removesuffix(LOG) for name in compared.columns if name.endswith(LOG)]
    known = customers.join(ids, on="customer_id", how="semi")
    now = scaling.compared(behaviour(known, features, logged, 0), logged)
    groups = model.select("segment", "born_at").drop_nulls().unique("segment").sort("segment")
    groups = groups.with_row_index("number").cast({"number": pl.Int64})
    lent = model.join(groups, on="segment", how="left", maintain_order="left")
    births = groups["born_at"].to_numpy()
    kept = density.Model(
        points=scaling.points(compared),
        labels=lent["number"].fill_null(-1).to_numpy(),
        core=model["core_distance"].to_numpy(),
        births=births,
        deaths=births,
        min_samples=model["min_samples"][0],
    )
    found = now.select("customer_id", number=density.assign(kept, scaling.points(now, compared))[0])
    found = found.join(groups, on="number", how="left")
    return (
        ids.select("customer_id")
        .join(found, on="customer_id", how="left")
        .select("customer_id", "segment")
        .sort("customer_id")
    )


def lost(model: pl.DataFrame, customers: pl.DataFrame) -> list[str]:
    """The features of an earlier ``model`` that customers_at has no more."""
    features = [name.removesuffix(LOG) for name in model.columns if name not in MODEL]
    return [name for name in features if name not in customers.columns]


def definition(
    features: list[str], logged: list[str], min_cluster_size: int, clustering: Clustering
) -> str:
    """How the customers were compared, for the page."""
    names = [f"{name} (log)" if name in logged else name for name in features]
    fitted, n = len(clustering.rows), len(clustering.points)
    sample = (
        f" Found among {fitted:,} customers drawn at random, in groups of at least "
        f"{clustering.min_cluster_size} of them; the other {n - fitted:,} were assigned to where "
        "they would join them."
    )
    return (
        f"HDBSCAN on {', '.join(names)}, each scaled by median and interquartile range; groups of "
        f"at least {min_cluster_size} customers, min_samples {clustering.fit.min_samples}."
    ) + (sample if fitted < n else "")


def headline(clustering: Clustering) -> str:
    """How many clusters there are and how many customers are in none, in a sentence."""
    k = clustering.labels.max(initial=-1) + 1
    if not k:
        return "No cluster stands out: everybody compared is noise"
    noise = (clustering.labels < 0).mean()
    return f"{k} clusters stand out, and {noise:.0%} of those compared are in none"
