"""All cohort tables of 100 million customer-days: time, memory, and growth in proportion.

Usage: python benchmarks/cohorts.py [--customers N] [--days N] [--times N]
       (default 1,000,000 customers of 100 days each, once; medians)

An activity book of N customers who start within two years and are active on as many days each, some
a day apart, some a week. The table `activity` lies on disk as a refresh writes it; drawing it is
not timed. Measured is what notebook 40 computes, from reading that table to its last cell, for a
tenth of the customers and for all of them, each in a process of its own. Growth compares processor
time, which other work on the machine disturbs least. It needs 2 GB of disk.
"""

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import polars as pl

from retention import disclosure
from retention.book import Churn
from retention.cohorts import cohorts
from retention.cohorts.drop_off import by_age
from retention.cohorts.retention import Scope, count, shares
from retention.cohorts.revenue import enough, ledgers, moves, revenue_retention
from retention.cohorts.trends import trends
from retention.tables import spells
from retention_runner import build

CHURN = Churn(kind="activity", activity=["purchase"], after_days=90)
BLOCK = 50_000  # customers drawn at once
FIRST, SNAPSHOT = 18_993, 20_088  # 2022-01-01 to 2024-12-31
SCOPE = Scope(
    {"day": 30, "week": 26, "month": 120},
    {"day": [[1, 3], [4, 7]], "week": [[1, 4], [5, 12]], "month": [[1, 3], [4, 6], [7, 12]]},
)
BY = ["start_month", "plan", "region"]
AGES = [1, 3, 6, 12]
MIN_CELL = 10


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


class Figure(NamedTuple):
    """What it took: seconds on the wall, of the processors, the most memory held (10^9 bytes)."""

    seconds: float
    cpu: float
    gb: float


def tables(folder: Path) -> tuple[list[int], Figure]:
    """All that notebook 40 computes; how many rows each of its tables has, and what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    stretches = pl.read_parquet(folder / "spells.parquet")
    customers = pl.read_parquet(folder / "customers.parquet")
    activity = pl.scan_parquet(folder / "activity.parquet")
    known = cohorts.starts(stretches).join(customers, on="customer_id", how="left")
    members, cells = cohorts.cells(cohorts.divide(known, BY, MIN_CELL))
    counted = {"churn": CHURN, "snapshot_day": SNAPSHOT, "scope": SCOPE}
    tally = count(activity, stretches, members, cells, **counted)
    whole = shares(tally, SCOPE)
    shown = disclosure.hide(whole, "retention", MIN_CELL)
    found = [shown, trends(whole, AGES), by_age(shown, MIN_CELL)]
    dates = (pl.col("day").alias(name) for name in ("started_day", "ended_day"))
    terms = activity.select("customer_id", *dates, "amount_cents").clear()  # of no contracts
    booked = ledgers(activity, terms, members, SNAPSHOT)
    kept = enough(revenue_retention(booked, members, cells, SNAPSHOT), MIN_CELL)
    found += [kept, moves(kept)]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return [table.height for table in found], Figure(wall, cpu, held)


def alone(work: Callable, *args):
    """What ``work`` gives, of a process of its own that is gone with all its memory."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, args)


def main(customers: int, days: int, times: int) -> None:
    os.environ |= build.STEADY  # for all processes started from here
    sizes = [customers // 10, customers]
    figures: dict[int, list[Figure]] = {}
    with tempfile.TemporaryDirectory() as root:
        for size in sizes:
            rows = alone(business, Path(root) / str(size), size, days)
            print(f"drawn: {size:,} customers, {rows:,} customer-days", flush=True)
        print(f"{'all cohort tables of':30} {'seconds':>9} {'CPU s':>9} {'GB':>7}  rows")
        for _ in range(times):
            for size in sizes:
                rows, figure = alone(tables, Path(root) / str(size))
                figures.setdefault(size, []).append(figure)
                took = "{:9.2f} {:9.2f} {:7.2f}".format(*figure)
                print(f"{size:20,} customers {took}  {rows}", flush=True)
    smaller, whole = (Figure(*map(median, zip(*figures[size], strict=True))) for size in sizes)
    for name, figure, bound in (
        ("cohorts_seconds", whole.seconds, 60),
        ("cohorts_peak_gb", whole.gb, 6),
        ("cohorts_growth_of_ten_times", whole.cpu / smaller.cpu, 12),
    ):
        print(f"goal {name}: {figure:.2f}, wanted <= {bound}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--customers", type=int, default=1_000_000)
    arguments.add_argument("--days", type=int, default=100)
    arguments.add_argument("--times", type=int, default=1)
    main(**vars(arguments.parse_args()))
