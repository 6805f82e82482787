"""Whether customers who had gone come back, and how soon."""

from functools import partial

import polars as pl

from retention import charts
from retention.exhibit import Exhibit, said_of
from retention.refresh import Refresh
from retention.stats import by_group, kaplan_meier
from retention.survival.survival import AXES
from retention.tables import spells as stretches


def gone(spells: pl.DataFrame, snapshot_day: int, after_days: int) -> pl.DataFrame:
    """Customers who were judged gone, each once: from the first time on that they were.

    Takes   spells as of ``snapshot_day``
    Returns customer_id, duration_days (from being judged gone to the return or else the snapshot,
            both included), event_observed (returned), in order of customer_id
    """
    away = stretches.returns(spells, snapshot_day=snapshot_day, after_days=after_days)
    return (
        away.sort("customer_id", "spell")
        .unique("customer_id", keep="first", maintain_order=True)
        .select("customer_id", "duration_days", event_observed="returned")
    )


def returned(gone: pl.DataFrame, confidence: float = 0.95, least: int = 1) -> pl.DataFrame:
    """Estimate the share of those gone who have come back, by days since they were judged gone.

    Takes   one row per customer: duration_days, event_observed (returned)
    Returns by, group, duration_days, at_risk (still away and observed), events (returns on that
            day), returned (one less Kaplan-Meier), ci_lower, ci_upper (null while nobody has come
            back); no rows where fewer than ``least`` are at risk

    Who has not returned by the snapshot is censored: may still return. Checked by hand and on
    planted returns in tests/survival/test_returns.py.
    """
    how = {"confidence": confidence, "least": least}
    away = by_group.each(gone, None, lambda one: kaplan_meier.curve(*by_group.lives(one), **how))
    some = pl.when(pl.col("survival") < 1)
    return away.select(
        *("by", "group", "duration_days", "at_risk", "events"),
        returned=1 - pl.col("survival"),
        ci_lower=some.then(1 - pl.col("ci_upper")),
        ci_upper=some.then(1 - pl.col("ci_lower")),
    )


def coming_back(r: Refresh, days: list[int]) -> Exhibit:
    """The share of those judged gone who have come back since: the table "returns"."""
    churn = r.book.churn
    away = gone(r.tables.spells, r.day, churn.after_days)
    found = r.keep("returns", returned(away, r.confidence, r.min_cell))
    read = by_group.read(found, days)
    end = "last active day" if churn.kind == "activity" else "end of the contract"
    return Exhibit(
        found,
        headline(read),
        draw=partial(charts.curves, y="returned", **AXES | {"x_label": "Days since judged gone"}),
        behind=lambda _: read.drop("by", "group"),
        definition="Share of customers once judged gone who have come back, by days since then "
        f"(one less Kaplan-Meier; band: {r.confidence:.0%} limits). Days count from "
        f"{churn.after_days} days after the {end}: earlier returns do not count. Each customer "
        f"counts once, the first time gone. Drawn where at least {r.min_cell} are still away and "
        "observed.",
        findings=said_of(
            read.filter(pl.col("returned") > 0).tail(1).with_columns(n=away.height),
            "returned_{duration_days}_days",
            "{value} of {n} customers once judged gone have come back within {duration_days} days "
            "of it ({ci}).",
            "returned",
        ),
        empty="Too few customers were judged gone to say whether they come back.",
    )


def headline(read: pl.DataFrame) -> str:
    """How many have come back by the last day that was read, in a sentence."""
    known = read.drop_nulls("returned")
    if known.is_empty():
        return "Nobody has been gone for as long as the chosen days yet"
    day, share = known.select("duration_days", "returned").row(-1)
    return f"{share:.0%} of those judged gone have come back within {day:,} days"
