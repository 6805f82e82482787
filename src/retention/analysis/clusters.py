"""Customers who behave alike: HDBSCAN on scaled behaviour, with noise shown as noise."""

import hashlib
import warnings

import hdbscan
import numpy as np
import polars as pl

from retention.errors import Refused

JITTER = 1e-3  # in units of a feature's interquartile range


def behaviour(customers: pl.DataFrame, features: list[str], min_events: int) -> pl.DataFrame:
    """The customers that can be compared, with the features to compare them by.

    Takes   customers_at: customer_id, in_risk_set, events_90d, ``features``
    Returns customer_id and the features (float), sorted by customer_id: customers in the risk set
            with at least ``min_events`` events in 90 days and every feature known

    Raises:
        Refused: a feature is unknown or no number.
    """
    for name in features:
        if name not in customers.columns or not customers[name].dtype.is_numeric():
            raise Refused(f"clusters need numeric features; customers_at has no number {name!r}")
    chosen = (
        customers.filter(pl.col("in_risk_set"), pl.col("events_90d") >= min_events)
        .select("customer_id", pl.col(features).cast(pl.Float64))
        .drop_nulls()
        .sort("customer_id")
    )
    return chosen


def scale(behaviour: pl.DataFrame, logged: list[str]) -> np.ndarray:
    """Features on one scale: log1p of ``logged``, then distance from the median in IQRs.

    Rows in order of ``behaviour``. A feature that never varies is all 0. Ties are broken by a tiny
    jitter keyed to the customer's id: without it HDBSCAN's labels depend on the order of rows
    (DECISIONS: jitter).
    """
    columns = []
    for name in behaviour.columns[1:]:
        values = behaviour[name].to_numpy()
        values = np.log1p(values) if name in logged else values
        low, middle, high = np.percentile(values, [25, 50, 75])
        spread = high - low or values.std() or 1.0
        columns.append((values - middle) / spread)
    return np.column_stack(columns) + _jitter(behaviour["customer_id"], len(columns))


def fit(
    behaviour: pl.DataFrame, logged: list[str], min_cluster_size: int, min_samples: int
) -> pl.DataFrame:
    """Cluster customers by density.

    Takes   behaviour (see `behaviour`); ``logged`` features are compared on a log scale
    Returns the table "clusters": customer_id, cluster (0 = the largest; -1 = noise), membership
            and outlier_score (0 to 1). Fewer customers than two groups need are all noise.

    Source: Campello, Moulavi, Sander (2013); McInnes, Healy, Astels (2017), package hdbscan.
    Checked on planted groups in tests/test_clusters.py.
    """
    if behaviour.height < 2 * min_cluster_size:
        return behaviour.select(
            "customer_id", cluster=pl.lit(-1, pl.Int64), membership=0.0, outlier_score=0.0
        )
    fitter = hdbscan.HDBSCAN(
        min_cluster_size=min_cluster_size,
        min_samples=min_samples,
        approx_min_span_tree=False,
        core_dist_n_jobs=1,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module="sklearn|hdbscan")
        fitter.fit(scale(behaviour, logged))
    labels = pl.DataFrame({"customer_id": behaviour["customer_id"], "label": fitter.labels_})
    ranks = (
        labels.filter(pl.col("label") >= 0)
        .group_by("label", maintain_order=True)
        .agg(pl.len().alias("n"), pl.col("customer_id").min().alias("first"))
        .sort(["n", "first"], descending=[True, False])
        .with_row_index("cluster")
        .select("label", pl.col("cluster").cast(pl.Int64))
    )
    return labels.join(ranks, on="label", how="left", maintain_order="left").select(
        "customer_id",
        pl.col("cluster").fill_null(-1),
        pl.Series("membership", fitter.probabilities_).clip(0, 1),
        pl.Series("outlier_score", np.nan_to_num(fitter.outlier_scores_)).clip(0, 1),
    )


def segments(clusters: pl.DataFrame, customers: pl.DataFrame, features: list[str]) -> pl.DataFrame:
    """The clusters as segments: size, share of customers and amount, and typical behaviour.

    Takes   clusters (one row per clustered customer); customers_at
    Returns the table "segments": segment (s1 = the largest), name, kind, n, share_of_customers (of
            those in the risk set), share_of_amount (of their last 365 days), and the median of
            every feature. Where nobody spent, share_of_amount is null. Noise is no segment.
    """
    current = customers.filter(pl.col("in_risk_set"))
    total = current["amount_cents_365d"].sum()
    spent = pl.col("amount_cents_365d").sum() / total if total else pl.lit(None, pl.Float64)
    return (
        clusters.filter(pl.col("cluster") >= 0)
        .join(customers, on="customer_id", how="inner", validate="1:1")
        .group_by("cluster")
        .agg(
            pl.len().cast(pl.Int64).alias("n"),
            (pl.len() / current.height).alias("share_of_customers"),
            spent.alias("share_of_amount"),
            pl.col(features).cast(pl.Float64).median(),
        )
        .sort("cluster")
        .select(
            _segment(),
            pl.concat_str(pl.lit("Cluster "), pl.col("cluster") + 1).alias("name"),
            pl.lit("cluster").alias("kind"),
            pl.exclude("cluster"),
        )
    )


def profile(behaviour: pl.DataFrame, logged: list[str], clusters: pl.DataFrame) -> pl.DataFrame:
    """What sets segments apart: segment, trait, difference.

    ``difference`` is the segment's median minus that of all compared customers, in interquartile
    ranges of the trait on the scale on which it was compared. No rows where all are noise.
    """
    traits = behaviour.columns[1:]
    if (clusters["cluster"] < 0).all():
        return pl.DataFrame(
            schema={"segment": pl.String, "trait": pl.String, "difference": pl.Float64}
        )
    points = pl.DataFrame(scale(behaviour, logged), schema=traits)
    return (
        points.with_columns(clusters["cluster"])
        .filter(pl.col("cluster") >= 0)
        .group_by("cluster")
        .agg(pl.col(traits).median())
        .sort("cluster")
        .select(_segment(), *traits)
        .unpivot(index="segment", variable_name="trait", value_name="difference")
        .sort("segment", "trait", maintain_order=True)
    )


def headline(profile: pl.DataFrame) -> str:
    """The segment and trait that lie farthest from the middle of all, in a sentence."""
    if profile.is_empty():
        return "No group to describe"
    row = profile.sort(pl.col("difference").abs(), "segment", "trait", descending=True).row(
        0, named=True
    )
    side = "high" if row["difference"] > 0 else "low"
    return f"{row['segment']} stands out most: {row['trait']} is {side}"


def certainty(clusters: pl.DataFrame) -> pl.DataFrame:
    """Quartiles of membership by segment: segment, n, lower, median, upper."""
    return (
        clusters.filter(pl.col("cluster") >= 0)
        .group_by("cluster")
        .agg(
            pl.len().cast(pl.Int64).alias("n"),
            pl.col("membership").quantile(0.25, "linear").alias("lower"),
            pl.col("membership").median().alias("median"),
            pl.col("membership").quantile(0.75, "linear").alias("upper"),
        )
        .sort("cluster")
        .select(_segment(), pl.exclude("cluster"))
    )


def definition(
    features: list[str], logged: list[str], min_cluster_size: int, min_samples: int
) -> str:
    """How the customers were compared, for the page."""
    names = [f"{name} (log)" if name in logged else name for name in features]
    return (
        f"HDBSCAN on {', '.join(names)}, each scaled by median and interquartile range; "
        f"groups of at least {min_cluster_size} customers, min_samples {min_samples}."
    )


def members(clusters: pl.DataFrame) -> pl.DataFrame:
    """Who belongs to which segment: customer_id, segment. Noise belongs to none."""
    return clusters.filter(pl.col("cluster") >= 0).select("customer_id", _segment())


def picture(behaviour: pl.DataFrame, logged: list[str], clusters: pl.DataFrame) -> pl.DataFrame:
    """Customers in two dimensions, for a chart: x, y (principal components), cluster, name."""
    if behaviour.is_empty():
        return pl.DataFrame(schema={"x": pl.Float64, "y": pl.Float64, "cluster": pl.Int64})
    points = scale(behaviour, logged)
    centred = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2]
    largest = np.abs(axes).argmax(axis=1)
    flat = centred @ (axes * np.sign(axes[range(len(axes)), largest])[:, None]).T
    return pl.DataFrame(
        {"x": flat[:, 0], "y": flat[:, -1], "cluster": clusters["cluster"].to_numpy()}
    ).with_columns(_segment().alias("name"))


def _segment() -> pl.Expr:
    return pl.concat_str(pl.lit("s"), pl.col("cluster") + 1).alias("segment")


def _jitter(ids: pl.Series, width: int) -> np.ndarray:
    """Uniform noise of width JITTER, the same for a customer in any order of rows."""
    digests = b"".join(hashlib.shake_128(name.encode()).digest(8 * width) for name in ids)
    numbers = np.frombuffer(digests, dtype="<u8").reshape(-1, width)
    return JITTER * (numbers / 2**64 - 0.5)
