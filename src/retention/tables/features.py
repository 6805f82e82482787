"""One expression per feature, as of a day; together they make the table "customers_at".

A feature ending in `_90d` counts the 90 days up to and with the day; a rate counts and divides by
those of them since the customer's present spell began. Each is in GLOSSARY.md with unit and
meaning. Every function takes and gives any frame that Narwhals reads, and stays lazy.
"""

import narwhals as nw

from retention.tables.activity import weekday

WINDOW_DAYS = 90


@nw.narwhalify
def behaviour(activity, kinds: list[str]):
    """``activity`` of the kinds that count as the customer's own doing; of all where none named."""
    return activity.filter(nw.col("kind").is_in(kinds)) if kinds else activity


@nw.narwhalify
def counts_at(activity, spells, *, day: int):
    """What each customer did up to ``day``: one row per customer with any activity by then.

    Takes   activity: customer_id, day, kind, events, orders, amount_cents; spells as of ``day``
    Returns customer_id and the counting features (whole numbers)
    """
    recent = nw.col("day") > day - WINDOW_DAYS
    year = nw.col("day") > day - 365
    weekend = recent & (weekday() >= 5)
    of_the_spell = recent & (nw.col("day") >= nw.col("start_day"))
    days = (
        activity.filter(nw.col("day") <= day)
        .group_by("customer_id", "day")
        .agg(nw.col(name).sum() for name in ("events", "orders", "amount_cents"))
        .join(_present(spells).select("customer_id", "start_day"), on="customer_id", how="left")
        .with_columns(
            active_day_90d=nw.when(recent).then(nw.lit(1)).otherwise(nw.lit(0)),
            events_90d=nw.when(recent).then("events").otherwise(nw.lit(0)),
            orders_90d=nw.when(recent).then("orders").otherwise(nw.lit(0)),
            amount_cents_90d=nw.when(recent).then("amount_cents").otherwise(nw.lit(0)),
            amount_cents_365d=nw.when(year).then("amount_cents").otherwise(nw.lit(0)),
            spell_events_90d=nw.when(of_the_spell).then("events").otherwise(nw.lit(0)),
            weekend_events_90d=nw.when(weekend).then("events").otherwise(nw.lit(0)),
        )
    )
    totals = {
        "active_days_total": nw.len(),
        "orders_total": nw.col("orders").sum(),
        "amount_cents_total": nw.col("amount_cents").sum(),
        "active_days_90d": nw.col("active_day_90d").sum(),
        **{
            name: nw.col(name).sum()
            for name in (
                "events_90d",
                "orders_90d",
                "amount_cents_90d",
                "amount_cents_365d",
                "spell_events_90d",
                "weekend_events_90d",
            )
        },
    }
    return days.group_by("customer_id").agg(
        nw.col("day").max().alias("last_active_day"),
        *(expression.cast(nw.Int64).alias(name) for name, expression in totals.items()),
    )


@nw.narwhalify
def customers_at(customers, spells, counts, *, day: int, after_days: int):
    """Every customer as known on ``day``: present spell, features, attributes.

    Takes   customers: customer_id, started_day, attributes; spells and counts as of ``day``
    Returns the table "customers_at": one row per customer. Who was never active has null rates
            and zero counts. ``plan`` is the spell's, unless the customers have an attribute plan.
    """
    plan = [] if "plan" in customers.collect_schema() else ["plan"]
    present = _present(spells).select("customer_id", "spell", "start_day", "end_day", *plan)
    table = (
        customers.drop("started_day")
        .join(present, on="customer_id", how="left")
        .join(counts, on="customer_id", how="left")
    )
    counted = [
        "active_days_total",
        "orders_total",
        "amount_cents_total",
        "active_days_90d",
        "events_90d",
        "orders_90d",
        "amount_cents_90d",
        "amount_cents_365d",
    ]
    in_force = nw.col("end_day").is_null() | (nw.col("end_day") > day - after_days)
    tenure = nw.col("tenure_days")
    exposed = nw.when(tenure > WINDOW_DAYS).then(nw.lit(WINDOW_DAYS)).otherwise(tenure)
    return (
        table.with_columns(nw.col(name).fill_null(0) for name in counted)
        .with_columns(
            in_risk_set=~nw.col("spell").is_null() & in_force,
            tenure_days=day - nw.col("start_day") + 1,
            days_since_last_activity=day - nw.col("last_active_day"),
        )
        .with_columns(
            events_per_30d=_real(30 * nw.col("spell_events_90d").fill_null(0)) / _real(exposed),
            cents_per_order_90d=_ratio("amount_cents_90d", "orders_90d"),
            weekend_share_90d=_ratio("weekend_events_90d", "events_90d"),
            order_share_90d=_ratio("orders_90d", "events_90d"),
            last_day=nw.col("end_day"),
        )
        .drop("last_active_day", "end_day", "spell_events_90d", "weekend_events_90d")
    )


def _present(spells):
    """The last spell of each customer."""
    numbered = spells.with_columns(last_spell=nw.col("spell").max().over("customer_id"))
    return numbered.filter(nw.col("spell") == nw.col("last_spell")).drop("last_spell")


def _ratio(part: str, whole: str) -> nw.Expr:
    """``part`` / ``whole``, null where there is no whole."""
    return nw.when(nw.col(whole) > 0).then(_real(nw.col(part)) / _real(nw.col(whole)))


def _real(whole: nw.Expr) -> nw.Expr:
    """A whole number as a real one: one division of two such is the same on every engine."""
    return whole.cast(nw.Float64)
