"""The curve against lifelines, and by counting."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter

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
