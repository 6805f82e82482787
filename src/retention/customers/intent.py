"""What current customers do that shows that they may order soon."""

import polars as pl

from retention import charts
from retention.errors import Refused
from retention.exhibit import Exhibit, apart
from retention.refresh import Refresh
from retention.stats.intervals import share
from retention.tables import task

NONE = "none shown"


def intents(r: Refresh, kinds: list[str], intent_days: int) -> pl.DataFrame:
    """The intent that every current customer shows today, see `strongest`."""
    return strongest(r.tables.customers_at, r.tables.activity.lazy(), kinds, r.day, intent_days)


def strongest(
    customers: pl.DataFrame, activity: pl.LazyFrame, kinds: list[str], day: int, intent_days: int
) -> pl.DataFrame:
    """The strongest sign of intent that current customers have shown since their last order.

    Takes   customers_at and activity as of ``day`` or later; ``kinds`` of event, the weakest first
    Returns one row per current customer, sorted: customer_id, intent (one of ``kinds``,
            shown in the last ``intent_days`` days and later than the day of the last order, or
            "none shown"; null where the book names no kinds)

    Raises:
        Refused: no event is of one of these kinds.
    """
    current = customers.filter(standing="current").select("customer_id").sort("customer_id")
    if not kinds:
        return current.with_columns(intent=pl.lit(None, pl.String))
    there = activity.select(pl.col("kind").unique().sort()).collect()["kind"]
    if strange := [kind for kind in kinds if kind not in there]:
        raise Refused(f"intents: no event is of kind {strange[0]!r}")
    known = activity.filter(pl.col("day") <= day)
    bought = known.filter(pl.col("orders") > 0).group_by("customer_id").agg(bought=pl.max("day"))
    shown = (
        known.filter(pl.col("kind").is_in(kinds), pl.col("day") > day - intent_days)
        .join(bought, on="customer_id", how="left")
        .filter(pl.col("bought").is_null() | (pl.col("day") > pl.col("bought")))
        .group_by("customer_id")
        .agg(intent=pl.col("kind").cast(pl.Enum(kinds)).max().cast(pl.String))
        .sort("customer_id")
        .collect()
    )
    joined = current.join(shown, on="customer_id", how="left", maintain_order="left")
    return joined.with_columns(pl.col("intent").fill_null(NONE))


def orders_after(r: Refresh, now: pl.DataFrame, kinds: list[str], intent_days: int) -> Exhibit:
    """Who shows which intent today, and how many ordered after they had shown it.

    Takes   now (see `intents`); the same look ``intent_days`` ago, of which we know what came
    """
    activity, day = r.tables.activity.lazy(), r.day - intent_days
    past, _ = task.as_of(r.tables.customers_at, activity, r.tables.terms.lazy(), r.book.churn, day)
    then = strongest(past, activity, kinds, day, intent_days)
    orders = activity.filter(pl.col("day") > day, pl.col("orders") > 0)
    return Exhibit(
        readiness(now, then, orders.select("customer_id").collect(), r.confidence),
        _headline,
        draw=lambda table: charts.bars(table, "intent", "share_ordered", n="n_before"),
        definition=f"Intent: the strongest of {', '.join(kinds)} (the weakest first) that a "
        f"current customer has shown in the last {intent_days} days and since the last order. "
        f"Share: of those who showed it {intent_days} days ago, how many have ordered since.",
        empty="The book names no kinds of event that show an intent to order.",
    )


def readiness(
    now: pl.DataFrame, then: pl.DataFrame, orders: pl.DataFrame, confidence: float = 0.95
) -> pl.DataFrame:
    """Who shows which intent now, and how many of those who showed it before ordered after that.

    Takes   what `strongest` gives of today and of an earlier day; orders: customer_id of everybody
            who ordered after that day
    Returns intent, n (today), n_before (on that day), ordered (of these), share_ordered, ci_lower,
            ci_upper (Wilson), by the share. No rows where no intent is known
    """
    ordered = pl.col("customer_id").is_in(orders["customer_id"].unique().sort().implode())
    before = then.group_by("intent").agg(n_before=pl.len(), ordered=ordered.sum())
    names = ("share_ordered", "ci_lower", "ci_upper")
    return (
        now.group_by("intent")
        .agg(n=pl.len())
        .join(before, on="intent", how="full", coalesce=True)
        .drop_nulls("intent")
        .with_columns(pl.exclude("intent").fill_null(0).cast(pl.Int64))
        .with_columns(share("ordered", "n_before", confidence, names))
        .sort("share_ordered", "intent", descending=[True, False], nulls_last=True)
    )


def _headline(table: pl.DataFrame) -> str:
    found = apart(table, "intent", "share_ordered")
    return f"Ordered afterwards: {found}" if found else "No clear difference between intents"
