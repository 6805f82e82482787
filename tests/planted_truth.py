"""What must come out of a simulated world: survival, causes, and the risk of every customer.

These are oracles: they know what was planted (retention.tables.simulate), never an estimate.
"""

from collections.abc import Collection, Sequence
from datetime import date
from functools import lru_cache

import numpy as np
import polars as pl
from planted import _day, activity_of
from scipy.stats import qmc
from sklearn.metrics import roc_auc_score

from retention.tables import calendar
from retention_demo import behaviours, simulate

KNOWN = frozenset({"bookings", "grace", "usage"})
GRACE_DAYS = 30  # after_days of the book "simulated"
FADING = behaviours.DECLINE["days"]
WEEKS = FADING // 7  # weeks of usage that the oracle looks back on
BEFORE, LEAST_BEFORE = 12, 4  # weeks before them that show a pace; with fewer, usage tells nothing
DRAWS = 128  # habits drawn for each customer, to weigh what was seen
NEVER = 10**6
SURE = {"booked": "bookings", "in_grace": "grace"}  # states whose end is known, and from what


def survival_of(people: pl.DataFrame, days: Sequence[int]) -> np.ndarray:
    """The planted P(duration_days > day) of each of ``people``: (customers, days).

    ended = started + floor(T) and duration_days = floor(T) + 1, so that this is P(T >= day).
    """
    base = np.array([_cumulative(np.asarray(days), cause) for cause in simulate.CAUSES])
    return np.exp(-_ratios(people) @ base)


def incidence_of(people: pl.DataFrame, cause: str, days: Sequence[int]) -> np.ndarray:
    """The planted P(duration_days <= day, ``cause``) of each of ``people``: (customers, days)."""
    ends, _ = _ends(_ratios(people), np.zeros(people.height), max(days))
    return ends[simulate.CAUSES.index(cause)].cumsum(axis=1)[:, np.asarray(days) - 1]


def expected_survival(people: pl.DataFrame, days: Sequence[int]) -> np.ndarray:
    """The share of these very ``people`` that is expected to stay longer than each of ``days``."""
    return survival_of(people, days).mean(axis=0)


def expected_incidence(people: pl.DataFrame, cause: str, days: Sequence[int]) -> np.ndarray:
    """The share of these very ``people`` expected to have left by ``cause`` by each of ``days``."""
    return incidence_of(people, cause, days).mean(axis=0)


def risk_world(customers: int, seed: int) -> dict:
    """A simulated world as the tables that a model of risk takes, as known on LAST_DAY.

    Returns activity (the table); customers: customer_id, started_day, onboarding,
            payment_method, trial_sessions, region; terms: customer_id, started_day, ended_day,
            booked_day, cause, plan, amount_cents; snapshot_day
    """
    world = _world(customers, seed)
    attributes = ("onboarding", "payment_method", "trial_sessions", "region")
    days = [_day(name) for name in ("started", "ended", "booked")]
    cents = (pl.col("amount") * 100).round().cast(pl.Int64).alias("amount_cents")
    return {
        "activity": world["activity"],
        "customers": world["people"].select("customer_id", days[0], *attributes),
        "terms": world["contracts"].select("customer_id", *days, "cause", "plan", cents),
        "snapshot_day": calendar.day_of(simulate.LAST_DAY),
    }


def planted_risk(
    customers: int,
    seed: int,
    day: date = simulate.LAST_DAY,
    horizon: int = 90,
    known: Collection[str] = KNOWN,
) -> pl.DataFrame:
    """The chance that the last day of the present spell is at most ``horizon`` after ``day``.

    Given what could be seen on ``day``: plan, onboarding, payment method, trial sessions, tenure,
    and, where ``known``: ends booked by then ("bookings"), contracts that have ended ("grace"), how
    far the events of the last WEEKS whole weeks fell short of the BEFORE ones' pace ("usage").

    Returns one row per customer in the risk set, in order: customer_id, state (booked, in_grace,
            renewing: between two terms, neither), risk, left (what happened)

    Source: Bayes' rule over every day on which the spell can end, and why; the weight of usage is
    the share of DRAWS from the customer's habits that show as many events. An end that was to be
    booked 0 to NOTICE_DAYS before, and is not, is less likely. The oracle knows, beyond what
    readers see, the customer's share of weekends, and who has an annual contract.
    Checked on what happened, in tests/test_planted_risk.py.
    """
    at = _seen(customers, seed, day)
    usage = _usage(customers, seed, day) if "usage" in known else None
    sure = [state for state, part in SURE.items() if part in known]
    chances, beyond = _chances(at, usage, max(horizon, FADING), known)
    within = chances[:, :horizon].sum(axis=1)
    risk = within / (chances.sum(axis=1) + beyond)
    certain = (pl.col("ended_in") <= horizon).cast(pl.Float64)
    return at.select(
        "customer_id",
        "state",
        risk=pl.when(pl.col("state").is_in(sure)).then(certain).otherwise(pl.Series(risk)),
        left=pl.col("left_in") <= horizon,
    )


def held_against_truth(predicted: pl.DataFrame, planted: pl.DataFrame) -> dict:
    """How near a model comes to the planted risk.

    Takes   predicted: customer_id, risk; planted: as planted_risk, with the same customers
    Returns tenths: one row per tenth of the predicted risk: tenth (1 to 10), n, predicted,
            planted, left (means), difference (predicted - planted); auc and planted_auc: of both
            risks against what happened
    """
    both = planted.join(
        predicted.select("customer_id", predicted="risk"), on="customer_id", validate="1:1"
    )
    if both.height < max(planted.height, predicted.height) or both["predicted"].has_nulls():
        raise ValueError("both must give every customer in the risk set a risk")
    order = pl.col("predicted").rank("ordinal") - 1
    tenths = (
        both.sort("predicted", "customer_id")
        .with_columns(tenth=order * 10 // pl.len() + 1)
        .group_by("tenth")
        .agg(
            pl.len().alias("n"),
            pl.col("predicted").mean(),
            pl.col("risk").mean().alias("planted"),
            pl.col("left").mean(),
        )
        .sort("tenth")
        .with_columns(difference=pl.col("predicted") - pl.col("planted"))
    )
    return {
        "tenths": tenths,
        "auc": roc_auc_score(both["left"], both["predicted"]),
        "planted_auc": roc_auc_score(both["left"], both["risk"]),
    }


@lru_cache(maxsize=2)
def _world(customers: int, seed: int) -> dict[str, pl.DataFrame]:
    """What readers see of a world, and the truth behind it."""
    people = simulate.people(customers, seed)
    world = simulate.world(customers, seed)
    return {
        "people": people,
        "lives": simulate.lives(people, seed),
        "habits": behaviours.phases(people, seed, "separate"),
        "contracts": world["contracts"],
        "activity": activity_of(world["events"]).sort("customer_id", "day", "kind"),
    }


@lru_cache(maxsize=8)
def _seen(customers: int, seed: int, day: date) -> pl.DataFrame:
    """The risk set on ``day``, in order of customer_id: what is seen of each, and what happened.

    Days are counted from ``day``: ended_in (a known end, 0 or less when past), left_in, renewal_in
    (the next term of an annual contract; NEVER where none is written), sunday_in (the last one).
    ``seen`` counts the events of the last ``weeks`` whole weeks with the present term and habits,
    ``earlier`` those of the ``before`` whole weeks before them.
    """
    world, today = _world(customers, seed), calendar.day_of(day)
    known = [pl.when(pl.col("booked") <= day).then(name).alias(name) for name in ("ended", "cause")]
    term = _latest(world["contracts"], "started", day).with_columns(known)
    year = simulate.ANNUAL["term_days"]
    renewal = pl.when("is_annual").then(year - pl.col("age") % year).otherwise(NEVER)
    first = pl.max_horizontal(_day_of("term"), _day_of("from_date"))
    sunday, monday = today - (today + 4) % 7, first + (7 - (first + 3) % 7) % 7
    at = (
        _latest(world["lives"], "started", day)
        .select("customer_id", life="started", left_in=_day_of("ended") - today)
        .join(world["people"].drop("started"), on="customer_id")
        .join(term.select("customer_id", "ended", "cause", term="started"), on="customer_id")
        .join(_latest(world["habits"], "from_date", day).drop("group"), on="customer_id")
        .with_columns(age=today - _day_of("life"), ended_in=_day_of("ended") - today)
        .filter(pl.col("ended_in").is_null() | (pl.col("ended_in") > -GRACE_DAYS))
        .with_columns(
            state=_STATE,
            renewal_in=pl.when(today + renewal <= calendar.day_of(simulate.LAST_DAY))
            .then(renewal)
            .otherwise(NEVER),
            sunday_in=pl.lit(sunday - today),
            whole=((sunday + 1 - monday) // 7).clip(0, WEEKS + BEFORE),
        )
        .with_columns(weeks=pl.col("whole").clip(0, WEEKS))
        .with_columns(before=pl.col("whole") - pl.col("weeks"))
    )
    ago = (sunday - pl.col("day")) // 7
    events, weeks = pl.col("events"), pl.col("weeks")
    seen = (
        world["activity"]
        .join(at.select("customer_id", "whole", "weeks"), on="customer_id")
        .filter(ago >= 0, ago < pl.col("whole"))
        .group_by("customer_id")
        .agg(seen=events.filter(ago < weeks).sum(), earlier=events.filter(ago >= weeks).sum())
    )
    return (
        at.join(seen, on="customer_id", how="left")
        .with_columns(pl.col("seen", "earlier").fill_null(0))
        .sort("customer_id")
    )


_STATE = (
    pl.when(pl.col("ended_in").is_null())
    .then(pl.lit("neither"))
    .when(pl.col("ended_in") > 0)
    .then(pl.lit("booked"))
    .when(pl.col("cause") == "renewed")
    .then(pl.lit("renewing"))
    .otherwise(pl.lit("in_grace"))
)


def _latest(frame: pl.DataFrame, start: str, day: date) -> pl.DataFrame:
    """Of each customer the row that began last, up to ``day``."""
    begun = frame.filter(pl.col(start) <= day).sort("customer_id", start)
    return begun.unique("customer_id", keep="last", maintain_order=True)


def _day_of(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Int32).cast(pl.Int64)


def _chances(
    at: pl.DataFrame, usage: np.ndarray | None, days: int, known: Collection[str]
) -> tuple[np.ndarray, np.ndarray]:
    """How likely it is, but for a factor, that the end comes 1 to ``days`` later, and after that.

    An annual contract cannot end between two terms; what lies beyond its next term shows neither
    in bookings nor in usage, as both are those of the last term.
    """
    voluntary, failure = 0, 1
    after = np.arange(1, days + 1)
    chances, beyond = _ends(_ratios(at), at["age"].to_numpy() + 1, days)
    in_term = after < at["renewal_in"].to_numpy()[:, None]
    if "grace" in known:
        chances[:, (at["state"] == "renewing").to_numpy()[:, None] & in_term] = 0
    if "bookings" in known:
        unbooked = np.minimum(after / (simulate.NOTICE_DAYS + 1), 1)
        chances[voluntary] *= np.where(in_term, unbooked, 1)
    if usage is not None:
        steady, fading = usage[:, 0], usage[:, 1:]
        share = behaviours.DECLINE["share"]
        shown = np.where(in_term[:, : FADING - 1], fading, steady[:, None])
        chances[voluntary, :, : FADING - 1] *= (1 - share) * steady[:, None] + share * shown
        chances[voluntary, :, FADING - 1 :] *= steady[:, None]
        chances[failure] *= steady[:, None]
        beyond = beyond * steady
    return chances.sum(axis=0), beyond


def _ends(ratios: np.ndarray, age: np.ndarray, days: int) -> tuple[np.ndarray, np.ndarray]:
    """P(age + k <= T < age + k + 1, cause), an array (causes, customers, days), and P(later).

    Within a day causes share the ends as their hazards, whose ratio hardly changes in a day.
    """
    times = age[:, None] + np.arange(days + 1)
    hazard = ratios.T[:, :, None] * np.array([_cumulative(times, c) for c in simulate.CAUSES])
    stays = np.exp(-hazard.sum(axis=0))
    steps = np.diff(hazard, axis=2)
    return steps / steps.sum(axis=0) * -np.diff(stays, axis=1), stays[:, -1]


def _cumulative(times: np.ndarray, cause: str) -> np.ndarray:
    """The cumulative baseline hazard."""
    baseline = simulate.BASELINES[cause]
    return (times / baseline["scale_days"]) ** baseline["shape"]


def _ratios(people: pl.DataFrame) -> np.ndarray:
    """How many times the baseline hazard each customer has: (customers, causes)."""
    return np.exp(people.select(map(simulate.log_hazard, simulate.CAUSES)).to_numpy())


@lru_cache(maxsize=8)
def _usage(customers: int, seed: int, day: date) -> np.ndarray:
    """How likely as many events as seen are: for steady usage, and fading to an end in 1, 2, ...

    Returns (customers of the risk set, FADING)
    """
    at = _seen(customers, seed, day)
    draws, rng = qmc.Sobol(4, rng=0).random(DRAWS), np.random.default_rng(0)
    earlier, before = (at[name].to_numpy()[:, None] for name in ("earlier", "before"))
    # Evenly paced, the event after the ``earlier`` comes at offset / pace of the weeks that follow.
    paces = ((earlier - draws[:, 0] + draws[:, 3]) / np.maximum(before, 1)).clip(0.05)
    weights = np.ones((at.height, FADING))
    known = np.flatnonzero(before[:, 0] >= LEAST_BEFORE)
    known = known[paces[known].max(axis=1).argsort(kind="stable")]
    for rows in np.array_split(known, at.height // 100 + 1):
        weights[rows] = _alike(at[rows], paces[rows][:, :, None], draws, rng)
    return weights


def _alike(
    at: pl.DataFrame, pace: np.ndarray, draws: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Share of draws of behaviours.events that show as many events as were seen: one column for
    steady usage, one for each day on which fading usage can end."""
    weekend_share, weeks, sunday_in, seen = (
        at[name].to_numpy()[:, None, None]
        for name in ("weekend_share", "weeks", "sunday_in", "seen")
    )
    shape = (len(pace), len(draws), int(np.ceil(WEEKS * pace.max())) + 1)
    nth = np.arange(shape[2])
    offset, weekend, stays = (draws[:, [n]] for n in range(3))
    quasi = behaviours.QUASI
    week = np.floor((nth + offset) / pace).astype(int)
    planned = week < weeks
    on_weekend = (weekend + nth * quasi[0]) % 1 < weekend_share
    within = rng.random(shape[1:])
    weekday = np.where(on_weekend, 5 + (2 * within).astype(int), (5 * within).astype(int))
    ago = 7 * (weeks - 1 - week) + 6 - weekday - sunday_in
    lost_to = np.floor(FADING * ((stays + nth * quasi[3]) % 1) - ago).clip(0).astype(int)
    cell = (np.arange(shape[0])[:, None] * shape[1] + np.arange(shape[1]))[:, :, None] * FADING
    lost = np.bincount((cell + lost_to)[planned], minlength=shape[0] * shape[1] * FADING)
    lost = lost.reshape(*shape[:2], FADING)[:, :, ::-1].cumsum(axis=2)[:, :, ::-1]
    lost[:, :, 0] = 0
    shown = planned.sum(axis=2)[:, :, None] - lost
    return (shown == seen).mean(axis=1) + 1e-9
