"""Clusters at 100,000 and a million customers: found, checked, assigned; beside other packages.

Usage: python benchmarks/clusters.py [--customers N]   (default 1,000,000)

Customers are drawn with eight features: six groups of different width, and a tenth who belong to
none. Others are set beside us on a fiftieth, as scikit-learn's time grows with the square;
fast_hdbscan takes part if it is installed. Each finds the same groups, or the run fails.
"""

import argparse
import resource
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from types import SimpleNamespace

import hdbscan
import numpy as np
import polars as pl
import sklearn.cluster
from sklearn.metrics import adjusted_rand_score

from retention.clusters import clusters, trust
from retention.tables.workspace import root
from retention_runner import notebooks

FEATURES = [f"feature_{number}" for number in range(8)]
PART = 10  # of all customers one in so many is looked at with trust, and fitted whole
FEW = 50  # of all customers one in so many is given to others
MIN_SAMPLES = 15
AT_MOST = notebooks.declared(root() / "notebooks" / "30_clusters.ipynb")["fit_at_most"]


def drawn(customers: int) -> tuple[pl.DataFrame, np.ndarray]:
    """customers_at with eight features, and the planted group of each (-1 = none)."""
    rng = np.random.default_rng(0)
    middles, widths = rng.normal(0, 4, (6, 8)), rng.uniform(0.3, 1.2, (6, 8))
    group = rng.integers(6, size=customers)
    points = middles[group] + rng.normal(size=(customers, 8)) * widths[group]
    alone = rng.random(customers) < 0.1
    points[alone] = rng.uniform(-10, 10, (alone.sum(), 8))
    ids = pl.int_range(customers, eager=True).cast(pl.String).str.zfill(9)
    frame = pl.DataFrame(points, schema=FEATURES).select(
        ids.alias("customer_id"), *FEATURES, standing=pl.lit("current"), events_90d=pl.lit(20)
    )
    return frame, np.where(alone, -1, group)


def timed(work: Callable) -> tuple[object, float]:
    """What ``work`` gives, and the seconds it took."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def row(name: str, customers: int, seconds: float, labels: np.ndarray, planted: np.ndarray) -> None:
    rand = adjusted_rand_score(planted, labels)
    noise, held = (labels < 0).mean(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{name:<34}{customers:>11,}{seconds:>9.1f} s{labels.max() + 1:>10}"
        f"{noise:>10.1%}{rand:>10.3f}{held:>9.1f}"
    )


def ours(frame: pl.DataFrame, at_most: int = AT_MOST) -> clusters.Clustering:
    r = SimpleNamespace(tables=SimpleNamespace(customers_at=frame))
    behaviour = clusters.behaviour(r, FEATURES, [], 10)
    return clusters.fit(behaviour, frame.height // 100, MIN_SAMPLES, at_most)


def labels_of(found: clusters.Clustering) -> np.ndarray:
    return found.table["cluster"].to_numpy()


def checked(frame: pl.DataFrame) -> tuple[clusters.Clustering, pl.DataFrame]:
    """Clusters and every check of them, as the notebook makes them."""
    found = ours(frame)
    return found, trust.judged(trust.checks(found))


def beside_others(frame: pl.DataFrame, planted: np.ndarray) -> None:
    """The same points given to each package."""
    n = frame.height
    points = ours(frame, n).points
    sizes = {"min_cluster_size": n // 100, "min_samples": MIN_SAMPLES}
    others = {
        "hdbscan": lambda: hdbscan.HDBSCAN(**sizes).fit(points).labels_,
        "scikit-learn": lambda: sklearn.cluster.HDBSCAN(**sizes, copy=True).fit(points).labels_,
    }
    if find_spec("fast_hdbscan"):
        import fast_hdbscan

        fast_hdbscan.HDBSCAN(**sizes).fit(points[:1000])  # compiles
        others["fast_hdbscan"] = lambda: fast_hdbscan.HDBSCAN(**sizes).fit(points).labels_
    mine, seconds = timed(lambda: ours(frame))
    row("this workbook", n, seconds, labels_of(mine), planted)
    for name, work in others.items():
        labels, seconds = timed(work)
        row(name, n, seconds, labels, planted)
        if (agree := adjusted_rand_score(labels_of(mine), labels)) < 0.9:
            raise ValueError(f"{name} finds other groups: adjusted Rand {agree:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    many = parser.parse_args().customers
    warnings.simplefilter("ignore", FutureWarning)
    print(
        f"{'':<34}{'customers':>11}{'':>11}{'clusters':>10}{'noise':>10}{'rand':>10}{'10^9 B':>9}"
    )
    beside_others(*drawn(many // FEW))

    frame, planted = drawn(many // PART)
    part, seconds = timed(lambda: ours(frame))
    row("this workbook", frame.height, seconds, labels_of(part), planted)
    whole, full = timed(lambda: ours(frame, frame.height))
    row("this workbook, everybody fitted", frame.height, full, labels_of(whole), planted)
    (_, judged), with_trust = timed(lambda: checked(frame))
    row("this workbook, with trust", frame.height, with_trust, labels_of(part), planted)
    print(f"{len(trust.trusted(judged))} clusters can be trusted")

    frame, planted = drawn(many)
    found, all_seconds = timed(lambda: ours(frame))
    row("this workbook", many, all_seconds, labels_of(found), planted)

    agree = adjusted_rand_score(labels_of(whole), labels_of(part))
    growth = all_seconds / seconds / PART
    print(f"goal {many // PART}_customers_with_trust_seconds: {with_trust:.0f}, wanted <= 180")
    print(f"goal {many}_customers_clustered_and_assigned_seconds: {all_seconds:.0f}, wanted <= 90")
    print(f"goal adjusted_rand_of_assigned_against_full_fit: {agree:.3f}, wanted >= 0.95")
    print(f"goal time_grows_times_as_fast_as_customers: {growth:.2f}, wanted <= 1.2")


if __name__ == "__main__":
    main()
