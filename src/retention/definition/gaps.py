"""Silences: what follows an active day."""

import polars as pl

from retention.book import Churn
from retention.refresh import Refresh


def silences(r: Refresh) -> pl.DataFrame:
    """What follows each active day of each customer: see `of`."""
    return of(r.tables.activity, r.book.churn, r.day)


def of(activity: pl.DataFrame, churn: Churn, snapshot_day: int) -> pl.DataFrame:
    """What follows each active day of each customer; nothing in a contract book.

    Takes   activity: one row per customer, day and kind
    Returns one row per customer and active day, in order: customer_id, day, silent_days (whole days
            without activity after it, up to the next active day or the snapshot), ended (by an
            active day; False: still going on at the snapshot)
    """
    customer, day = pl.col("customer_id"), pl.col("day")
    kinds = churn.activity if churn.kind == "activity" else []
    ended = (customer == customer.shift(-1)).fill_null(False)
    until = pl.when(ended).then(day.shift(-1) - 1).otherwise(snapshot_day)
    return (
        activity.filter(pl.col("kind").is_in(kinds), day <= snapshot_day)
        .select("customer_id", "day")
        .unique()
        .sort("customer_id", "day")
        .with_columns((until - day).alias("silent_days"), ended.alias("ended"))
    )
