"""Scores of a risk: pair by pair, against other libraries, and of planted risks."""

from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import brier_score_loss

from retention.stats import ranks, scores

ROW = st.tuples(st.integers(1, 6), st.booleans(), st.integers(0, 4), st.integers(0, 3))
ROWS = st.lists(ROW, min_size=1, max_size=25)


def columns(rows):
    durations, events, risk, weights = (np.array(column) for column in zip(*rows, strict=True))
    return durations.astype(float), events, risk / 4, weights.astype(float)


def of_pairs(pairs):
    """The weighted share of ``pairs`` (higher, lower, weight) in order; equal ones half."""
    pairs = list(pairs)
    whole = sum(weight for *_, weight in pairs)
    good = sum(weight * ((high > low) + (high == low) / 2) for high, low, weight in pairs)
    return good / whole if whole else np.nan


@given(ROWS)
def test_auc_is_the_share_of_pairs_in_order(rows):
    _, event, risk, weights = columns(rows)
    pairs = product(np.flatnonzero(event), np.flatnonzero(~event))
    expected = of_pairs((risk[i], risk[j], weights[i] * weights[j]) for i, j in pairs)

    assert scores.auc(event, risk, weights) == pytest.approx(expected, nan_ok=True)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(1, 12))
def test_groups_keep_equal_risks_together_and_are_of_equal_size(values, n):
    risk = np.array(values) / 31
    groups = scores.groups_of(risk, n)

    assert groups.min() >= 1
    assert groups.max() <= n
    assert (np.diff(groups[np.argsort(risk)]) >= 0).all()
    assert pl.DataFrame({"r": risk, "g": groups}).group_by("r").n_unique()["g"].max() == 1
    assert (scores.groups_of(risk[::-1], n) == groups[::-1]).all()
    if len(set(values)) == len(values):
        sizes = np.bincount(groups, minlength=n + 1)[1:]
        assert sizes.max() - sizes.min() <= 1


def test_risks_that_differ_by_rounding_are_equal():
    risk = np.array([0.3, 0.1 + 0.2, 0.1, 0.7])
    event = np.array([True, False, False, False])

    assert ranks.levels(risk).tolist() == [1, 1, 0, 2]
    assert scores.auc(event, risk) == 0.5
    assert scores.groups_of(risk, 4)[0] == scores.groups_of(risk, 4)[1]


def test_calibration_is_the_plain_share_with_wilsons_limits():
    left = np.array([True, False, False, True, True, False])
    group = np.array(["b", "a", "b", "b", "b", "a"], dtype=object)
    risk = np.array([0.6, 0.1, 0.2, 0.7, 0.5, 0.3])

    table = scores.calibration(left, risk, group)

    none, three = (binomtest(*kn).proportion_ci(method="wilson") for kn in ((0, 2), (3, 4)))
    assert table.rows() == [
        ("a", 2, 0, pytest.approx(0.2), 0.0, none.low, none.high),
        ("b", 4, 3, pytest.approx(0.5), 0.75, three.low, three.high),
    ]
    assert scores.calibration_error(table) == pytest.approx((2 * 0.2 + 4 * 0.25) / 6)


def test_planted_miscalibration_is_seen():
    rng = np.random.default_rng(7)
    risk = rng.beta(2, 5, 20_000)
    left = rng.random(20_000) < risk

    def judged(said):
        table = scores.calibration(left, said, scores.groups_of(said))
        inside = table["predicted"].is_between(table["ci_lower"], table["ci_upper"])
        return scores.calibration_error(table), inside.sum()

    error, inside = judged(risk)
    assert error < 0.01
    assert inside >= 8
    error, inside = judged(risk**0.8)
    truth = np.mean(risk**0.8 - risk)
    assert error == pytest.approx(truth, abs=0.01)
    assert inside <= 1


def test_lift_is_the_rate_at_the_top_over_the_rate():
    risk = np.array([0.9, 0.8, 0.5, 0.5, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
    event = np.array([1, 0, 1, 0, 0, 1, 0, 0, 0, 0]) == 1

    assert scores.lift(event, risk) == pytest.approx(1 / 0.3)
    assert scores.lift(event, risk, 0.2) == pytest.approx(0.5 / 0.3)
    assert scores.lift(event, risk, 0.4) == pytest.approx((1 + 2 / 3) / 4 / 0.3)
    assert scores.lift(event, risk, 1) == pytest.approx(1)
    assert scores.lift(event, np.ones(10)) == pytest.approx(1)
    assert np.isnan(scores.lift(np.zeros(10, bool), risk))


def delong(event, risk):
    """The standard error of an AUC, by the placement of each row among the other side."""
    cases, others = risk[event], risk[~event]
    good = (cases[:, None] > others) + (cases[:, None] == others) / 2
    return np.sqrt(
        np.var(good.mean(axis=1), ddof=1) / len(cases)
        + np.var(good.mean(axis=0), ddof=1) / len(others)
    )


def planted(n=1_500):
    rng = np.random.default_rng(11)
    risk = rng.normal(size=n).round(1)
    return rng.random(n) < 1 / (1 + np.exp(1.5 - risk)), risk


def test_the_bootstrap_has_delongs_error_and_customers_seen_twice_do_not_count_as_two():
    event, risk = planted()
    n = len(risk)

    auc, brier, _ = scores.bootstrap(event, {"m": risk}, np.arange(n), np.zeros(n), 800, 1)

    assert auc.std() == pytest.approx(delong(event, risk), rel=0.08)
    assert auc.mean() == pytest.approx(scores.auc(event, risk), abs=0.002)
    squares = (risk - event) ** 2
    assert brier.std() == pytest.approx(squares.std() / np.sqrt(n), rel=0.08)
    both = (np.tile(event, 2), {"m": np.tile(risk, 2)}, np.tile(np.arange(n), 2))
    twice, *_ = scores.bootstrap(*both, np.repeat([0, 1], n), 50, 1)
    assert twice == pytest.approx(auc[:50])


def test_without_draws_the_measures_are_those_of_the_rows():
    event, _ = planted(500)
    risk = np.random.default_rng(3).random(500)
    given_to = (event, {"m": risk}, np.arange(500), np.zeros(500))
    auc, brier, error = (float(one[0, 0]) for one in scores.bootstrap(*given_to))
    tenths = scores.calibration(event, risk, scores.groups_of(risk))

    assert auc == pytest.approx(scores.auc(event, risk))
    assert brier == pytest.approx(scores.brier(event, risk))
    assert brier == pytest.approx(brier_score_loss(event, risk))
    assert error == pytest.approx(scores.calibration_error(tenths))


def test_all_models_are_scored_on_the_same_draws_whatever_the_order_of_rows():
    event, risk = planted(200)
    cluster, stratum = np.arange(200) % 150, np.arange(200) // 150
    risks = {"ours": risk, "same": 2 * risk, "other": -risk}

    drawn = scores.bootstrap(event, risks, cluster, stratum, 20, 5)

    ours, same, other = drawn[0].T
    assert (ours == same).all()
    assert 1 - ours == pytest.approx(other)
    order = np.random.default_rng(0).permutation(200)
    mixed = {name: values[order] for name, values in risks.items()}
    again = scores.bootstrap(event[order], mixed, cluster[order], stratum[order], 20, 5)
    for one, other in zip(drawn, again, strict=True):
        assert one == pytest.approx(other)


def test_a_stratum_with_one_side_only_is_left_out_of_the_draw():
    event = np.array([True, False, False, False])
    strata = np.array([0, 0, 1, 1])

    auc, *_ = scores.bootstrap(event, {"m": np.arange(4.0)}, np.arange(4), strata, 40, 1)

    assert set(auc[~np.isnan(auc)]) == {0.0}
    assert np.isnan(auc).any()
