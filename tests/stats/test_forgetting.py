"""NBD that forgets: against NBD, counted by hand, and in drawn businesses that change or do not."""

import numpy as np
import pytest
from scipy.stats import nbinom

from retention.stats import forgetting
from retention.stats.forgetting import History


def shop(customers: int, wander: float, seed: int) -> History:
    """Rates are gamma(1.3, 1 / 40) times a wandering factor with that spread of its logarithm."""
    rng = np.random.default_rng(seed)
    age = rng.integers(60, 540, customers).astype(float)
    rate, factor = rng.gamma(1.3, 1 / 40, customers), wander * rng.normal(size=customers)
    bought = np.zeros((customers, 540), bool)
    for ago in range(539, -1, -1):
        chance = -np.expm1(-rate * np.exp(factor - wander**2 / 2))
        bought[:, ago] = (rng.uniform(size=customers) < chance) & (ago < age)
        fresh = rng.normal(size=customers)
        factor = 0.995 * factor + wander * np.sqrt(1 - 0.995**2) * fresh
    who, ago = np.nonzero(bought)
    return History(age, who, age[who] - ago)


def test_without_forgetting_it_is_the_likeliest_negative_binomial():
    history = shop(4_000, 0.0, seed=4)
    x = np.bincount(history.who, minlength=4_000)

    fit = forgetting.fit(history)

    assert fit[:3] == (pytest.approx(1.3, rel=0.1), pytest.approx(40, rel=0.1), np.inf)

    def literal(r: float, alpha: float) -> float:
        return nbinom.logpmf(x, r, alpha / (alpha + history.age)).sum()

    near = [literal(fit.r * up, fit.alpha * out) for up in (0.99, 1.01) for out in (0.99, 1.01)]
    assert literal(fit.r, fit.alpha) > max(near)
    said = forgetting.expected(fit, history, 30.0)
    assert said == pytest.approx((fit.r + x) / (fit.alpha + history.age) * 30)


def test_where_rates_wander_old_purchases_fade_and_the_forecast_is_nearer():
    whole = shop(2_000, 1.0, seed=5)
    past = whole.at <= whole.age[whole.who] - 60
    then = History(whole.age - 60, whole.who[past], whole.at[past])
    came = np.bincount(whole.who[~past], minlength=2_000)

    fit = forgetting.fit(then)

    assert 20 <= fit.half <= 90
    steady = forgetting._fit(then, np.inf)
    off, off_of_nbd = (
        ((forgetting.expected(model, then, 60.0) - came) ** 2).mean() for model in (fit, steady)
    )
    assert off < 0.9 * off_of_nbd


def test_what_is_expected_counts_purchases_and_days_the_less_the_longer_ago():
    history = History(np.array([100.0, 0.0, 50.0]), np.array([0, 0, 2]), np.array([20.0, 100, 10]))
    fit = forgetting.Fit(0.4, 12.0, 40.0, np.nan)

    said = forgetting.expected(fit, history, 30.0)

    days = [sum(0.5 ** (step / 4000) for step in range(100 * age)) / 100 for age in (100, 0, 50)]
    count = [0.25 + 1, 0, 0.5]
    by_hand = [(0.4 + x) / (12 + t) * 30 for x, t in zip(count, days, strict=True)]
    assert said == pytest.approx(by_hand, rel=1e-3)


def test_many_customers_are_drawn_from_always_alike_with_their_own_purchases():
    history = shop(300, 0.0, seed=6)
    some, again = (forgetting.some(history, 100) for _ in range(2))

    assert len(some.age) == 100
    assert all((one == other).all() for one, other in zip(some, again, strict=True))
    assert (some.at <= some.age[some.who]).all()
    kept = np.random.default_rng(1).permutation(300)[:100]
    counted = np.bincount(history.who, minlength=300)[np.sort(kept)]
    assert (np.bincount(some.who, minlength=100) == counted).all()
    assert forgetting.some(history, 300) is history
