"""How much current customers do, and whether it changes."""

import polars as pl

from retention import charts
from retention.customers import lifecycle
from retention.exhibit import Exhibit, Finding, said_of
from retention.refresh import Refresh
from retention.stats.shares import shares
from retention.tables.features import USAGE_DAYS

LEVELS = ("high", "moderate", "inactive")
USAGE = ("falling", "steady", "rising", "not known")


def everybody(r: Refresh, high_days: int) -> pl.DataFrame:
    """Every customer today: customers_at with the stage of life (see `lifecycle.staged`), the
    engagement and the usage (see `engaged`)."""
    return engaged(lifecycle.staged(r.tables.customers_at, r.book, r.confidence), high_days)


def who_is_counted(r: Refresh, everybody: pl.DataFrame) -> Finding:
    """How many customers are current, of all."""
    sentence = "{value} of {all} customers are current on {day}; the others left or never started."
    further = {"all": everybody.height, "day": str(r.snapshot_date)}
    current = (everybody["standing"] == "current").sum()
    return Finding("current_customers", sentence, current, "customers", further=further)


def engaged(staged: pl.DataFrame, high_days: int) -> pl.DataFrame:
    """Every customer's engagement, and whether they use less or more than before.

    Takes   customers_at with trend, trend_lower and trend_upper
    Returns it with engagement (of current customers; high: ``high_days`` active days or more of the
            last 28; inactive: none; else moderate) and usage (falling: the trend's interval lies
            below one; rising: above one; steady: neither is shown; not known; not current)
    """
    days, current = pl.col("active_days_28d"), pl.col("standing") == "current"
    level = pl.coalesce(
        pl.when(days >= high_days).then(pl.lit("high")),
        pl.when(days > 0).then(pl.lit("moderate")),
        pl.lit("inactive"),
    )
    usage = pl.coalesce(
        pl.when(~current).then(pl.lit("not current")),
        pl.when(pl.col("trend").is_null()).then(pl.lit("not known")),
        pl.when(pl.col("trend_upper") < 1).then(pl.lit("falling")),
        pl.when(pl.col("trend_lower") > 1).then(pl.lit("rising")),
        pl.lit("steady"),
    )
    return staged.with_columns(engagement=pl.when(current).then(level), usage=usage)


def levels(r: Refresh, everybody: pl.DataFrame, high_days: int) -> Exhibit:
    """Current customers by engagement and by usage: the table "engagement_shares".

    In the order of `LEVELS` and `USAGE`, empty ones with 0; shares are of the current customers and
    of what they paid in the last 365 days.
    """
    current = everybody.filter(standing="current")
    table = pl.concat(
        shares(current, by, groups, "amount_cents_365d", r.confidence)
        .rename({by: "group"})
        .select(pl.lit(by).alias("by"), pl.all())
        for by, groups in {"engagement": LEVELS, "usage": USAGE}.items()
    )
    sentence = "{value} of current customers clearly do less than before ({ci})."
    return Exhibit(
        table,
        _headline,
        draw=lambda table: charts.bars(table, ["by", "group"], "share", n="n"),
        definition=f"Engagement: high with at least {high_days} active days of the last "
        f"{USAGE_DAYS}, inactive without any, else moderate. Usage: falling where the whole "
        f"{r.confidence:.0%} interval of the ratio of active days, now against the twelve weeks "
        "before, is below one; rising where it is above; otherwise steady; not known with fewer "
        f"than {USAGE_DAYS} earlier days, or no active one among them.",
        findings=lambda table: said_of(table.filter(group="falling"), "usage_falls", sentence),
        name="engagement_shares",
    )


def _headline(table: pl.DataFrame) -> str:
    known = dict(table.filter(by="engagement").drop_nulls("share").select("group", "share").rows())
    if not {"high", "inactive"} <= set(known):
        return "How much current customers do"
    return f"{known['high']:.1%} are highly engaged, {known['inactive']:.1%} did nothing in 28 days"
