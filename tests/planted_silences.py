"""Customers who come back with a known chance: what silences and windows must find again."""

from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import polars as pl

from retention.book import Churn

BACK, LONGEST = 0.6, 100  # come back at all; on which of the days after, each alike
LAST_DAY = 1_500


def churn(after_days: int) -> Churn:
    return Churn(kind="activity", activity=["purchase"], after_days=after_days)


def refresh(after_days: int, day: int, min_cell: int = 1, **tables: pl.DataFrame):
    """What an analysis of windows asks of a refresh on a ``day``."""
    return SimpleNamespace(
        book=SimpleNamespace(churn=churn(after_days)),
        day=day,
        snapshot_date=date(1970, 1, 1) + timedelta(day),
        confidence=0.95,
        min_cell=min_cell,
        tables=SimpleNamespace(**tables),
    )


def days(**customers: list[int]) -> pl.DataFrame:
    """Activity of customers who bought on these days."""
    rows = [(name, day, "purchase") for name, bought in customers.items() for day in bought]
    return pl.DataFrame(
        rows, {"customer_id": pl.String, "day": pl.Int64, "kind": pl.String}, orient="row"
    )


def activity(customers: int, seed: int) -> pl.DataFrame:
    """Customers who start on any day and, after every active day, come back with chance `BACK`."""
    rng = np.random.default_rng(seed)
    ids, day, rows = np.arange(customers), rng.integers(0, LAST_DAY, customers), []
    while ids.size:
        rows.append(pl.DataFrame({"id": ids, "day": day}))
        stays = rng.random(ids.size) < BACK
        day = day[stays] + rng.integers(1, LONGEST + 1, stays.sum())
        ids, day = ids[stays][day <= LAST_DAY], day[day <= LAST_DAY]
    return pl.concat(rows).select(
        pl.format("c{}", pl.col("id").cast(pl.String).str.zfill(6)).alias("customer_id"),
        "day",
        pl.lit("purchase").alias("kind"),
    )


def silent(days: int) -> float:
    """P(silent for so many days after an active one)."""
    return 1 - BACK * min(days, LONGEST) / LONGEST


def returning(after: int, within: int) -> float:
    """P(active again in the further days | silent for ``after``)."""
    return 1 - silent(after + within) / silent(after)


def wrongly_active(window: int) -> float:
    """P(never active again | silent for less than ``window`` on a day), starts being steady."""
    return (1 - BACK) * window / sum(silent(day) for day in range(window))
