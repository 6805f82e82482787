"""One expression per feature, as of a day; together they make the table "customers_at".

A feature ending in `_28d` or `_90d` counts the 28 or 90 days up to and with the day; a rate counts
and divides by those of them since the customer's present spell began. Each is in GLOSSARY.md with
unit and meaning. Every function takes and gives any frame that Narwhals reads, and stays lazy.
"""

import narwhals as nw

from retention import schema
from retention.tables.activity import weekday

WINDOW_DAYS = 90
USAGE_DAYS = 28  # four weeks, so that every weekday counts alike
BEFORE_DAYS = 3 * USAGE_DAYS
LATE = USAGE_DAYS * (USAGE_DAYS + 1) // 2  # weights of the last days: 1 for the first of them, 28


@nw.narwhalify
def behaviour(activity, kinds: list[str]):
    """``activity`` of the kinds that count as the customer's own doing; of all where none named."""
    return activity.filter(nw.col("kind").is_in(kinds)) if kinds else activity


@nw.narwhalify
def counts_at(activity, spells, *, day: int):
    """What each customer did up to ``day``: one row per customer with any activity by then.

    Takes   activity: customer_id, day, kind, events, orders, amount_cents; spells as of ``day``
    Returns customer_id, last_active_day, the counting features (whole numbers), usage_ratio,
            usage_trend and silence_ratio
    """
    on = nw.col("day")
    recent, year, lately = on > day - WINDOW_DAYS, on > day - 365, on > day - USAGE_DAYS
    in_spell = on >= nw.col("start_day")
    before = (on > nw.col("start_day")) & ~lately & (on > day - USAGE_DAYS - BEFORE_DAYS)
    sums = {
        "active_days_total": nw.lit(1),
        "orders_total": nw.col("orders"),
        "amount_cents_total": nw.col("amount_cents"),
        "active_days_90d": _where(recent, nw.lit(1)),
        "events_90d": _where(recent, "events"),
        "orders_90d": _where(recent, "orders"),
        "amount_cents_90d": _where(recent, "amount_cents"),
        "amount_cents_365d": _where(year, "amount_cents"),
        "spell_events_90d": _where(recent & in_spell, "events"),
        "weekend_events_90d": _where(recent & (weekday() >= 5), "events"),
        "active_days_28d": _where(lately & in_spell, nw.lit(1)),
        "active_days_before": _where(before, nw.lit(1)),
        "spell_days": _where(in_spell, nw.lit(1)),
        "late_events": _where(lately & in_spell, nw.col("events") * (on - (day - USAGE_DAYS))),
        "events_before": _where(before, "events"),
    }
    known = activity.filter(on <= day)
    days = (
        known.group_by("customer_id", "day")
        .agg(nw.col(name).sum() for name in ("events", "orders", "amount_cents"))
        .join(_present(spells).select("customer_id", "start_day"), on="customer_id", how="left")
        .join(known.select(on.min().alias("first_data_day")), how="cross")
        .with_columns(**sums, spell_day=nw.when(in_spell).then(on))
    )
    counted = days.group_by("customer_id").agg(
        on.max().alias("last_active_day"),
        nw.col("spell_day").min().alias("first_of_spell"),
        nw.col("spell_day").max().alias("last_of_spell"),
        nw.col("start_day").max(),
        nw.col("first_data_day").max(),
        *(nw.col(name).sum().cast(nw.Int64) for name in sums),
    )
    return _paces(counted, day)


def _paces(counted, day: int):
    """``counted`` with days_before, the usage and silence ratios, in place of what they need.

    The earlier stretch begins after the first day of the spell: that one is active by definition,
    and would make every newer customer of an activity book seem to decline.
    """
    start, first, last = (nw.col(n) for n in ("start_day", "first_of_spell", "last_of_spell"))
    since = nw.when(start < nw.col("first_data_day")).then("first_data_day").otherwise(start + 1)
    before = nw.col("active_days_before")
    usage = _real(nw.col("active_days_28d") * nw.col("days_before")) / _real(USAGE_DAYS * before)
    pace = nw.col("events_before") * LATE
    trend = _real(nw.col("late_events") * nw.col("days_before")) / _real(pace)
    seen = (nw.col("days_before") >= USAGE_DAYS) & (before > 0)
    silence = _real((day - last) * (nw.col("spell_days") - 1)) / _real(last - first)
    return (
        counted.with_columns(days_before=(day - USAGE_DAYS - since + 1).clip(0, BEFORE_DAYS))
        .with_columns(
            usage_ratio=nw.when(seen).then(usage),
            usage_trend=nw.when(seen).then(trend),
            silence_ratio=nw.when(nw.col("spell_days") > 1).then(silence),
        )
        .drop("start_day", "first_data_day", "first_of_spell", "last_of_spell", "spell_days")
        .drop("late_events", "events_before")
    )


@nw.narwhalify
def customers_at(customers, spells, counts, booked=None, prices=None, *, day: int, after_days: int):
    """Every customer as known on ``day``: present spell, features, attributes.

    Takes   customers: customer_id, started_day, attributes; spells, counts and, in a contract
            book, the booked ends and prices as of ``day`` (see `spells`)
    Returns the table "customers_at": one row per customer. Who was never active has null rates
            and zero counts. ``plan`` is the spell's, unless the customers have an attribute plan.
    """
    plan = [] if "plan" in customers.collect_schema() else ["plan"]
    present = _present(spells).select(
        *("customer_id", "spell", "start_day", "end_day", "finished", *plan)
    )
    table = customers.join(present, on="customer_id", how="left").join(
        counts, on="customer_id", how="left"
    )
    promise = schema.TABLES["customers_at"]
    known = [name for name in promise.columns if name not in promise.optional]
    counted = [name for name in known if promise.columns[name] == nw.Int64]
    if booked is None:
        unknown = nw.lit(None, nw.Int64)
        names = ("booked_end_in_days", "ended_days_ago", "price_cents")
        table = table.with_columns(**dict.fromkeys(names, unknown))
    else:
        table = table.join(booked, on="customer_id", how="left")
        table = table.join(prices, on="customer_id", how="left")
        table = table.with_columns(ended_days_ago=day - nw.col("end_day"))
    lasts = nw.col("end_day").is_null() | (nw.col("end_day") > day - after_days)
    ends = ~(nw.col("booked_end_in_days").is_null() & nw.col("ended_days_ago").is_null())
    over = "lapsed" if booked is None else "finished"
    tenure = nw.col("tenure_days")
    exposed = nw.when(tenure > WINDOW_DAYS).then(nw.lit(WINDOW_DAYS)).otherwise(tenure)
    return (
        table.with_columns(nw.col(name).fill_null(0) for name in counted)
        .with_columns(
            standing=nw.when(~nw.col("spell").is_null()).then(
                nw.when(~lasts | nw.col("finished"))
                .then(nw.lit(over))
                .otherwise(nw.when(ends).then(nw.lit("ending")).otherwise(nw.lit("current")))
            ),
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
        .drop("last_active_day", "end_day", "finished", "spell_events_90d", "weekend_events_90d")
    )


def _present(spells):
    """The last spell of each customer."""
    numbered = spells.with_columns(last_spell=nw.col("spell").max().over("customer_id"))
    return numbered.filter(nw.col("spell") == nw.col("last_spell")).drop("last_spell")


def _where(condition: nw.Expr, value: nw.Expr | str) -> nw.Expr:
    """``value`` where the condition holds, else zero."""
    return nw.when(condition).then(value).otherwise(nw.lit(0))


def _ratio(part: str, whole: str) -> nw.Expr:
    """``part`` / ``whole``, null where there is no whole."""
    return nw.when(nw.col(whole) > 0).then(_real(nw.col(part)) / _real(nw.col(whole)))


def _real(whole: nw.Expr) -> nw.Expr:
    """A whole number as a real one: one division of two such is the same on every engine."""
    return whole.cast(nw.Float64)
