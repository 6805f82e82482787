"""Natural groups: HDBSCAN on habits or the book's own features, with noise shown as noise."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl

from retention import schema
from retention.clusters import habits
from retention.errors import Refused, nearest
from retention.exhibit import Exhibit, Finding
from retention.refresh import Refresh
from retention.stats import density, scaling, stability
from retention.stats.scaling import LOG
from retention.stats.stability import Sample, shrunk

MODEL = ("customer_id", "segment", "min_samples", "core_distance", "born_at")
TABLE = ("customer_id", "cluster", "membership")
LEAST_DAYS = 5  # active days, or habits are not known
LEAST_SHARE, LEAST_SIZE = 0.02, 10  # of the compared: the smallest group, if the book names none
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


class Behaviour(NamedTuple):
    """Compared customers, in order of customer_id: the ``table`` of their features as measured,
    what one event more would make of each (``units``), and which are compared on a log scale."""

    table: pl.DataFrame
    units: pl.DataFrame
    logged: list[str]


@dataclass(frozen=True)
class Clustering:
    """Compared customers as points, in order of customer_id, and their clusters."""

    of: Behaviour
    min_cluster_size: int
    points: np.ndarray
    rows: np.ndarray  # of the customers that were fitted; the others are assigned
    fit: density.Fit
    smallest: int  # size of a cluster among the fitted
    table: pl.DataFrame  # customer_id, cluster (-1 = noise), membership (0 to 1)

    @cached_property
    def samples(self) -> list[Sample]:
        """Seeded samples of the fitted customers, each with the clusters it has by itself."""
        return stability.samples(self.fit.points, self.smallest, self.fit.min_samples)


def behaviour(r: Refresh, features: list[str], logged: list[str], min_events: int) -> Behaviour:
    """The current customers that can be compared, and what they are compared by.

    Takes   ``features`` of customers_at, of which some are to be ``logged``; customers with at
            least ``min_events`` events in 90 days and every feature known are compared. No
            features: the mix of habits (see `habits.mix`) of customers with five active days

    Raises:
        Refused: a feature is unknown or no number, one to be logged is no feature or below 0.
    """
    customers = r.tables.customers_at.filter(standing="current").sort("customer_id")
    if not features:
        seen = customers.filter(pl.col("active_days_total") >= LEAST_DAYS)
        return Behaviour(*habits.mix(habits.counted(r), seen), [])
    known = measured(customers.filter(pl.col("events_90d") >= min_events), features, logged)
    return Behaviour(known, units(customers, known), logged)


def measured(customers: pl.DataFrame, features: list[str], logged: list[str]) -> pl.DataFrame:
    """customer_id and ``features`` as numbers, sorted, of the customers of whom all are known.

    Raises:
        Refused: see `behaviour`.
    """
    for name in features:
        if name not in customers.columns or not customers[name].dtype.is_numeric():
            raise Refused(f"clusters need numeric features; customers_at has no number {name!r}")
    if strange := [name for name in logged if name not in features]:
        raise Refused(f"logged: {strange[0]!r} is no feature{nearest(strange[0], features)}")
    compared = (
        customers.select("customer_id", pl.col(features).cast(pl.Float64))
        .drop_nulls()
        .drop_nans()
        .sort("customer_id")
    )
    for name in logged:
        if below := (compared[name] < 0).sum():
            raise Refused(f"logged: {name!r} is below 0 of {below} customers: leave it unlogged")
    return compared


def units(customers: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """What one event, day or order more would make of each feature: 1 of a count, of an amount
    what an order brings, 0 of what counts nothing.

    Takes   customers_at; some of them with the features (see `measured`)
    Returns customer_id and the features, in the same order
    """
    names = known.columns[1:]
    one = {name: float(customers[name].dtype.is_integer()) for name in names}
    chosen = [ONE_MORE.get(name, pl.lit(one[name])).alias(name) for name in names]
    return known.select("customer_id").join(
        customers.select("customer_id", *chosen), on="customer_id", maintain_order="left"
    )


def fit(
    behaviour: Behaviour, min_cluster_size: int, min_samples: int, fit_at_most: int
) -> Clustering:
    """Cluster customers by density. ``min_cluster_size`` 0: one in fifty of them.

    More than ``fit_at_most`` customers are not all looked at: a seeded sample is clustered, by a
    smallest size that shrinks with it, and each other customer joins the cluster it would join
    if it were added to the sample, or none. Fewer than two groups need are all noise.

    Takes   behaviour (see `behaviour`)

    Source: see `density.fit`. Checked on planted groups in tests/clusters/test_clusters.py.
    """
    n = behaviour.table.height
    min_cluster_size = min_cluster_size or max(round(LEAST_SHARE * n), LEAST_SIZE)
    compared = scaling.compared(behaviour.table, behaviour.logged)
    rows, size = np.arange(n), min_cluster_size
    if n > fit_at_most:
        rows = np.sort(np.random.default_rng(n).choice(n, fit_at_most, replace=False))
        size = max(shrunk(min_cluster_size, fit_at_most, n), min_samples)
    points = scaling.points(compared, compared[rows])
    fitted = density.fit(points[rows], size, min_samples)
    labels, membership = fitted.labels, fitted.membership
    if len(rows) < n:
        labels, membership, _ = density.assign(density.model(fitted), points)
        labels[rows], membership[rows] = fitted.labels, fitted.membership
    columns = (behaviour.table["customer_id"], labels, membership)
    table = pl.DataFrame(dict(zip(TABLE, columns, strict=True)))
    return Clustering(behaviour, min_cluster_size, points, rows, fitted, size, table)


def with_nearest(found: Clustering, ids: pl.DataFrame) -> pl.DataFrame:
    """The table "clusters": which cluster everybody is in, and where those belong that are in no
    segment.

    Takes   ids: cluster, segment: which segment each trusted cluster is
    Returns customer_id, cluster, membership; nearest_segment, the commonest segment
            among the nearest `NEIGHBOURS` customers in one, and nearest_probability, its share of
            them; both null of who is in a segment, and where there is none
    """
    segments = ids.sort("cluster")
    within = found.table["cluster"].is_in(segments["cluster"].to_list()).to_numpy()
    near = found.table.filter(~within).select("customer_id", segment=None, share=None)
    if 0 < within.sum() < len(within):
        number = np.searchsorted(segments["cluster"], found.table["cluster"].filter(within))
        places = found.points[within], number, found.points[~within]
        votes, share = density.nearest(*places, NEIGHBOURS)
        near = near.with_columns(segments["segment"].gather(votes), share=share)
    near = near.rename({"segment": "nearest_segment", "share": "nearest_probability"})
    near = near.cast({"nearest_segment": pl.String, "nearest_probability": pl.Float64})
    return found.table.join(near, on="customer_id", how="left", maintain_order="left")


def model(found: Clustering, ids: pl.DataFrame) -> pl.DataFrame:
    """What the next refresh needs to place its customers as this one would.

    Takes   ids: cluster, segment
    Returns the table "cluster_model": customer_id (of those that were fitted), segment (null =
            none), min_samples, core_distance (to that many neighbours), born_at (the density from
            which on the segment stands by itself), and the features as compared ("x (log)")
    """
    kept = density.model(found.fit)
    births = pl.DataFrame({"cluster": range(len(kept.births)), "born_at": kept.births})
    segments = ids.join(births.cast({"cluster": pl.Int64}), on="cluster", how="left")
    return (
        scaling.compared(found.of.table[found.rows], found.of.logged)
        .with_columns(
            cluster=pl.Series(found.fit.labels, dtype=pl.Int64),
            min_samples=pl.lit(kept.min_samples, pl.Int64),
            core_distance=pl.Series(kept.core, dtype=pl.Float64),
        )
        .join(segments, on="cluster", how="left", maintain_order="left")
        .select(*MODEL, pl.exclude("cluster", *MODEL))
    )


def placed(model: pl.DataFrame, customers: pl.DataFrame, ids: pl.DataFrame) -> pl.DataFrame:
    """The segment in which an earlier ``model`` would place customers as they are now.

    Takes   the table "cluster_model" of the previous refresh; customers_at of this one, or their
            mix of habits; ``ids``: the customer_id of whom to place
    Returns customer_id, segment (null = none), sorted; who lacks a feature is in none, and
            everybody if there is no model

    Where customers_at has a feature of the model no more, nobody can be placed.
    """
    ids = ids.select("customer_id").sort("customer_id")
    features = [name.removesuffix(LOG) for name in model.columns if name not in MODEL]
    if model.is_empty() or not set(features) <= {*customers.columns}:
        return ids.with_columns(segment=pl.lit(None, pl.String))
    compared = model.select("customer_id", pl.exclude(MODEL))
    logged = [name.removesuffix(LOG) for name in compared.columns if name.endswith(LOG)]
    known = customers.join(ids, on="customer_id", how="semi")
    now = scaling.compared(measured(known, features, logged), logged)
    groups = model.select("segment", "born_at").drop_nulls().unique().sort("segment")
    segments, births = [*groups["segment"], None], groups["born_at"].to_numpy()
    numbers = {segment: number for number, segment in enumerate(groups["segment"])}
    kept = density.Model(
        points=scaling.points(compared),
        labels=np.array([numbers.get(segment, -1) for segment in model["segment"]]),
        core=model["core_distance"].to_numpy(),
        births=births,
        deaths=births,
        min_samples=model["min_samples"][0],
    )
    labels, *_ = density.assign(kept, scaling.points(now, compared))
    segment = pl.Series([segments[label] for label in labels], dtype=pl.String)
    found = now.select("customer_id", segment=segment)
    return ids.join(found, on="customer_id", how="left", maintain_order="left")


def who_is_counted(r: Refresh, behaviour: Behaviour) -> Finding:
    """How many of the current customers can be compared."""
    sentence = "The behaviour of {value} of {current} current customers is known well enough to "
    sentence += "look for natural groups among them."
    current = {"current": r.tables.customers_at.filter(standing="current").height}
    return Finding("compared", sentence, behaviour.table.height, "customers", further=current)


def tree(r: Refresh, found: Clustering) -> Exhibit:
    """What parts into what as density rises, and how many are in no cluster."""
    return Exhibit(
        density.nodes(found.fit).rename({"group": "cluster"}),
        lambda nodes: f"{nodes['cluster'].max() + 1} clusters stand out",
        definition=_definition(found),
        findings=_noise(r, found),
        empty="No natural groups: no region of behaviour stands out, customers differ by degree.",
    )


def _noise(r: Refresh, found: Clustering) -> list[Finding]:
    """The share of the compared customers in no cluster, with the least and most of it in samples;
    nothing where they, or all others, are too few to be counted."""
    noise = found.table["cluster"] == -1
    if min(noise.sum(), (~noise).sum()) in range(1, r.min_cell) or noise.is_empty():
        return []
    shares = [float((one.fit.labels < 0).mean()) for one in found.samples]
    sentence = "{value} of the compared customers are in no cluster ({ci} in samples of them)."
    return [Finding("noise_share", sentence, noise.mean(), "share", (min(shares), max(shares)))]


def _definition(found: Clustering) -> str:
    """How the customers were compared."""
    features, logged = found.of.table.columns[1:], found.of.logged
    labels = [schema.label(name).lower() + LOG * (name in logged) for name in features]
    said = (
        f"HDBSCAN on {', '.join(labels)}, each scaled by median and interquartile range; groups of "
        f"at least {found.min_cluster_size} customers, min_samples {found.fit.min_samples}."
    )
    if len(features) > scaling.MOST:
        said += f" The {len(features)} are turned to {scaling.MOST} principal components."
    if len(found.rows) < len(found.points):
        said += f" Found among {len(found.rows):,} customers drawn at random; the others join them."
    return said
