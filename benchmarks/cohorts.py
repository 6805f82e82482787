"""All cohort tables of 100 million customer-days: time, memory, and that cost grows in proportion.

Usage: python benchmarks/cohorts.py [--customers N] [--days N]   (default 1,000,000 and 100 each)

An activity book of N customers who start within two years and are active on as many days each, some
apart by one day and some by weeks. The table `activity` lies on disk as a refresh writes it; drawing
it is not timed. Measured is what notebook 40 computes, from reading that table to the last cell, for
a tenth of the customers and for all of them, each in a process of its own. It needs 2 GB of disk.
"""

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from retention.analysis import cohorts, retention
from retention.book import Churn
from retention.refresh import build
from retention.tables import spells

CHURN = Churn(kind="activity", activity=["purchase"], after_days=90)
BLOCK = 50_000  # customers drawn at once
FIRST, SNAPSHOT = 18_993, 20_088  # 2022-01-01 to 2024-12-31
SCOPE = retention.Scope(
    {"day": 30, "week": 26, "month": 120},
    {"day": [[1, 3], [4, 7]], "week": [[1, 4], [5, 12]], "month": [[1, 3], [4, 6], [7, 12]]},
)
BY = ["start_month", "plan", "region"]


def drawn(block: int, customers: int, days: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Customers of one block (customer_id, plan, region) and their customer-days."""
    rng = np.random.default_rng((1, block))
    pace = rng.choice([1, 3, 6], customers)  # days between two active ones, at most twice as many
    gaps = 1 + rng.integers(0, 2 * pace[:, None], (customers, days))
    day = FIRST + rng.integers(0, 730, customers)[:, None] + np.cumsum(gaps, axis=1) - 1
    ids = pl.Series([f"c{block:04}{number:06}" for number in range(customers)])
    acts = pl.DataFrame(
        {
            "customer_id": ids.gather(np.repeat(np.arange(customers), days)),
            "day": day.ravel(),
            "kind": pl.Series(["purchase"]).new_from_index(0, customers * days),
            "events": pl.Series([1]).new_from_index(0, customers * days),
            "orders": pl.Series([1]).new_from_index(0, customers * days),
            "amount_cents": rng.integers(100, 10_000, customers * days),
        }
    )
    known = {"plan": ["basic", "plus", "pro"], "region": ["north", "east", "south", "west"]}
    people = pl.DataFrame(
        {name: pl.Series(of)[rng.integers(len(of), size=customers)] for name, of in known.items()}
    )
    return people.select(ids.alias("customer_id"), pl.all()), acts.filter(pl.col("day") <= SNAPSHOT)


def business(folder: Path, customers: int, days: int) -> int:
    """Write activity and the known of the customers; how many customer-days there are."""
    folder.mkdir(parents=True)
    people, rows = [], 0
    for number, first in enumerate(range(0, customers, BLOCK)):
        who, acts = drawn(number, min(BLOCK, customers - first), days)
        acts.write_parquet(folder / f"part-{number:05}.parquet")
        people.append(who)
        rows += acts.height
    whole = pl.scan_parquet(folder / "part-*.parquet")
    form = {"compression": "zstd", "compression_level": 3, "row_group_size": 100_000}
    whole.sink_parquet(folder / "activity.parquet", **form)
    for part in folder.glob("part-*.parquet"):
        part.unlink()
    activity = pl.scan_parquet(folder / "activity.parquet")
    started = pl.concat(people).lazy().with_columns(started_day=pl.lit(None, pl.Int64))
    stays = spells.from_activity(
        activity, started, kinds=["purchase"], snapshot_day=SNAPSHOT, after_days=CHURN.after_days
    )
    stays.collect(engine="streaming").sort("customer_id", "spell").write_parquet(
        folder / "spells.parquet"
    )
    pl.concat(people).write_parquet(folder / "customers.parquet")
    return rows
