"""Customers in groups over several refreshes, with planted moves, splits, mergers and ends.

Customers are points around the middles of their groups, each with a place of their own. Groups
are found by density, refresh after refresh, and followed as those of a book are.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.stats import multivariate_normal

from retention.clusters import identity, migrations, segment_names
from retention.clusters.previous_segments import Previous
from retention.stats import density

MIN_CLUSTER_SIZE, MIN_SAMPLES = 100, 15
NOBODY = "-"  # belongs to no group
EVERYWHERE, WIDTH = (3, 6), 7.0  # middle and spread of those who belong to none
SIZES = {"a": 700, "b": 500, "B": 420, "c": 600, "d": 450, "e": 400, "f": 900, NOBODY: 250}
# Middles at each of six refreshes; None: there is no such group.
STORY = {
    "a": [(0, 0)] * 5 + [None],
    "b": [(9, 0)] * 2 + [(9, -1)] * 4,
    "B": [(9, 0)] * 2 + [(10, 8)] * 4,
    "c": [(0, 9)] * 6,
    "d": [(5, 17)] * 4 + [(0.5, 10)] * 2,
    "e": [None] * 3 + [(16, 14)] * 3,
    "f": [(-8, 6)] * 6,
}
FOUND = [  # what density can tell apart at each refresh
    *[["a", "Bb", "c", "d", "f"]] * 2,
    ["a", "b", "B", "c", "d", "f"],
    ["a", "b", "B", "c", "d", "e", "f"],
    ["a", "b", "B", "cd", "e", "f"],
    ["b", "B", "cd", "e", "f"],
]
BRIDGE = {"b": (9, -3.2), "B": (9, 3.2), "c": (0, 9), "d": (0, 15.4)}  # so far apart, joined by 400
KNOWN = {"segment": pl.String, "name": pl.String, "kind": pl.String}
KNOWN |= {"first_seen_day": pl.Int64, "last_seen_day": pl.Int64}


@dataclass(frozen=True)
class Snapshot:
    """Everybody compared at one date, with the group that was planted and those found."""

    customers: pl.Series
    group: np.ndarray
    points: np.ndarray
    fit: density.Fit

    @property
    def clusters(self) -> pl.DataFrame:
        return labelled(self.customers, self.fit.labels)


@dataclass(frozen=True)
class Followed:
    """One refresh as its pages know it."""

    changes: pl.DataFrame
    members: pl.DataFrame
    moves: pl.DataFrame
    known: pl.DataFrame


def labelled(customers: pl.Series, labels: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"customer_id": customers, "cluster": labels.astype(np.int64)})


def story(seed: int, dimensions: int, moving: float = 0.06) -> list[Snapshot]:
    """Six refreshes. At each from the second on, of all customers 8 % leave, as many arrive, and
    ``moving`` go to another group; the others drift within theirs. Of a group that ends half
    leave and half belong nowhere."""
    rng = np.random.default_rng((seed, dimensions))
    started = [name for name in SIZES if name == NOBODY or STORY[name][0]]
    group = np.repeat(started, [SIZES[name] for name in started])
    ids, own = np.arange(len(group)), rng.normal(size=(len(group), dimensions))
    told = [_snapshot(ids, group, own, _middles(0))]
    for time in range(1, 6):
        middles = _middles(time)
        ended = ~np.isin(group, [*middles, NOBODY])
        stay = rng.random(len(ids)) > np.where(ended, 0.5, 0.08)
        ids, group, own = ids[stay], np.where(ended, NOBODY, group)[stay], own[stay]
        moved = rng.random(len(ids)) < moving
        group = np.where(moved, rng.choice([*middles, NOBODY], len(ids)), group)
        own = np.where(moved, 0, 0.8)[:, None] * own
        own = own + np.where(moved, 1, 0.6)[:, None] * rng.normal(size=own.shape)
        before = _middles(time - 1) | {NOBODY: None}
        many = {name: rng.poisson(SIZES[name] * 0.08) for name in [*middles, NOBODY]}
        many |= {name: SIZES[name] for name in middles if name not in before}
        group = np.append(group, np.repeat(list(many), list(many.values())))
        ids = np.append(ids, ids.max() + 1 + np.arange(sum(many.values())) + 10_000 * time)
        own = np.vstack([own, rng.normal(size=(sum(many.values()), dimensions))])
        told.append(_snapshot(ids, group, own, middles))
    return told


def redrawn(seed: int, dimensions: int, jitter: float) -> tuple[Snapshot, Snapshot, pl.Series]:
    """Two refreshes between which groups are drawn anew though nobody in them moved.

    Those who joined b and B leave, so that the two fall apart; others come between c and d and
    join them. Of the rest 6 % move to another group, 6 % leave, and all others stay where they
    are, but for ``jitter``. Returns also who moved out of a group as it was found at first.
    """
    rng = np.random.default_rng((seed, dimensions))
    middles = _middles(0) | BRIDGE
    names = [*middles, NOBODY]
    group = np.repeat(names, [SIZES[name] for name in names])
    own = rng.normal(size=(len(group), dimensions))
    wide = [0.6, 1.0, 0.6, 0.6][:dimensions]
    bridges = rng.normal(size=(2, 400, dimensions)) * wide
    bridges[..., :2] += [[(9, 0)], [(0, 12.2)]]
    ids, extra = np.arange(len(group)), 100_000 + np.arange(400)
    before = _found(
        np.append(ids, extra),
        np.append(group, ["b"] * 400),
        np.vstack([_points(group, own, middles), bridges[0]]),
    )
    moved = rng.random(len(ids)) < 0.06
    others = np.array([rng.choice([name for name in names if name != one]) for one in group])
    goes = np.where(moved, others, group)
    own = np.where(moved, 0, 1)[:, None] * own
    own = own + np.where(moved, 1, jitter)[:, None] * rng.normal(size=own.shape)
    stay = rng.random(len(ids)) > 0.06
    after = _found(
        np.append(ids[stay], extra + 400),
        np.append(goes[stay], ["c"] * 400),
        np.vstack([_points(goes, own, middles)[stay], bridges[1]]),
    )
    out = np.char.lower(goes) != np.char.lower(group)
    return before, after, _names(ids[stay & out])


def follow(told: list[Snapshot]) -> list[Followed]:
    """What every refresh in turn makes of the one before."""
    before, ids, followed = nothing(), None, []
    for day, now in enumerate(told):
        under = placed(told[day - 1], now, ids) if day else before.members
        trusted = list(range(now.fit.labels.max() + 1))
        changes, ids = identity.match(now.clusters, trusted, before)
        members, compared = identity.members(now.clusters, ids), now.clusters.select("customer_id")
        moves = migrations.migrations(members, compared, before, under)
        named = ids.select("segment", name=pl.lit(None, pl.String), kind=pl.lit("natural group"))
        known = segment_names.carried(before.known, named, {}, day)
        before = Previous(str(day), members, compared, known, pl.DataFrame())
        followed.append(Followed(changes, members, moves, known))
    return followed


def nothing() -> Previous:
    """What is known before the first refresh."""
    compared = pl.DataFrame(schema={"customer_id": pl.String})
    members = pl.DataFrame(schema={"customer_id": pl.String, "segment": pl.String})
    return Previous("", members, compared, pl.DataFrame(schema=KNOWN), pl.DataFrame())


def placed(before: Snapshot, now: Snapshot, ids: pl.DataFrame) -> pl.DataFrame:
    """The segments that customers of ``now`` would be in under the groups of ``before``."""
    label, *_ = density.assign(density.model(before.fit), now.points)
    under = labelled(now.customers, label).join(ids, on="cluster", how="left")
    return under.select("customer_id", "segment")


def within(told: list[Snapshot], time: int) -> pl.DataFrame:
    """Where the planted groups of the refresh before ``time`` would most likely have put its
    customers: customer_id, group. By Bayes' rule on the densities that points were drawn from."""
    before, now, middles = told[time - 1], told[time], _middles(time - 1)
    names, sizes = np.unique([*before.group, NOBODY], return_counts=True)
    likely = []
    for name, size in zip(names, sizes, strict=True):
        middle = np.zeros(now.points.shape[1])
        middle[:2] = middles.get(name, EVERYWHERE)
        spread = WIDTH if name == NOBODY else 1.0
        law = multivariate_normal(middle, spread * spread)
        likely.append(np.log(size) + law.logpdf(now.points))
    best = names[np.argmax(likely, axis=0)]
    return pl.DataFrame({"customer_id": now.customers, "group": best})


def _middles(time: int) -> dict[str, tuple]:
    return {name: places[time] for name, places in STORY.items() if places[time]}


def _points(group: np.ndarray, own: np.ndarray, middles: dict[str, tuple]) -> np.ndarray:
    points = np.where(group == NOBODY, WIDTH, 1)[:, None] * own
    for name, middle in (middles | {NOBODY: EVERYWHERE}).items():
        points[group == name, :2] += middle
    return points


def _snapshot(
    ids: np.ndarray, group: np.ndarray, own: np.ndarray, middles: dict[str, tuple]
) -> Snapshot:
    return _found(ids, group, _points(group, own, middles))


def _found(ids: np.ndarray, group: np.ndarray, points: np.ndarray) -> Snapshot:
    return Snapshot(_names(ids), group, points, density.fit(points, MIN_CLUSTER_SIZE, MIN_SAMPLES))


def _names(ids: np.ndarray) -> pl.Series:
    return pl.Series("customer_id", [f"c{number:06d}" for number in ids], pl.String)
