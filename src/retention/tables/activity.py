"""Events to activity, habits and baskets: the only pass over raw events.

Every function takes and gives any frame that Narwhals reads, lazy or not, and stays lazy.
"""

import narwhals as nw


def summaries(events) -> dict[str, object]:
    """The tables "activity", "habits" and "baskets" of ``events``, by name."""
    return {"activity": activity(events), "habits": habits(events), "baskets": baskets(events)}


@nw.narwhalify
def activity(events):
    """One row per customer, day and kind of event: how many events and orders, how much money.

    Takes   events: customer_id, day, kind, order_id, amount_cents
    Returns customer_id, day, kind, events (count), orders (count), amount_cents

    An order is a distinct ``order_id`` of a day and kind; where there is none, an event with an
    amount. One that lasts over two days counts on both.
    Checked in tests/tables/test_activity.py on drawn tables and on CDNOW's published totals.
    """
    lines = events.group_by("customer_id", "day", "kind", "order_id").agg(
        nw.len().alias("events"),
        nw.col("amount_cents").count().alias("priced"),
        nw.col("amount_cents").sum().alias("amount_cents"),
    )
    orders = nw.when(nw.col("order_id").is_null()).then("priced").otherwise(nw.lit(1))
    return (
        lines.with_columns(orders=orders, amount_cents=nw.col("amount_cents").fill_null(0))
        .group_by("customer_id", "day", "kind")
        .agg(nw.col(name).sum().cast(nw.Int64) for name in ("events", "orders", "amount_cents"))
    )


@nw.narwhalify
def habits(events):
    """Through which channel, on which weekday and hour a customer's events happened.

    Takes   events: customer_id, day, channel, second (of the day)
    Returns customer_id, channel, weekday (0 = Monday), hour (null where only days are known),
            events (count), first_day (the earliest of them)
    """
    return (
        events.with_columns(weekday=weekday(), hour=nw.col("second") // 3600)
        .group_by("customer_id", "channel", "weekday", "hour")
        .agg(nw.len().cast(nw.Int64).alias("events"), nw.col("day").min().alias("first_day"))
    )


@nw.narwhalify
def baskets(events):
    """What a customer bought on a day, for events that name a product or a category.

    Takes   events: customer_id, day, product, category, amount_cents
    Returns customer_id, day, product, category, amount_cents
    """
    return (
        events.filter(~nw.col("product").is_null() | ~nw.col("category").is_null())
        .filter(~nw.col("amount_cents").is_null())
        .group_by("customer_id", "day", "product", "category")
        .agg(nw.col("amount_cents").sum().cast(nw.Int64))
    )


def weekday() -> nw.Expr:
    """Weekday of ``day``, 0 = Monday: 1970-01-01 was a Thursday."""
    return (nw.col("day") + 3) % 7
