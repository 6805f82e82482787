"""How much current customers do, whether it changes, and what shows that they may order soon."""

import polars as pl

from retention.errors import Refused
from retention.stats import rate_ratio
from retention.stats.intervals import wilson
from retention.tables.features import USAGE_DAYS

LEVELS = ("high", "moderate", "inactive")
USAGE = ("falling", "steady", "rising", "not known")
NONE = "none shown"


def engaged(staged: pl.DataFrame, high_days: int) -> pl.DataFrame:
    """Every customer's engagement, and whether they use less or more than before.

    Takes   customers_at with trend, trend_lower and trend_upper
    Returns it with engagement (of the risk set; high: at least ``high_days`` active days of the
            last 28; inactive: none; else moderate) and usage (falling: the trend's interval lies
            below one; rising: above one; steady: neither is shown; not known; not current)
    """
    days = pl.col("active_days_28d")
    engagement = (
        pl.when(~pl.col("in_risk_set"))
        .then(None)
        .when(days >= high_days)
        .then(pl.lit("high"))
        .when(days > 0)
        .then(pl.lit("moderate"))
        .otherwise(pl.lit("inactive"))
    )
    usage = (
        pl.when(~pl.col("in_risk_set"))
        .then(pl.lit("not current"))
        .when(pl.col("trend").is_null())
        .then(pl.lit("not known"))
        .when(pl.col("trend_upper") < 1)
        .then(pl.lit("falling"))
        .when(pl.col("trend_lower") > 1)
        .then(pl.lit("rising"))
        .otherwise(pl.lit("steady"))
    )
    return staged.with_columns(engagement=engagement, usage=usage)


def shares(current: pl.DataFrame, confidence: float = 0.95) -> pl.DataFrame:
    """The table "engagement_shares": current customers by engagement and by usage.

    Takes   what `engaged` gives, of who is in the risk set
    Returns in the order of `LEVELS` and `USAGE`, empty ones with 0: by (engagement, usage), group,
            n, share, ci_lower, ci_upper (Wilson), share_of_amount (of the last 365 days; null where
            nobody paid)
    """
    divided = {"engagement": LEVELS, "usage": USAGE}
    total = current["amount_cents_365d"].sum()
    none = pl.lit(0.0 if total else None, pl.Float64)
    paid = pl.col("amount_cents_365d").sum() / total if total else none
    counted = [
        pl.DataFrame({"by": by, "group": list(groups)})
        .join(
            current.group_by(group=by).agg(n=pl.len(), share_of_amount=paid).sort("group"),
            on="group",
            how="left",
            maintain_order="left",
        )
        .with_columns(pl.col("n").fill_null(0))
        for by, groups in divided.items()
    ]
    return (
        pl.concat(counted)
        .with_columns(pl.col("share_of_amount").fill_null(none))
        .with_columns(pl.col("n").cast(pl.Int64), n_all=pl.lit(current.height))
        .with_columns(share=pl.col("n").truediv("n_all").fill_nan(None))
        .with_columns(*wilson("n", "n_all", confidence))
        .select("by", "group", "n", "share", "ci_lower", "ci_upper", "share_of_amount")
    )


def by_chance(current: pl.DataFrame, confidence: float = 0.95) -> float:
    """What share of ``current`` customers would seem to fall if nobody had changed.

    See `rate_ratio.false_alarms`: as many active days, fallen anywhere in the two stretches.
    """
    known = current.drop_nulls("trend").sort("customer_id")
    recent, before, days = (
        known[name].to_numpy() for name in ("active_days_28d", "active_days_before", "days_before")
    )
    falls, _ = rate_ratio.false_alarms(recent + before, USAGE_DAYS, days, confidence)
    return float(falls.sum()) / max(current.height, 1)


def headline(shares: pl.DataFrame) -> str:
    """How many are highly engaged and how many do nothing, in a sentence."""
    known = dict(shares.filter(by="engagement").drop_nulls("share").select("group", "share").rows())
    if not {"high", "inactive"} <= set(known):
        return "How much current customers do"
    return f"{known['high']:.1%} are highly engaged, {known['inactive']:.1%} did nothing in 28 days"


def definition(high_days: int, confidence: float = 0.95) -> str:
    """Engagement and usage in words, for the page."""
    return (
        f"Engagement: high with at least {high_days} active days of the last {USAGE_DAYS}, "
        "inactive without any, else moderate. Usage: falling where the whole "
        f"{confidence:.0%} interval of the ratio of active days, now against the twelve weeks "
        "before, lies below one; rising above; steady where neither is shown; not known with fewer "
        f"than {USAGE_DAYS} earlier days, or no active one among them."
    )


def intent(
    customers: pl.DataFrame,
    activity: pl.LazyFrame,
    intents: list[str],
    *,
    day: int,
    intent_days: int,
) -> pl.DataFrame:
    """The strongest sign of intent that current customers have shown since their last order.

    Takes   customers_at and activity as of ``day`` or later; ``intents``: kinds of event, the
            weakest first
    Returns one row per customer in the risk set, sorted: customer_id, intent (one of ``intents``,
            shown in the last ``intent_days`` days and later than the day of the last order, or
            "none shown"; null where the book names no kinds)

    Raises:
        Refused: no event is of one of these kinds.
    """
    current = customers.filter("in_risk_set").select("customer_id").sort("customer_id")
    if not intents:
        return current.with_columns(intent=pl.lit(None, pl.String))
    kinds = activity.select(pl.col("kind").unique().sort()).collect()["kind"]
    if strange := [kind for kind in intents if kind not in kinds]:
        raise Refused(f"intents: no event is of kind {strange[0]!r}")
    known = activity.filter(pl.col("day") <= day)
    orders = known.filter(pl.col("orders") > 0).group_by("customer_id", maintain_order=True)
    bought = orders.agg(bought=pl.max("day"))
    strength = {kind: number for number, kind in enumerate(intents)}
    shown = (
        known.filter(pl.col("kind").is_in(intents), pl.col("day") > day - intent_days)
        .join(bought, on="customer_id", how="left")
        .filter(pl.col("bought").is_null() | (pl.col("day") > pl.col("bought")))
        .group_by("customer_id")
        .agg(strength=pl.col("kind").replace_strict(strength).max())
        .sort("customer_id")
        .collect()
    )
    named = pl.col("strength").replace_strict(dict(enumerate(intents)), return_dtype=pl.String)
    joined = current.join(shown, on="customer_id", how="left", maintain_order="left")
    return joined.select("customer_id", intent=named.fill_null(NONE))


def readiness(
    now: pl.DataFrame,
    then: pl.DataFrame,
    activity: pl.LazyFrame,
    intents: list[str],
    *,
    day: int,
    intent_days: int,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """Who shows which intent now, and how many of those who showed it before ordered after that.

    Takes   what `intent` gives of today and of ``day``; activity; ``intents``
    Returns the table "readiness", the strongest first: intent, n (today), n_before (on ``day``),
            ordered (of these, within ``intent_days`` days after it), share, ci_lower, ci_upper
            (Wilson). No rows where there are no ``intents``
    """
    after = pl.col("day").is_between(day + 1, day + intent_days)
    buyers = activity.filter(after, pl.col("orders") > 0).select("customer_id", bought=1)
    buyers = buyers.unique("customer_id", maintain_order=True).collect()
    seen = then.join(buyers, on="customer_id", how="left")
    groups = seen.group_by("intent", maintain_order=True)
    counted = groups.agg(n_before=pl.len(), ordered=pl.col("bought").count())
    return (
        pl.DataFrame({"intent": [*intents[::-1], NONE] if intents else []}, {"intent": pl.String})
        .join(
            now.group_by("intent").len("n").sort("intent"),
            on="intent",
            how="left",
            maintain_order="left",
        )
        .join(counted, on="intent", how="left", maintain_order="left")
        .with_columns(pl.col("n", "n_before", "ordered").fill_null(0).cast(pl.Int64))
        .with_columns(share=(pl.col("ordered") / pl.col("n_before")).fill_nan(None))
        .with_columns(*wilson("ordered", "n_before", confidence))
    )


def intended(intents: list[str], intent_days: int) -> str:
    """What an intent is, and what is shown of it, in words."""
    return (
        f"Intent: the strongest of {', '.join(intents) or 'no kinds'} (the weakest first) that a "
        f"current customer has shown in the last {intent_days} days and since the last order. n: "
        f"who shows it today; share: of the customers who showed it {intent_days} days ago (n "
        "before), those who ordered in the days since."
    )


def foretold(readiness: pl.DataFrame) -> str:
    """Whether the strongest intent shown went before more orders than none did, in a sentence."""
    known = readiness.drop_nulls("share")
    if known.height < 2:
        return "Too few customers have shown an intent to be compared"
    strong, none = (known.row(place, named=True) for place in (0, -1))
    apart = strong["ci_lower"] > none["ci_upper"] or strong["ci_upper"] < none["ci_lower"]
    beside = f"{strong['share']:.1%} ordered after {strong['intent']}, {none['share']:.1%} after "
    beside += "none" if none["intent"] == NONE else none["intent"]
    return beside if apart else f"{beside}: no clear difference"


def everybody(current: pl.DataFrame) -> pl.DataFrame:
    """All ``current`` customers as one group, for what compares groups: customer_id, group."""
    return current.select("customer_id", group=pl.lit("current customers"))


def busiest(habits: pl.DataFrame) -> str:
    """The channel, or the hours, of the largest share of events, in a sentence.

    Takes   label, group, n, share_of_events, of one group
    """
    label = habits.columns[0]
    known = habits.drop_nulls("share_of_events").sort("share_of_events", label)
    if known.is_empty():
        return f"Too little is known of {label}"
    row = known.row(-1, named=True)
    return f"{row['share_of_events']:.1%} of events: {row[label]}"
