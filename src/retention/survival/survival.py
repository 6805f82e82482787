"""How long customers stay: Kaplan-Meier curves.

Spells that are excluded (unknown start, too new to judge) must have been left out: `observed` does
that.
"""

from functools import partial

import polars as pl

from retention import charts, schema
from retention.errors import Refused
from retention.exhibit import Exhibit, Finding, said_of
from retention.refresh import Refresh
from retention.stats import by_group
from retention.stats import kaplan_meier as estimator
from retention.survival import groups

AXES = {"x": "duration_days", "n": "at_risk", "steps": True, "x_label": "Days since the start"}


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
        *("customer_id", "duration_days", "event_observed"),
        (pl.col("entry_day") - pl.col("start_day")).alias("entry_days"),
        pl.from_epoch("start_day", time_unit="d").alias("started"),
        *("cause", "plan"),
    )
    first = first.with_columns(_period(first["started"]))
    if customers is not None:
        later = {*schema.TABLES["customers_at"].columns, "plan"} - {"customer_id"}
        attributes = customers.drop(later & set(customers.columns))
        first = first.join(attributes, on="customer_id", how="left", validate="1:1")
    return first.sort("customer_id")


def _period(started: pl.Series) -> pl.Series:
    """The month, quarter or year of each start, the finest that makes at most 6 groups."""
    year = started.dt.strftime("%Y")
    quarter = year + "-Q" + started.dt.quarter().cast(pl.String)
    periods = [started.dt.strftime("%Y-%m"), quarter, year]
    return next((period for period in periods if period.n_unique() <= 6), year).alias("started")


def who_is_counted(
    r: Refresh, observed: pl.DataFrame, divided: list[groups.Division]
) -> tuple[Finding, str]:
    """How many customers can be judged, how many cannot, and what groups they make."""
    left, late = observed["event_observed"].sum(), (observed["entry_days"] > 0).sum()
    further = {"left": left, "active": observed.height - left}
    further["out"] = r.tables.spells["customer_id"].n_unique() - observed.height
    sentence = (
        "{value} customers with a known start are followed from it: {left} have left, {active} are "
        "still active. Left out: {out}, too new or with an unknown start."
    )
    seen = f"{late:,} of them started before the data: they are observed, and at risk, from then."
    counted = Finding("first_spells", sentence, observed.height, "customers", further=further)
    return counted, f"{seen if late else 'All are observed from their start.'} {divided[1].said}"


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
        Refused: there are no customers.

    Source: see stats/kaplan_meier.py. Checked on Freireich's and Walton's data and by hand in
    tests/survival/test_survival.py.
    """
    if observed.is_empty():
        raise Refused("kaplan_meier needs at least one customer")
    how = {"confidence": confidence, "least": least}
    return by_group.each(observed, by, lambda one: estimator.curve(*by_group.lives(one), **how))


def median_days(curve: pl.DataFrame) -> int | None:
    """The first day at whose end at most half of one curve's customers are still active.

    None where the curve ends before; checked on Freireich's and Walton's data.
    """
    return curve.filter(pl.col("survival") <= 0.5)["duration_days"].min()


def curves(r: Refresh, divided: list[groups.Division]) -> pl.DataFrame:
    """The curves of everybody together and of the groups of each division: the table
    "survival_curves", as it is published."""
    found = groups.each(divided, kaplan_meier, r.confidence, r.min_cell)
    return r.keep("survival_curves", found)


def stay(r: Refresh, curves: pl.DataFrame, by: str, days: list[int]) -> Exhibit:
    """The share still active since the start, a curve for each group of ``by``, read at ``days``
    behind it."""
    overall, after = curves.filter(by="all"), r.book.churn.after_days
    left = f"out of contract for {after} days, counted from the end of the contract"
    if r.book.churn.kind == "activity":
        left = f"{after} days of silence, counted from the last active day"
    return Exhibit(
        curves.filter(by=by),
        headline(overall),
        draw=partial(charts.curves, y="survival", **AXES),
        behind=lambda table: by_group.read(table, days).drop("by"),
        definition="Share of customers still active, by days since their start (Kaplan-Meier). "
        f"Left means: {left}. Bands: {r.confidence:.0%} limits (log-log). Drawn where at least "
        f"{r.min_cell} are at risk; a curve that begins later than day 0 is the share of those "
        "still active then.",
        findings=said_of(
            by_group.read(overall, days).drop_nulls("survival").tail(1),
            "survival_{duration_days}_days",
            "{value} of customers with a known start stay longer than {duration_days} days ({ci}).",
            "survival",
        ),
        empty="No group has enough customers for a curve.",
    )


def headline(curve: pl.DataFrame) -> str:
    """What one curve says about the median, in a sentence."""
    if curve.is_empty():
        return "Too few customers for a curve"
    median = median_days(curve)
    if median is None:
        return f"More than half are still active after {curve['duration_days'].max():,} days"
    begin, n = curve.select("duration_days", "at_risk").row(0)
    whom = f"Of those still active after day {begin:,}, half" if begin else ""
    return f"{whom or f'Half of {n:,} customers with a known start'} have left by day {median:,}"
