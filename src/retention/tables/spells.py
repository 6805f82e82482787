"""Spells: the stretches of a customer's active life, from activity or from contracts.

Churn is defined here and nowhere else (GLOSSARY: spell, event, censored). Gaps of ``after_days``
or more between active days, or between terms of contract, divide spells. With F = snapshot day -
after_days, a spell has ended iff its last day is F or earlier: later silence cannot be judged yet.
Every function takes and gives any frame that Narwhals reads, and stays lazy.
"""

import narwhals as nw

from retention import schema

COLUMNS = tuple(schema.TABLES["spells"].columns)


@nw.narwhalify
def from_activity(activity, customers, *, kinds: list[str], snapshot_day: int, after_days: int):
    """Spells of an activity book.

    Takes   activity: customer_id, day, kind; customers: customer_id, started_day (null = unknown)
    Returns the table "spells": one row per customer and spell.

    A spell first seen within ``after_days`` of the first data day has an unknown start, unless the
    customer's start is known; if that lies before the data, the spell enters observation late, on
    the first data day: it is seen here because its last active day is not before that day. A
    customer who started before the data and is first seen later than that has come back: what is
    seen is not their first spell, whose start and end are unknown.
    """
    counts = nw.col("kind").is_in(kinds) & (nw.col("day") <= snapshot_day)
    days = activity.filter(counts).select("customer_id", "day").unique()
    gap = nw.col("day") - nw.col("day").shift(1).over("customer_id", order_by="day")
    stretches = (
        _numbered(days.with_columns(gap=gap), "day", after_days)
        .group_by("customer_id", "spell")
        .agg(nw.col("day").min().alias("first_day"), nw.col("day").max().alias("end_day"))
        .join(customers.select("customer_id", "started_day"), on="customer_id", how="left")
        .with_columns(everybody=nw.lit(0))  # not a cross join: PostgreSQL repeats that for each row
        .with_columns(first_data_day=nw.col("first_day").min().over("everybody"))
    )
    at_the_edge = nw.col("first_day") - nw.col("first_data_day") < after_days
    older = (nw.col("started_day") < nw.col("first_data_day")).fill_null(False)
    came_back = (nw.col("spell") == 1) & older & ~at_the_edge
    late = at_the_edge & older
    return _judged(
        stretches.with_columns(
            entry_day=nw.when(late).then("first_data_day").otherwise("first_day"),
            start_day=nw.when(late).then("started_day").otherwise("first_day"),
            start_known=(at_the_edge & ~nw.col("started_day").is_null())
            | ~(at_the_edge | came_back),
            last_day=nw.col("end_day"),
            cause=nw.lit(None, nw.String),
            plan=nw.lit(None, nw.String),
            finished=nw.lit(False),
        ),
        snapshot_day,
        after_days,
    )


@nw.narwhalify
def from_contracts(contracts, *, snapshot_day: int, after_days: int):
    """Spells of a contract book; ``after_days`` is the grace in which a renewal may follow.

    Takes   contracts: customer_id, started_day, ended_day, booked_day, cause, plan
            (ended_day null = open; booked_day = when the end became known, null = on that day)
            [, observed_until_day: the planned end]
    Returns the table "spells": one row per customer and spell; end_day null = in force.

    A cancellation booked for a later day is no end yet. ``plan`` is the plan at the start,
    ``cause`` the cause of the last end. A spell whose last term reaches its planned end is
    ``finished``: it is censored there, and no event.
    """
    over = (nw.col("ended_day") <= snapshot_day).fill_null(False)
    planned, horizon = nw.col("observed_until_day"), nw.lit(snapshot_day + 1)
    reached = ~over & (planned <= snapshot_day).fill_null(False)
    until = nw.when(reached).then(planned).otherwise(horizon)
    terms = (
        _known(contracts, snapshot_day)
        .with_columns(known=over, done=nw.when(reached).then(nw.lit(1)).otherwise(nw.lit(0)))
        .with_columns(end=nw.when(over).then("ended_day").otherwise(until))
        .with_columns(reach=nw.col("end").cum_max().over("customer_id", order_by="started_day"))
    )
    reached = nw.col("reach").shift(1).over("customer_id", order_by="started_day")
    numbered = _numbered(
        terms.with_columns(gap=nw.col("started_day") - reached), "started_day", after_days
    )
    place = nw.col("started_day")
    last = nw.col("end") == nw.col("end").max().over("customer_id", "spell")
    first = place == place.min().over("customer_id", "spell")
    stretches = (
        numbered.with_columns(
            last_cause=nw.when(last & nw.col("known")).then("cause"),
            last_done=nw.when(last).then("done").otherwise(nw.lit(0)),
            first_plan=nw.when(first).then("plan"),
        )
        .group_by("customer_id", "spell")
        .agg(
            place.min().alias("start_day"),
            nw.col("end").max().alias("last_day"),
            nw.col("last_cause").max().alias("cause"),
            nw.col("first_plan").max().alias("plan"),
            nw.col("last_done").max().alias("done"),
        )
    )
    return _judged(
        stretches.with_columns(
            entry_day=nw.col("start_day"),
            end_day=nw.when(nw.col("last_day") <= snapshot_day).then("last_day"),
            start_known=nw.lit(True),
            finished=nw.col("done") > 0,
        ),
        snapshot_day,
        after_days,
    )


@nw.narwhalify
def terms_at(contracts, *, snapshot_day: int):
    """Contracts as known on ``snapshot_day``: those begun by then. An end that was not yet known is
    null; but a planned end is an end, and one that the source holds without saying when it became
    known stays.

    Takes   contracts as `from_contracts` does, with amount_cents
    Returns the table "terms". Spells of any day up to the snapshot are the same from either.
    """
    ended, planned = nw.col("ended_day"), nw.col("observed_until_day")
    known = _known(contracts, snapshot_day, "amount_cents", held=True)
    return known.with_columns(ended_day=nw.when(ended.is_null()).then(planned).otherwise(ended))


@nw.narwhalify
def booked_ends(contracts, *, snapshot_day: int, held: bool = False):
    """When customers will be out of contract, of those of whom it is known on ``snapshot_day``.

    Takes   contracts as `from_contracts` does
    Returns customer_id, booked_end_in_days (>= 1): one row per customer whose contracts all have an
            end, the last of them later than the snapshot. A planned end is not booked; an end that
            the source holds without saying when it became known is one if ``held``
    """
    ended, days, planned = (
        nw.col(name) for name in ("ended_day", "booked_end_in_days", "observed_until_day")
    )
    runs = ended.is_null() & (planned.is_null() | (planned > snapshot_day))
    return (
        _known(contracts, snapshot_day, held=held)
        .with_columns(open=nw.when(runs).then(nw.lit(1)).otherwise(nw.lit(0)))
        .group_by("customer_id")
        .agg(nw.col("open").max(), (ended.max() - snapshot_day).alias("booked_end_in_days"))
        .filter(nw.col("open") == 0, days > 0)
        .select("customer_id", days)
        .sort("customer_id")
    )


@nw.narwhalify
def prices(contracts, *, snapshot_day: int):
    """What customers under contract on ``snapshot_day`` pay: customer_id, price_cents (per 30 days,
    all their contracts together; null where no amount is known).

    Takes   contracts as `from_contracts` does, with amount_cents
    """
    amount = nw.col("amount_cents")
    lasts = (nw.col(name) for name in ("ended_day", "observed_until_day"))
    in_force = nw.all_horizontal(
        *(end.is_null() | (end > snapshot_day) for end in lasts), ignore_nulls=False
    )
    return (
        _known(contracts, snapshot_day, "amount_cents")
        .filter(in_force)
        .group_by("customer_id")
        .agg(amount.sum(), amount.count().alias("known"))
        .select("customer_id", price_cents=nw.when(nw.col("known") > 0).then(amount))
    )


@nw.narwhalify
def returns(spells, *, snapshot_day: int, after_days: int):
    """How long customers who had gone stayed away: one row per ended spell.

    Takes   the table "spells" as of ``snapshot_day``
    Returns customer_id, spell, gone_day (end_day + after_days: earlier, a return is none),
            duration_days (from gone_day to the first day of the next spell, or else to the
            snapshot, both included), returned
    """
    start = nw.col("start_day")
    return (
        spells.filter(~nw.col("finished"))
        .with_columns(
            next_day=start.shift(-1).over("customer_id", order_by="spell"),
            gone_day=nw.col("end_day") + after_days,
        )
        .filter(nw.col("gone_day") <= snapshot_day)
        .with_columns(returned=~nw.col("next_day").is_null())
        .with_columns(until=nw.when("returned").then("next_day").otherwise(nw.lit(snapshot_day)))
        .with_columns(duration_days=nw.col("until") - nw.col("gone_day") + 1)
        .select("customer_id", "spell", "gone_day", "duration_days", "returned")
    )


@nw.narwhalify
def exclusions(spells):
    """Why spells are left out of duration tables, and how many: columns rule, n."""
    return (
        spells.filter(~nw.col("excluded").is_null())
        .group_by("excluded")
        .agg(nw.len().cast(nw.Int64).alias("n"))
        .select(nw.col("excluded").alias("rule"), "n")
    )


def _known(contracts, day: int, *further: str, held: bool = False):
    """Contracts as known on ``day``, with the columns ``further`` as they stand. An end that is the
    planned one, or later, is no end of its own. ``held``: ends of which it is not said when they
    became known are known as well."""
    if "observed_until_day" not in contracts.collect_schema():
        contracts = contracts.with_columns(observed_until_day=nw.lit(None, nw.Int64))
    booked, ended, planned = (
        nw.col(name) for name in ("booked_day", "ended_day", "observed_until_day")
    )
    known = (nw.when(booked.is_null()).then(ended).otherwise(booked) <= day).fill_null(False)
    known = (known | booked.is_null() if held else known) & (planned.is_null() | (ended < planned))
    return contracts.filter(nw.col("started_day") <= day).select(
        "customer_id",
        "started_day",
        *(nw.when(known).then(name).alias(name) for name in ("ended_day", "booked_day", "cause")),
        "observed_until_day",
        "plan",
        *further,
    )


def _numbered(frame, day: str, after_days: int):
    """Number the spells of each customer from 1, by a column ``gap`` before each ``day``."""
    new = nw.col("gap").is_null() | (nw.col("gap") >= after_days)
    return frame.with_columns(new=nw.when(new).then(nw.lit(1)).otherwise(nw.lit(0))).with_columns(
        spell=nw.col("new").cum_sum().over("customer_id", order_by=day).cast(nw.Int64)
    )


def _judged(stretches, snapshot_day: int, after_days: int):
    """Duration, event and exclusion of stretches with a start, a last day and a known start."""
    judged_until, known = snapshot_day - after_days, nw.col("start_known")
    too_new = (nw.col("start_day") > judged_until) | (known & (nw.col("entry_day") > judged_until))
    unknown = nw.when(~known).then(nw.lit("unknown_start"))
    over = nw.col("last_day") <= judged_until
    ended = over & ~nw.col("finished")
    until = nw.when(over).then("last_day").otherwise(nw.lit(judged_until))
    judged = nw.col("excluded").is_null()
    return (
        stretches.with_columns(excluded=nw.when(too_new).then(nw.lit("too_new")).otherwise(unknown))
        .with_columns(
            duration_days=nw.when(judged).then(until - nw.col("start_day") + 1),
            event_observed=nw.when(judged).then(ended),
            cause=nw.when(ended).then("cause"),
        )
        .select(*COLUMNS)
    )
