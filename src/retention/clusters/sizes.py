"""Which smallest size of a cluster to choose: what each of several would give, side by side."""

import polars as pl

from retention.stats import density, stability
from retention.stats.stability import Sample

PARTS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)  # of the size that was chosen
STABLE = 0.75  # mean part of a cluster found again in other samples
REAL = ("noise_share", "persistence", "validity", "found_again", "share_in_stable")
NEARLY = 0.9  # of the largest share of customers in stable clusters


def compared(
    fit: density.Fit, samples: list[Sample], min_cluster_size: int, n: int, min_cell: int
) -> pl.DataFrame:
    """What other smallest sizes of a cluster would give, and which one to recommend.

    Takes   the ``fit`` of all ``n`` customers or of some of them; ``samples`` of the fitted
    Returns the table "cluster_sizes": min_cluster_size (among all ``n``; never below ``min_cell``),
            clusters, noise_share, persistence (mean), validity (relative), found_again (mean over
            customers in clusters), stable_clusters, share_in_stable, chosen, recommended

    Recommended is, of the sizes with nearly the most customers in stable clusters (`NEARLY`), the
    one with the most stable clusters; of equal ones the one nearest to the chosen. Null everywhere
    where none has a stable cluster.

    Checked in tests/test_sizes.py.
    """
    rows = []
    for size in sorted({max(round(min_cluster_size * part), min_cell) for part in PARTS}):
        smallest = stability.shrunk(size, len(fit.points), n)
        rows.append({"min_cluster_size": size, **_criteria(fit, samples, smallest)})
    table = pl.DataFrame(rows, schema_overrides=dict.fromkeys(REAL, pl.Float64)).with_columns(
        chosen=pl.col("min_cluster_size") == min_cluster_size
    )
    enough = pl.col("share_in_stable") >= NEARLY * (table["share_in_stable"].max() or 0)
    distance = (pl.col("min_cluster_size") / min_cluster_size).log().abs()
    best = (
        table.filter(enough, pl.col("stable_clusters") > 0)
        .sort("stable_clusters", distance, "min_cluster_size", descending=[True, False, False])
        .head(1)["min_cluster_size"]
    )
    return table.with_columns(recommended=pl.col("min_cluster_size").is_in(best.to_list()))


def _criteria(fit: density.Fit, samples: list[Sample], size: int) -> dict[str, float | None]:
    there = density.cut(fit, size)
    groups = pl.DataFrame({"group": there.labels}).filter(pl.col("group") >= 0)
    again = stability.stability(there.labels, samples, size)
    found = groups.select(again=pl.Series(again, dtype=pl.Float64).gather(groups["group"]))["again"]
    n = len(there.labels)
    return {
        "clusters": len(again),
        "noise_share": 1 - groups.height / n if n else None,
        "persistence": there.persistence.mean() if len(again) else None,
        "validity": density.validity(there),
        "found_again": found.mean(),
        "stable_clusters": int((again >= STABLE).sum()),
        "share_in_stable": (found >= STABLE).sum() / n if n else None,
    }


def headline(table: pl.DataFrame) -> str:
    """Whether the chosen size is the recommended one, in a sentence."""
    chosen = table.filter("chosen")["min_cluster_size"][0]
    best = table.filter("recommended")["min_cluster_size"]
    if best.is_empty():
        return "No smallest size gives a group that is found again in other samples"
    if best[0] == chosen:
        return f"At least {chosen} customers, as chosen, is also what is recommended"
    return f"Chosen: at least {chosen} customers; recommended: at least {best[0]}"


def definition() -> str:
    """The criteria and the rule of recommendation in words, for the page."""
    return (
        "Persistence: how long clusters last as density rises, on average. Validity: density within"
        " against between clusters, to compare rows of this table alone. Found again: part of a "
        "cluster that comes back in other samples, on average over its customers. Stable: "
        f"{STABLE:.2f} or more. Recommended: the most stable clusters, among sizes with at least "
        f"{NEARLY:.0%} of the most customers in stable clusters; of equal ones the nearest to the "
        "chosen. Whole numbers and copies are not looked at here."
    )
