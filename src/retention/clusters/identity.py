"""Who is who over refreshes: today's clusters are matched to the segments of the last refresh.

Both are judged on the customers who were compared at both dates. Every segment that a book ever
had stands in the table "known_segments", so that no number is given twice.
"""

from functools import partial

import numpy as np
import polars as pl
from scipy.optimize import linear_sum_assignment

from retention.clusters.previous_segments import Previous
from retention.errors import Failed
from retention.exhibit import Exhibit, Finding

CHANGES = ("previous_segment", "segment", "kind", "n", "jaccard")
KINDS = ("same", "split", "merged", "new", "gone")
PART = 10  # a part of a split or merger is at least this-th of the whole


def match(
    clusters: pl.DataFrame, trusted: list[int], before: Previous
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What has become of the previous segments, and which segment each trusted cluster is.

    Takes   clusters: customer_id, cluster (everybody compared now; -1 is noise)
            before: what the previous refresh knew (nothing at the first)
    Returns the table "segment_changes": previous_segment (null: new), segment (null: gone), kind
            (one of KINDS), n (customers in both), jaccard (n as a share of those in either);
            and cluster, segment: one row per trusted cluster

    The heirs are the pairs of largest total Jaccard index (Hungarian method) among those above
    1/3: more than half of the two groups' mean size is shared. A pair above 1/2 is always one
    of them: two others of its groups cannot both be above 1/3. Heirs keep the id. A cluster
    without a forebear that is made mostly of one segment, and holds a tenth of it, is a part of a
    split; a segment without an heir of which most is in one cluster, and makes a tenth of it, is
    a part of a merger; the parts, with the heir, must be most of the whole. All other clusters
    are new, all other segments gone. A pair in a split and a merger at once is called split. New
    ids count on from the highest that is known, the largest cluster first.

    Raises:
        Failed: a previous segment is not known.

    Source: Spiliopoulou et al. (2006), MONIC, KDD: transitions of clusters; Kuhn (1955). The
    bounds: DECISIONS (who inherits an id). Checked on planted stories in
    tests/clusters/test_planted_identity.py, on drawn tables in tests/clusters/test_identity.py.
    """
    if lost := sorted(set(before.members["segment"]) - set(before.known["segment"])):
        what = f"known_segments of the previous refresh lacks {len(lost)} segments of its members"
        raise Failed(f"{what} ({', '.join(lost)}); make that refresh again")
    groups = _groups(clusters, trusted)
    pairs = _named(_with_heirs(_pairs(clusters, groups, before)))
    ids = _ids(groups, pairs, before.known)
    found = pairs.join(ids, on="cluster", how="left", maintain_order="left")
    born = ids.join(found, on="segment", how="anti").select("segment", kind=pl.lit("new"))
    ended = (
        before.members.select(previous_segment="segment")
        .unique(maintain_order=True)
        .join(found, on="previous_segment", how="anti")
        .with_columns(kind=pl.lit("gone"))
    )
    changes = pl.concat([found.select(CHANGES), born, ended], how="diagonal")
    order = [number(name).alias(f"_{name}") for name in ("previous_segment", "segment")]
    return changes.sort(order, nulls_last=True).select(CHANGES), ids.select("cluster", "segment")


def carried_on(placed: pl.DataFrame, ids: pl.DataFrame, before: Previous) -> pl.DataFrame:
    """The table "segment_changes" of segments whose definition stands: all are the same.

    Takes   placed: customer_id, cluster; ids: cluster, segment; before: what the previous refresh
            knew
    """
    pairs = _pairs(placed, _groups(placed, ids["cluster"].to_list()), before)
    same = pairs.join(ids, on="cluster").filter(pl.col("segment") == pl.col("previous_segment"))
    return same.select(*CHANGES[:2], pl.lit("same").alias("kind"), *CHANGES[3:]).sort(
        number("segment")
    )


def number(segment: str) -> pl.Expr:
    """The number in the id of the column ``segment``: 12 of s12."""
    return pl.col(segment).str.slice(1).cast(pl.Int64)


def members(clusters: pl.DataFrame, ids: pl.DataFrame) -> pl.DataFrame:
    """Who belongs to which segment: customer_id, segment. Noise and untrusted clusters are none.

    Takes   clusters: customer_id, cluster; ids: cluster, segment (see `match`)
    """
    joined = clusters.join(ids, on="cluster", how="inner", maintain_order="left")
    return joined.select("customer_id", "segment")


def changes(changes: pl.DataFrame, since: str) -> Exhibit:
    """What became of each segment since the refresh of the day ``since`` ("" at the first)."""
    return Exhibit(
        changes,
        "What became of each segment",
        findings=partial(_same, since=since),
        empty="Without segments, now or before, there is nothing to follow.",
        name="segment_changes",
    )


def _same(changes: pl.DataFrame, since: str) -> list[Finding]:
    """How many segments are the same as on the day ``since``, and what happened to the others."""
    same, now = changes.filter(kind="same").height, changes["segment"].drop_nulls().n_unique()
    said = f"{same or 'None'} of {now} segments are the same as on {since}"
    if not now or not since:
        said = "This is the first refresh with segments" if now else "There are no segments"
    others = changes.filter(pl.col("kind") != "same").group_by("kind", maintain_order=True)
    pair = pl.concat_str("previous_segment", "segment", separator=" to ", ignore_nulls=True)
    told = [f"{kind}: {', '.join(pairs)}" for kind, pairs in others.agg(pair).iter_rows()]
    sentence = "; ".join([said, *told]) + "."
    return [Finding("segments_same", sentence, same if since else None, "segments")]


def _groups(clusters: pl.DataFrame, trusted: list[int]) -> pl.DataFrame:
    """Trusted clusters, the largest first, whatever their labels: cluster, size."""
    return (
        clusters.filter(pl.col("cluster").is_in(trusted), pl.col("cluster") >= 0)
        .group_by("cluster", maintain_order=True)
        .agg(pl.len().alias("size"), pl.col("customer_id").min().alias("first"))
        .sort(["size", "first"], descending=[True, False])
        .select("cluster", "size")
    )


def _pairs(clusters: pl.DataFrame, groups: pl.DataFrame, before: Previous) -> pl.DataFrame:
    """Segments and clusters that share customers: n, n_then, n_now, jaccard; all of stayers."""
    then = before.members.join(clusters, on="customer_id", how="semi")
    now = clusters.join(before.compared, on="customer_id", how="semi")
    now = now.join(groups, on="cluster", how="semi")
    then = then.select("customer_id", previous_segment="segment", n_then=pl.len().over("segment"))
    now = now.select("customer_id", "cluster", n_now=pl.len().over("cluster"))
    counts = [pl.col(name).first().cast(pl.Int64) for name in ("n_then", "n_now")]
    either = pl.col("n_then") + pl.col("n_now") - pl.col("n")
    return (
        then.join(now, on="customer_id", validate="1:1", maintain_order="left")
        .group_by("previous_segment", "cluster", maintain_order=True)
        .agg(pl.len().cast(pl.Int64).alias("n"), *counts)
        .with_columns(jaccard=pl.col("n") / either)
        .join(groups.with_row_index("place"), on="cluster", maintain_order="left")
        .sort(number("previous_segment"), "place")
    )


def _with_heirs(pairs: pl.DataFrame) -> pl.DataFrame:
    """``pairs`` with is_heir: the cluster carries on the segment."""
    rows, columns = (
        pairs[name].rank("dense").cast(pl.Int64).to_numpy() - 1
        for name in ("previous_segment", "place")
    )
    shared, n_then, n_now = pairs.select("n", "n_then", "n_now").to_numpy().T
    either = n_then + n_now - shared
    size = (rows.max(initial=-1) + 1, columns.max(initial=-1) + 1)
    weights = np.zeros(size)
    weights[rows, columns] = np.where(3 * shared > either, shared / either, 0)
    chosen = np.zeros(size, dtype=bool)
    chosen[linear_sum_assignment(weights, maximize=True)] = True
    return pairs.with_columns(is_heir=pl.Series((chosen & (weights > 0))[rows, columns]))


def _named(pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs of which something is to be told, with the kind."""
    n, n_then, n_now, heir = (pl.col(name) for name in ("n", "n_then", "n_now", "is_heir"))
    forebear, carried_on = heir.any().over("cluster"), heir.any().over("previous_segment")
    child = (2 * n > n_now) & (PART * n >= n_then) & ~forebear
    parent = (2 * n > n_then) & (PART * n >= n_now) & ~carried_on

    def together(part: str, whole: str, size: pl.Expr) -> pl.Expr:
        several = pl.col(part).sum().over(whole) > 1
        return pl.col(part) & several & (2 * n.filter(part).sum().over(whole) > size)

    kind = (
        pl.when(together("is_child", "previous_segment", n_then))
        .then(pl.lit("split"))
        .when(together("is_parent", "cluster", n_now))
        .then(pl.lit("merged"))
        .when(heir)
        .then(pl.lit("same"))
    )
    parts = pairs.with_columns(is_child=heir | child, is_parent=heir | parent)
    return parts.with_columns(kind=kind).drop_nulls("kind")


def _ids(groups: pl.DataFrame, pairs: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The segment of every trusted cluster: the one it carries on, or the next number."""
    heirs = pairs.filter("is_heir").select("cluster", heir_of="previous_segment")
    last = known.select(number("segment").max()).item() or 0
    joined = groups.join(heirs, on="cluster", how="left", maintain_order="left")
    fresh = pl.concat_str(pl.lit("s"), last + pl.col("heir_of").is_null().cum_sum())
    return joined.with_columns(segment=pl.coalesce("heir_of", fresh))
