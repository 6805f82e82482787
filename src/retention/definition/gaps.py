"""Silences: what follows an active day, how often it ends, and why gaps alone mislead about it."""

from collections.abc import Sequence

import polars as pl

from retention.book import Churn
from retention.stats import kaplan_meier
from retention.stats.intervals import wilson

SILENCES = {"customer_id": pl.String, "day": pl.Int64, "silent_days": pl.Int64, "ended": pl.Boolean}
BACK = {"share_back": "survival", "ci_lower": "ci_upper", "ci_upper": "ci_lower"}
ALL, ENDED = "all, seen or not", "ended ones only"


def of(activity: pl.DataFrame, churn: Churn, snapshot_day: int) -> pl.DataFrame:
    """What follows each active day of each customer; nothing in a contract book.

    Takes   activity: one row per customer, day and kind
    Returns one row per customer and active day, in order: customer_id, day, silent_days (whole days
            without activity after it, up to the next active day or the snapshot), ended (by an
            active day; False: still going on at the snapshot)
    """
    if churn.kind == "contract":
        return pl.DataFrame(schema=SILENCES)
    customer, day = pl.col("customer_id"), pl.col("day")
    ended = (customer == customer.shift(-1)).fill_null(False)
    until = pl.when(ended).then(day.shift(-1) - 1).otherwise(snapshot_day)
    return (
        activity.filter(pl.col("kind").is_in(churn.activity), day <= snapshot_day)
        .select("customer_id", "day")
        .unique()
        .sort("customer_id", "day")
        .select("customer_id", "day", (until - day).alias("silent_days"), ended.alias("ended"))
    )


def returns(
    silences: pl.DataFrame,
    days: Sequence[int],
    within: Sequence[int],
    snapshot_day: int,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """P(active again within so many days | silent for so many days): every silence counts.

    Takes   the table of `of`; ``days`` of silence; ``within`` so many further days
    Returns one row per number of days and of further days for which the data reach far enough:
            after_days, within_days, n (silences), customers, returned (silences), share, ci_lower,
            ci_upper

    A silence is in if ``after_days`` whole days of it are over (who is back on the last of them is
    out, though spells end there) and the further days end by the snapshot. A customer may have
    several: limits are Wilson's, at as many independent silences as have the
    variance that the share has with customers drawn whole.

    Source: Cochran (1977), Sampling Techniques, section 6.3 (variance of a ratio); Korn and
    Graubard (1998), Survey Methodology 24:193 (effective sample size). Checked on CDNOW's
    published figures, on planted customers and against drawing customers anew in
    tests/test_silences.py.
    """
    pairs = [(after, further) for further in within for after in days]
    every = pl.concat(
        [_by_customer(silences.lazy(), *pair, snapshot_day) for pair in pairs]
        or [_by_customer(silences.lazy(), 1, 1, snapshot_day).clear()]
    )
    of, hits = pl.col("of"), pl.col("hits")
    share = hits.sum() / of.sum()
    # Sums of whole numbers, whose order does not matter, make up the sum of (hits - share * of)**2.
    squares = hits.pow(2).sum() - 2 * share * (hits * of).sum() + share**2 * of.pow(2).sum()
    variance = squares.clip(0) / of.sum().cast(pl.Float64) ** 2
    alike = (share * (1 - share) / variance).fill_nan(pl.len())
    return (
        every.group_by("after_days", "within_days", maintain_order=True)
        .agg(
            of.sum().alias("n"),
            pl.len().cast(pl.Int64).alias("customers"),
            hits.sum().alias("returned"),
            share.alias("share"),
            pl.min_horizontal(alike, of.sum()).alias("_n"),
        )
        .with_columns(_hits=pl.col("share") * pl.col("_n"))
        .with_columns(*wilson("_hits", "_n", confidence))
        .drop("_hits", "_n")
        .sort("within_days", "after_days")
        .collect()
    )


def first_curves(
    silences: pl.DataFrame, snapshot_day: int, confidence: float = 0.95, least: int = 1
) -> pl.DataFrame:
    """How long the silence after each customer's first active day lasts, told in two ways.

    Takes   the table of `of`
    Returns one row per group and day: group (`ALL`: Kaplan-Meier, those still going on censored;
            `ENDED`: those left out, which is biased short), duration_days (to the next active day),
            at_risk, events, survival (share not back yet), ci_lower, ci_upper. As far as ``least``
            customers are at risk; no rows where there are none

    Source: `kaplan_meier.curve`. One silence of each customer: they are independent.
    """
    first = silences.filter(
        pl.col("customer_id").is_first_distinct(), pl.col("day") < snapshot_day
    ).with_columns(duration_days=pl.col("silent_days") + pl.col("ended"))
    return pl.concat(
        kaplan_meier.curve(
            part["duration_days"].to_numpy(),
            part["ended"].to_numpy(),
            confidence=confidence,
            least=least,
        ).select(pl.lit(group).alias("group"), pl.all())
        for group, part in {ALL: first, ENDED: first.filter("ended")}.items()
    )


def percentiles(
    silences: pl.DataFrame, curves: pl.DataFrame, shares: Sequence[float] = (0.5, 0.8, 0.9, 0.95)
) -> pl.DataFrame:
    """What percentiles of completed gaps say, beside the share of silences that end so soon.

    Takes   the table of `of`; `first_curves`
    Returns one row per share: share_of_gaps (of all completed gaps of all customers), gap_days (the
            percentile, linear), n (customers), share_back (first silences that have ended by then,
            Kaplan-Meier), ci_lower, ci_upper; null beyond the curve. No rows where there are none

    Checked on CDNOW's published percentiles in tests/test_silences.py.
    """
    gaps = silences.filter("ended")["silent_days"] + 1
    curve = curves.filter(group=ALL).sort("duration_days")
    if gaps.is_empty() or curve.is_empty():
        names = ("share_of_gaps", "gap_days", "n", *BACK)
        return pl.DataFrame(schema=dict.fromkeys(names, pl.Float64) | {"n": pl.Int64})
    found = pl.DataFrame({"share_of_gaps": sorted(shares)}).with_columns(
        gap_days=pl.Series([gaps.quantile(share, "linear") for share in sorted(shares)])
    )
    seen = pl.col("gap_days") <= curve["duration_days"].max()
    return found.join_asof(
        curve.select(pl.col("duration_days").cast(pl.Float64), pl.col("^survival|ci_.*$")),
        left_on="gap_days",
        right_on="duration_days",
    ).select(
        "share_of_gaps",
        "gap_days",
        pl.lit(curve["at_risk"].max(), pl.Int64).alias("n"),
        *(pl.when(seen).then(1 - pl.col(name)).alias(back) for back, name in BACK.items()),
    )


def returns_headline(returns: pl.DataFrame, churn: Churn) -> str:
    """What `returns` say of the book's own window and the most further days, in a sentence."""
    rows = returns.filter(after_days=churn.after_days).drop_nulls("share").tail(1)
    for row in rows.iter_rows(named=True):
        return (
            f"Of silences of {row['after_days']} days, {row['share']:.0%} end within "
            f"{row['within_days']} more"
        )
    return "What follows the book's own window cannot be seen in these data"


def gaps_headline(percentiles: pl.DataFrame) -> str:
    """What `percentiles` say of the second share, in a sentence."""
    for row in percentiles.drop_nulls().slice(1, 1).iter_rows(named=True):
        return (
            f"{row['share_of_gaps']:.0%} of completed gaps are over within {row['gap_days']:.0f} "
            f"days, and {row['share_back']:.0%} of first silences"
        )
    return "Too few silences to compare"


def _by_customer(
    silences: pl.LazyFrame, after_days: int, within_days: int, snapshot_day: int
) -> pl.LazyFrame:
    """Per customer: of how many silences that lasted ``after_days`` how many then ended in time."""
    silent, reach = pl.col("silent_days"), after_days + within_days
    return (
        silences.filter(silent >= after_days, pl.col("day") + reach <= snapshot_day)
        .group_by("customer_id", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("of"),
            (pl.col("ended") & (silent < reach)).sum().cast(pl.Int64).alias("hits"),
        )
        .select(
            "of",
            "hits",
            pl.lit(after_days, pl.Int64).alias("after_days"),
            pl.lit(within_days, pl.Int64).alias("within_days"),
        )
    )
