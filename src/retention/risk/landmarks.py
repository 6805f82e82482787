"""Landmarks: past days on which we pretend to stand, knowing only what was known then.

What came of it is known today: who was in the risk set, and who of them left within the horizon.
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from retention.book import Churn
from retention.errors import Failed
from retention.exhibit import Finding
from retention.refresh import Refresh
from retention.stats import by_group, cox, risk_sets
from retention.tables import task, workspace

LEAST_AT_RISK = 20  # spells still at risk, or the risk at an age is not known
OUTCOMES = ("landmark_day", "customer_id", "left", "left_in_days", "end_known")
LEARNT = {"people": "customer_id", "n": "landmark_day"}
END_KNOWN = pl.col("ended_days_ago").is_not_null() | pl.col("booked_end_in_days").is_not_null()


class Past(NamedTuple):
    """What happened: customers_at or a sample of it, the tables activity and terms."""

    customers: pl.DataFrame
    activity: pl.LazyFrame
    terms: pl.LazyFrame


class History(NamedTuple):
    """What is learnt from, and whom it is for.

    ``rows`` of customers at landmarks (see `rows`); ``current`` customers, with the same features;
    ``horizon_days`` ahead are looked.
    """

    rows: pl.DataFrame
    current: pl.DataFrame
    horizon_days: int


def history(
    r: Refresh, horizon_days: int, step_days: int, most_customers: int, seed: int
) -> History:
    """What was known at landmarks ``step_days`` apart of at most ``most_customers``, and who of
    them left within ``horizon_days``; and what is known of current customers today."""
    churn, spells, customers = r.book.churn, r.tables.spells, r.tables.customers_at
    activity, terms = (workspace.scan_table(r.space, name) for name in ("activity", "terms"))
    past = Past(sampled(customers, most_customers, seed), activity, terms)
    chosen = days(spells, r.day, horizon_days + churn.after_days, step_days)
    return History(
        rows(past, spells, churn, chosen, horizon_days),
        at_their_age(customers.filter("in_risk_set"), spells, churn, horizon_days),
        horizon_days,
    )


def who_is_counted(r: Refresh, history: History) -> Finding:
    """How many customers may still leave, and from how many of what past the model learns."""
    rows, learns = history.rows, ""
    if rows.height:
        learns = " The model learns from {people} customers at {n} test dates, {rows} times in all."
    further = {name: rows[of].n_unique() for name, of in LEARNT.items()} | {"rows": rows.height}
    sentence = f"{{value}} customers may still leave on {r.snapshot_date}.{learns}"
    return Finding("at_risk", sentence, history.current.height, "customers", further=further)


def days(spells: pl.DataFrame, snapshot_day: int, known_after: int, step_days: int) -> list[int]:
    """Days to learn from, the newest first: every ``step_days`` back from ``known_after`` days
    before the snapshot, of which the outcome is known, as long as somebody was seen by then."""
    return list(range(snapshot_day - known_after, spells["entry_day"].min(), -step_days))


def sampled(customers: pl.DataFrame, most: int, seed: int) -> pl.DataFrame:
    """At most ``most`` of the customers, all of them where there are no more; the draw is seeded
    and does not depend on the order of rows."""
    ordered = customers.sort("customer_id")
    return ordered.sample(min(most, ordered.height), seed=seed).sort("customer_id")


def rows(
    past: Past, spells: pl.DataFrame, churn: Churn, days: list[int], horizon_days: int
) -> pl.DataFrame:
    """What was known on each of ``days`` of the customers then in the risk set, and who left.

    Takes   what happened; the table spells as of the snapshot, which knows how it went on
    Returns one row per landmark and customer, sorted: landmark_day, customer_id, left (last active
            day at most ``horizon_days`` later), left_in_days (1 = on the landmark or before it;
            ``horizon_days`` + 1 for who stays), the features of customers_at as of that day,
            attributes and plan, age_risk (see `at_their_age`), end_known (out of contract, or an
            end booked). In a contract book those are left out who were beyond the data then. No
            rows where there are no ``days``

    Raises:
        Failed: a spell of a landmark is none of ``spells``: they were not made from what happened.

    Checked in tests/test_landmarks.py against refreshes at the landmarks themselves.
    """
    chosen = past.customers.lazy().select("customer_id")
    acts = past.activity.join(_first(past.activity, churn, chosen), on="customer_id", how="semi")
    terms = past.terms.join(chosen, on="customer_id", how="semi")
    own = Past(past.customers, acts.collect().lazy(), terms.collect().lazy())
    ends = spells.select("customer_id", "start_day", ends_on="end_day", found=pl.lit(True))
    frames = []
    for day in sorted(days) or [spells["entry_day"].min() - 1]:  # then nobody is in the risk set
        then = _known(own, churn, day, horizon_days)
        there = then.join(ends, on=["customer_id", "start_day"], how="left", validate="1:1")
        if lost := there["found"].null_count():
            raise Failed(f"{lost} customers at a landmark have no such spell in the table spells")
        in_days = (pl.col("ends_on") - day).clip(0) + 1
        left = (pl.col("ends_on") <= day + horizon_days).fill_null(False)
        there = there.with_columns(
            landmark_day=pl.lit(day, pl.Int64),
            left=left,
            left_in_days=pl.when(left).then(in_days).otherwise(horizon_days + 1),
            end_known=END_KNOWN,
        )
        frames.append(there.select(*OUTCOMES, pl.exclude(*OUTCOMES, "ends_on", "found")))
    return pl.concat(frames).sort("landmark_day", "customer_id")


def _first(activity: pl.LazyFrame, churn: Churn, chosen: pl.LazyFrame) -> pl.LazyFrame:
    """``chosen``, and one customer of the first data day: it is the first day of all the data, not
    of a sample, that says whose start is not known."""
    counting = pl.col("kind").is_in(churn.activity) if churn.activity else pl.lit(True)
    days = activity.filter(counting)
    first = days.filter(pl.col("day") == pl.col("day").min()).select(pl.col("customer_id").min())
    return pl.concat([chosen, first])


def at_their_age(
    customers: pl.DataFrame, spells: pl.DataFrame, churn: Churn, horizon_days: int
) -> pl.DataFrame:
    """``customers`` with age_risk: of all who were with us as long, the share that left within the
    horizon, by what the ``spells`` of that day had shown; null beyond the data.

    Takes   customers_at and spells as of one day. In an activity book age_risk is null for all: how
            long a spell has lasted is not known there while it may have ended silently

    Source: Nelson (1972), Technometrics 14:945; 1 - S(t + h) / S(t) by `cox.conditional_risk`.
    """
    if churn.kind == "activity":
        return customers.with_columns(age_risk=pl.lit(None, pl.Float64))
    seen = spells.filter(pl.col("excluded").is_null())
    late = pl.col("entry_day") - pl.col("start_day")
    durations, events, entry = by_group.lives(seen.with_columns(entry_days=late))
    times = np.unique(durations[events])
    at_risk, ends = risk_sets.at(times, durations, events, entry)
    days = np.unique(durations)
    enough = days[risk_sets.at(days, durations, events, entry)[0] >= LEAST_AT_RISK]
    base = cox.Baseline(times, np.cumsum(ends / at_risk), float(enough.max(initial=0)))
    tenure = customers["tenure_days"].to_numpy()
    risk = cox.conditional_risk(base, np.ones(len(tenure)), tenure, horizon_days)
    return customers.with_columns(age_risk=pl.Series(risk).fill_nan(None))


def _known(past: Past, churn: Churn, day: int, horizon_days: int) -> pl.DataFrame:
    """The risk set on ``day``, as known then."""
    at, stretches = task.as_of(*past, churn, day)
    there = at_their_age(at.filter("in_risk_set"), stretches, churn, horizon_days)
    return there if churn.kind == "activity" else there.drop_nulls("age_risk")
