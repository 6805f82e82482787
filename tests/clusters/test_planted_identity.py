"""Segments followed through six refreshes of planted truth, and moves divided by their cause."""

from functools import cache

import planted_identity as planted
import polars as pl
import pytest

from retention.clusters import migrations
from retention.clusters.previous_segments import Previous

STORIES = [(1, 2, 0.06), (1, 3, 0.25)]  # seed, dimensions, who moves
MORE = [(2, 3, 0.06), (3, 4, 0.06)]
MORE += [(seed, 2 + seed % 3, moving) for seed in range(4, 9) for moving in (0.06, 0.25, 0.45)]
EVERY = [*STORIES, *(pytest.param(story, marks=pytest.mark.slow) for story in MORE)]


@cache
def followed(*story):
    told = planted.story(*story)
    return told, planted.follow(told)


def lineages(snapshot, members):
    """The planted groups that make each segment, as "Bb": a fifth of it or more."""
    groups = pl.DataFrame({"customer_id": snapshot.customers, "group": snapshot.group})
    counts = members.join(groups, on="customer_id").group_by("segment", "group").len()
    large = counts.filter(
        pl.col("len") > 0.2 * pl.col("len").sum().over("segment"), pl.col("group") != planted.NOBODY
    ).sort("segment", "group")
    return dict(large.group_by("segment").agg(pl.col("group").str.join("")).iter_rows())


def expected(before, now):
    """What happened between two refreshes, told of the groups that density can tell apart."""
    pairs = {(old, new) for old in before for new in now if set(old) & set(new)}
    told = {(None, new, "new") for new in now if new not in {new for _, new in pairs}}
    told |= {(old, None, "gone") for old in before if old not in {old for old, _ in pairs}}
    for old, new in pairs:
        split = sum(old == other for other, _ in pairs) > 1
        merged = sum(new == other for _, other in pairs) > 1
        told.add((old, new, "split" if split else "merged" if merged else "same"))
    return told


@pytest.mark.parametrize("story", EVERY, ids=str)
def test_every_change_is_named_and_no_name_is_swapped(story):
    before, owners = {}, {}
    for time, (snapshot, one) in enumerate(zip(*followed(*story), strict=True)):
        now = lineages(snapshot, one.members)
        assert sorted(now.values()) == sorted(planted.FOUND[time]), "density tells the groups apart"
        named = [
            (before.get(old), now.get(new), kind)
            for old, new, kind in one.changes.select(pl.nth(0, 1, 2)).iter_rows()
        ]
        assert len(named) == len(set(named))
        assert set(named) == expected(before.values(), now.values())
        for segment, lineage in now.items():
            owner = owners.setdefault(segment, set(lineage))
            assert owner & set(lineage), f"{segment} was {owner}, is {lineage}"
        assert set(one.known["segment"]) == set(owners)
        before = now


@pytest.mark.parametrize("story", EVERY, ids=str)
def test_moves_are_divided_as_the_planted_densities_would(story):
    """Pooled over a story: at one refresh chance at the edges alone can make a few points."""
    told, refreshes = followed(*story)
    counts = []
    for time in range(1, len(told)):
        names = lineages(told[time - 1], refreshes[time - 1].members)
        of = {group: segment for segment, lineage in names.items() for group in lineage}
        truth = planted.within(told, time).select(
            "customer_id", segment=pl.col("group").replace_strict(of, default=None)
        )
        before, now = refreshes[time - 1 : time + 1]
        then, compared = (one.clusters.select("customer_id") for one in told[time - 1 : time + 1])
        previous = Previous("", before.members, then, before.known, pl.DataFrame())
        true = migrations.migrations(now.members, compared, previous, truth)
        rows = [migrations.causes(moves, 0.95) for moves in (now.moves, true)]
        assert rows[0]["n_moved"].equals(rows[1]["n_moved"])
        counts.append([rows[0]["n_moved"][0], *(row["n_redrawn"][0] for row in rows)])
    moved, called, truly = map(sum, zip(*counts, strict=True))
    assert abs(called - truly) / moved <= 0.03


@pytest.mark.parametrize(("seed", "dimensions"), [(1, 2), (2, 3), (5, 4)])
@pytest.mark.parametrize("jitter", [0.0, 0.1])
def test_where_groups_are_drawn_anew_nobody_is_said_to_have_moved(seed, dimensions, jitter):
    before, after, moved = planted.redrawn(seed, dimensions, jitter)
    first, second = planted.follow([before, after])
    kinds = second.changes["kind"].value_counts().rows()
    assert set(kinds) == {("same", 2), ("split", 2), ("merged", 2)}

    found = migrations.causes(second.moves, 0.95).row(0, named=True)

    places = first.members.join(second.members, on="customer_id", how="full", coalesce=True)
    both = before.customers.filter(before.customers.is_in(after.customers.implode()))
    changed = places.filter(
        pl.col("customer_id").is_in(both.implode()),
        pl.col("segment").ne_missing(pl.col("segment_right")),
    )
    assert found["n_moved"] == changed.height
    truth = (~changed["customer_id"].is_in(moved.implode())).mean()
    assert truth > 0.7
    assert abs(found["share_redrawn"] - truth) <= (0.03 if jitter else 0.002)
    assert found["ci_lower"] < found["share_redrawn"] < found["ci_upper"]
