"""Cumulative incidence: published, by other formulas and libraries, and of planted causes."""

import numpy as np
import pytest

from retention.errors import Refused
from retention.stats import risk_sets
from retention.stats.incidence import cumulative_incidence

BMT = {  # Scrucca, Santucci, Aversa (2007), Bone Marrow Transplantation 40:381; 0 = censored
    0: [2, 4, 7, 8, 32, 35, 35, 67, 68, 70, 72],
    1: [0, 1, 3, 3, 3, 4, 4, 8, 12],
    2: [0, 1, 2, 3, 4, 5, 7, 7, 8, 9, 10, 13, 14, 22, 26],
}
LIVES = np.concatenate([BMT[cause] for cause in BMT])
CAUSES = np.repeat(list(BMT), [len(lives) for lives in BMT.values()])


def at(table, time):
    return table.filter(table["duration_days"] <= time).row(-1, named=True)


def test_scruccas_patients_have_the_published_incidence():
    first, second = (cumulative_incidence(LIVES, CAUSES, cause) for cause in (1, 2))

    for time, one, two in ((6, 0.204926, 0.175792), (12, 0.272839, 0.340760)):
        assert at(first, time)["incidence"] == pytest.approx(one, abs=5e-7)
        assert at(second, time)["incidence"] == pytest.approx(two, abs=5e-7)
    assert at(first, 72)["incidence"] == pytest.approx(0.272838988, abs=5e-10)
    assert at(second, 24)["incidence"] == pytest.approx(0.446142, abs=5e-7)
    assert (at(first, 3)["at_risk"], at(first, 3)["events"]) == (29, 3)
    assert first["duration_days"].to_list() == sorted(set(LIVES.tolist()))


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_incidence_and_limits_are_scikit_survivals(seed):
    other = pytest.importorskip(
        "sksurv.nonparametric", reason="scikit-survival has no wheels for this Python"
    )
    rng = np.random.default_rng(seed)
    lives, causes = (
        (LIVES, CAUSES) if seed is None else (rng.integers(1, 20, 600), rng.integers(0, 4, 600))
    )
    last = lives.max()
    causes = np.where(lives == last, 0, causes)  # theirs divides by 0 where all leave
    times, incidence, limits = other.cumulative_incidence_competing_risks(
        causes, lives, conf_level=0.9, conf_type="log-log", var_type="Dinse_Approx"
    )
    for cause in range(1, causes.max() + 1):
        got = cumulative_incidence(lives, causes, cause, confidence=0.9)
        assert got["duration_days"].to_numpy() == pytest.approx(times)
        assert got["incidence"].to_numpy() == pytest.approx(incidence[cause])
        ours = got.select("ci_lower", "ci_upper").fill_null(0).to_numpy().T
        assert ours == pytest.approx(limits[cause], abs=1e-9)


def test_what_has_no_error_has_no_limits():
    table = cumulative_incidence(np.array([1, 2, 3, 3]), np.array([2, 1, 1, 1]), 1)
    assert table["ci_lower"].is_null().to_list() == [True, False, False]
    whole = cumulative_incidence(np.array([1, 2, 2]), np.array([1, 1, 1]), 1)
    assert whole["incidence"].to_list() == pytest.approx([1 / 3, 1])
    assert whole["ci_upper"].is_null().to_list() == [False, True]


def planted(seed, n, late):
    """Two causes with hazards 0.02 and 0.03 a day; censored from day 10 on; late entry."""
    rng = np.random.default_rng(seed)
    lives = np.ceil(rng.exponential(1 / 0.05, n)).astype(int)
    causes = np.where(rng.random(n) < 0.4, 1, 2)
    ends = rng.integers(10, 80, n)
    entry = rng.integers(0, 20, n) if late else np.zeros(n, dtype=int)
    seen = np.minimum(lives, ends)
    there = seen > entry
    return seen[there], np.where(lives <= ends, causes, 0)[there], entry[there]


@pytest.mark.parametrize(("late", "n"), [(False, 150), (True, 300)])
def test_the_limits_hold_the_truth_as_often_as_they_say(late, n):
    held, truth = [], 0.4 * -np.expm1(-0.05 * 30)
    for seed in range(400):
        lives, causes, entry = planted(seed, n, late)
        row = at(cumulative_incidence(lives, causes, 1, entry, confidence=0.9), 30)
        held.append(row["ci_lower"] <= truth <= row["ci_upper"])

    assert 0.865 <= np.mean(held) <= 0.935  # 90% +- 2.3 standard errors of 400 draws


def test_entering_at_the_end_is_refused_and_a_later_begin_starts_anew():
    lives, causes, entry = np.array([2, 9, 12]), np.array([1, 1, 2]), np.array([0, 4, 4])
    with pytest.raises(Refused, match="enter observation before"):
        cumulative_incidence(lives, causes, 1, np.array([0, 9, 4]))

    assert cumulative_incidence(lives, causes, 1, entry)["incidence"].to_list() == [1, 1, 1]
    begin = risk_sets.begin(lives, causes > 0, entry)
    lives, causes, entry = risk_sets.since(begin, lives, causes, entry)
    assert cumulative_incidence(lives, causes, 1, entry)["incidence"].to_list() == [0.5, 0.5]
