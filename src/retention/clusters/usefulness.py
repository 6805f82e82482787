"""What a division says about what customers did afterwards, beside the usual ones."""

import numpy as np
import polars as pl

from retention.clusters import strata
from retention.exhibit import Exhibit
from retention.refresh import Refresh
from retention.stats import partition, ranks, rfm, usefulness
from retention.tables import task, workspace

OURS, WITH_RECENCY = "strata", "strata x third of recency"
RFM, NAMED = "RFM 5 x 5 x 5", "RFM, named groups"
KMEANS = "KMeans on recency, frequency, amount"
OUTCOMES = ("r2_active", "r2_any", "r2_amount")
NEARLY = 0.9  # of what KMeans with as many groups says, for a strong grade


def compared(
    measured: pl.DataFrame, numbers: np.ndarray, recency: np.ndarray, outcomes: list[np.ndarray]
) -> pl.DataFrame:
    """How much strata say about what came afterwards, beside RFM and KMeans on the same customers.

    Takes   customers on the axes; the stratum and the days since the last activity of each; what
            they did afterwards: active days and amount as log(1 + x), and whether they did anything
    Returns one row per division: division, groups, r2_active, r2_any, r2_amount (out of fold)

    Source: `usefulness.r_squared`; RFM after Hughes (1994). Checked in
    tests/clusters/test_usefulness.py.
    """
    axes = measured.drop("customer_id").cast(pl.Float64).to_numpy()
    columns = np.column_stack([-recency.astype(float), axes])
    fifths = [ranks.parts(column, 5) for column in columns.T]
    thirds = ranks.parts(-recency.astype(float), 3)
    scaled = np.log1p(np.column_stack([recency, axes]))
    scaled = (scaled - scaled.mean(axis=0)) / np.maximum(scaled.std(axis=0), 1e-9)
    k = int(numbers.max()) + 1
    divisions = {
        OURS: numbers,
        WITH_RECENCY: 3 * numbers + thirds,
        RFM: sum(part * 5**place for place, part in enumerate(fifths)),
        NAMED: _named(*fifths[:2]),
        KMEANS: partition.nearest(scaled, partition.centres(scaled, k)),
    }
    rows = [
        (name, len(np.unique(labels)), *(usefulness.r_squared(labels, one) for one in outcomes))
        for name, labels in divisions.items()
    ]
    return pl.DataFrame(rows, ["division", "groups", *OUTCOMES], orient="row")


def _named(recency: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """The usual named groups by fifths of recency and frequency, as numbers."""
    cells = [rfm.NAMES_OF[r, f] for r, f in zip(recency + 1, frequency + 1, strict=True)]
    return np.unique(cells, return_inverse=True)[1]


def tested(r: Refresh, past: strata.Past, k: int) -> pl.DataFrame:
    """Lines drawn ``horizon_days`` before the snapshot, and what they say about the days since;
    see `compared`. No rows where nobody was current then."""
    day, churn = r.day - r.book.horizon_days, r.book.churn
    terms = workspace.scan_table(r.space, "terms")
    activity = workspace.scan_table(r.space, "activity")
    at, _ = task.as_of(r.tables.customers_at, activity, terms, churn, day)
    at = at.filter(standing="current")
    measured = strata.measured(past, at, day)
    if at.height < 2 * k or measured.width < 3:
        return pl.DataFrame()
    silent = at["days_since_last_activity"].fill_null(at["tenure_days"]).to_numpy()
    date, cents = pl.col("day"), pl.col("amount_cents")
    after = past.activity.filter(date > day).group_by("customer_id")
    done = after.agg(days=date.n_unique(), cents=cents.sum()).collect()
    found = at.select("customer_id").join(done, on="customer_id", how="left", maintain_order="left")
    days, paid = (found[name].fill_null(0).to_numpy() for name in ("days", "cents"))
    outcomes = [np.log1p(days), (days > 0).astype(float), np.log1p(paid / 100)]
    numbers = strata.placed(measured, strata.drawn(measured, k))
    return compared(measured, numbers, silent, outcomes)


def useful(table: pl.DataFrame) -> bool:
    """Whether strata say nearly as much as KMeans does, on two outcomes of three at least."""
    if table.is_empty():
        return False
    ours, theirs = (table.filter(division=name).row(0)[2:] for name in (OURS, KMEANS))
    return sum(our >= NEARLY * their for our, their in zip(ours, theirs, strict=True)) >= 2


def beside(r: Refresh, table: pl.DataFrame) -> Exhibit:
    """What strata and other divisions say about the time that followed."""
    return Exhibit(
        table.with_columns(pl.col(OUTCOMES).fill_nan(None)) if table.height else table,
        _headline,
        definition=f"Lines as they were {r.book.horizon_days} days ago, and what customers did "
        "since: the part of the differences between customers that means of groups explain (R2, "
        "out of fold), of active days and amounts (as logarithms) and of being active at all.",
        empty="No customer was current long enough ago to see what followed.",
    )


def _headline(table: pl.DataFrame) -> str:
    ours, rfm = (table.filter(division=name)["r2_active"].item() for name in (OURS, RFM))
    if ours is None or rfm is None:
        return "What groups say about the time that followed"
    return f"Strata explain {ours:.0%} of how active customers were afterwards, RFM {rfm:.0%}"
