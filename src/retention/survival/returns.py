"""Whether customers who had gone come back, and how soon."""

import polars as pl

from retention.book import Churn
from retention.stats import by_group, kaplan_meier
from retention.tables import spells as stretches

RETURNED = ("returned", "ci_lower", "ci_upper")
NONE = "Too few customers were judged gone to say whether they come back."


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


def returned(
    gone: pl.DataFrame, by: str | None = None, confidence: float = 0.95, least: int = 1
) -> pl.DataFrame:
    """Estimate the share of those gone who have come back, by days since they were judged gone.

    Takes   one row per customer: duration_days, event_observed (returned)[, by]
    Returns by, group, duration_days, at_risk (still away and observed), events (returns on that
            day), returned (one less Kaplan-Meier), ci_lower, ci_upper (null while nobody has come
            back); no rows where fewer than ``least`` are at risk

    Who has not returned by the snapshot is censored: may still return. Checked by hand and on
    planted returns in tests/test_returns.py.
    """

    def curve(frame: pl.DataFrame) -> pl.DataFrame:
        away = kaplan_meier.curve(*by_group.lives(frame), confidence, least)
        some = pl.when(pl.col("survival") < 1)
        return away.select(
            *("duration_days", "at_risk", "events"),
            returned=1 - pl.col("survival"),
            ci_lower=some.then(1 - pl.col("ci_upper")),
            ci_upper=some.then(1 - pl.col("ci_lower")),
        )

    return by_group.each(gone, by, curve)


def returned_at(table: pl.DataFrame, days: list[int]) -> pl.DataFrame:
    """The curves of `returned` read at ``days``; null beyond a curve's last day."""
    return by_group.read(table, days, RETURNED)


def came_back(read: pl.DataFrame, n: int) -> dict:
    """The share of ``n`` back by the last day that was read, as what `findings.say` takes."""
    known = read.drop_nulls("returned")
    if known.is_empty():
        return {"name": "returned", "sentence": NONE}
    row = known.row(-1, named=True)
    some = (
        "{value} of {n} customers once judged gone have come back within {day} days of it ({ci})."
    )
    none = "None of {n} customers once judged gone has come back within {day} days of it."
    return {
        "name": f"returned_{row['duration_days']}_days",
        "sentence": some if row["returned"] else none,
        **{"value": row["returned"], "unit": "share", "n": n, "day": row["duration_days"]},
        "ci": (row["ci_lower"], row["ci_upper"]) if row["returned"] else None,
    }


def headline(read: pl.DataFrame) -> str:
    """How many have come back by the last day that was read, in a sentence."""
    known = read.drop_nulls("returned")
    if known.is_empty():
        return NONE
    day, share = known.select("duration_days", "returned").row(-1)
    return f"{share:.0%} of those judged gone have come back within {day:,} days"


def definition(churn: Churn, confidence: float, min_cell: int) -> str:
    """What the curve means, for the page."""
    end = "last active day" if churn.kind == "activity" else "end of the contract"
    return (
        "Share of customers once judged gone who have come back, by days since then (one less "
        f"Kaplan-Meier; band: {confidence:.0%} limits). Days count from {churn.after_days} days "
        f"after the {end}: whoever comes earlier has not been gone. Each customer counts once, "
        f"the first time gone. Drawn where at least {min_cell} are still away and observed."
    )
