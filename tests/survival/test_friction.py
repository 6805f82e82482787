"""Friction: planted in what was done before the landmark it is found; what comes after is not."""

import numpy as np
import polars as pl
import pytest

from retention.errors import Refused
from retention.stats import proportional
from retention.survival import friction, hazards

LANDMARK = 30
SUPPORT = "support: any against none"


def world(seed: int, n: int = 3_000, doubling: float = 1.0, support: float = 2.0):
    """Spells and activity: who asked for support leaves sooner from then on; use may delay it.

    In the last days before an end there are calls, which no landmark may know of.
    """
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 900, n)
    asked = np.where(rng.random(n) < 0.25, rng.integers(0, 60, n), 10_000)
    uses = rng.poisson(6, n)
    hazard = doubling ** np.log2(1 + uses) / 250
    need = rng.exponential(size=n)
    life = np.where(need < hazard * asked, need / hazard, asked + (need / hazard - asked) / support)
    life, until = np.ceil(life).astype(int).clip(1), 1_000 - start
    duration, left = np.minimum(life, until), life <= until
    ids = np.array([f"c{number:05}" for number in range(n)])
    spells = pl.DataFrame(
        {
            "customer_id": ids,
            "spell": 1,
            "entry_day": start,
            "start_day": start,
            "duration_days": duration,
            "event_observed": left,
            "cause": pl.Series(np.where(left, "voluntary", "")).replace("", None),
            "excluded": pl.Series([None] * n, dtype=pl.String),
        }
    )
    users = np.repeat(np.arange(n), uses)
    rows = [
        (users, start[users] + rng.integers(0, LANDMARK, len(users)), "use"),
        (np.arange(n)[asked < duration], (start + asked)[asked < duration], "support"),
        (np.arange(n)[left], (start + duration - 1)[left], "farewell call"),
        (np.arange(4), start[:4], "award"),
    ]
    activity = pl.concat(
        pl.DataFrame({"customer_id": ids[who], "day": day, "kind": kind, "events": 1})
        for who, day, kind in rows
    )
    activity = activity.join(spells, on="customer_id").filter(
        pl.col("day") < pl.col("start_day") + pl.col("duration_days")
    )
    days = activity.group_by("customer_id", "day", "kind").agg(pl.col("events").sum())
    return spells, days.sort("customer_id", "day", "kind").with_columns(pl.col("events").cast(int))


def row(table: pl.DataFrame, term: str) -> dict:
    return table.row(by_predicate=pl.col("term") == term, named=True)


def test_planted_friction_is_found_and_ranks_first():
    ratios = friction.friction(*world(1))[0].ratios

    assert ratios["term"][0] == SUPPORT
    said = f"Leaving sooner is linked most clearly to {SUPPORT}: hazard ratio "
    assert hazards.headline(ratios).startswith(said)
    first = row(ratios, SUPPORT)
    assert 1.5 < first["ci_lower"] < first["hazard_ratio"] < first["ci_upper"] < 2.4
    assert row(ratios, "use: each doubling")["p_value"] > 0.001


@pytest.mark.slow
def test_planted_ratios_are_covered_as_often_as_they_should_be():
    covered = 0
    for seed in range(25):
        spells, activity = world(seed, doubling=0.7, support=1.0)
        ratios = friction.friction(spells, activity)[0].ratios
        use = row(ratios, "use: each doubling")
        covered += use["ci_lower"] < 0.7 < use["ci_upper"]
    assert covered >= 21


def test_nothing_after_the_landmark_enters():
    spells, activity = world(2)
    days = activity.join(spells.select("customer_id", "start_day"), on="customer_id")
    late = days["day"] >= days["start_day"] + LANDMARK
    without = activity.filter(~late)
    louder = activity.with_columns(
        events=pl.when(late).then(pl.col("events") * 100).otherwise("events"),
        kind=pl.when(late).then(pl.lit("cancelled")).otherwise("kind"),
    )

    found = friction.friction(spells, activity)[0].ratios

    assert late.sum() > 500
    assert found.equals(friction.friction(spells, without)[0].ratios)
    assert found.equals(friction.friction(spells, louder)[0].ratios)
    assert "farewell" not in " ".join(found["term"])
    leaking = friction.done_by(spells.sort("customer_id"), activity, 10_000)
    assert leaking["farewell call: each doubling"].sum() > 500  # a window without end would


def test_only_first_spells_seen_from_their_start_and_still_there_are_compared():
    spells, activity = world(3, n=1_200)
    number = pl.int_range(pl.len())
    mixed = spells.with_columns(
        spell=pl.when(number % 10 == 0).then(2).otherwise(1),
        entry_day=pl.col("start_day") + (number % 10 == 1).cast(pl.Int64),
        excluded=pl.when(number % 10 == 2).then(pl.lit("too_new")),
    )
    kept = spells.filter(number % 10 > 2)

    found, n = friction.friction(mixed, activity)

    assert n == kept.filter(pl.col("duration_days") > LANDMARK).height
    assert set(found.ratios["n"]) == {n}
    assert found.ratios.equals(friction.friction(kept, activity)[0].ratios)


def test_what_was_done_is_counted_day_by_day():
    there = pl.DataFrame({"customer_id": ["a", "b", "c"], "start_day": [100, 200, 300]})
    log = [
        ("a", 99, "visit", 9),  # before the start
        ("a", 100, "visit", 2),
        ("a", 129, "visit", 5),
        ("a", 130, "visit", 8),  # after the landmark
        ("a", 105, "support", 1),
        ("b", 200, "visit", 1),
        ("z", 200, "visit", 1),
    ]
    activity = pl.DataFrame(log, ["customer_id", "day", "kind", "events"], orient="row")

    terms = friction.done_by(there, activity, LANDMARK)

    assert terms.rows(named=True) == [
        {SUPPORT: 1.0, "visit: each doubling": 3.0, friction.ACTIVE: 3},
        {SUPPORT: 0.0, "visit: each doubling": 1.0, friction.ACTIVE: 1},
        {SUPPORT: 0.0, "visit: each doubling": 0.0, friction.ACTIVE: 0},
    ]


def test_kinds_of_too_few_are_said_and_so_is_what_follows_from_others():
    spells, activity = world(5)
    twice = pl.concat([activity, activity.filter(kind="use").with_columns(kind=pl.lit("view"))])

    found, _ = friction.friction(spells, twice, causes=["voluntary"])

    done = dict(found.done.select("term", "done").rows())
    assert done["award: any against none"] == "left out"
    assert done["view: each doubling"] == "left out"
    assert "follows from use" in row(found.done, "view: each doubling")["why"]
    assert set(found.ratios["cause"]) == {"voluntary"}
    assert not {*found.ratios["term"]} & set(done)


def test_where_nobody_is_left_or_nothing_was_done_it_is_said():
    spells, activity = world(6, n=500)

    nobody, n = friction.friction(spells, activity, landmark_days=2_000)
    assert (n, nobody.ratios.height) == (0, 0)
    assert "too few customers left" in proportional.why_none(nobody)
    quiet, _ = friction.friction(spells, activity.clear())
    assert "(active days: one more: every customer" in proportional.why_none(quiet)
    with pytest.raises(Refused, match="landmark_days must be 1 or more, got 0"):
        friction.friction(spells, activity, landmark_days=0)
