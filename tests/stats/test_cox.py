"""Cox regression and conditional risk against lifelines' own prediction, and by hand."""

import numpy as np
import polars as pl
import pytest
from lifelines.datasets import load_rossi

from retention.errors import Refused
from retention.stats import cox

ROSSI = load_rossi()
DESIGN = pl.DataFrame({name: ROSSI[name].to_numpy() for name in ("fin", "age", "prio")})


def rossi(**options):
    return cox.fit(DESIGN, ROSSI["week"].to_numpy(), ROSSI["arrest"].to_numpy() == 1, **options)


@pytest.mark.parametrize("since", [0, 7, 20, 40])
def test_conditional_risk_is_what_lifelines_predicts_curve_by_curve(since):
    fitter = rossi()
    curves = fitter.predict_survival_function(ROSSI, times=[since, since + 12]).to_numpy()
    before = curves[0] if since else 1.0  # lifelines gives the first step at 0 as well

    table = fitter.baseline_cumulative_hazard_
    base = cox.Baseline(table.index.to_numpy(), table.to_numpy()[:, 0], ROSSI["week"].max())
    ratios = fitter.predict_partial_hazard(ROSSI).to_numpy()

    got = cox.conditional_risk(base, ratios, np.full(len(ROSSI), since), 12)

    assert np.allclose(got, 1 - curves[1] / before, atol=1e-12)


def test_risk_beyond_the_data_is_not_known_rather_than_zero():
    base = cox.Baseline(np.array([1.0, 5.0, 9.0]), np.array([0.1, 0.3, 0.6]), 12.0)

    risk = cox.conditional_risk(base, np.array([1.0, 2.0, 1.0]), np.array([0, 5, 9]), 4)

    assert risk[:2] == pytest.approx([1 - np.exp(-0.1), 1 - np.exp(-0.6)])
    assert np.isnan(risk[2])


def test_what_cannot_be_fitted_is_refused_in_words():
    with pytest.raises(Refused, match="no customer left"):
        cox.fit(DESIGN, ROSSI["week"].to_numpy(), np.zeros(len(ROSSI), bool))
    twice = DESIGN.with_columns(again="fin")
    with pytest.raises(Refused, match="fin, age, prio, again does not converge"):
        cox.fit(twice, ROSSI["week"].to_numpy(), ROSSI["arrest"].to_numpy() == 1)


def test_a_large_ratio_that_the_first_steps_overshoot_is_found():
    rng = np.random.default_rng(1)
    marked = np.arange(400) < 12
    durations = np.ceil(rng.exponential(200, 400) / np.where(marked, 20, 1))
    ended = durations <= 200
    durations = np.minimum(durations, 200)

    fitter = cox.fit(pl.DataFrame({"marked": marked.astype(float)}), durations, ended)

    assert fitter.params_["marked"] == pytest.approx(
        np.log(20), abs=3 * fitter.standard_errors_.item()
    )
