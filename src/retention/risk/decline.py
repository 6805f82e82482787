"""Usage decline: what customers do of late against what they did before, and who left after it."""

import polars as pl

from retention.stats import rate_ratio
from retention.stats.intervals import wilson
from retention.tables.features import BEFORE_DAYS, USAGE_DAYS

LEFT_OUT = "Customers out of contract, or whose end is booked, are left out."
USAGE = ("falling", "steady", "rising", "not known")
HALF, LITTLE = 0.5, 0.8  # of the earlier usage: what is left of it
END_UNKNOWN = pl.col("ended_days_ago").is_null() & pl.col("booked_end_in_days").is_null()
BANDS = ("fell by half or more", "fell", "about as before", "rose", "not known")


def changes(customers: pl.DataFrame, confidence: float = 0.95) -> pl.DataFrame:
    """Whether the usage of each customer at risk has changed, as far as counts can show.

    Takes   customers_at: one row per customer; those whose end is known, gone or booked, are left
            out: nobody needs a sign of it
    Returns one row per customer, sorted: customer_id, usage_ratio, usage_lower, usage_upper
            (limits of the ratio), usage (one of `USAGE`; see `definition`), seems_to_fall and
            seems_to_rise (how probable each is if the same number of active days had fallen
            anywhere in the two stretches), stop_would_show (whether 28 days without any activity
            would count as falling); null where the ratio is

    Active days are taken for Poisson counts: the limits are wider than need be for who is active
    nearly every day, and too narrow for who comes in bursts of days. Checked in
    tests/test_decline.py.
    """
    at = customers.filter("in_risk_set", END_UNKNOWN).sort("customer_id")
    known = at.drop_nulls("usage_ratio")
    recent, before, days = (
        known[name].to_numpy() for name in ("active_days_28d", "active_days_before", "days_before")
    )
    lower, upper = rate_ratio.exact(recent, before, USAGE_DAYS, days, confidence)
    _, stopped = rate_ratio.exact(0 * recent, before, USAGE_DAYS, days, confidence)
    falls, rises = rate_ratio.false_alarms(recent + before, USAGE_DAYS, days, confidence)
    found = known.select(
        "customer_id",
        usage_lower=pl.Series(lower),
        usage_upper=pl.Series(upper),
        seems_to_fall=pl.Series(falls),
        seems_to_rise=pl.Series(rises),
        stop_would_show=pl.Series(stopped < 1),
    )
    usage = (
        pl.when(pl.col("usage_ratio").is_null())
        .then(pl.lit("not known"))
        .when(pl.col("usage_upper") < 1)
        .then(pl.lit("falling"))
        .when(pl.col("usage_lower") > 1)
        .then(pl.lit("rising"))
        .otherwise(pl.lit("steady"))
    )
    joined = at.select("customer_id", "usage_ratio").join(
        found, on="customer_id", how="left", validate="1:1", maintain_order="left"
    )
    return joined.with_columns(usage=usage)


def definition(confidence: float = 0.95) -> str:
    """`changes` in words, for the page."""
    return (
        f"Usage ratio: active days for every day of the last {USAGE_DAYS}, divided by those for "
        f"every day of the up to {BEFORE_DAYS} before them in the same spell. Falling: its "
        f"{confidence:.0%} interval lies below one. Rising: above one. Steady: not shown to be "
        f"either. Not known: fewer than {USAGE_DAYS} earlier days, or no active one among them. By "
        "chance: if the same number of active days had fallen anywhere in the two stretches. "
        f"{LEFT_OUT}"
    )


def shares(changes: pl.DataFrame, confidence: float = 0.95) -> pl.DataFrame:
    """How many customers fall, rise, or stay as they were.

    Takes   what `changes` gives
    Returns the table "usage_decline", in the order of `USAGE`: usage, n, share, ci_lower, ci_upper,
            by_chance (the share that would be expected to seem so by chance; see `changes`)
    """
    chance = changes.select(falling=pl.sum("seems_to_fall"), rising=pl.sum("seems_to_rise"))
    counted = changes.group_by("usage", maintain_order=True).agg(n=pl.len().cast(pl.Int64))
    return (
        pl.DataFrame({"usage": USAGE})
        .join(counted, on="usage", how="left", maintain_order="left")
        .join(chance.unpivot(variable_name="usage", value_name="seem"), on="usage", how="left")
        .with_columns(pl.col("n").fill_null(0))
        .with_columns(n_all=pl.col("n").sum())
        .with_columns(
            pl.col("n").truediv("n_all").alias("share"),
            pl.col("seem").truediv("n_all").alias("by_chance"),
            *wilson("n", "n_all", confidence),
        )
        .select("usage", "n", "share", "ci_lower", "ci_upper", "by_chance")
    )


def able(changes: pl.DataFrame) -> float:
    """What part of the customers was active often enough that a full stop would show as
    falling: in whole per cents, so that no few customers show."""
    return round(changes["stop_would_show"].sum() / max(changes.height, 1), 2)


def headline(shares: pl.DataFrame) -> str:
    """How many fall, beside what chance would make of it, in a sentence."""
    falling = shares.row(by_predicate=pl.col("usage") == "falling", named=True)
    if falling["share"] is None:
        return "Too few customers do less than before to be shown"
    if not falling["n"]:
        return "No customer is shown to do less than before"
    chance = f"chance alone would make it {falling['by_chance']:.1%}"
    return f"{falling['share']:.1%} of current customers do less than before; {chance}"


def left_by_usage(rows: pl.DataFrame, confidence: float = 0.95) -> pl.DataFrame:
    """What part of the customers left within the horizon, by how their usage had changed.

    Takes   one row per landmark and customer then at risk: customer_id, usage_ratio, left (bool),
            ended_days_ago, booked_end_in_days; whose end was known then is left out
    Returns the table "left_by_usage", in the order of `BANDS`, without empty ones: usage, n (rows),
            customers, left (rows), share, ci_lower, ci_upper

    A customer may stand at several landmarks, which say less than as many customers would: Wilson's
    limits, for as many rows as would say the same (Kish's design effect, at least 1).
    Source: Kish (1965), Survey Sampling, section 8.2. Checked in tests/test_decline.py.
    """
    n, share = pl.col("n"), pl.col("share")
    noise = n * share * (1 - share)
    order = {name: number for number, name in enumerate(BANDS)}
    return (
        rows.filter(END_UNKNOWN)
        .select("customer_id", _band(), left=pl.col("left").cast(pl.Int64))
        .with_columns(share=pl.col("left").mean().over("usage"))
        .group_by("usage", "customer_id")
        .agg(pl.col("left").sum(), share.first(), n=pl.len().cast(pl.Int64))
        .sort("usage", "customer_id")
        .group_by("usage", maintain_order=True)
        .agg(
            pl.col("left", "n").sum(),
            share.first(),
            customers=pl.len().cast(pl.Int64),
            # Whole numbers, whose order does not matter: the sum of (left - n * share) ** 2.
            spread=pl.col("left").pow(2).sum()
            - 2 * share.first() * (pl.col("left") * n).sum()
            + share.first() ** 2 * n.pow(2).sum(),
        )
        .with_columns(rows=n / (pl.col("spread").clip(0) / noise).fill_nan(1).clip(1))
        .with_columns(hits=share * pl.col("rows"))
        .with_columns(*wilson("hits", "rows", confidence))
        .sort(pl.col("usage").replace_strict(order))
        .select("usage", "n", "customers", "left", "share", "ci_lower", "ci_upper")
    )


def left_headline(table: pl.DataFrame) -> str:
    """Who left of those who did much less and of those who did about as before, in a sentence."""
    known = dict(table.drop_nulls("share").select("usage", "share").rows())
    fell, stayed = known.get(BANDS[0]), known.get(BANDS[2])
    if fell is None or stayed is None:
        return "How usage had changed, and who left"
    left = f"{fell:.1%} left where usage had fallen by half or more"
    return f"{left}, {stayed:.1%} where it was about as before"


def bands() -> str:
    """The bands of `left_by_usage` in words, for the page."""
    return (
        f"Usage fell: the ratio is below {LITTLE}; by half or more: at most {HALF}. It rose: above "
        f"{1 / LITTLE}. About as before: all between. Left: the last active day, or the last day "
        "of contract, came no later than the horizon, for some before the landmark itself. That "
        f"usage fell may be a sign of leaving without being its reason. {LEFT_OUT}"
    )


def _band() -> pl.Expr:
    ratio = pl.col("usage_ratio")
    return (
        pl.when(ratio.is_null())
        .then(pl.lit("not known"))
        .when(ratio <= HALF)
        .then(pl.lit("fell by half or more"))
        .when(ratio < LITTLE)
        .then(pl.lit("fell"))
        .when(ratio <= 1 / LITTLE)
        .then(pl.lit("about as before"))
        .otherwise(pl.lit("rose"))
        .alias("usage")
    )
