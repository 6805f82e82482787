"""BG/NBD and MBG/NBD: against lifetimes, and of drawn customers."""

import numpy as np
import pytest
from lifetimes import BetaGeoFitter, ModifiedBetaGeoFitter
from scipy.integrate import quad
from scipy.stats import gamma

from retention.errors import Refused
from retention.stats import bg_nbd
from retention_demo import readers

FITS = {
    False: bg_nbd.Fit(0.243, 4.414, 0.793, 2.426, np.nan, at_first=False),
    True: bg_nbd.Fit(0.525, 6.183, 0.891, 1.614, np.nan, at_first=True),
}
EITHER = pytest.mark.parametrize("at_first", [False, True], ids=["BG/NBD", "MBG/NBD"])


@pytest.fixture(scope="module")
def lives() -> tuple[np.ndarray, ...]:
    seen = readers.cdnow_lives()
    return tuple(seen[name].to_numpy().astype(float) for name in ("x", "t_x", "T"))


def drawn(customers: int, fit: bg_nbd.Fit, age: float, horizon: float, seed: int):
    """frequency, recency, age and purchases within the horizon of customers who follow ``fit``."""
    rng = np.random.default_rng(seed)
    rates = rng.gamma(fit.r, 1 / fit.alpha, customers)
    chances = rng.beta(fit.a, fit.b, customers)
    ages = rng.uniform(0.7 * age, age, customers)
    rows = np.zeros((customers, 4))
    for row, rate, chance, known in zip(rows, rates, chances, ages, strict=True):
        time, times = 0.0, []
        gone = fit.at_first and rng.random() < chance
        while not gone and (time := time + rng.exponential(1 / rate)) < known + horizon:
            times.append(time)
            gone = rng.random() < chance
        seen = [time for time in times if time <= known]
        row[:] = len(seen), max(seen, default=0), known, len(times) - len(seen)
    return rows.T


@pytest.mark.parametrize(
    ("at_first", "theirs"), [(False, BetaGeoFitter), (True, ModifiedBetaGeoFitter)]
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::FutureWarning")
def test_fit_and_expectations_are_those_of_lifetimes(lives, at_first, theirs):
    model = theirs(penalizer_coef=0.0).fit(*lives)
    fit = bg_nbd.fit(*lives, at_first=at_first)

    assert fit[:4] == pytest.approx(model.params_[["r", "alpha", "a", "b"]].tolist(), rel=1e-4)
    expected = bg_nbd.expected(fit, *lives, 39.0)
    other = model.conditional_expected_number_of_purchases_up_to_time(39, *lives)
    assert expected == pytest.approx(np.asarray(other), rel=1e-4)
    alive = bg_nbd.alive(fit, *lives)
    assert alive == pytest.approx(np.ravel(model.conditional_probability_alive(*lives)), rel=1e-4)


@EITHER
def test_planted_parameters_and_the_purchases_to_come_are_found(at_first):
    planted = FITS[at_first]._replace(r=0.8, alpha=5.0, a=0.7, b=2.5)
    x, tx, t, came = drawn(8_000, planted, 50.0, 30.0, seed=3)

    fit = bg_nbd.fit(x, tx, t, at_first=at_first)

    assert fit[:2] == pytest.approx(planted[:2], rel=0.15)
    assert fit.a / (fit.a + fit.b) == pytest.approx(planted.a / (planted.a + planted.b), rel=0.1)
    said = bg_nbd.expected(fit, x, tx, t, 30.0)
    for own in (x == 0, x == 1, (x > 1) & (x < 5), x >= 5):
        error = came[own].std() / np.sqrt(own.sum())
        assert abs(said[own].mean() - came[own].mean()) < 4 * error


def test_units_order_and_repeated_customers_do_not_matter(lives):
    few = [part[:300] for part in lives]
    fit = bg_nbd.fit(*few)
    in_days = bg_nbd.fit(few[0], 7 * few[1], 7 * few[2])
    turned = bg_nbd.fit(*(part[::-1] for part in few))
    twice = bg_nbd.fit(*(np.tile(part, 2) for part in few))

    assert turned == fit
    assert in_days[:4] == pytest.approx((fit.r, 7 * fit.alpha, fit.a, fit.b), rel=1e-4)
    assert in_days.log_likelihood == pytest.approx(fit.log_likelihood - few[0].sum() * np.log(7))
    assert twice[:4] == pytest.approx(fit[:4], rel=1e-4)
    assert twice.log_likelihood == pytest.approx(2 * fit.log_likelihood)


@EITHER
def test_what_is_expected_grows_with_the_horizon_from_nothing(at_first):
    x, tx, t = np.array([0.0, 3, 400]), np.array([0.0, 20, 99]), np.array([30.0, 30, 100])
    said = np.array([bg_nbd.expected(FITS[at_first], x, tx, t, h) for h in (0, 1, 10, 100, 1e4)])

    assert said[0] == pytest.approx(0)
    assert (np.diff(said, axis=0) > 0).all()
    assert np.isfinite(said).all()
    assert said[1][2] == pytest.approx(400 / 104, rel=0.15)  # four a week, seen a week ago


def test_a_chance_to_go_of_mean_one_is_no_gap_in_the_mean():
    x, tx, t = np.array([2.0]), np.array([20.0]), np.array([30.0])
    fits = [FITS[False]._replace(a=a) for a in (0.999, 1, 1.001)]
    near = [bg_nbd.expected(fit, x, tx, t, 10.0)[0] for fit in fits]
    assert near[1] == pytest.approx((near[0] + near[2]) / 2, rel=1e-5)


def test_who_never_goes_is_expected_at_their_own_rate():
    fit = FITS[False]._replace(a=1e-9, b=1e3)
    said = bg_nbd.expected(fit, np.array([4.0]), np.array([9.0]), np.array([30.0]), 12.0)
    assert said[0] == pytest.approx((fit.r + 4) / (fit.alpha + 30) * 12)


@EITHER
@pytest.mark.parametrize("same", [99.0, 400.0, 2_900.0])
def test_where_chances_to_go_are_alike_the_mean_is_that_of_equal_chances(at_first, same):
    fit = bg_nbd.Fit(0.6, 40.0, same, 49 * same, np.nan, at_first)
    x, tx, t = np.array([0.0, 3, 60]), np.array([0.0, 50, 300]), np.array([10.0, 100, 310])

    said = bg_nbd.expected(fit, x, tx, t, 400.0)

    def expected(r: float, alpha: float) -> float:
        rate = gamma(r, scale=1 / alpha)
        return quad(lambda own: -np.expm1(-own * 8) * 50 * rate.pdf(own), 0, 3)[0]

    alive = bg_nbd.alive(fit, x, tx, t)
    equal = [expected(0.6 + own, 40.0 + age) for own, age in zip(x, t, strict=True)] * alive
    assert said == pytest.approx(equal, rel=0.03)


def test_who_bought_once_is_alive_only_where_the_first_purchase_cannot_be_the_last():
    once = (np.array([0.0]), np.array([0.0]), np.array([200.0]))
    assert bg_nbd.alive(FITS[False], *once)[0] == 1
    assert bg_nbd.alive(FITS[True], *once)[0] < 0.5


def test_customers_of_whom_nobody_bought_again_are_refused():
    nothing = np.zeros(20)
    with pytest.raises(Refused, match="nobody bought again"):
        bg_nbd.fit(nothing, nothing, np.arange(20.0) + 1)
