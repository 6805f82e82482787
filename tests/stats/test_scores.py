"""Scores of a risk: pair by pair, against other libraries, on published data and planted truth."""

from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.datasets import load_gbsg2, load_rossi
from lifelines.utils import concordance_index
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from retention.errors import Refused
from retention.stats import cox, ranks, scores

TELCO = Path(__file__).parents[3] / "shared" / "data" / "telco" / "customers.parquet"
ROW = st.tuples(st.integers(1, 6), st.booleans(), st.integers(0, 4), st.integers(0, 3))
ROWS = st.lists(ROW, min_size=1, max_size=25)
KIND = {"reason": "scikit-survival has no wheels for this Python"}


def kaplan_meier(durations, events, alpha=0.05):
    """lifelines' curve; it silences numpy's warnings for good, which is undone here."""
    with np.errstate():
        return KaplanMeierFitter(alpha=alpha).fit(durations, events)


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


def test_auc_is_scikit_learns():
    rng = np.random.default_rng(0)
    event, risk, weights = rng.random(5_000) < 0.2, rng.integers(0, 300, 5_000), rng.random(5_000)

    assert scores.auc(event, risk) == pytest.approx(roc_auc_score(event, risk), abs=1e-12)
    expected = roc_auc_score(event, risk, sample_weight=weights)
    assert scores.auc(event, risk, weights) == pytest.approx(expected, abs=1e-12)
    assert np.isnan(scores.auc(np.zeros(3, bool), np.arange(3.0)))


@given(ROWS)
def test_c_is_the_share_of_pairs_in_order(rows):
    durations, events, risk, _ = columns(rows)
    pairs = [
        (i, j)
        for i, j in product(np.flatnonzero(events), range(len(rows)))
        if durations[i] < durations[j] or (durations[i] == durations[j] and not events[j])
    ]
    expected = of_pairs((risk[i], risk[j], 1) for i, j in pairs)

    assert scores.harrell_c(durations, events, risk) == pytest.approx(expected, nan_ok=True)
    known = of_pairs(
        (risk[i], risk[j], 1 / uncensored(durations, events, i) ** 2) for i, j in pairs
    )
    assert scores.uno_c(durations, events, risk, 7) == pytest.approx(known, nan_ok=True)


def uncensored(durations, events, i):
    """The share not censored before the time of row i, time by time."""
    share = 1.0
    for time in sorted(set(durations[durations < durations[i]])):
        there = (durations > time) | ((durations == time) & ~events)
        share *= 1 - ((durations == time) & ~events).sum() / there.sum()
    return share


def drawn(seed, n=400, times=12, levels=15):
    """Lives that end, or are censored, on few distinct days; a risk with few levels."""
    rng = np.random.default_rng(seed)
    risk = rng.integers(1, levels + 1, n) / (levels + 1)
    lives = np.ceil(rng.exponential(times / (3 * risk))).clip(max=times)
    ends = rng.integers(1, times + 1, n)
    return np.minimum(lives, ends).astype(float), lives <= ends, risk


@pytest.mark.parametrize("seed", range(4))
def test_c_is_what_lifelines_and_scikit_survival_say(seed):
    metrics = pytest.importorskip("sksurv.metrics", **KIND)
    durations, events, risk = drawn(seed)
    got = scores.harrell_c(durations, events, risk)

    assert got == pytest.approx(concordance_index(durations, -risk, events), abs=1e-12)
    expected = metrics.concordance_index_censored(events, durations, risk)[0]
    assert got == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tied", [True, False])
def test_weighted_scores_are_scikit_survivals_with_censorings_just_after_events(seed, tied):
    """It weighs events by the share not censored up to *and on* their day. That is ours when
    censorings come a moment later, as they do for us; where none are tied, nothing is moved."""
    metrics = pytest.importorskip("sksurv.metrics", **KIND)
    util = pytest.importorskip("sksurv.util", **KIND)
    (durations, events, risk), (train, ended, _) = drawn(seed), drawn(seed + 50, n=900)
    moved, moved_train = durations + ~events / 4, train + ~ended / 4
    there = util.Surv.from_arrays(events, moved)
    learned = util.Surv.from_arrays(ended, moved_train)
    ours = (durations, train) if tied else (moved, moved_train)
    lives, among = (ours[0], events, risk), (ours[1], ended)

    for time in (3, 7, 10):
        theirs = metrics.concordance_index_ipcw(learned, there, risk, tau=time)[0]
        assert scores.uno_c(*lives, time, among) == pytest.approx(theirs, abs=1e-9)
        theirs = metrics.cumulative_dynamic_auc(learned, there, risk, [time])[0][0]
        assert scores.dynamic_auc(*lives, time, among) == pytest.approx(theirs, abs=1e-9)
        theirs = metrics.brier_score(learned, there, 1 - risk, [time])[1][0]
        assert scores.brier(*lives, time, among) == pytest.approx(theirs, abs=1e-9)


def test_censoring_by_months_does_not_bend_the_scores():
    """Planted: whole lives are known, and censored in whole months. Measured over 40 draws."""
    off = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        risk = rng.uniform(0.05, 0.5, 1_500)
        lives = rng.geometric(risk).astype(float)
        ends = rng.integers(1, 13, 1_500)
        durations, events = np.minimum(lives, ends).astype(float), lives <= ends
        said, always = 1 - (1 - risk) ** 6, np.ones(1_500, bool)
        whole = (lives, always)
        seen = (durations, events)
        off.append(
            [
                scores.brier(*seen, said, 6) - scores.brier(*whole, said, 6),
                scores.uno_c(*seen, said, 7) - scores.uno_c(*whole, said, 7),
                scores.dynamic_auc(*seen, said, 6) - scores.auc(lives <= 6, said),
            ]
        )
    mean, error = np.mean(off, axis=0), np.std(off, axis=0, ddof=1) / np.sqrt(len(off))

    assert (np.abs(mean) < 3 * error).all()
    assert (error < 0.002).all()


@pytest.mark.parametrize("seed", range(4))
def test_the_brier_of_one_risk_for_all_is_the_spread_of_the_kaplan_meier_share(seed):
    durations, events, _ = drawn(seed)
    fitter = kaplan_meier(durations, events)
    for time in (1, 5, 11):
        share = float(fitter.predict(time))
        same = np.full(len(durations), 1 - share)
        assert scores.brier(durations, events, same, time) == pytest.approx(share * (1 - share))
        assert scores.dynamic_auc(durations, events, same, time) == pytest.approx(0.5)


def test_with_everybody_followed_the_scores_are_the_plain_ones():
    rng = np.random.default_rng(0)
    risk = rng.random(500)
    lives = np.ceil(rng.exponential(30 / risk))
    durations, left = np.minimum(lives, 30), lives <= 30

    assert scores.censored_before(durations, left, 30) == 0
    assert scores.brier(durations, left, risk, 30) == pytest.approx(np.mean((risk - left) ** 2))
    assert scores.dynamic_auc(durations, left, risk, 30) == scores.auc(left, risk)
    assert scores.uno_c(durations, left, risk, 31) == scores.harrell_c(durations, left, risk)


def test_what_nobody_is_followed_for_is_refused():
    durations, events, risk = np.array([3.0, 5, 9]), np.array([True, True, False]), np.ones(3) / 2

    assert scores.censored_before(durations, events, 10) == 1
    assert scores.brier(durations, events, risk, 9) == 0.25
    with pytest.raises(Refused, match="nobody is followed for 10 days"):
        scores.brier(durations, events, risk, 10)
    with pytest.raises(Refused, match="nobody is followed for 10 days"):
        scores.dynamic_auc(durations, events, risk, 10)
    short = (np.array([1.0, 2, 4]), np.array([True, True, False]))
    with pytest.raises(Refused, match="nobody is followed for 5 days"):
        scores.uno_c(durations, events, risk, 20, short)
    assert np.isnan(scores.uno_c(durations, events, risk, 2))


def test_rossi_has_the_published_c():
    rossi = load_rossi()
    design = pl.from_pandas(rossi.drop(columns=["week", "arrest"]))
    durations, events = rossi["week"].to_numpy(float), rossi["arrest"].to_numpy() == 1
    ratio = cox.ratios(cox.fit(design, durations, events), design)

    assert scores.harrell_c(durations, events, ratio) == pytest.approx(0.6403292471, abs=1e-10)


def gbsg2():
    """Durations, events, the risk by Cox and by each day, as scikit-survival's documentation."""
    frame = pl.from_pandas(load_gbsg2())
    design = frame.select(
        "age",
        "estrec",
        "pnodes",
        "progrec",
        "tsize",
        horTh=(pl.col("horTh") == "yes").cast(pl.Int8),
        menostat=(pl.col("menostat") == "Post").cast(pl.Int8),
        tgrade=pl.col("tgrade").str.len_chars().cast(pl.Int8),
    )
    durations, events = frame["time"].to_numpy().astype(float), frame["cens"].to_numpy() == 1
    fitter = cox.fit(design, durations, events)
    ratio, start = cox.ratios(fitter, design), np.zeros(len(durations))
    base = cox.baseline(fitter)
    return durations, events, ratio, lambda day: cox.conditional_risk(base, ratio, start, day)


def test_gbsg2_has_the_published_scores():
    """On 35 days somebody has an end and somebody is censored: ours differ a little."""
    durations, events, ratio, by = gbsg2()
    lives, last = (durations, events), durations.max() + 1
    days = np.arange(365, 1826)
    printed = [as_printed(scores.brier, *lives, by(day), day + 0.75) for day in days]

    assert scores.harrell_c(*lives, ratio) == pytest.approx(0.687928, abs=1e-6)
    assert as_printed(scores.uno_c, *lives, ratio, last) == pytest.approx(0.674073, abs=1e-6)
    assert scores.integrated(days, np.array(printed)) == pytest.approx(0.181585, abs=1e-6)
    assert printed[-1] == pytest.approx(0.208818, abs=1e-6)
    assert scores.uno_c(*lives, ratio, last) == pytest.approx(0.671788, abs=1e-6)
    assert scores.brier(*lives, by(1825), 1825) == pytest.approx(0.208745, abs=1e-6)


TELCO_AT = {  # month: dynamic AUC, Brier, calibration error
    12: (0.669608, 0.195390, 0.028729),
    24: (0.686248, 0.217725, 0.020959),
    36: (0.691301, 0.220015, 0.030513),
    48: (0.702485, 0.207546, 0.035716),
}
PRINTED_AT = {  # month: dynamic AUC, Brier, Brier of Kaplan-Meier alone, all by scikit-survival
    12: (0.6693, 0.19934, 0.21630),
    24: (0.6865, 0.22109, 0.24824),
    36: (0.6940, 0.22234, 0.25298),
    48: (0.7019, 0.21039, 0.23996),
}


def as_printed(score, durations, events, risk, until):
    """``score`` with the weights that scikit-survival takes: everybody is seen half a day later
    than in the estimate of censoring, so that ends weigh as if after the censorings of their day.
    """
    return score(durations + 0.5, events, risk, until, (durations, events))


def telco():
    if not TELCO.exists():
        pytest.skip("no ../shared/data/telco (IBM Telco, 7,043 customers)")
    frame = pl.read_parquet(TELCO).filter(
        pl.col("Contract") == "Month-to-month", pl.col("InternetService") != "No"
    )
    design = frame.select(
        (pl.col(name) == level).cast(pl.Int8)
        for name, level in {
            "Dependents": "Yes",
            "InternetService": "DSL",
            "OnlineBackup": "Yes",
            "TechSupport": "Yes",
        }.items()
    )
    durations, events = frame["tenure"].to_numpy().astype(float), frame["churned"].to_numpy() == 1
    fitter = cox.fit(design, durations, events)
    ratio, base = cox.ratios(fitter, design), cox.baseline(fitter)
    start = np.zeros(len(durations))
    return durations, events, ratio, lambda day: cox.conditional_risk(base, ratio, start, day)


def test_telco_has_the_published_scores():
    durations, events, ratio, by = telco()

    assert scores.harrell_c(durations, events, ratio) == pytest.approx(0.640883, abs=1e-6)
    assert scores.uno_c(durations, events, ratio, 60) == pytest.approx(0.630873, abs=1e-6)
    assert scores.uno_c(durations, events, ratio, 24) == pytest.approx(0.639775, abs=1e-6)
    for month, expected in TELCO_AT.items():
        risk = by(month)
        table = scores.calibration(durations, events, risk, month, ranks.levels(risk))
        assert table.height == 16
        got = (
            scores.dynamic_auc(durations, events, risk, month),
            scores.brier(durations, events, risk, month),
            scores.calibration_error(table),
        )
        assert got == pytest.approx(expected, abs=1e-6)


def test_telco_differs_from_what_is_printed_by_the_ties_alone():
    """With everything in whole months, scikit-survival's weights make the Brier of Kaplan-Meier
    itself 0.216 at month 12, where it is S (1 - S) = 0.212."""
    durations, events, ratio, by = telco()
    lives = durations, events
    for month, expected in PRINTED_AT.items():
        risk = by(month)
        whole = scores.calibration(*lives, risk, month, np.ones(len(risk)))["observed"][0]
        got = (
            as_printed(scores.dynamic_auc, *lives, risk, month + 0.75),
            as_printed(scores.brier, *lives, risk, month + 0.75),
            as_printed(scores.brier, *lives, np.full(len(risk), whole), month + 0.75),
        )
        assert got == pytest.approx(expected, abs=5e-5)
        assert scores.brier(*lives, np.full(len(risk), whole), month) == pytest.approx(
            whole * (1 - whole)
        )
    for tau, expected in ((60, 0.631032), (24, 0.640176)):
        assert as_printed(scores.uno_c, *lives, ratio, tau) == pytest.approx(expected, abs=1e-6)


def test_integrated_is_the_mean_over_the_range():
    assert scores.integrated(np.array([0, 1, 3]), np.array([1.0, 3.0, 3.0])) == pytest.approx(8 / 3)


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


def test_calibration_of_the_followed_is_the_plain_share_with_wilsons_limits():
    durations = np.array([5.0, 30, 30, 12, 30, 30])
    left = np.array([True, False, False, True, True, False])
    group = np.array(["b", "a", "b", "b", "b", "a"], dtype=object)
    risk = np.array([0.6, 0.1, 0.2, 0.7, 0.5, 0.3])

    table = scores.calibration(durations, left, risk, 30, group)

    none, three = (binomtest(*kn).proportion_ci(method="wilson") for kn in ((0, 2), (3, 4)))
    assert table.rows() == [
        ("a", 2, 0, pytest.approx(0.2), 0.0, none.low, none.high),
        ("b", 4, 3, pytest.approx(0.5), 0.75, three.low, three.high),
    ]
    assert scores.calibration_error(table) == pytest.approx((2 * 0.2 + 4 * 0.25) / 6)


@pytest.mark.parametrize("seed", range(3))
def test_calibration_of_the_censored_is_lifelines_kaplan_meier(seed):
    durations, events, risk = drawn(seed)
    table = scores.calibration(durations, events, risk, 6.5, risk > 0.5, confidence=0.9)

    for label, *_, observed, lower, upper in table.rows():
        there = (risk > 0.5) == label
        fitter = kaplan_meier(durations[there], events[there], alpha=0.1)
        limits = fitter.confidence_interval_survival_function_.loc[6].to_numpy()
        expected = (1 - float(fitter.predict(6)), *(1 - limits[::-1]))
        assert (observed, lower, upper) == pytest.approx(expected)


def test_a_share_that_nobody_was_followed_for_is_not_known():
    durations = np.array([3.0, 5, 4, 20, 3, 9, 3, 3])
    events = np.array([True, False, False, False, True, True, False, True])
    group = np.array([1, 1, 2, 2, 3, 3, 4, 4])

    table = scores.calibration(durations, events, np.full(8, 0.5), 10, group)

    nothing = (None, None, None)
    assert [row[4:] for row in table.rows()] == [
        nothing,  # left or censored before
        (0.0, None, None),  # one is censored, one stays
        (1.0, pytest.approx(0.3424, abs=1e-4), 1.0),
        nothing,
    ]
    assert scores.calibration_error(table) == pytest.approx(0.5)
    everyone_left = scores.calibration(durations[4:7], events[4:7], np.ones(3), 10, np.ones(3))
    assert everyone_left.row(0)[4:] == (1.0, None, None)


def test_planted_miscalibration_is_seen():
    rng = np.random.default_rng(7)
    risk = rng.beta(2, 5, 20_000)
    lives = np.ceil(-30 * np.log(rng.random(20_000)) / -np.log1p(-risk))
    ends = rng.integers(1, 90, 20_000)
    durations, events = np.minimum(lives, ends).astype(float), lives <= ends

    def judged(said):
        table = scores.calibration(durations, events, said, 30, scores.groups_of(said))
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


def test_lift_is_what_breaking_ties_by_chance_gives_on_average():
    rng = np.random.default_rng(3)
    risk, event = rng.integers(0, 5, 60) / 5, rng.random(60) < 0.4
    tops = []
    for _ in range(4_000):
        order = np.lexsort((rng.random(60), -risk))
        tops.append(event[order[:15]].mean() / event.mean())

    assert scores.lift(event, risk, 0.25) == pytest.approx(np.mean(tops), abs=0.01)


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


def test_the_bootstrap_has_delongs_error():
    event, risk = planted()
    n = len(risk)

    draws = scores.bootstrap_auc(event, {"m": risk}, np.arange(n), np.zeros(n), 800, 1)

    assert draws["auc"].std() == pytest.approx(delong(event, risk), rel=0.08)
    assert draws["auc"].mean() == pytest.approx(scores.auc(event, risk), abs=0.002)


def test_a_customer_seen_twice_does_not_count_as_two():
    event, risk = planted()
    n = len(risk)
    once = scores.bootstrap_auc(event, {"m": risk}, np.arange(n), np.zeros(n), 50, 1)
    both = (np.tile(event, 2), {"m": np.tile(risk, 2)}, np.tile(np.arange(n), 2))

    twice = scores.bootstrap_auc(*both, np.repeat([0, 1], n), 50, 1)

    assert twice["auc"].to_numpy() == pytest.approx(once["auc"].to_numpy())


def test_all_models_are_scored_on_the_same_draws_whatever_the_order_of_rows():
    event, risk = planted(200)
    cluster, stratum = np.arange(200) % 150, np.arange(200) // 150
    risks = {"ours": risk, "same": 2 * risk, "other": -risk}

    drawn = scores.bootstrap_auc(event, risks, cluster, stratum, 20, 5)

    assert drawn.columns == ["draw", "model", "auc"]
    assert drawn["draw"].to_list() == [draw for draw in range(1, 21) for _ in risks]
    wide = drawn.pivot(on="model", index="draw", values="auc")
    assert (wide["ours"] == wide["same"]).all()
    assert (1 - wide["ours"]).to_numpy() == pytest.approx(wide["other"].to_numpy())
    order = np.random.default_rng(0).permutation(200)
    mixed = {name: values[order] for name, values in risks.items()}
    again = scores.bootstrap_auc(event[order], mixed, cluster[order], stratum[order], 20, 5)
    assert again.equals(drawn)


def test_a_stratum_with_one_side_only_is_left_out_of_the_draw():
    event = np.array([True, False, False, False])
    strata = np.array([0, 0, 1, 1])

    drawn = scores.bootstrap_auc(event, {"m": np.arange(4.0)}, np.arange(4), strata, 40, 1)

    assert set(drawn["auc"].drop_nans()) == {0.0}
    assert drawn["auc"].is_nan().any()
