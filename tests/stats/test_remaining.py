"""Days still to come under contract: by hand, on lives without memory, and beyond the data."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.stats import kaplan_meier, remaining

CURVE = pl.DataFrame({"duration_days": [0, 1, 3, 4], "survival": [1.0, 0.8, 0.4, 0.4]})


def test_days_by_hand():
    said = remaining.days(CURVE, np.array([0, 1, 3]), 3)
    assert said[:2] == pytest.approx([2.6, 2.5])
    assert remaining.days(CURVE, np.array([0]), 2, np.array([1.0])) == pytest.approx([1.0])
    assert remaining.days(CURVE, np.array([0]), 1.5) == pytest.approx([1.4])


def test_lives_without_memory_have_the_same_days_ahead_at_every_age():
    rng = np.random.default_rng(1)
    lives = np.ceil(rng.exponential(200, 30_000)).astype(int)
    curve = kaplan_meier.curve(lives, np.ones(30_000, bool), least=200)
    ages = np.array([0, 50, 200, 600])

    said = remaining.days(curve, ages, 100)

    kept = np.exp(-1 / 200)
    assert said == pytest.approx(np.full(4, (1 - kept**100) / (1 - kept)), rel=0.02)
    literal = [np.minimum(lives[lives > age] - age, 100).mean() for age in ages]
    assert said == pytest.approx(literal, rel=0.01)


def test_beyond_the_curve_the_rate_of_its_last_year_goes_on():
    days = np.arange(0, 731)
    curve = pl.DataFrame({"duration_days": days, "survival": 0.999**days})
    said = remaining.days(curve, np.array([700, 730, 2_000]), 300)
    assert said == pytest.approx(np.full(3, (1 - 0.999**300) / 0.001))
    assert remaining.beyond(curve, np.array([400, 500]), 300).tolist() == [False, True]


def test_where_everybody_had_left_nothing_is_known():
    gone = pl.DataFrame({"duration_days": [0, 5], "survival": [1.0, 0.0]})
    said = remaining.days(gone, np.array([2, 5]), 10)
    assert said[0] == pytest.approx(3)
    assert np.isnan(said[1])


@given(st.integers(0, 6), st.integers(0, 20), st.integers(1, 20))
def test_more_days_ahead_bring_more_and_never_more_than_they_are(tenure, ahead, further):
    one, more = (remaining.days(CURVE, np.array([tenure]), h)[0] for h in (ahead, ahead + further))
    assert 0 <= one <= ahead + 1e-9
    assert one <= more + 1e-12
