"""Who left after using less: usage decline at past landmarks, and what came of it."""

from functools import partial

import polars as pl

from retention import charts
from retention.exhibit import Exhibit
from retention.refresh import Refresh
from retention.risk.landmarks import END_KNOWN, History
from retention.stats.intervals import wilson

HALF, LITTLE = 0.5, 0.8  # of the earlier usage: what is left of it
BANDS = ("fell by half or more", "fell", "about as before", "rose", "not known")


def left(rows: pl.DataFrame, confidence: float = 0.95) -> pl.DataFrame:
    """What part of the customers left within the horizon, by how their usage had changed.

    Takes   one row per landmark and customer then at risk: customer_id, usage_ratio, left (bool),
            ended_days_ago, booked_end_in_days; customers whose end was known then are left out
    Returns one row for each of `BANDS` that holds anybody: usage, customers, times (rows), left
            (rows), share_left, ci_lower, ci_upper

    A customer may stand at several landmarks, which say less than as many customers would: Wilson's
    limits, for as many rows as would say the same (Kish's design effect, at least 1).
    Source: Kish (1965), Survey Sampling, section 8.2. Checked in tests/risk/test_decline.py.
    """
    times, share, ratio = pl.col("times"), pl.col("share_left"), pl.col("usage_ratio")
    band = sum((ratio > HALF, ratio >= LITTLE, ratio > 1 / LITTLE), pl.lit(0)).fill_null(4)
    # Whole numbers, whose order does not matter: the sum of (left - times * share) ** 2.
    spread = pl.col("left").pow(2).sum() - 2 * share.first() * (pl.col("left") * times).sum()
    spread += share.first() ** 2 * times.pow(2).sum()
    return (
        rows.filter(~END_KNOWN)
        .select("customer_id", band=band, left=pl.col("left").cast(pl.Int64))
        .with_columns(share_left=pl.col("left").mean().over("band"))
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
            *("customers", "times", "left", "share_left"),
            *wilson("hits", "rows", confidence),
        )
        .rename({"band": "usage"})
    )


def left_by_usage(r: Refresh, history: History) -> Exhibit:
    """What part of the customers at test dates left, by how their usage had changed then."""
    return Exhibit(
        left(history.rows, r.confidence),
        _who_left,
        draw=partial(charts.bars, label="usage", value="share_left", n="times"),
        empty="No test date has a known outcome yet.",
    )


def _who_left(table: pl.DataFrame) -> str:
    known = dict(table.drop_nulls("share_left").select("usage", "share_left").rows())
    fell, stayed = known.get(BANDS[0]), known.get(BANDS[2])
    if fell is None or stayed is None:
        return "How usage had changed, and who left"
    gone = f"{fell:.1%} left where usage had fallen by half or more"
    return f"{gone}, {stayed:.1%} where it was about as before"
