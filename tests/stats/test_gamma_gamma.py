"""Gamma-Gamma: against lifetimes, and of amounts drawn by it."""

import numpy as np
import polars as pl
import pytest
from lifetimes import GammaGammaFitter

from retention.errors import Refused
from retention.stats import gamma_gamma
from retention_demo import readers

FIT = gamma_gamma.Fit(6.25, 3.74, 15.44, np.nan)


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::FutureWarning")
def test_fit_and_means_are_those_of_lifetimes():
    seen = readers.cdnow_lives().filter(pl.col("zbar") > 0)
    x, z = seen["x"].to_numpy(), seen["zbar"].to_numpy()
    theirs = GammaGammaFitter(penalizer_coef=0.0).fit(x, z)
    fit = gamma_gamma.fit(x, z)

    assert fit[:3] == pytest.approx([theirs.params_[name] for name in ("p", "q", "v")], rel=1e-4)
    other = theirs.conditional_expected_average_profit(x, z)
    assert gamma_gamma.expected_mean(fit, x, z) == pytest.approx(np.asarray(other), rel=1e-4)


def test_planted_means_are_found_however_few_purchases_tell_of_them():
    rng = np.random.default_rng(5)
    own = FIT.p / rng.gamma(FIT.q, 1 / FIT.gamma, 20_000)
    x = rng.integers(1, 9, 20_000)
    z = rng.gamma(FIT.p * x, own / FIT.p / x)

    fit = gamma_gamma.fit(x, z)

    assert fit[:3] == pytest.approx(FIT[:3], rel=0.15)
    said = gamma_gamma.expected_mean(fit, x, z)
    for few in (x == 1, x > 5):
        assert (own - said)[few].mean() == pytest.approx(0, abs=0.5)
        assert ((own - said)[few] ** 2).mean() < ((own - z)[few] ** 2).mean()


def test_who_has_no_amount_gets_the_mean_of_all_and_where_there_is_none_nobody_gets_one():
    said = gamma_gamma.expected_mean(FIT, np.array([0, 10**9]), np.array([np.nan, 50.0]))
    assert said == pytest.approx([FIT.p * FIT.gamma / (FIT.q - 1), 50.0])
    nobody = gamma_gamma.expected_mean(FIT._replace(q=0.9), np.array([0.0]), np.array([np.nan]))
    assert np.isnan(nobody[0])


def test_amounts_that_never_differ_are_refused():
    with pytest.raises(Refused, match="amounts do not differ"):
        gamma_gamma.fit(np.array([1, 2, 3]), np.array([5.0, 5.0, 5.0]))


def test_a_correlation_of_what_never_varies_is_not_known():
    assert gamma_gamma.correlation(np.array([1, 2, 3]), np.array([2.0, 4.0, 6.0])) == pytest.approx(
        1
    )
    assert np.isnan(gamma_gamma.correlation(np.array([1, 1, 1]), np.array([2.0, 4.0, 6.0])))
    assert np.isnan(gamma_gamma.correlation(np.array([1, 2]), np.array([2.0, 4.0])))
