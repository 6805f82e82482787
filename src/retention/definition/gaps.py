"""Silences: what follows an active day, how often it ends, and why gaps alone mislead about it."""

import polars as pl

from retention.book import Churn
from retention.exhibit import Exhibit
from retention.refresh import Refresh
from retention.stats import kaplan_meier

SHARES = (0.5, 0.8, 0.9, 0.95)  # of all gaps that have ended
BACK = ("share_back", "ci_lower", "ci_upper")
PERCENTILES = dict.fromkeys(("share_of_gaps", "gap_days", "n", *BACK), pl.Float64) | {"n": pl.Int64}


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


def percentiles(r: Refresh, silences: pl.DataFrame) -> Exhibit:
    """Why a percentile of the gaps is no window: what it says of silences that have not ended."""
    return Exhibit(
        shares_back(silences, r.day, r.confidence, r.min_cell),
        _headline,
        definition="Gaps: all that have ended, between two active days of a customer. Back: of the "
        "silences after each customer's first active day, those that have ended after so many "
        "days, with those that still go on allowed for (Kaplan-Meier).",
        empty="There are no gaps to compare.",
    )


def shares_back(
    silences: pl.DataFrame, snapshot_day: int, confidence: float = 0.95, least: int = 1
) -> pl.DataFrame:
    """What percentiles of completed gaps say, beside the share of silences that end so soon.

    Takes   the table of `of`
    Returns one row per share of `SHARES`: share_of_gaps (of all completed gaps of all customers),
            gap_days (the percentile, linear), n (customers), share_back (first silences that have
            ended by then, Kaplan-Meier), ci_lower, ci_upper; null beyond the day on which fewer
            than ``least`` are still away. No rows where there are no gaps

    The silence after each customer's first active day is one of each: they are independent.
    Checked on CDNOW's published percentiles in tests/definition/test_gaps.py.
    """
    first = silences.filter(pl.col("customer_id").is_first_distinct(), pl.col("day") < snapshot_day)
    ended = first["ended"].to_numpy()
    days = first["silent_days"].to_numpy() + ended
    curve = kaplan_meier.curve(days, ended, confidence=confidence, least=least)
    gaps = silences.filter("ended")["silent_days"] + 1
    asked = [(share, gaps.quantile(share, "linear")) for share in SHARES if gaps.len()]
    rows = [(share, gap, first.height, *ended_by(curve, gap)) for share, gap in asked]
    return pl.DataFrame(rows, PERCENTILES, orient="row")


def ended_by(curve: pl.DataFrame, day: float) -> list[float | None]:
    """The share that has ended by ``day`` with its limits, by a curve of Kaplan and Meier; null
    where the curve begins late or ends before."""
    known = 0 in curve["duration_days"] and curve["duration_days"].max() >= day
    last = curve.filter(pl.col("duration_days") <= day).tail(1)
    names = ("survival", "ci_upper", "ci_lower")
    return [1 - last[name].item() if known else None for name in names]


def _headline(table: pl.DataFrame) -> str:
    """What the longest gap says of which it is known how many silences end so soon."""
    for share, days, _, back, *_ in table.drop_nulls("share_back").tail(1).iter_rows():
        gone = f"only {back:.0%}" if back < share else f"{back:.0%}"
        return f"{share:.0%} of gaps end within {days:.0f} days, but {gone} of first silences"
    return "It is not known how many silences end so soon"
