"""Who is who over refreshes: today's clusters are matched to the segments of the last refresh.

Both are judged on the customers who were compared at both dates. Every segment that a book ever
had stands in its ledger, so that no number is given twice.
"""

import numpy as np
import polars as pl
from scipy.optimize import linear_sum_assignment

from retention.errors import Failed

KINDS = ("same", "split", "merged", "new", "gone")
PART = 10  # a part of a split or merger is at least this-th of the whole
RULE = (
    "Compared on customers who were compared at both dates. A segment lives on in the group that "
    "shares most with it, if its shared customers are more than a third of all in either of "
    "the two. It split if groups made mostly of it, with a tenth of it each, hold most of it; "
    "segments merged if most of each is in one group, a tenth of it each, and make most of it."
)


def match(
    clusters: pl.DataFrame,
    trusted: list[int],
    previous_members: pl.DataFrame,
    previous_compared: pl.DataFrame,
    ledger: pl.DataFrame,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What has become of the previous segments, and which segment each trusted cluster is.

    Takes   clusters: customer_id, cluster (everybody compared now; -1 is noise)
            previous_members: customer_id, segment (of clusters, not of rules)
            previous_compared: customer_id (everybody compared then)
            ledger: the table "known_segments" of the previous refresh; all three without rows at
            the first refresh
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
    ids count on from the highest of the ledger, the largest cluster first.

    Raises:
        Failed: a customer is in two previous segments, or one of these is not in the ledger.

    Source: Spiliopoulou et al. (2006), MONIC, KDD: transitions of clusters; Kuhn (1955). The
    bounds: DECISIONS (who inherits an id). Checked on planted stories in
    tests/test_planted_identity.py, on drawn tables in tests/test_identity.py.
    """
    _check(previous_members, ledger)
    groups = _groups(clusters, trusted)
    pairs = _named(_with_heirs(_pairs(clusters, groups, previous_members, previous_compared)))
    ids = _ids(groups, pairs, ledger)
    found = pairs.join(ids, on="cluster", how="left", maintain_order="left")
    born = ids.join(found, on="segment", how="anti").select("segment", kind=pl.lit("new"))
    ended = (
        previous_members.select(previous_segment="segment")
        .unique(maintain_order=True)
        .join(found, on="previous_segment", how="anti")
        .with_columns(kind=pl.lit("gone"))
    )
    columns = ["previous_segment", "segment", "kind", "n", "jaccard"]
    changes = pl.concat([found.select(columns), born, ended], how="diagonal")
    order = [number(name).alias(f"_{name}") for name in ("previous_segment", "segment")]
    return changes.sort(order, nulls_last=True).select(columns), ids.select("cluster", "segment")


def number(segment: str) -> pl.Expr:
    """The number in the id of the column ``segment``: 12 of s12."""
    return pl.col(segment).str.slice(1).cast(pl.Int64)


def members(clusters: pl.DataFrame, ids: pl.DataFrame) -> pl.DataFrame:
    """Who belongs to which segment: customer_id, segment. Noise and untrusted clusters are none.

    Takes   clusters: customer_id, cluster; ids: cluster, segment (see `match`)
    """
    joined = clusters.join(ids, on="cluster", how="inner", maintain_order="left")
    return joined.select("customer_id", "segment")


def same(changes: pl.DataFrame, since: str) -> int | None:
    """How many segments are the same as on the day ``since``; None at the first refresh."""
    return changes.filter(kind="same").height if since else None


def headline(changes: pl.DataFrame, since: str) -> str:
    """How many segments are the same as on the day ``since``, and what happened to the others.

    Takes   changes: the table "segment_changes"; ``since`` is "" at the first refresh
    """
    before, now = (_names(changes, name) for name in ("previous_segment", "segment"))
    if not since:
        return f"This is the first refresh: {_are(now, 'new')}" if now else "There are no segments"
    if not before and not now:
        return f"There are no segments, as on {since}"
    parted = _parts(changes, "split", "previous_segment", "segment")
    joined = _parts(changes, "merged", "segment", "previous_segment")
    told = [
        *(f"{whole} split into {_listed(parts)}" for whole, parts in parted),
        *(f"{_listed(parts)} merged into {whole}" for whole, parts in joined),
        _are(_names(changes.filter(kind="new"), "segment"), "new"),
        _are(_names(changes.filter(kind="gone"), "previous_segment"), "gone"),
    ]
    what = "; ".join(filter(None, told))
    if not what:
        all_of = f"All {len(now)} segments are" if len(now) > 1 else "The one segment is"
        return f"{all_of} the same as on {since}"
    same = changes.filter(kind="same").height
    return f"{same or 'None'} of {len(now)} segments are the same as on {since}: {what}"


def _check(previous_members: pl.DataFrame, ledger: pl.DataFrame) -> None:
    if twice := previous_members["customer_id"].is_duplicated().sum():
        raise Failed(
            f"members of the previous refresh: {twice} rows of customers in two segments; "
            "leave out those of rules (`kind` in segments)"
        )
    lost = set(previous_members["segment"]) - set(ledger["segment"])
    if lost:
        raise Failed(
            f"known_segments of the previous refresh lacks {len(lost)} segments of its members "
            f"({', '.join(sorted(lost))}); make that refresh again"
        )


def _groups(clusters: pl.DataFrame, trusted: list[int]) -> pl.DataFrame:
    """Trusted clusters, the largest first, whatever their labels: cluster, size."""
    return (
        clusters.filter(pl.col("cluster").is_in(trusted), pl.col("cluster") >= 0)
        .group_by("cluster", maintain_order=True)
        .agg(pl.len().alias("size"), pl.col("customer_id").min().alias("first"))
        .sort(["size", "first"], descending=[True, False])
        .select("cluster", "size")
    )


def _pairs(
    clusters: pl.DataFrame,
    groups: pl.DataFrame,
    previous_members: pl.DataFrame,
    previous_compared: pl.DataFrame,
) -> pl.DataFrame:
    """Segments and clusters that share customers: n, n_then, n_now, jaccard; all of stayers."""
    then = previous_members.join(clusters, on="customer_id", how="semi")
    now = clusters.join(previous_compared, on="customer_id", how="semi").join(
        groups, on="cluster", how="semi"
    )
    then = then.select("customer_id", previous_segment="segment", n_then=pl.len().over("segment"))
    now = now.select("customer_id", "cluster", n_now=pl.len().over("cluster"))
    counts = [pl.col(name).first().cast(pl.Int64) for name in ("n_then", "n_now")]
    either = pl.col("n_then") + pl.col("n_now") - pl.col("n")
    return (
        then.join(now, on="customer_id", how="inner", maintain_order="left")
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


def _ids(groups: pl.DataFrame, pairs: pl.DataFrame, ledger: pl.DataFrame) -> pl.DataFrame:
    """The segment of every trusted cluster: the one it carries on, or the next number."""
    heirs = pairs.filter("is_heir").select("cluster", heir_of="previous_segment")
    last = ledger.select(number("segment").max()).item() or 0
    joined = groups.join(heirs, on="cluster", how="left", maintain_order="left")
    further = last + pl.col("heir_of").is_null().cum_sum()
    fresh = pl.concat_str(pl.lit("s"), further)
    return joined.with_columns(segment=pl.coalesce("heir_of", fresh))


def _names(changes: pl.DataFrame, column: str) -> list[str]:
    return changes[column].drop_nulls().unique(maintain_order=True).to_list()


def _parts(changes: pl.DataFrame, kind: str, whole: str, part: str) -> list[tuple[str, list[str]]]:
    """Every ``whole`` that something of this kind happened to, with its parts."""
    concerned = changes.filter((pl.col("kind") == kind).any().over(whole)).drop_nulls(whole)
    return concerned.group_by(whole, maintain_order=True).agg(pl.col(part)).rows()


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _are(names: list[str], what: str) -> str:
    return f"{_listed(names)} {'is' if len(names) == 1 else 'are'} {what}" if names else ""
