"""The curve and the mean days under it: against lifelines, by counting, and of planted lives."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.utils import restricted_mean_survival_time

from retention.stats import kaplan_meier

row = st.tuples(st.integers(1, 30), st.booleans(), st.integers(0, 29)).map(
    lambda drawn: (drawn[0], drawn[1], min(drawn[2], drawn[0] - 1))
)
rows = st.lists(row, min_size=1, max_size=60)


def arrays(drawn):
    durations, events, entry = (np.array(column) for column in zip(*drawn, strict=True))
    return durations, events.astype(bool), entry


def theirs(durations, events, entry=None):
    """lifelines' curve; it silences numpy's warnings for good, which is undone here."""
    with np.errstate():
        return KaplanMeierFitter().fit(durations, events, entry=entry)


@given(rows)
def test_a_curve_equals_that_of_lifelines_limits_too(drawn):
    durations, events, _ = arrays(drawn)

    ours = kaplan_meier.curve(durations, events)

    fitter = theirs(durations, events)
    days = ours["duration_days"].to_numpy()
    assert np.allclose(ours["survival"], fitter.survival_function_at_times(days))
    limits = fitter.confidence_interval_.loc[days].to_numpy()
    inside = (ours["survival"] > 0).to_numpy()  # at 0 lifelines has limits of 1
    assert np.allclose(ours.select("ci_lower", "ci_upper").to_numpy()[inside], limits[inside])


@given(rows)
def test_with_late_entry_every_step_is_of_those_counted_at_risk(drawn):
    durations, events, entry = arrays(drawn)

    curve = kaplan_meier.curve(durations, events, entry)

    begin, share = curve["duration_days"][0], 1.0
    for day, at_risk, ends, survival, lower, upper in curve.rows()[1:]:
        assert at_risk == sum((np.maximum(entry, begin) < day) & (durations >= day))
        assert ends == sum(events & (durations == day))
        share *= 1 - ends / at_risk
        assert survival == pytest.approx(share, abs=1e-12)
        assert lower <= survival + 1e-12 <= upper + 2e-12
    assert curve["at_risk"].min() >= 1


@given(rows, st.integers(2, 12))
def test_a_curve_stops_where_too_few_are_at_risk_and_is_otherwise_the_same(drawn, least):
    durations, events, _ = arrays(drawn)

    whole, cut = (kaplan_meier.curve(durations, events, least=n) for n in (1, least))

    assert cut.equals(whole.filter((pl.col("at_risk") >= least).cum_prod().cast(bool)))


@given(rows, st.integers(2, 40))
def test_mean_days_are_those_of_lifelines(drawn, until):
    durations, events, _ = arrays(drawn)
    durations[0], events[0] = 41, False  # somebody is at risk all the while

    mean, _ = kaplan_meier.restricted_mean(durations, events, until=until)

    fitter = theirs(durations, events)
    assert mean == pytest.approx(restricted_mean_survival_time(fitter, t=until))


@given(st.lists(st.integers(1, 40), min_size=2, max_size=60), st.integers(2, 39))
def test_without_censoring_the_mean_is_a_plain_mean_with_its_own_error(durations, until):
    durations = np.array(durations)

    mean, variance = kaplan_meier.restricted_mean(durations, durations > 0, until=until)

    lived = np.minimum(durations, until)
    assert mean == pytest.approx(lived.mean())
    assert variance == pytest.approx(lived.var() / len(lived), abs=1e-9)


@pytest.mark.parametrize("since", [0, 20])
def test_limits_cover_the_planted_mean_as_often_as_they_say(since):
    """Exponential lives of 60 days in whole days, censored evenly, a half of them seen late."""
    rng, until, hits, draws = np.random.default_rng(1), 90, 0, 600
    days = np.arange(since, until)
    truth = np.exp(-(days - since) / 60).sum()
    for _ in range(draws):
        life = np.ceil(rng.exponential(60, 400)).astype(int)
        entry = rng.integers(0, 40, 400) * (rng.random(400) < 0.5)
        end = rng.integers(60, 200, 400)
        seen = (life > entry) & (end > entry)
        durations, events = np.minimum(life, end)[seen], (life <= end)[seen]
        mean, variance = kaplan_meier.restricted_mean(
            durations, events, entry[seen], until=until, since=since
        )
        hits += abs(mean - truth) <= 1.96 * np.sqrt(variance)
    assert 0.925 <= hits / draws <= 0.975  # 99.5 % of binomial draws of 600 at 95 %
