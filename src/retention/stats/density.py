"""Groups by density: HDBSCAN fitted once, cut at any smallest size, lent to points not seen."""

import warnings
from dataclasses import dataclass, replace

import hdbscan
import numpy as np
import polars as pl
from hdbscan.hdbscan_ import _tree_to_labels
from scipy.spatial import cKDTree

CHUNK = 100_000  # points whose neighbours are held in memory at a time
NODES = dict.fromkeys(("node", "parent", "n", "n_at_death"), pl.Int64)
NODES |= {"birth": pl.Float64, "death": pl.Float64, "group": pl.Int64}


@dataclass(frozen=True)
class Fit:
    """Points and the groups they form: 0 is the largest, -1 is noise."""

    points: np.ndarray  # (n, dimensions)
    min_samples: int
    labels: np.ndarray  # (n,)
    membership: np.ndarray  # (n,), 0 (edge) to 1 (core)
    persistence: np.ndarray  # of each group, 0 to 1
    linkage: np.ndarray  # single-linkage tree, the same for every smallest size
    condensed: np.ndarray  # condensed tree: parent, child, lambda_val, child_size


def fit(points: np.ndarray, min_cluster_size: int, min_samples: int, *, exact: bool = True) -> Fit:
    """Find groups of at least ``min_cluster_size`` points by density, on the ``exact`` spanning
    tree or the package's usual approximate one.

    Where distances do not tie, the order of rows moves but a few points at the edges of groups:
    one point's core distance may be the reach of several edges. Too few points for two groups are
    all noise.

    Source: Campello, Moulavi and Sander (2013), LNCS 7819:160; McInnes, Healy and Astels (2017),
    JOSS 2:205, package hdbscan. Checked on published results in tests/stats/test_density.py.
    """
    n = len(points)
    if n < max(2 * min_cluster_size, min_samples + 2):
        none = np.empty((0, 4))
        return Fit(points, min_samples, np.full(n, -1), np.zeros(n), np.empty(0), none, none)
    fitter = hdbscan.HDBSCAN(
        min_cluster_size=min_cluster_size,
        min_samples=min_samples,
        approx_min_span_tree=not exact,
        core_dist_n_jobs=1,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module="sklearn|hdbscan")
        fitter.fit(points)
    return _ordered(
        Fit(
            points,
            min_samples,
            fitter.labels_,
            fitter.probabilities_,
            fitter.cluster_persistence_,
            fitter.single_linkage_tree_.to_numpy(),
            fitter.condensed_tree_.to_numpy(),
        )
    )


def cut(fit: Fit, min_cluster_size: int) -> Fit:
    """The groups of the same points for another smallest size, in milliseconds: the tree stands.

    Checked against a new fit in tests/stats/test_density.py.
    """
    n = len(fit.points)
    if not len(fit.linkage) or n < 2 * min_cluster_size:
        none = {"membership": np.zeros(n), "persistence": np.empty(0)}
        return replace(fit, labels=np.full(n, -1), condensed=fit.condensed[:0], **none)
    labels, membership, persistence, condensed, _ = _tree_to_labels(
        fit.points, fit.linkage, min_cluster_size
    )
    found = {"labels": labels, "membership": membership, "persistence": persistence}
    return _ordered(replace(fit, condensed=condensed, **found))


def _ordered(fit: Fit) -> Fit:
    """``fit`` with the largest group first, of equal ones the one whose first point comes first."""
    k = fit.labels.max(initial=-1) + 1
    sizes = np.bincount(fit.labels[fit.labels >= 0], minlength=k)
    firsts = [np.argmax(fit.labels == group) for group in range(k)]
    order = np.lexsort((firsts, -sizes)).astype(int)
    number = np.append(np.argsort(order), -1)  # the last stands for noise
    persistence = np.asarray(fit.persistence, float)[order]
    return replace(fit, labels=number[fit.labels], persistence=persistence)


def nodes(fit: Fit) -> pl.DataFrame:
    """The condensed tree: what splits into what as density rises.

    Returns one row per node: node (0 = all points), parent, n and n_at_death (points at its birth
            and when it splits; 0 where it does not), birth and death (densities, 1 / distance: of
            splitting off, and of splitting or the last points' parting), group (the node's and
            those beneath it; -1 = of none). No rows where there is no group
    """
    if fit.labels.max(initial=-1) < 0:
        return pl.DataFrame(schema=NODES)
    root = len(fit.points)
    rows = pl.DataFrame({name: fit.condensed[name] for name in fit.condensed.dtype.names})
    split, single = rows.filter(pl.col("child_size") > 1), rows.filter(pl.col("child_size") == 1)
    labelled = single.with_columns(group=pl.Series(fit.labels).gather(single["child"]))
    whole = pl.DataFrame({"parent": None, "child": root, "lambda_val": 0.0, "child_size": root})
    inner = pl.col("child_size").filter(pl.col("child_size") > 1).sum()
    death = rows.group_by(child="parent", maintain_order=True).agg(
        death=pl.col("lambda_val").max(), left=inner
    )
    group = labelled.group_by(child="parent", maintain_order=True).agg(group=pl.col("group").max())
    table = (
        pl.concat([whole.cast(split.schema), split])
        .join(death, on="child", how="left")
        .join(group, on="child", how="left")
        .sort("child")
    )
    groups = dict(table.select("child", "group").rows())
    for node in [node for node, known in groups.items() if known is None][::-1]:
        beneath = {groups[child] for child in split.filter(parent=node)["child"]}
        groups[node] = beneath.pop() if len(beneath) == 1 else -1
    return table.select(
        pl.col("child").alias("node") - root,
        pl.col("parent") - root,
        pl.col("child_size").alias("n"),
        pl.col("left").alias("n_at_death"),
        pl.col("lambda_val").alias("birth"),
        "death",
        pl.col("child").replace_strict(groups).alias("group"),
    ).cast(NODES)


def branches(nodes: pl.DataFrame) -> pl.DataFrame:
    """The node at which each group begins: the rows of `nodes`, one per group, in its order."""
    grouped = nodes.filter(pl.col("group") >= 0).sort("group", "node")
    return grouped.unique("group", keep="first", maintain_order=True)


@dataclass(frozen=True)
class Model:
    """What is kept of a fit to lend its groups to other points."""

    points: np.ndarray
    labels: np.ndarray  # -1 is noise
    core: np.ndarray  # distance of each point to its min_samples-th neighbour
    births: np.ndarray  # of each group, the density from which on it stands by itself
    deaths: np.ndarray  # of each group, the density of its core
    min_samples: int


def model(fit: Fit) -> Model:
    """``fit`` as others may be compared with it."""
    tops = branches(nodes(fit))
    k = min(fit.min_samples + 1, len(fit.points))
    core = cKDTree(fit.points).query(fit.points, [k], workers=-1)[0][:, 0] if k else np.empty(0)
    ranges = tops["birth"].to_numpy(), tops["death"].to_numpy()
    return Model(fit.points, fit.labels, core, *ranges, fit.min_samples)


def assign(model: Model, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The group that each of ``points`` would join if it came to those of ``model``.

    The nearest by mutual reachability lends its label, if the two are as close as the birth of
    its group asks; else the point is noise, as it is beside noise.

    Returns label, membership (0 to 1), and which point of ``model`` is nearest (-1: none is near)

    Source: as hdbscan's ``approximate_predict``, without its walk through the tree point by point;
    checked against it in tests/stats/test_density.py.
    """
    k, found = min(2 * model.min_samples, len(model.points)), []
    far = 1 / model.births.min(initial=np.inf)  # no group reaches farther
    births, deaths = np.append(model.births, np.inf), np.append(model.deaths, np.inf)
    labels, core = np.append(model.labels, -1), np.append(model.core, np.inf)
    tree = cKDTree(model.points)
    for start in range(0, max(len(points), 1), CHUNK):
        part = points[start : start + CHUNK]
        distance, near = tree.query(part, range(1, k + 1), distance_upper_bound=far, workers=-1)
        own = distance[:, min(model.min_samples, k - 1), None]
        reach = np.maximum(np.maximum(distance, own), core[near])
        best = reach.argmin(axis=1)[:, None]
        nearest = np.take_along_axis(near, best, 1)[:, 0]
        density = 1 / np.take_along_axis(reach, best, 1)[:, 0]
        label = np.where(density >= births[labels[nearest]], labels[nearest], -1)
        nearest = np.where(nearest < len(model.points), nearest, -1)
        found.append((label, np.minimum(density / deaths[label], 1), nearest))
    return tuple(map(np.concatenate, zip(*found, strict=True)))


def nearest(
    model: np.ndarray, labels: np.ndarray, points: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of the ``k`` nearest of ``model``, the commonest label of each of ``points`` and its share.

    Of labels that are equally common the smaller one counts.
    """
    number = labels.max() + 1
    tree, found = cKDTree(model), []
    k = min(k, len(model))
    for start in range(0, max(len(points), 1), CHUNK):
        near = tree.query(points[start : start + CHUNK], range(1, k + 1), workers=-1)[1]
        cells = number * np.arange(len(near))[:, None] + labels[near]
        votes = np.bincount(cells.ravel(), minlength=number * len(near)).reshape(-1, number)
        found.append((votes.argmax(axis=1), votes.max(axis=1) / k))
    return tuple(map(np.concatenate, zip(*found, strict=True)))
