"""The forecast of purchases: its parts, and the figures it was chosen by on CDNOW's sample."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import nbinom

from retention.analysis import prospects
from retention.book import Churn
from retention.estimators import bg_nbd, forecast
from retention.tables import activity, calendar, demo

BOUGHT = Churn(kind="activity", activity=["purchase"], after_days=180)


def test_nbd_is_the_likeliest_negative_binomial():
    rng = np.random.default_rng(4)
    age = rng.integers(20, 60, 20_000).astype(float)
    x = rng.poisson(rng.gamma(1.3, 1 / 25, 20_000) * age).astype(float)

    r, alpha = forecast.nbd(x, age)

    assert (r, alpha) == pytest.approx((1.3, 25.0), rel=0.1)

    def literal(r: float, alpha: float) -> float:
        return nbinom.logpmf(x, r, alpha / (alpha + age)).sum()

    near = [literal(r * up, alpha * out) for up in (0.99, 1.01) for out in (0.99, 1.01)]
    assert literal(r, alpha) > max(near)


def test_the_forecast_lies_between_all_going_and_nobody_going():
    x, tx, t = np.array([0.0, 1, 6]), np.array([0.0, 9, 50]), np.array([60.0, 60, 60])
    going = bg_nbd.Fit(0.5, 6.2, 0.9, 1.6, np.nan, at_first=True)
    fit = forecast.Fit(going, (0.4, 12.0))
    steady = (0.4 + x) / (12.0 + t) * 30
    leaving = bg_nbd.expected(going, x, tx, t, 30.0)

    said = forecast.expected(fit, x, tx, t, 30.0)

    assert said == pytest.approx(0.85 * leaving + 0.15 * steady)


def test_on_the_sample_it_was_chosen_on_it_is_nearer_than_bg_nbd():
    events = demo.cdnow("CDNOW_sample.txt")["events"].select(
        *("customer_id", "kind"),
        day=pl.col("at").cast(pl.Int32).cast(pl.Int64),
        order_id=pl.lit(None, pl.String),
        amount_cents=(pl.col("amount") * 100).round().cast(pl.Int64),
    )
    past = prospects.Past(activity.activity(events).collect().lazy(), pl.LazyFrame())
    day = calendar.day_of(calendar.date(1997, 9, 30))
    known = prospects.known(past, BOUGHT, day)
    came = prospects.happened(past, BOUGHT, known, day)(273)
    models = prospects.models(past, BOUGHT, known, day)

    assert (known.height, came.sum()) == (2_357, 1_882)
    off = {name: ahead(273).sum() / came.sum() - 1 for name, ahead in models.items()}
    rmse = {name: np.sqrt(((ahead(273) - came) ** 2).mean()) for name, ahead in models.items()}
    assert off == pytest.approx({"ours": -0.054, "BG/NBD": -0.121}, abs=5e-4)
    assert rmse == pytest.approx({"ours": 1.597, "BG/NBD": 1.608}, abs=5e-4)
