"""What can be trusted: planted groups, lattices of counts, splits by chance."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from retention.clusters import clusters, trust


def behaviour(points: np.ndarray) -> pl.DataFrame:
    """Customers with these features a, b, ..., in order of id."""
    names = list("abcdefgh"[: points.shape[1]])
    ids = pl.int_range(len(points), eager=True).cast(pl.String).str.zfill(6)
    return pl.DataFrame(points, schema=names).select(ids.alias("customer_id"), *names)


PLANTED = (slice(500), slice(500, 800))  # rows of two of the bells


def judged(points, size, min_samples, logged=(), unit=0.0):
    """The verdicts on clusters of these customers, as the notebook finds them."""
    frame = behaviour(points)
    units = frame.with_columns(pl.lit(unit).alias(name) for name in frame.columns[1:])
    found = clusters.fit(clusters.Behaviour(frame, units, [*logged]), size, min_samples, 10_000)
    return trust.judged(trust.checks(found)), found.fit.labels


def shown(found):
    """Headline and finding of the verdicts; no cluster is a segment."""
    one = trust.trust(found, pl.DataFrame(schema={"cluster": pl.Int64, "segment": pl.String}))
    return one.headline(one.table), *(finding.sentence for finding in one.findings(one.table))


def poisson() -> np.ndarray:
    """6,000 rows of counts, of which 3,556 differ: clusters that are only a lattice."""
    rng = np.random.default_rng(1)
    return np.vstack([rng.poisson(rate, (2000, 4)) for rate in (1, 4, 9)]).astype(float)


def bells(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    middles = np.repeat([(0, 0), (9, 0), (0, 9)], [500, 300, 200], axis=0)
    return middles + rng.normal(size=(1000, 2))


def test_planted_groups_are_trusted():
    found, labels = judged(bells(), 60, 10)

    assert trust.trusted(found) == [0, 1, 2]
    assert shown(found) == (
        "3 of 3 clusters can be trusted",
        "{value} of {k} clusters can be trusted.",
    )
    sizes = dict(found.filter(check="verdict").select("cluster", "n").rows())
    assert sizes == {cluster: (labels == cluster).sum() for cluster in range(3)}
    again = found.filter(pl.col("check").is_in(trust.AGAIN), pl.col("cluster").is_not_null())
    assert again["value"].min() >= 0.85
    whole = found.filter(pl.col("cluster").is_null())
    assert whole["check"].to_list() == ["other order", "other ids", "counts spread", trust.NULLS]
    assert whole.filter(pl.col("check") != trust.NULLS)["value"].min() >= 0.98


@pytest.mark.parametrize(
    ("logged", "min_samples"),
    [
        ("abcd", 15),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (("", 15), ("", 100), ("abcd", 100))
        ),
    ],
)
def test_a_lattice_of_counts_is_refused_though_other_checks_pass(logged, min_samples):
    found, labels = judged(poisson(), 100, min_samples, logged, unit=1.0)

    assert labels.max() >= 1
    assert trust.trusted(found) == []
    assert shown(found)[0] == f"0 of {labels.max() + 1} clusters can be trusted"
    if logged:
        largest = found.filter(cluster=0)
        passed = largest.filter(pl.col("check").is_in(["other order", "other ids"]))
        assert passed["value"].min() >= 0.9
        assert largest.filter(check="counts spread")["value"].item() < trust.LEAST
        assert "whole numbers made it" in shown(found)[1]


def test_prices_make_a_lattice_of_amounts_too():
    """Customers of a shop with one price: how much they paid is how often they bought."""
    rng = np.random.default_rng(0)
    orders = rng.geometric(0.4, 3_000)
    customers = behaviour(np.column_stack([rng.integers(1, 700, 3_000), 1_990 * orders]))
    customers = customers.rename({"a": "days_since_last_activity", "b": "amount_cents_total"})
    known = customers.with_columns(
        pl.col(customers.columns[1:]).cast(pl.Int64),
        orders_total=pl.Series(orders),
        standing=pl.lit("current"),
        events_90d=pl.lit(1),
    )
    logged = customers.columns[1:]
    r = SimpleNamespace(tables=SimpleNamespace(customers_at=known))
    found = clusters.fit(clusters.behaviour(r, logged, logged, 0), 100, 20, 10_000)

    assert found.fit.labels.max() >= 3
    assert trust.trusted(trust.judged(trust.checks(found))) == []


def test_groups_that_one_bell_gives_too_are_no_groups():
    """Where draws of one bell fall into groups by themselves, groups found prove nothing."""
    found, _ = judged(bells(), 60, 10)
    null = pl.col("check") == trust.NULLS
    some = found.filter(pl.col("check") != trust.VERDICT).drop("verdict")
    some = some.with_columns(value=pl.when(null).then(0.85).otherwise("value"))

    assert found.filter(null)["value"].item() >= trust.LEAST_NULLS
    assert trust.trusted(trust.judged(some)) == []


def test_copies_of_few_rows_are_refused_though_they_come_back():
    rng = np.random.default_rng(0)
    lattice = rng.integers(0, 3, (400, 2)) * 0.2 + 20.0
    found, _ = judged(np.vstack([bells(), lattice]), 60, 10)
    verdicts = found.filter(check="verdict").select("cluster", "verdict").rows()
    by_copies = found.filter(check="distinct rows", verdict="mostly copies")["cluster"].to_list()

    assert [cluster for cluster, verdict in verdicts if verdict == "refused"] == by_copies != []
    assert "copies" in shown(found)[1]
    for cluster in by_copies:
        again = found.filter(pl.col("check").is_in(trust.AGAIN), cluster=cluster)
        assert again["value"].min() >= trust.LEAST


@pytest.mark.parametrize("seed", range(5))
def test_a_split_by_chance_is_refused_and_what_is_planted_stays(seed):
    """A strip without any groups beside two bells: what parts it is an accident of the sample."""
    rng = np.random.default_rng(seed)
    strip = rng.uniform((12, -3), (52, 3), (600, 2))
    found, labels = judged(np.vstack([bells()[:800], strip]), 40, 5)
    planted = {np.bincount(labels[rows][labels[rows] >= 0]).argmax() for rows in PLANTED}
    pieces = {cluster for cluster in labels[800:] if cluster >= 0} - planted
    again = found.filter(check="other samples").filter(pl.col("cluster").is_in(list(pieces)))

    assert len(pieces) >= 2
    assert planted <= set(trust.trusted(found))
    assert again["value"].max() < 0.75  # of all pieces together one or none is "doubtful"
    assert len(pieces & set(trust.trusted(found))) <= 1
    assert "other samples of customers" in shown(found)[1]


def test_one_cluster_alone_is_no_division():
    checks = pl.DataFrame(
        [
            (cluster, 100, check, value)
            for cluster, value in ((0, 0.9), (1, 0.5))
            for check in (*trust.AGAIN, "distinct rows")
        ],
        trust.SCHEMA,
        orient="row",
    )
    found = trust.judged(checks)

    assert trust.trusted(found) == []
    assert "Refused: cluster 0 (the only one that stands" in shown(found)[1]


def test_bands_of_stability_begin_where_they_say():
    values = {-0.1: "unstable", 0.59: "unstable", 0.6: "doubtful", 0.75: "stable"}
    values |= {0.849: "stable", 0.85: "highly stable", 1.0: "highly stable"}
    rows = [(0, 9, "other samples", value) for value in values]
    bands = trust.judged(pl.DataFrame(rows, trust.SCHEMA, orient="row"))["verdict"]
    assert bands.head(len(values)).to_list() == [*values.values()]


def test_without_clusters_there_is_nothing_to_check():
    found, labels = judged(bells()[:50], 60, 10)

    assert (labels == -1).all()
    assert found.is_empty()
    assert trust.trusted(found) == []
    assert trust.trust(found, pl.DataFrame({"cluster": [0], "segment": ["s1"]})).table.is_empty()
    assert shown(found)[1:] == ()


def test_the_table_calls_segments_by_id_and_refused_clusters_by_number():
    found, _ = judged(bells(), 60, 10)
    ids = pl.DataFrame({"cluster": [0, 2], "segment": ["s4", "s1"]})
    named = trust.trust(found, ids).table

    segments = named["segment"].unique(maintain_order=True).to_list()
    assert segments == ["all clusters", "s4", "cluster 1", "s1"]
