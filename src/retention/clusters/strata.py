"""Strata: every current customer in exactly one, by how often and how much they buy.

Where behaviour is a continuum the lines are ours: neighbours across a line are alike. What is slow
to change divides: how often and how much in a year. How long a customer has been silent is a state,
not a trait, and is shown beside.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.stats import gamma
from sklearn.metrics import adjusted_rand_score

from retention.errors import Refused
from retention.stats import gamma_gamma, nbd, partition

LOOK_BACK = 365  # days
FAR = 3.5  # standard deviations beyond which a customer counts as no farther
SIZES = (6, 5, 4, 3)  # strata: the most that stand
LEAST_JACCARD, LEAST_AGREEMENT = 0.75, 0.70
EARLIER = 30  # days before, whose lines are drawn over today's customers
DRAWS = 20  # of what a customer may be like, given what was seen
COUNTED = ("active_days_365d", "amount_cents_365d")  # axes, where a year is known
EXPECTED = ("expected_days_365d", "expected_cents_365d")  # of the year to come, where it is not


class Lines(NamedTuple):
    """The definition of strata: on which axes (as logarithms), what is taken off and divided by,
    and the centre of each stratum; a customer is in the one whose centre is nearest."""

    axes: tuple[str, ...]
    middle: np.ndarray
    spread: np.ndarray
    centres: np.ndarray


class Choice(NamedTuple):
    """Lines, and how they fared: adjusted Rand and the worst Jaccard in samples of customers, and
    the agreement with the lines of 30 days before."""

    lines: Lines
    rand: float
    jaccard: float
    agreement: float


class Past(NamedTuple):
    """Where strata are measured: the activity that counts, its first day (none: null), and whether
    that is too near the snapshot for a year to be counted."""

    activity: pl.LazyFrame
    first: int | None
    young: bool


def past(activity: pl.LazyFrame, kinds: list[str], day: int) -> Past:
    """What happened up to the snapshot ``day``."""
    own = activity.filter(pl.col("kind").is_in(kinds)) if kinds else activity
    first = own.select(pl.col("day").min()).collect().item()
    return Past(own, first, first is not None and first > day - LOOK_BACK + 1)


def measured(past: Past, customers: pl.DataFrame, day: int) -> pl.DataFrame:
    """``customers`` on the axes of strata, as of ``day``: customer_id, and each axis in its unit.

    Takes   customers_at as of ``day``: customer_id, tenure_days, price_cents
    Returns active days and amount of the last 365 days; where the data are younger, those to be
            expected of a year. Without amounts active days and tenure; without activity price and
            tenure; with neither no axis, so that all are in one stratum
    """
    on, cents = pl.col("day"), pl.col("amount_cents")
    own, recent = past.activity.filter(on <= day), on > day - LOOK_BACK
    days = own.group_by("customer_id", "day").agg(cents.sum()).group_by("customer_id")
    of = days.agg(
        days=recent.sum().cast(pl.Int64),
        priced=(recent & (cents > 0)).sum().cast(pl.Int64),
        cents=cents.filter(recent).sum(),
    )
    known = customers.join(of.collect(), on="customer_id", how="left", maintain_order="left")
    known = known.with_columns(pl.col("days", "priced", "cents").fill_null(0))
    if not known["days"].sum():
        priced = [] if known["price_cents"].null_count() else ["price_cents", "tenure_days"]
        return known.select("customer_id", *priced)
    if past.young:
        axes = dict(zip(EXPECTED, _expected(known, day - past.first), strict=True))
    else:
        axes = dict(zip(COUNTED, (known["days"], known["cents"]), strict=True))
    if not known["cents"].sum():
        axes = {next(iter(axes)): next(iter(axes.values())), "tenure_days": known["tenure_days"]}
    return known.select("customer_id", **axes)


def _expected(known: pl.DataFrame, span: int) -> tuple[pl.Series, pl.Series]:
    """Active days and amount to be expected of a year, from ``span`` days of data: the
    gamma-Poisson posterior of the rate, and the mean amount shrunk to that of all.

    The first active day counts half: it makes somebody a customer, and still says something
    (DECISIONS: strata).
    """
    days, priced, cents = (known[name].to_numpy() for name in ("days", "priced", "cents"))
    r, alpha = nbd.fit(np.maximum(days - 1, 0), np.full(len(days), float(span)))
    rate = LOOK_BACK * (r + np.maximum(days - 0.5, 0)) / (alpha + span)
    paid, mean = priced > 0, cents / np.maximum(priced, 1)
    try:
        spend = gamma_gamma.fit(priced[paid], mean[paid])
        each = gamma_gamma.expected_mean(spend, priced, mean)
    except Refused:
        each = np.full(len(mean), np.nan)
    usual = cents.sum() / max(priced.sum(), 1)
    return pl.Series(rate), pl.Series(rate * np.where(np.isfinite(each), each, usual))


def points(measured: pl.DataFrame, lines: Lines | None = None) -> np.ndarray:
    """Logarithms of the axes in standard deviations from the mean, of ``lines`` or else their own,
    clipped at 3.5."""
    logs = np.log1p(measured.drop("customer_id").cast(pl.Float64).to_numpy())
    middle, spread = (lines.middle, lines.spread) if lines else _scale(logs)
    return ((logs - middle) / spread).clip(-FAR, FAR)


def drawn(measured: pl.DataFrame, k: int) -> Lines:
    """The lines that divide these customers into ``k`` strata."""
    logs = np.log1p(measured.drop("customer_id").cast(pl.Float64).to_numpy())
    middle, spread = _scale(logs)
    centres = partition.centres(((logs - middle) / spread).clip(-FAR, FAR), k)
    return Lines(tuple(measured.columns[1:]), middle, spread, centres)


def placed(measured: pl.DataFrame, lines: Lines) -> np.ndarray:
    """The number of the stratum of each customer, by ``lines``."""
    if not lines.axes:
        return np.zeros(measured.height, int)
    return partition.nearest(points(measured, lines), lines.centres)


def chosen(now: pl.DataFrame, before: pl.DataFrame) -> Choice:
    """The lines of most strata, 3 to 6, that would be found again.

    Takes   customers on the axes (see `measured`), today and 30 days before
    Returns those of the largest k whose worst Jaccard index in samples reaches .75 and whose
            agreement with the lines of 30 days before, drawn over today's customers, reaches .70;
            where none does, the k whose worse figure is best

    Source: reference figures in DECISIONS (strata). Checked on planted continua in
    tests/clusters/test_strata.py.
    """
    if now.width == 1:
        return Choice(Lines((), np.empty(0), np.empty(0), np.zeros((1, 0))), 1.0, 1.0, 1.0)
    tried = []
    for k in SIZES:
        lines = drawn(now, k)
        rand, jaccard = partition.found_again(points(now), k)
        same_axes = before.columns == now.columns and before.height >= k
        agreement = agree(now, drawn(before, k), lines) if same_axes else float("nan")
        choice = Choice(lines, rand, jaccard, agreement)
        tried.append(choice)
        if jaccard >= LEAST_JACCARD and not agreement < LEAST_AGREEMENT:
            return choice
    return max(tried, key=lambda one: min(one.jaccard, one.agreement))


def agree(measured: pl.DataFrame, ours: Lines, theirs: Lines) -> float:
    """How far two definitions divide the same customers alike: the adjusted Rand index."""
    return float(adjusted_rand_score(placed(measured, ours), placed(measured, theirs)))


def _scale(logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    spread = logs.std(axis=0)
    return logs.mean(axis=0), np.where(spread > 0, spread, 1.0)


def confidence(past: Past, measured: pl.DataFrame, lines: Lines, day: int) -> np.ndarray:
    """How sure it is that a customer is in their stratum: the share of draws from what their rate
    may be, given what was seen, that fall into it. NaN where nothing was counted.

    Amounts go with the rate. The same draws serve all customers, so that order does not matter.
    """
    if lines.axes[:1] not in ((COUNTED[0],), (EXPECTED[0],)):
        return np.full(measured.height, np.nan)
    span = min(day - past.first, LOOK_BACK) or 1
    now = placed(measured, lines)
    days = measured[lines.axes[0]].to_numpy() * (span / LOOK_BACK if past.young else 1)
    share, same = (np.arange(DRAWS) + 0.5) / DRAWS, np.zeros(measured.height)
    for part in share:
        ratio = gamma.ppf(part, days + 0.5) / np.maximum(days, 0.5)
        moved = measured.with_columns(
            pl.col(name) * pl.Series(ratio) for name in lines.axes if name != "tenure_days"
        )
        same += placed(moved, lines) == now
    return same / DRAWS


def kept(choice: Choice, before: Lines | None) -> bool:
    """Whether the lines ``before`` stay: on the same axes, as long as lines drawn today agree with
    those that would have been drawn 30 days ago."""
    same = before is not None and before.axes == choice.lines.axes
    return same and not choice.agreement < LEAST_AGREEMENT
