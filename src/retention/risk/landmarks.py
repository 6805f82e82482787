"""Test dates: past days on which we pretend to stand, knowing only what was known then.

What came of it is known today: who was current, and who of them was quiet for the next
``horizon_days`` (activity) or ended the contract within them (contract).
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from retention.book import Churn
from retention.errors import Failed, Refused
from retention.exhibit import Finding
from retention.refresh import Refresh
from retention.stats import bg_nbd, by_group, cox, risk_sets
from retention.tables import task, workspace

LEAST_AT_RISK = 20  # spells still at risk, or the risk at an age is not known
OUTCOMES = ("landmark_day", "customer_id", "left")
LEARN_FROM = 3  # test dates, the newest ones with known outcomes
CURRENT = pl.col("standing") == "current"
LEARNED = {"people": "customer_id", "n": "landmark_day"}
QUIET = "quiet_chance"  # the signal by BG/NBD


class Past(NamedTuple):
    """What happened: customers_at or a sample of it, the tables activity and terms."""

    customers: pl.DataFrame
    activity: pl.LazyFrame
    terms: pl.LazyFrame


class History(NamedTuple):
    """What is learned from, and whom it is for.

    ``rows`` of customers at test dates (see `rows`); ``current`` customers with the same features;
    ``horizon_days`` ahead are looked; an outcome is known ``known_after`` days later. Test dates
    are ``step_days`` apart; from the day ``ripe`` on a silence may have lasted as long as today.
    """

    rows: pl.DataFrame
    current: pl.DataFrame
    horizon_days: int
    known_after: int
    step_days: int
    ripe: int


def history(r: Refresh, step_days: int, tested: int, most_customers: int, seed: int) -> History:
    """What was known at test dates ``step_days`` apart of at most ``most_customers``, and what came
    of them within the book's horizon; and what is known of current customers today.

    Takes   ``tested``: at how many test dates the risk is to be judged
    """
    churn, horizon = r.book.churn, r.book.horizon_days
    spells, customers = r.tables.spells, r.tables.customers_at
    activity, terms = (workspace.scan_table(r.space, name) for name in ("activity", "terms"))
    past = Past(sampled(customers, most_customers, seed), activity, terms)
    known_after, first = days_until_known(churn, horizon), spells["entry_day"].min()
    chosen = days(r.day - known_after, first + 1, step_days, known_after, tested)
    made = rows(past, spells, churn, chosen, horizon)
    current = with_signals(customers.filter(CURRENT), past, spells, churn, r.day, horizon)
    return History(made, current, horizon, known_after, step_days, first + churn.after_days)


def days_until_known(churn: Churn, horizon_days: int) -> int:
    """Days after a test date on which its outcome is known: a renewal in grace is no end."""
    return horizon_days + (churn.after_days if churn.kind == "contract" else 0)


def days(last: int, first: int, step_days: int, known_after: int, tested: int) -> list[int]:
    """Test dates, the newest first: every ``step_days`` back from ``last``, the newest day with a
    known outcome, to ``first``; as many as ``tested`` dates and what they learn from need."""
    most = tested + LEARN_FROM + -(-known_after // step_days)
    return list(range(last, first - 1, -step_days))[:most]


def newest(rows: pl.DataFrame, last: int) -> pl.DataFrame:
    """The rows of the newest test dates up to the day ``last``: what is learned from."""
    days = rows["landmark_day"].unique().sort()
    learned = days.filter(days <= last).tail(LEARN_FROM)
    return rows.filter(pl.col("landmark_day").is_in(learned.implode()))


def sampled(customers: pl.DataFrame, most: int, seed: int) -> pl.DataFrame:
    """At most ``most`` of the customers, all of them where there are no more; the draw is seeded
    and does not depend on the order of rows."""
    ordered = customers.sort("customer_id")
    return ordered.sample(min(most, ordered.height), seed=seed).sort("customer_id")


def rows(
    past: Past, spells: pl.DataFrame, churn: Churn, days: list[int], horizon_days: int
) -> pl.DataFrame:
    """What was known on each of ``days`` of the customers then current, and what came of them.

    Takes   what happened; the table spells as of the snapshot, which knows how it went on
    Returns one row per test date and customer, sorted: landmark_day, customer_id, left (activity:
            no active day in the next ``horizon_days``; contract: the spell's last end lies in
            them), the features of customers_at as of that day, attributes and plan, and the signals
            of `with_signals`. No rows where there are no ``days``

    Raises:
        Failed: a spell of a test date is none of ``spells``: they were not made from what happened.

    Checked in tests/risk/test_landmarks.py against refreshes at the test dates themselves.
    """
    chosen = past.customers.lazy().select("customer_id")
    acts = past.activity.join(_first(past.activity, churn, chosen), on="customer_id", how="semi")
    terms = past.terms.join(chosen, on="customer_id", how="semi")
    own = Past(past.customers, acts.collect().lazy(), terms.collect().lazy())
    frames = []
    for day in sorted(days) or [spells["entry_day"].min() - 1]:  # then nobody is current
        at, stretches = task.as_of(*own, churn, day)
        there = with_signals(at.filter(CURRENT), own, stretches, churn, day, horizon_days)
        if churn.kind == "contract":
            left = _ended(there, spells, day + horizon_days)
        else:
            active = _active(own.activity, churn).filter(
                pl.col("day").is_between(day + 1, day + horizon_days)
            )
            left = ~there["customer_id"].is_in(active.collect()["customer_id"].implode())
        there = there.with_columns(landmark_day=pl.lit(day, pl.Int64), left=left)
        frames.append(there.select(*OUTCOMES, pl.exclude(OUTCOMES)))
    return pl.concat(frames).sort("landmark_day", "customer_id")


def _ended(there: pl.DataFrame, spells: pl.DataFrame, until: int) -> pl.Series:
    """Whose spell has its last end by the day ``until``; a planned end is none."""
    own_end = pl.when(~pl.col("finished")).then("end_day")
    ends = spells.select("customer_id", "start_day", ends_on=own_end, found=pl.lit(True))
    how = {"how": "left", "validate": "1:1", "maintain_order": "left"}
    known = there.join(ends, on=["customer_id", "start_day"], **how)
    if lost := known["found"].null_count():
        raise Failed(f"{lost} customers at a test date have no such spell in the table spells")
    return (known["ends_on"] <= until).fill_null(False)


def _active(activity: pl.LazyFrame, churn: Churn) -> pl.LazyFrame:
    """The days that count as activity."""
    return activity.filter(pl.col("kind").is_in(churn.activity)) if churn.activity else activity


def _first(activity: pl.LazyFrame, churn: Churn, chosen: pl.LazyFrame) -> pl.LazyFrame:
    """``chosen``, and one customer of the first data day: it is the first day of all the data, not
    of a sample, that says whose start is not known."""
    counted = _active(activity, churn)
    first = counted.filter(pl.col("day") == pl.col("day").min())
    return pl.concat([chosen, first.select(pl.col("customer_id").min())])


def with_signals(  # noqa: PLR0917
    customers: pl.DataFrame,
    past: Past,
    spells: pl.DataFrame,
    churn: Churn,
    day: int,
    horizon_days: int,
) -> pl.DataFrame:
    """``customers`` with what models of all customers say of each: age_risk in a contract book,
    quiet_chance in an activity book; null where the model cannot be used.

    Takes   customers_at and ``spells`` as of ``day``, and what happened
    """
    none = pl.lit(None, pl.Float64)
    if churn.kind == "contract":
        risks = at_their_age(customers["tenure_days"].to_numpy(), spells, horizon_days)
        return customers.with_columns(quiet_chance=none, age_risk=risks)
    lives = _lives(past.activity, churn, day)
    learned = lives.join(past.customers, on="customer_id", how="semi")
    model, here = (
        _buying(learned),
        customers.select("customer_id").join(
            lives, on="customer_id", how="left", maintain_order="left"
        ),
    )
    chance = none
    if model:
        seen = [here[name].to_numpy() for name in ("frequency", "recency", "age")]
        chance = pl.Series(bg_nbd.quiet(model, *seen, horizon_days))
    return customers.with_columns(quiet_chance=chance, age_risk=none)


def at_their_age(tenure: np.ndarray, spells: pl.DataFrame, horizon_days: int) -> pl.Series:
    """Of all who were with us as long, the share that left within the horizon, by what the
    ``spells`` of that day had shown; who is older than anybody watched for a whole horizon takes
    the oldest age that was.

    Source: Nelson (1972), Technometrics 14:945; 1 - S(t + h) / S(t) by `cox.conditional_risk`.
    """
    seen = spells.filter(pl.col("excluded").is_null())
    late = pl.col("entry_day") - pl.col("start_day")
    durations, events, entry = by_group.lives(seen.with_columns(entry_days=late))
    times = np.unique(durations[events])
    at_risk, ends = risk_sets.at(times, durations, events, entry)
    ages = np.unique(durations)
    enough = ages[risk_sets.at(ages, durations, events, entry)[0] >= LEAST_AT_RISK]
    base = cox.Baseline(times, np.cumsum(ends / at_risk), float(enough.max(initial=0)))
    since = np.minimum(tenure, base.last - horizon_days)
    risk = cox.conditional_risk(base, np.ones(len(since)), since, horizon_days)
    return pl.Series(np.where(since > 0, risk, np.nan)).fill_nan(None)


def _lives(activity: pl.LazyFrame, churn: Churn, day: int) -> pl.DataFrame:
    """What BG/NBD looks at of everybody active by ``day``: customer_id, frequency, recency, age."""
    date = pl.col("day")
    return (
        _active(activity, churn)
        .filter(date <= day)
        .group_by("customer_id")
        .agg(
            frequency=date.n_unique().cast(pl.Int64) - 1,
            recency=date.max() - date.min(),
            age=day - date.min(),
        )
        .sort("customer_id")
        .collect()
    )


def _buying(lives: pl.DataFrame) -> bg_nbd.Fit | None:
    """BG/NBD of these lives; None where it cannot be fitted.

    Where nobody is found to go its chance to be quiet rests on the rates alone, and still ranks
    (DECISIONS: risk).
    """
    try:
        return bg_nbd.fit(*(lives[name].to_numpy() for name in ("frequency", "recency", "age")))
    except Refused:
        return None


def who_is_counted(r: Refresh, history: History) -> list[Finding | str]:
    """How many customers are current, who is kept apart, and from what past the model learns."""
    rows, others = newest(history.rows, r.day), pl.col("standing") != "current"
    sentence = f"{{value}} customers are current on {r.snapshot_date}."
    if rows.height:
        sentence += " The model learns from {people} customers at {n} test dates, {rows} in all."
    further = {name: rows[of].n_unique() for name, of in LEARNED.items()} | {"rows": rows.height}
    apart = r.tables.customers_at.filter(others).group_by("standing").len("n").sort("standing")
    shown = r.hide(apart.cast({"n": pl.Int64})).drop_nulls("n").iter_rows()
    said = ", ".join(f"{n:,} {standing}" for standing, n in shown)
    return [
        Finding("at_risk", sentence, history.current.height, "customers", further=further),
        *[f"Not judged: {said}."] * bool(said),
    ]
