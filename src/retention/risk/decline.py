"""What follows when customers use less: usage decline at test dates, and what came of it."""

from functools import partial

import polars as pl

from retention import charts
from retention.exhibit import Exhibit
from retention.refresh import Refresh
from retention.risk.landmarks import History
from retention.risk.risk import outcome
from retention.stats.intervals import wilson

HALF, LITTLE = 0.5, 0.8  # of the earlier usage: what is left of it
BANDS = ("fell by half or more", "fell", "about as before", "rose", "not known")


def left(rows: pl.DataFrame, confidence: float = 0.95) -> pl.DataFrame:
    """What part of the customers was quiet, or ended, within the horizon, by how their usage had
    changed.

    Takes   one row per test date and customer then current: customer_id, usage_ratio, left (bool)
    Returns one row for each of `BANDS` that holds anybody: usage, customers, times (rows), left
            (rows), came_true, ci_lower, ci_upper

    A customer may stand at several test dates, which say less than as many customers would:
    Wilson's limits, for as many rows as would say the same (Kish's design effect, at least 1).
    Source: Kish (1965), Survey Sampling, section 8.2. Checked in tests/risk/test_decline.py.
    """
    times, share, ratio = pl.col("times"), pl.col("came_true"), pl.col("usage_ratio")
    band = sum((ratio > HALF, ratio >= LITTLE, ratio > 1 / LITTLE), pl.lit(0)).fill_null(4)
    # Whole numbers, whose order does not matter: the sum of (left - times * share) ** 2.
    spread = pl.col("left").pow(2).sum() - 2 * share.first() * (pl.col("left") * times).sum()
    spread += share.first() ** 2 * times.pow(2).sum()
    return (
        rows.select("customer_id", band=band, left=pl.col("left").cast(pl.Int64))
        .with_columns(came_true=pl.col("left").mean().over("band"))
        .group_by("band", "customer_id")
        .agg(pl.col("left").sum(), share.first(), times=pl.len().cast(pl.Int64))
        .group_by("band")
        .agg(
            pl.len().cast(pl.Int64).alias("customers"),
            pl.col("times", "left").sum(),
            share.first(),
            spread=spread,
        )
        .sort("band")
        .with_columns(effect=pl.col("spread").clip(0) / (times * share * (1 - share)))
        .with_columns(rows=times / pl.col("effect").fill_nan(1).clip(1))
        .with_columns(hits=share * pl.col("rows"))
        .select(
            pl.col("band").replace_strict(dict(enumerate(BANDS)), return_dtype=pl.String),
            *("customers", "times", "left", "came_true"),
            *wilson("hits", "rows", confidence),
        )
        .rename({"band": "usage"})
    )


def left_by_usage(r: Refresh, history: History) -> Exhibit:
    """What came of customers at test dates, by how their usage had changed then."""
    return Exhibit(
        left(history.rows, r.confidence),
        partial(_who_left, what=outcome(r)),
        draw=partial(charts.bars, label="usage", value="came_true", n="times"),
        empty="No test date has a known outcome yet.",
    )


def _who_left(table: pl.DataFrame, what: str) -> str:
    known = dict(table.drop_nulls("came_true").select("usage", "came_true").rows())
    fell, steady = known.get(BANDS[0]), known.get(BANDS[2])
    if fell is None or steady is None:
        return f"How use had changed, and how many {what}"
    return f"After use fell by half or more {fell:.1%} {what}, after steady use {steady:.1%}"
