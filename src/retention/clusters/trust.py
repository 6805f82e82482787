"""Whether a cluster would be found again: in other samples, under other ids, off its lattice.

A check changes what should not matter, finds groups anew, and asks how much of each cluster comes
back: customers in both over customers in either (Jaccard), of its best match.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
import polars as pl
from sklearn.metrics import adjusted_rand_score

from retention import charts
from retention.clusters.clusters import Clustering
from retention.exhibit import Exhibit, Finding
from retention.stats import density, overlap, scaling
from retention.stats.stability import AT_MOST, Sample, samples, shrunk, stability

SAMPLES, ORDER, IDS, SPREAD = "other samples", "other order", "other ids", "counts spread"
NULLS = "no groups in one bell"
DISTINCT, VERDICT = "distinct rows", "verdict"
ALL = "all clusters"
BANDS = {0.85: "highly stable", 0.75: "stable", 0.6: "doubtful", -1.0: "unstable"}
STABLE = 0.75  # of a cluster that has to be found again in other samples
LEAST = 0.6  # of it in every other check
LEAST_NULLS = 0.9  # of bells without groups, in which none may be found
DRAWN, AT_MOST_DRAWN, DRAWN_AGAIN = 20, 2_000, 3  # bells without groups, points, samples of each
COPIES = 0.5  # distinct rows for each customer, below which a cluster is mostly copies
AGAIN = (SAMPLES, ORDER, IDS, SPREAD)
WHY = {
    SAMPLES: "not found again in other samples of customers",
    ORDER: "different in another order of rows",
    IDS: "different under other ids",
    SPREAD: "gone when counts are spread over one unit: whole numbers made it",
    DISTINCT: "most of its customers are copies of one another",
    VERDICT: "the only one that stands, and a division needs two sides",
}
SCHEMA = {"cluster": pl.Int64, "n": pl.Int64, "check": pl.String, "value": pl.Float64}


def checks(found: Clustering) -> pl.DataFrame:
    """Every check of every cluster and of the whole division.

    Returns cluster (null = all clusters together), n (customers), check, value: the part that is
            found again, 0 to 1, of several the least; of all the adjusted Rand index; of
            "distinct rows" rows over customers. No rows where there is no cluster

    More than `AT_MOST` customers are not fitted again for other orders, ids and counts: the first
    sample stands for them. Checked on planted groups, splits and lattices in
    tests/clusters/test_trust.py.
    """
    labels, n = found.fit.labels, len(found.fit.labels)
    if labels.max(initial=-1) < 0:
        return pl.DataFrame(schema=SCHEMA)
    base = Sample(np.arange(n), found.fit) if n <= AT_MOST else found.samples[0]
    size = shrunk(found.smallest, len(base.rows), n)
    matches = overlap.jaccard(labels[base.rows], base.fit.labels)
    best = matches.argmax(axis=1) if matches.size else np.zeros(len(matches), int)
    match = np.where(matches.max(axis=1, initial=0) > 0, best, -1)

    def again(theirs: np.ndarray) -> np.ndarray:
        return np.append(overlap.best(base.fit.labels, theirs), 0)[match]

    behaviour, units = found.of.table[found.rows], found.of.units[found.rows]
    changed = _changed(behaviour[base.rows], units[base.rows], found.of.logged, base.fit, size)
    values, rand = {SAMPLES: stability(labels, found.samples, found.smallest)}, {}
    for check, theirs in changed:
        values[check] = np.minimum(values.get(check, 1), again(theirs))
        rand[check] = min(rand.get(check, 1), adjusted_rand_score(base.fit.labels, theirs))
    values[DISTINCT] = _distinct(behaviour, labels)
    wide = pl.DataFrame(values).with_row_index("cluster")
    sizes = pl.Series("n", np.bincount(labels[labels >= 0]))
    of_each = wide.with_columns(sizes).unpivot(
        index=["cluster", "n"], variable_name="check", value_name="value"
    )
    rand[NULLS] = _without_groups(found.fit.points, found.smallest, found.fit.min_samples)
    of_all = pl.DataFrame([(None, n, *one) for one in rand.items()], SCHEMA, orient="row")
    return pl.concat([of_each.cast(SCHEMA), of_all])


def _changed(
    behaviour: pl.DataFrame, units: pl.DataFrame, logged: list[str], fit: density.Fit, size: int
) -> Iterator[tuple[str, np.ndarray]]:
    """The groups that are found when what should not matter is changed, by check."""
    order = np.random.default_rng(0).permutation(len(fit.labels))
    back = np.argsort(order)
    compared = scaling.compared(behaviour, logged)
    other = scaling.points(compared, key="other ids ")
    for check, points in {ORDER: fit.points, IDS: other}.items():
        yield check, density.fit(points[order], size, fit.min_samples).labels[back]
    for seed in (1, 2):
        rng = np.random.default_rng(seed)
        spread = behaviour.with_columns(
            behaviour[name] + units[name] * pl.Series(rng.random(behaviour.height))
            for name in behaviour.columns[1:]
        )
        points = scaling.points(scaling.compared(spread, logged), compared)
        yield SPREAD, density.fit(points, size, fit.min_samples).labels


def _without_groups(points: np.ndarray, size: int, min_samples: int) -> float:
    """The part of 20 draws of one bell, as wide as the points, in which fewer than two groups are
    found that come back in samples."""
    n, none = min(len(points), AT_MOST_DRAWN), 0
    middle, spread = points.mean(axis=0), np.atleast_2d(np.cov(points, rowvar=False))
    least = shrunk(size, n, len(points))
    for seed in range(DRAWN):
        drawn = np.random.default_rng(seed).multivariate_normal(middle, spread, n)
        labels = density.fit(drawn, least, min_samples).labels
        again = np.zeros(0)
        if labels.max() > 0:
            again = stability(labels, samples(drawn, least, min_samples, DRAWN_AGAIN), least)
        none += (again >= STABLE).sum() < 2
    return none / DRAWN


def _distinct(behaviour: pl.DataFrame, labels: np.ndarray) -> list[float]:
    """Distinct rows of features for each customer of every cluster."""
    features = behaviour.drop("customer_id")
    groups = [features.filter(labels == cluster) for cluster in range(labels.max() + 1)]
    return [group.n_unique() / group.height for group in groups]


def judged(checks: pl.DataFrame) -> pl.DataFrame:
    """The checks with a verdict each, and a last one for every cluster: trusted or refused.

    Returns ``checks`` with verdict: a band of stability (`BANDS`), "distinct" or "mostly copies",
            and rows of the check "verdict", whose value is the least part found again. A cluster
            is refused below STABLE in other samples, LEAST in other checks, or COPIES; if a bell
            without groups gives some; and if it alone were trusted: a division needs two sides.
    """
    share, copies = pl.col("value"), pl.col("check") == DISTINCT
    band = pl.coalesce(pl.when(share >= at).then(pl.lit(word)) for at, word in BANDS.items())
    kept = pl.when(share >= COPIES).then(pl.lit("distinct")).otherwise(pl.lit("mostly copies"))
    bands = checks.with_columns(verdict=pl.when(copies).then(kept).otherwise(band))
    decides = pl.col("check").is_in(AGAIN)
    least = pl.when(pl.col("check") == SAMPLES).then(STABLE).otherwise(LEAST)
    stands = (share >= least).filter(decides).all() & (share.filter(copies).min() >= COPIES)
    in_nulls = checks.filter(pl.col("check") == NULLS, share < LEAST_NULLS).height
    trusted = pl.col("stands") & (pl.col("stands").sum() >= 2) & pl.lit(not in_nulls)
    last = (
        checks.drop_nulls("cluster")
        .group_by("cluster", maintain_order=True)
        .agg(pl.col("n").first(), value=share.filter(decides).min(), stands=stands)
        .with_columns(
            check=pl.lit(VERDICT),
            verdict=pl.when(trusted).then(pl.lit("trusted")).otherwise(pl.lit("refused")),
        )
    )
    whole = pl.concat([bands, last.select(bands.columns)])
    return whole.sort("cluster", nulls_last=False, maintain_order=True)


def trusted(judged: pl.DataFrame) -> list[int]:
    """The clusters that may become segments."""
    return judged.filter(check=VERDICT, verdict="trusted")["cluster"].sort().to_list()


def trust(judged: pl.DataFrame, ids: pl.DataFrame) -> Exhibit:
    """Which clusters can be trusted, and what part of each is found again: "cluster_trust".

    Takes   judged; ids: cluster, segment: which segment each trusted cluster is. A cluster that is
            none is "cluster 3", as in the table "clusters"; the whole division is "all clusters"
    """
    number = pl.concat_str(pl.lit("cluster "), "cluster")
    named = judged.join(ids, on="cluster", how="left", maintain_order="left").select(
        pl.coalesce("segment", number, pl.lit(ALL)).alias("segment"),
        *("check", "n", "value", "verdict"),
    )
    parts = (pl.col("check") != VERDICT) & (pl.col("segment") != ALL)
    draw = partial(charts.heat_map, row="segment", column="check", value="value")
    return Exhibit(
        named,
        _headline,
        draw=lambda table: draw(table.filter(parts), title="Part that is found again"),
        findings=_verdict,
        empty="There is no cluster to check.",
        name="cluster_trust",
        limit=100,
    )


def _headline(named: pl.DataFrame) -> str:
    verdicts = named.filter(check=VERDICT)["verdict"]
    return f"{(verdicts == 'trusted').sum()} of {verdicts.len()} clusters can be trusted"


def _verdict(named: pl.DataFrame) -> list[Finding]:
    """How many clusters are trusted, which are refused, and why."""
    verdicts = named.filter(check=VERDICT)
    if verdicts.is_empty():
        return []
    fell = named.filter(
        pl.col("check").is_in([*AGAIN, DISTINCT]),
        pl.col("verdict").is_in(["unstable", "mostly copies"]),
    )
    whys = fell.group_by("segment", maintain_order=True).agg(
        why=pl.col("check").replace(WHY).str.join("; ")
    )
    refused = verdicts.filter(verdict="refused")
    refused = refused.join(whys, on="segment", how="left", maintain_order="left")
    refused = refused.with_columns(pl.col("why").fill_null(WHY[VERDICT]))
    by_why = refused.group_by("why", maintain_order=True).agg(pl.col("segment").str.join(", "))
    said = "".join(f" Refused: {of} ({why})." for why, of in by_why.iter_rows())
    good, k = verdicts.filter(verdict="trusted").height, {"k": verdicts.height}
    sentence = "{value} of {k} clusters can be trusted." + said
    return [Finding("trusted_clusters", sentence, good, "clusters", further=k)]
