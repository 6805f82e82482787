"""Whether groups stay differently long."""

from functools import partial
from itertools import combinations

import numpy as np
import polars as pl

from retention.exhibit import Exhibit
from retention.refresh import Refresh
from retention.stats import by_group, rank_tests, risk_sets
from retention.survival.groups import Division

TESTS = ("group", "other", "n", "statistic", "df", "p_value", "p_adjusted")


def log_rank(observed: pl.DataFrame, by: str) -> pl.DataFrame:
    """Test whether all groups of ``by`` share one survival curve, and whether every two do.

    Takes   one row per customer: duration_days, event_observed[, entry_days], by
    Returns one row for all groups (group and other null), then one per pair: group, other, n,
            statistic (chi-squared), df, p_value, p_adjusted (of the pairs together); no row where
            there are fewer than two groups

    Source: see stats/rank_tests.py. Checked in tests/survival/test_comparisons.py.
    """
    groups = by_group.groups(observed, by)
    names, sizes = list(groups), np.array([part.height for part in groups.values()])
    if len(names) < 2:
        return pl.DataFrame(schema=TESTS)
    lives = [by_group.lives(part) for part in groups.values()]
    times = np.unique(np.concatenate([durations[events] for durations, events, _ in lives]))
    counted = [risk_sets.at(times, *life) for life in lives]
    at_risk, events = (np.array(part, dtype=float) for part in zip(*counted, strict=True))
    chosen = [list(some) for some in (range(len(names)), *combinations(range(len(names)), 2))]
    found = [rank_tests.log_rank(at_risk[some], events[some]) for some in chosen]
    adjusted = [None, *rank_tests.holm(np.array([p_value for *_, p_value in found[1:]]))]
    named = [(None, None), *combinations(names, 2)]
    rows = [
        (*pair, int(sizes[some].sum()), *test, p)
        for pair, some, test, p in zip(named, chosen, found, adjusted, strict=True)
    ]
    return pl.DataFrame(rows, TESTS, orient="row", infer_schema_length=None)


def tests(r: Refresh, division: Division) -> Exhibit:
    """Whether groups share one curve: all together, then every two, the clearest first."""
    found = log_rank(division.lives, division.by)
    order = [pl.col("group").is_not_null(), "p_adjusted", -pl.col("statistic"), "group", "other"]
    return Exhibit(
        found.sort(order).with_columns(pl.col("group").fill_null("all groups")),
        partial(apart, confidence=r.confidence),
        definition="Log-rank tests, first of all groups together, then of every two; p (adjusted) "
        "is raised because several pairs are tested (Holm).",
        empty="There are no two groups to compare.",
        limit=12,
    )


def apart(tests: pl.DataFrame, confidence: float) -> str:
    """How many pairs of groups differ more than chance explains, in a sentence."""
    pairs = tests.drop_nulls("p_adjusted")
    clear = pairs.filter(pl.col("p_adjusted") < 1 - confidence).height
    return f"{clear} of {pairs.height} pairs of groups differ by more than chance explains"
