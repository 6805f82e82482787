"""The forecast of purchases: its weight, and the figures it was chosen by on CDNOW's sample."""

import numpy as np
import polars as pl
import pytest
from stats.test_forgetting import shop

from retention.book import Churn
from retention.errors import Refused
from retention.stats import forecast
from retention.stats.forecast import History
from retention.tables import activity, calendar
from retention.value import forecasts
from retention_demo import readers

BOUGHT = Churn(kind="activity", activity=["purchase"], after_days=180)


def leaving(customers: int, seed: int) -> History:
    """Customers who follow MBG/NBD: steady rates, and a chance to be gone after each purchase."""
    rng = np.random.default_rng(seed)
    age, rate = rng.integers(60, 540, customers).astype(float), rng.gamma(1.0, 1 / 20, customers)
    stays, bought = 1 - rng.beta(0.9, 2.5, customers), []
    for place in range(customers):
        day = 0.0
        while rng.uniform() < stays[place]:
            day += np.ceil(rng.exponential(1 / rate[place]))
            if day > age[place]:
                break
            bought.append((place, day))
    who, at = np.array(bought).T
    return History(age, who.astype(int), at)


def test_lives_and_what_was_known_earlier_are_counted_by_hand():
    age = np.array([10.0, 60, 40])
    history = History(age, np.array([1, 1, 2, 0]), np.array([20.0, 45, 12, 3]))

    frequency, recency, known = forecast.lives(history)
    then, came = forecast.earlier(history, 15)

    assert (frequency.tolist(), recency.tolist()) == ([1, 2, 1], [3, 45, 12])
    assert known.tolist() == age.tolist()
    assert [part.tolist() for part in then] == [[45, 25], [0, 0, 1], [20, 45, 12]]
    assert came.tolist() == [0, 0]
    then, came = forecast.earlier(history, 16)
    assert (then.at.tolist(), came.tolist()) == ([20, 12], [1, 0])


def test_the_weight_goes_to_the_model_that_is_true():
    assert forecast.fit(leaving(2_000, seed=1)).weight < 0.1
    assert forecast.fit(shop(2_000, 1.0, seed=2)).weight > 0.6


def test_a_season_moves_sums_but_not_the_weight():
    history = leaving(2_000, seed=1)
    days = np.floor(forecast.HELD_OUT * history.age.max())
    fresh = history.at > history.age[history.who] - days
    thrice = (np.concatenate([part, part[fresh], part[fresh]]) for part in history[1:])

    more = History(history.age, *thrice)

    came, whole = (forecast.earlier(known, days)[1].sum() for known in (history, more))
    assert whole == 3 * came
    assert forecast._weight(more) < 0.1


@pytest.mark.parametrize(("customers", "seed"), [(3, 1), (5, 2), (12, 3), (30, 4)])
def test_of_few_customers_it_learns_little_and_stays_sensible(customers, seed):
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 200, customers).astype(float)
    who = np.flatnonzero(age > 2)
    history = History(age, who, np.ceil(age[who] * rng.uniform(0.2, 1, len(who))))

    fit = forecast.fit(history)

    assert fit.weight == pytest.approx(0.25, abs=0.15)
    said = forecast.expected(fit, history, 365.0)
    assert np.isfinite(said).all()
    assert (said >= 0).all()


def test_where_nothing_was_bought_earlier_or_since_the_weight_is_that_of_beforehand():
    age = np.array([90.0, 80, 30, 85])
    earlier = History(age, np.array([0, 3, 3]), np.array([5.0, 40, 7]))
    since = History(age, np.array([0, 1, 1]), np.array([80.0, 75, 70]))

    for history in (earlier, since):
        assert forecast.fit(history).weight == pytest.approx(0.25, abs=0.01)


def test_where_nobody_bought_again_it_refuses():
    with pytest.raises(Refused, match="bought again"):
        forecast.fit(History(np.array([90.0, 80]), np.array([], int), np.array([])))


def test_on_the_sample_it_was_chosen_on_it_is_nearer_than_bg_nbd():
    events = readers.cdnow("CDNOW_sample.txt")["events"].select(
        *("customer_id", "kind"),
        day=pl.col("at").cast(pl.Int32).cast(pl.Int64),
        order_id=pl.lit(None, pl.String),
        amount_cents=(pl.col("amount") * 100).round().cast(pl.Int64),
    )
    past = forecasts.Past(activity.activity(events).collect().lazy(), pl.LazyFrame(), BOUGHT)
    day = calendar.day_of(calendar.date(1997, 9, 30))
    known = forecasts.known(past, day)
    came = forecasts.happened(known)(273)
    models = forecasts.models(known)

    assert (known.customers.height, came.sum()) == (2_357, 1_882)
    off = {name: ahead(273).sum() / came.sum() - 1 for name, ahead in models.items()}
    rmse = {name: np.sqrt(((ahead(273) - came) ** 2).mean()) for name, ahead in models.items()}
    assert off == pytest.approx({"ours": 0.016, "BG/NBD": -0.121}, abs=5e-4)
    assert rmse == pytest.approx({"ours": 1.584, "BG/NBD": 1.608}, abs=5e-4)
