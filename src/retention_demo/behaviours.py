"""What simulated customers do: groups that behave alike, stragglers, and their events.

A group is a region of habits, divided from the others by valleys that only few stragglers cross.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import polars as pl

FIRST_DAY = date(2023, 7, 1)  # the first day on which a customer may start
SNAPSHOTS = (date(2024, 12, 31), date(2025, 3, 31), date(2025, 6, 30))  # quarter ends
LAST_DAY = SNAPSHOTS[-1]  # nothing after it is written, but ends booked before it
BLOCK = 10_000  # customers drawn and held in memory at a time

CHANNELS = ("web", "app", "store")
CATEGORIES = ("coffee", "tea", "bakery", "kitchen", "gifts", "books")
PRODUCTS = 8  # in each category
OTHER_KINDS = {"visit": 0.85, "compare": 0.10, "support": 0.05}  # of what is no purchase
FAVOURITE = 0.7  # share of events in the favourite channel or category
DECLINE = {"share": 0.6, "days": 56}  # usage falls steadily to nothing before a voluntary end
MOVES = 0.04  # share of customers who change group at the start of a quarter after a snapshot


@dataclass(frozen=True)
class Group:
    """Customers who behave alike: a bell in four coordinates, cut at 3 spreads, maybe bent.

    The coordinates: log events per 30 days, log cents per order, weekend share, order share.
    """

    weight: float  # share of all customers
    events_per_30d: float
    euros_per_order: float
    weekend_share: float  # of events
    order_share: float  # of events
    spread: tuple[float, ...]  # standard deviation in each coordinate
    bend: float = 0.0  # log cents rise by this times (z ** 2 - 1), z = standardised log events

    @property
    def centre(self) -> np.ndarray:
        """Middle of the bell, in coordinates."""
        logs = np.log([self.events_per_30d, 100 * self.euros_per_order])
        return np.array([*logs, self.weekend_share, self.order_share])


GROUPS = {
    "everyday": Group(0.34, 16, 18, 0.22, 0.40, (0.45, 0.10, 0.02, 0.03), bend=0.5),
    "weekend": Group(0.22, 13, 60, 0.54, 0.48, (0.08, 0.12, 0.03, 0.03)),
    "browsing": Group(0.16, 22, 45, 0.34, 0.20, (0.05, 0.80, 0.02, 0.02)),
    "stocking": Group(0.12, 12, 130, 0.30, 0.70, (0.15, 0.30, 0.04, 0.05)),
    "office": Group(0.08, 18, 12, 0.07, 0.56, (0.06, 0.10, 0.015, 0.025)),
}
# Stragglers belong to none: evenly spread within centre +- spread, but outside of every group.
STRAGGLERS = Group(0.08, 13, 35, 0.40, 0.45, (0.8, 2.0, 0.38, 0.40))
LABELS = (*GROUPS, "straggler")
HABITS = ["events_per_30d", "cents_per_order", "weekend_share", "order_share"]
SETTINGS = {"separate": 0.0, "overlap": 0.63}  # how far groups are drawn to the stragglers' centre
VALLEY = np.array([0.2, 0.4, 0.08, 0.08])  # no straggler comes nearer than this to a group's edge

QUASI = np.array([(5**0.5 - 1) / 2, 2**0.5, 3**0.5, 7**0.5])  # multiples fill [0, 1) evenly


def phases(people: pl.DataFrame, seed: int, setting: str, *, block: int = 0) -> pl.DataFrame:
    """Draw how they behave: one row per customer and phase, sorted.

    Returns customer_id, from_date, to_date (null = until LAST_DAY), group, events_per_30d,
            cents_per_order, weekend_share, order_share (the habits kept in this phase)

    A few change group, whatever they were, on the first day after a snapshot, so that 90 days
    later the window shows the new habits only.
    """
    rng = np.random.default_rng((seed, block, 3))
    group = people["group"].cast(pl.Enum(LABELS)).to_physical().to_numpy().astype(np.int64)
    rows = [people.select("customer_id", from_date="started", group=group)]
    for snapshot in SNAPSHOTS[:-1]:
        other = (group + rng.integers(1, len(LABELS), size=people.height)) % len(LABELS)
        moves = (rng.random(people.height) < MOVES) & (people["started"] <= snapshot).to_numpy()
        group = np.where(moves, other, group)
        moved = people.select("customer_id", from_date=snapshot + timedelta(days=1), group=group)
        rows.append(moved.filter(moves))
    table = pl.concat(rows).sort("customer_id", "from_date")
    label = table["group"].to_numpy()
    habits = _habits(label, rng, groups(setting))
    habits[:, :2] = np.exp(habits[:, :2])
    until = pl.col("from_date").shift(-1).over("customer_id") - pl.duration(days=1)
    changed = table.select("customer_id", "from_date", to_date=until, group=texts(LABELS, label))
    return changed.hstack(pl.DataFrame(habits, HABITS))


def groups(setting: str) -> list[Group]:
    """The groups where they lie in this setting."""
    drawn, middle = SETTINGS[setting], vars(STRAGGLERS)
    fields = ("events_per_30d", "euros_per_order", "weekend_share", "order_share")
    return [
        replace(group, **{f: (1 - drawn) * vars(group)[f] + drawn * middle[f] for f in fields})
        for group in GROUPS.values()
    ]


def _habits(label: np.ndarray, rng: np.random.Generator, groups: list[Group]) -> np.ndarray:
    """Coordinates (n, 4) of customers with these labels: drawn again until they may stay."""
    points = np.empty((len(label), 4))
    for index, group in enumerate(groups):
        own = np.flatnonzero(label == index)
        while own.size:
            z = rng.normal(size=(own.size, 4))
            points[own] = group.centre + z * group.spread
            points[own, 1] += group.bend * (z[:, 0] ** 2 - 1)
            own = own[(z**2).sum(axis=1) > 9]
    own = np.flatnonzero(label == len(groups))
    while own.size:
        offset = rng.uniform(-1, 1, (own.size, 4)) * STRAGGLERS.spread
        points[own] = STRAGGLERS.centre + offset
        own = own[np.any([_is_near(points[own], group) for group in groups], axis=0)]
    return points


def unbent(points: np.ndarray, group: Group) -> np.ndarray:
    """Distance of ``points`` from the centre along each coordinate, the bend straightened."""
    away = points - group.centre
    away[:, 1] -= group.bend * ((away[:, 0] / group.spread[0]) ** 2 - 1)
    return away


def _is_near(points: np.ndarray, group: Group) -> np.ndarray:
    """Whether ``points`` lie in the group or in the valley around it."""
    reach = 3 * np.array(group.spread) + VALLEY
    return ((unbent(points, group) / reach) ** 2).sum(axis=1) < 1


def events(
    people: pl.DataFrame, terms: pl.DataFrame, phases: pl.DataFrame, seed: int, *, block: int = 0
) -> pl.DataFrame:
    """Let them live: one row per event, sorted by ``customer_id``, ``at``.

    Returns customer_id, at (Datetime, local time, whole minutes), kind, order_id, amount (euros,
            two decimals; both only for purchases), product, category, channel

    Customers keep to their habits: events come at an even pace, and a quasi-random sequence with
    an offset of their own says which fall on a weekend, which are purchases, and how much is paid.
    Shares over 90 days thus lie within about one event of the planted ones. Events happen on days
    with a contract in force, up to LAST_DAY.

    Source: Kuipers and Niederreiter (1974), Uniform Distribution of Sequences, chapter 2: multiples
    of an irrational number. Checked in tests/demo/test_simulate.py.
    """
    rng = np.random.default_rng((seed, block, 4))
    happened = _happen(_stretches(people, terms, phases), rng)
    n = happened.height

    def mostly(favourite: str, names: tuple[str, ...]) -> pl.Expr:
        other = texts(names, rng.integers(len(names), size=n))
        return pl.when(pl.Series(rng.random(n) < FAVOURITE)).then(favourite).otherwise(other)

    other_kind = texts(OTHER_KINDS, choose(rng, np.array([*OTHER_KINDS.values()]), n))
    number = pl.Series(1 + rng.integers(PRODUCTS, size=n))
    order = pl.int_range(pl.len()) + block * BLOCK * 10_000
    bought = pl.when("is_purchase")
    return happened.with_columns(category=mostly("category", CATEGORIES)).select(
        "customer_id",
        "at",
        kind=bought.then(pl.lit("purchase")).otherwise(other_kind),
        order_id=bought.then(pl.format("o{}", order.cast(pl.String).str.zfill(12))),
        amount=bought.then("amount"),
        product=pl.format("{} {}", "category", number),
        category="category",
        channel=mostly("channel", CHANNELS),
    )


def _stretches(people: pl.DataFrame, terms: pl.DataFrame, phases: pl.DataFrame) -> pl.DataFrame:
    """One row per stretch of days under one contract with one habit, and the weeks it touches."""
    weeks = (pl.col("last") - pl.col("monday")).dt.total_days() // 7 + 1
    return (
        terms.drop("cause", "booked", "plan", "amount")
        .join(phases, on="customer_id")
        .join(people.select("customer_id", "channel", "category"), on="customer_id")
        .with_columns(
            first=pl.max_horizontal("started", "from_date"),
            last=pl.min_horizontal("ended", "to_date", pl.lit(LAST_DAY)),
            per_week=pl.col("events_per_30d") * 7 / 30,
        )
        .filter(pl.col("first") <= pl.col("last"))
        .with_columns(monday=pl.col("first").dt.truncate("1w"))
        .with_columns(events=(weeks * pl.col("per_week")).ceil().cast(pl.Int64))
        .sort("customer_id", "first")
    )


def _happen(stretches: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Every event of every stretch: when it happens, whether something is bought, and for how much.

    Whole weeks are filled, then cut to the stretch, or its first and last week would lose the
    events that their weekday carries out of it.
    """
    counts = stretches["events"].to_numpy()
    row = np.repeat(np.arange(len(counts)), counts)
    nth = np.arange(len(row)) - np.repeat(counts.cumsum() - counts, counts)
    quasi = (rng.random((len(counts), len(QUASI)))[row] + nth[:, None] * QUASI) % 1
    week = (pl.Series(nth + rng.random(len(counts))[row]) / pl.col("per_week")).floor()
    on_weekend = pl.Series(quasi[:, 0]) < pl.col("weekend_share")
    within = pl.Series(rng.random(len(row)))
    weekday = pl.when(on_weekend).then(5 + (2 * within).floor()).otherwise((5 * within).floor())
    minute = pl.Series(rng.integers(8 * 60, 22 * 60, size=len(row)))
    left = (pl.col("ended") - pl.col("day")).dt.total_days() / DECLINE["days"]
    stays = pl.Series(quasi[:, 3]) < left
    return (
        stretches[row]
        .with_columns(
            row=pl.Series(row),
            day=pl.col("monday") + pl.duration(days=7 * week + weekday),
            is_purchase=pl.Series(quasi[:, 1]) < pl.col("order_share"),
            amount=(pl.col("cents_per_order") * (0.5 + pl.Series(quasi[:, 2]))).round() / 100,
        )
        .with_columns(at=pl.col("day").cast(pl.Datetime("us")) + pl.duration(minutes=minute))
        .filter(pl.col("day").is_between("first", "last"), ~pl.col("declines") | stays)
        .sort("row", "at", maintain_order=True)
    )


def choose(rng: np.random.Generator, shares: np.ndarray, n: int) -> np.ndarray:
    """For each of ``n`` an index, drawn with these shares: one row for all, or one each."""
    return (rng.random((n, 1)) > shares.cumsum(axis=-1)[..., :-1]).sum(axis=1)


def texts(names: Collection[str], codes: np.ndarray) -> pl.Series:
    """The name that each code counts, from 0."""
    return pl.Series(list(names)).gather(codes)
