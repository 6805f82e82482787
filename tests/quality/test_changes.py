"""Checks against the previous refresh: what moved is found, what chance explains is not."""

import numpy as np
import polars as pl
import pytest
from quality.test_checks import ATTENTION, LAST, acts, found, steady
from quality.test_drift import customers, tables

from retention.quality import changes, measures
from retention.tables import workspace

FINE = "as expected"


@pytest.fixture
def since(opened):
    """All checks of one kind of a refresh with these tables against one with those."""

    def compare(check: str, then: dict, now: dict, **limits) -> dict[str, tuple]:
        measures.measure(opened(then, LAST))
        r = opened(now, LAST + 1)
        measures.measure(r)
        given = {"history": 0.01, "nulls": 0.05, "drift_limit": 0.25} | limits
        rows = {row[1]: row for row in changes.since(r, **given) if row[0] == check}
        kept = found(rows.values())
        return {of: (*kept[f"{check} of {of}"], row[-1]) for of, row in rows.items()}

    return compare


def held(per_day: dict[int, int] | None = None, **columns) -> dict[str, pl.DataFrame]:
    own = tables(customers(**columns or {"value": [1.0] * 30}))
    return own | {"activity": acts(per_day or {LAST: 40})}


def test_without_an_earlier_refresh_nothing_is_compared(opened):
    r = opened(held(), LAST)
    measures.measure(r)
    assert list(changes.since(r, 0.01, 0.05, 0.25)) == []


def test_a_refresh_is_compared_with_one_that_was_pruned(since, opened, tmp_path):
    opened({}, LAST)
    (tmp_path / "work/shop/2025-06-30" / workspace.PRUNED).touch()
    assert since("history", held(), held())["events"][2] == FINE


@pytest.mark.parametrize(("lost", "verdict"), [([], FINE), ([50, 51], ATTENTION)])
def test_a_past_that_is_read_otherwise_today_is_found(since, lost, verdict):
    then, now = steady(100), steady(100, but=dict.fromkeys(lost, 0)) | {LAST + 1: 999}
    rows = since("history", held(then), held(now))
    assert rows["events"][:3] == (6000 - 60 * len(lost), 6000, verdict)


FIVE, SIX = ([None] * nulls + [1.0] * (100 - nulls) for nulls in (5, 6))
ALL = [1.0] * 100


@pytest.mark.parametrize(
    ("now", "worst"),
    [
        ({"value": FIVE, "other": ALL}, ("value", 0.05, FINE)),
        ({"value": SIX, "other": ALL}, ("value", 0.06, ATTENTION)),
        ({"value": ALL}, ("other", 1, ATTENTION)),  # a column that vanished
    ],
)
def test_nulls_that_grow_are_found(since, now, worst):
    rows = since("nulls", held(value=ALL, other=ALL), held(**now))
    column, share, verdict = worst
    assert rows[f"customers_at.{column}"][:3] == (share, 0, verdict)


def test_a_feature_that_shifts_by_a_known_amount_is_found(since):
    shifted = [*range(1, 101)] * 2 + [*range(201, 1001)]  # the second tenth fell into the first
    plans = ["a", "b"] * 500
    rows = since(
        "drift", held(value=[*range(1, 1001)], plan=plans), held(value=shifted, plan=plans)
    )
    by_hand = 0.1 * np.log(2) + (0.0005 - 0.1) * np.log(0.0005 / 0.1)  # an empty tenth: 1/2 of 1000
    value, _, verdict, said = rows["value"]
    assert (value, verdict) == (pytest.approx(by_hand), ATTENTION)
    assert said.endswith("1,000 customers then, 1,000 now; median 500.5, now 500.5.")
    assert rows["plan"][:3] == (0, 0, FINE)


NAMED = ["a"] * 80 + ["b"] * 10
RARE, OTHER, FEWER = ([*NAMED, *levels] for levels in ("xxxxyyyzzz", "uuuuvvvwww", "bbbbbuuuuu"))
EVEN = ["a"] * 12 + ["b"] * 8, ["a"] * 8 + ["b"] * 12  # no more than chance gives so small a book


@pytest.mark.parametrize(
    ("plans", "index"),
    [
        ((RARE, OTHER), 0),
        ((RARE, FEWER), 0.05 * np.log(1.5) - 0.05 * np.log(0.5)),
        (EVEN, 0.4 * np.log(1.5)),
    ],
)
def test_small_groups_are_compared_together_and_with_chance(since, plans, index):
    rows = since("drift", *(held(plan=plan) for plan in plans), drift_limit=0.08)
    assert rows["plan"][:3] == (pytest.approx(index), 0, FINE)


def test_a_small_group_of_numbers_is_compared_with_the_rest_and_not_with_its_neighbour(since):
    numbers = ([0] * 12 + [5] * few + [9] * (18 - few) for few in (4, 14))
    index = since("drift", *(held(value=some) for some in numbers))["value"][0]
    assert index == pytest.approx(2 / 3 * np.log(14 / 4))


def test_attributes_that_vanished_or_changed_their_type_do_not_stop_the_page(since):
    rows = since("drift", held(value=[1.0] * 30, gone=["a"] * 30), held(value=["1.0"] * 30))
    assert {of: row[2] for of, row in rows.items()} == {"value": ATTENTION}
