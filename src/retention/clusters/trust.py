"""Whether a cluster would be found again: in other samples, under other ids, off its lattice.

A check changes what should not matter, finds groups anew, and asks how much of each cluster comes
back: customers in both over customers in either (Jaccard), of its best match.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl
from sklearn.metrics import adjusted_rand_score

from retention.stats import density, overlap, scaling
from retention.stats.stability import AT_MOST, Sample, shrunk, stability

SAMPLES, ORDER, IDS, SPREAD = "other samples", "other order", "other ids", "counts spread"
DISTINCT, SIZES, VERDICT = "distinct rows", "other sizes", "verdict"
ALL = "all clusters"
FIRST = ("segment", "n", "verdict", "stability")
BANDS = {0.85: "highly stable", 0.75: "stable", 0.6: "doubtful", 0.0: "unstable"}
LEAST = 0.6  # of a cluster that has to be found again in every check but that of sizes
COPIES = 0.5  # distinct rows for each customer, below which a cluster is mostly copies
AGAIN = (SAMPLES, ORDER, IDS, SPREAD)
NEARBY = (0.75, 1.25)  # other smallest sizes, in parts of the one asked for
WHY = {
    SAMPLES: "not found again in other samples of customers",
    ORDER: "different in another order of rows",
    IDS: "different under other ids",
    SPREAD: "gone when counts are spread over one unit: whole numbers made it",
    DISTINCT: "most of its customers are copies of one another",
    VERDICT: "the only one that stands, and a division needs two sides",
}
SCHEMA = {"cluster": pl.Int64, "n": pl.Int64, "check": pl.String, "value": pl.Float64}


def checks(
    behaviour: pl.DataFrame,
    units: pl.DataFrame,
    logged: list[str],
    fit: density.Fit,
    samples: list[Sample],
    *,
    min_cluster_size: int,
) -> pl.DataFrame:
    """Every check of every cluster and of the whole division.

    Takes   of the customers that were fitted behaviour: customer_id and features as measured;
            units: the same, with what one event more would make of each feature (0 = it counts
            nothing); their ``fit`` for at least ``min_cluster_size``; ``samples`` of them
    Returns cluster (null = all clusters together), n (customers), check, value: the part that is
            found again, 0 to 1, of several the least; of all the adjusted Rand index; of
            "distinct rows" rows over customers. No rows where there is no cluster

    More than `AT_MOST` customers are not fitted again for other orders, ids and counts: the first
    sample stands for them. Checked on planted groups, splits and lattices in tests/test_trust.py.
    """
    if fit.labels.max(initial=-1) < 0:
        return pl.DataFrame(schema=SCHEMA)
    n = len(fit.labels)
    base = Sample(np.arange(n), fit) if n <= AT_MOST else samples[0]
    size = shrunk(min_cluster_size, len(base.rows), n)
    matches = overlap.jaccard(fit.labels[base.rows], base.fit.labels)
    match = np.where(matches.max(axis=1, initial=0) > 0, _best(matches), -1)

    def again(theirs: np.ndarray) -> np.ndarray:
        return np.append(overlap.best(base.fit.labels, theirs), 0)[match]

    found, rand = {SAMPLES: stability(fit.labels, samples, min_cluster_size)}, {}
    for check, theirs in _changed(behaviour[base.rows], units[base.rows], logged, base.fit, size):
        found[check] = np.minimum(found.get(check, 1), again(theirs))
        rand[check] = min(rand.get(check, 1), adjusted_rand_score(base.fit.labels, theirs))
    nearby = [density.cut(base.fit, max(round(size * part), 2)).labels for part in NEARBY]
    found |= {SIZES: np.min([*map(again, nearby)], axis=0), DISTINCT: _distinct(behaviour, fit)}
    sizes = np.bincount(fit.labels[fit.labels >= 0])
    rows = [
        (cluster, sizes[cluster], check, value)
        for check, values in found.items()
        for cluster, value in enumerate(values)
    ]
    rows += [(None, n, check, value) for check, value in rand.items()]
    return pl.DataFrame(rows, SCHEMA, orient="row")


def _best(matches: np.ndarray) -> np.ndarray:
    return matches.argmax(axis=1) if matches.size else np.zeros(len(matches), int)


def _changed(
    behaviour: pl.DataFrame, units: pl.DataFrame, logged: list[str], fit: density.Fit, size: int
) -> Iterator[tuple[str, np.ndarray]]:
    """The groups that are found when what should not matter is changed, by check."""
    order = np.random.default_rng(0).permutation(len(fit.labels))
    back = np.argsort(order)
    yield ORDER, density.fit(fit.points[order], size, fit.min_samples).labels[back]
    compared = scaling.compared(behaviour, logged)
    other = scaling.points(compared, key="other ids ")
    yield IDS, density.fit(other[order], size, fit.min_samples).labels[back]
    for seed in (1, 2):
        rng = np.random.default_rng(seed)
        spread = behaviour.with_columns(
            behaviour[name] + units[name] * pl.Series(rng.random(behaviour.height))
            for name in behaviour.columns[1:]
        )
        points = scaling.points(scaling.compared(spread, logged), compared)
        yield SPREAD, density.fit(points, size, fit.min_samples).labels


def _distinct(behaviour: pl.DataFrame, fit: density.Fit) -> np.ndarray:
    """Distinct rows of features for each customer of every cluster."""
    clusters = behaviour.with_columns(cluster=pl.Series(fit.labels))
    return (
        clusters.filter(pl.col("cluster") >= 0)
        .group_by("cluster", maintain_order=True)
        .agg(share=pl.struct(behaviour.columns[1:]).n_unique() / pl.len())
        .sort("cluster")["share"]
        .to_numpy()
    )


def judged(checks: pl.DataFrame) -> pl.DataFrame:
    """The checks with a verdict each, and a last one for every cluster: trusted or refused.

    Returns ``checks`` with verdict: a band of stability (see `definition`), "distinct" or "mostly
            copies", and rows of the check "verdict", whose value is the least part found again. A
            cluster is refused below LEAST or COPIES, and if it alone were trusted: a division
            needs two sides.
    """
    share, copies = pl.col("value"), pl.col("check") == DISTINCT
    band = pl.lit("unstable")
    for limit, words in sorted(BANDS.items()):
        band = pl.when(share >= limit).then(pl.lit(words)).otherwise(band)
    kept = pl.when(share >= COPIES).then(pl.lit("distinct")).otherwise(pl.lit("mostly copies"))
    bands = checks.with_columns(verdict=pl.when(copies).then(kept).otherwise(band))
    decides = pl.col("check").is_in(AGAIN)
    stands = (share.filter(decides).min() >= LEAST) & (share.filter(copies).min() >= COPIES)
    last = (
        bands.filter(pl.col("cluster").is_not_null())
        .group_by("cluster", maintain_order=True)
        .agg(pl.col("n").first(), value=share.filter(decides).min(), stands=stands)
        .with_columns(trusted=pl.col("stands") & (pl.col("stands").sum() >= 2))
    )
    verdict = pl.when("trusted").then(pl.lit("trusted")).otherwise(pl.lit("refused"))
    return pl.concat(
        [
            bands,
            last.select("cluster", "n", pl.lit(VERDICT).alias("check"), "value", verdict=verdict),
        ]
    ).sort("cluster", nulls_last=False, maintain_order=True)


def trusted(judged: pl.DataFrame) -> list[int]:
    """The clusters that may become segments."""
    return judged.filter(check=VERDICT, verdict="trusted")["cluster"].sort().to_list()


def named(judged: pl.DataFrame, ids: pl.DataFrame) -> pl.DataFrame:
    """The table "cluster_trust": segment, check, n, value, verdict.

    Takes   judged; ids: cluster, segment: which segment each trusted cluster is. A cluster that is
            none is "cluster 3", as in the table "clusters"; the whole division is "all clusters"
    """
    number = pl.concat_str(pl.lit("cluster "), "cluster")
    return judged.join(ids, on="cluster", how="left", maintain_order="left").select(
        pl.coalesce("segment", number, pl.lit(ALL)).alias("segment"),
        *("check", "n", "value", "verdict"),
    )


def parts(named: pl.DataFrame) -> pl.DataFrame:
    """What was found again of every segment or refused cluster: segment, check, value.

    Takes   the table "cluster_trust"
    """
    return named.filter(pl.col("check") != VERDICT, pl.col("segment") != ALL)


def verdicts(named: pl.DataFrame) -> pl.DataFrame:
    """The verdict on every segment or refused cluster, with the least part that decided."""
    return named.filter(check=VERDICT)


def side_by_side(named: pl.DataFrame) -> pl.DataFrame:
    """One row per segment or refused cluster and for all: segment, n, verdict, and every check."""
    checks = named.filter(pl.col("check") != VERDICT)
    wide = checks.pivot(on="check", index=["segment", "n"], values="value", maintain_order=True)
    last = verdicts(named).select("segment", "verdict")
    band = named.filter(check=SAMPLES).select("segment", stability="verdict")
    both = last.join(band, on="segment", how="left")
    return wide.join(both, on="segment", how="left", maintain_order="left").select(
        *FIRST, pl.exclude(FIRST)
    )


def definition() -> str:
    """The checks and their limits in words, for the page."""
    bands = sorted(BANDS.items(), reverse=True)
    said = ", ".join(f"{words} from {limit:.2f}" for limit, words in bands[:-1])
    return (
        "Of each cluster, customers found in it and in its best match again, over those in either "
        "(1 = the same). Other samples: mean of eight, of four in five customers (20,000 at most). "
        "Other order, other ids: rows shuffled, and ids changed as well. Counts spread: whole "
        "numbers, shares of them and amounts spread evenly over one unit (of an amount, what an "
        "order brings); the worse of two. "
        "Other sizes: the worse of a smallest size a quarter less and more; it does not decide. "
        f"Distinct rows: rows of features over customers. {said.capitalize()}. Refused: below "
        f"{LEAST:.2f} in any other check, below {COPIES:.2f} distinct rows, or if only one would "
        "be left."
    )


def headline(judged: pl.DataFrame) -> str:
    """How many clusters are trusted, in a sentence."""
    verdicts = judged.filter(check=VERDICT)["verdict"]
    good, k = (verdicts == "trusted").sum(), verdicts.len()
    if not k:
        return "There is no cluster to trust"
    if good in (0, k):
        return f"{'All' if good else 'None of'} {k} clusters can be trusted"
    return f"{good} of {k} clusters can be trusted"


def refusals(judged: pl.DataFrame) -> str:
    """Which clusters are refused and why, in sentences; "" where none is."""
    refused = judged.filter(check=VERDICT, verdict="refused")["cluster"].to_list()
    bad = judged.filter(
        pl.col("verdict").is_in(["unstable", "mostly copies"]),
        pl.col("check").is_in([*AGAIN, DISTINCT]),
    )
    by_why: dict[tuple[str, ...], list[str]] = {}
    for cluster in refused:
        why = tuple(bad.filter(cluster=cluster)["check"]) or (VERDICT,)
        by_why.setdefault(why, []).append(str(cluster))
    return " ".join(
        f"Refused: {', '.join(of)}. " + "; ".join(WHY[check] for check in why).capitalize() + "."
        for why, of in by_why.items()
    )
