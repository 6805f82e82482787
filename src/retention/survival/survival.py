"""How long customers stay: Kaplan-Meier curves.

Spells that are excluded (unknown start, too new to judge) must have been left out: `observed` does
that.
"""

import polars as pl

from retention.book import Churn
from retention.errors import Refused
from retention.stats import by_group
from retention.stats import kaplan_meier as estimator
from retention.tables import promises

SURVIVAL = ("survival", "ci_lower", "ci_upper")


def observed(spells: pl.DataFrame, customers: pl.DataFrame | None = None) -> pl.DataFrame:
    """First spells that duration tables may use, with what was known at their start.

    Takes   spells (one row per customer and spell); customers_at (one row per customer)
    Returns one row per customer whose first spell is not excluded, in order of customer_id:
            customer_id, duration_days (>= 1), event_observed, entry_days (days already lived on
            entering observation; 0 = seen from the start), started (text: the month, quarter or
            year of the start, the finest that makes at most 6 groups), cause, plan, attributes

    Features are left out: they are measured after the start and would leak the end.
    """
    first = spells.filter(pl.col("spell") == 1, pl.col("excluded").is_null()).select(
        "customer_id",
        "duration_days",
        "event_observed",
        (pl.col("entry_day") - pl.col("start_day")).alias("entry_days"),
        pl.from_epoch("start_day", time_unit="d").alias("started"),
        "cause",
        "plan",
    )
    first = first.with_columns(_period(first["started"]))
    if customers is not None:
        later = {*promises.PROMISES["customers_at"].columns, "plan"} - {"customer_id"}
        attributes = customers.drop(later & set(customers.columns))
        first = first.join(attributes, on="customer_id", how="left", validate="1:1")
    return first.sort("customer_id")


def kaplan_meier(
    observed: pl.DataFrame, by: str | None = None, confidence: float = 0.95, least: int = 1
) -> pl.DataFrame:
    """Estimate the share of customers still active after each day since their start.

    Takes   one row per customer: duration_days (days, >= 1), event_observed (bool)[, entry_days]
            [, by]
    Returns one row per group and day on which anything happened, in order: by, group,
            duration_days, at_risk (customers), events (ends on that day), survival, ci_lower,
            ci_upper (0 to 1). A curve has the days on which at least ``least`` are at risk: it
            begins, at 1, on the first from which they are (day 0 unless customers enter late; a
            later one makes it the share given that they were still active then), and stops with
            the last. It has no rows where so many never are.

    Raises:
        Refused: there are no customers, or ``confidence`` is not between 0 and 1.

    Source: see estimators/kaplan_meier.py. Checked on Freireich's and Walton's data and by hand in
    tests/test_survival.py.
    """
    if observed.is_empty():
        raise Refused("kaplan_meier needs at least one customer")
    if not 0 < confidence < 1:
        raise Refused(f"confidence must lie between 0 and 1, got {confidence}")

    def curve(frame: pl.DataFrame) -> pl.DataFrame:
        return estimator.curve(*by_group.lives(frame), confidence, least)

    return by_group.each(observed, by, curve)


def entered_late(observed: pl.DataFrame) -> str:
    """How many are observed only from some days after their start on, in a sentence."""
    late = (observed["entry_days"] > 0).sum()
    if not late:
        return "All are observed from their start on."
    return (
        f"{late:,} entered late: they are observed only from some days after their start on, and "
        "are at risk from then."
    )


def definition(churn: Churn, confidence: float, min_cell: int) -> str:
    """What the curves mean, for the page."""
    left = (
        f"{churn.after_days} days of silence, counted from the last active day"
        if churn.kind == "activity"
        else f"out of contract for {churn.after_days} days, counted from the end of the contract"
    )
    return (
        "Share of customers still active, by days since their start (Kaplan-Meier). Left means: "
        f"{left}. Bands: "
        f"{confidence:.0%} limits (log-log). Drawn where at least {min_cell} are at risk; a curve "
        "that begins later than day 0 is the share of those who were still active then."
    )


def median_days(curve: pl.DataFrame) -> int | None:
    """The first day at whose end at most half of one curve's customers are still active.

    None where the curve ends before; checked on Freireich's and Walton's data.
    """
    return curve.filter(pl.col("survival") <= 0.5)["duration_days"].min()


def headline(curve: pl.DataFrame) -> str:
    """What one curve says about the median, in a sentence."""
    median = median_days(curve)
    if curve.is_empty():
        return "Too few customers for a curve"
    if median is None:
        return f"More than half are still active after {curve['duration_days'].max():,} days"
    begin, n = curve.select("duration_days", "at_risk").row(0)
    if begin:
        return f"Of those still active after day {begin:,}, half have left by day {median:,}"
    return f"Half of {n:,} customers with a known start have left by day {median:,}"


def survival_at(curves: pl.DataFrame, days: list[int]) -> pl.DataFrame:
    """The curves read at ``days``; null before a curve's first day and beyond its last.

    Takes   survival curves; returns by, group, duration_days, at_risk, survival, ci_lower, ci_upper
    """
    return by_group.read(curves, days, SURVIVAL)


def _period(started: pl.Series) -> pl.Series:
    """The month, quarter or year of each start, the finest that makes at most 6 groups."""
    year = started.dt.strftime("%Y")
    quarter = year + "-Q" + started.dt.quarter().cast(pl.String)
    periods = [started.dt.strftime("%Y-%m"), quarter, year]
    return next((period for period in periods if period.n_unique() <= 6), year).alias("started")
