"""What may come of customers: by hand, at the edges of contracts, and in drawn businesses."""

from functools import partial

import numpy as np
import planted_truth
import polars as pl
import pytest
from drawing import drawn

from retention.book import Churn
from retention.stats import forecast, forgetting
from retention.value import forecasts

SHOP = Churn(kind="activity", activity=["purchase"], after_days=30)
CLUB = Churn(kind="contract", after_days=30)
NOTHING = pl.LazyFrame(schema={"customer_id": pl.String, "started_day": pl.Int64})
BOUGHT = drawn("""
    | customer_id | day | kind     | events | orders | amount_cents |
    | a           | 10  | purchase | 1      | 1      | 500          |
    | a           | 10  | extra    | 1      | 1      | 100          |
    | a           | 14  | purchase | 2      | 2      | 0            |
    | a           | 20  | purchase | 1      | 1      | 300          |
    | a           | 25  | purchase | 1      | 1      | 700          |
    | b           | 12  | visit    | 3      | 0      | 0            |
    | b           | 18  | purchase | 1      | 1      | 0            |
    | b           | 31  | purchase | 1      | 1      | 900          |
    | late        | 30  | purchase | 1      | 1      | 250          |
""")
TERMS = drawn("""
    | customer_id | started_day | ended_day | booked_day | cause | plan | amount_cents |
    | booked      | 50          | 110       | 95         |       | a    | 3000         |
    | cancelled   | 50          | 90        | 90         |       | a    | 3000         |
    | changed     | 40          | 80        | 80         |       | a    | 3000         |
    | changed     | 85          |           |            |       | b    | 6000         |
    | both        | 60          |           |            |       | a    | 3000         |
    | both        | 70          |           |            |       | a    | 900          |
    | free        | 95          |           |            |       | b    |              |
    | later       | 101         |           |            |       | a    | 3000         |
    | last        | 50          | 100       | 100        |       | a    | 3000         |
""").with_columns(cause=pl.lit(None, pl.String), observed_until_day=pl.lit(None, pl.Int64))


IN_SHOP = forecasts.Past(BOUGHT.lazy(), NOTHING, SHOP)
IN_CLUB = forecasts.Past(BOUGHT.clear().lazy(), TERMS.lazy(), CLUB)


def test_who_bought_is_known_by_days_with_an_order_up_to_the_day_alone():
    known = forecasts.known(IN_SHOP, 20)

    assert known.customers.rows() == [("a", 2, 10, 10, 2, 450.0), ("b", 0, 0, 2, 0, None)]


def test_what_came_is_counted_after_the_day_up_to_and_on_the_last():
    known = forecasts.known(IN_SHOP, 18)
    came = forecasts.happened(known)
    cents = forecasts.happened(known, amounts=True)

    counted = [tuple(came(ahead)) for ahead in (0, 1, 2, 7, 13)]
    assert counted == [(0, 0), (0, 0), (1, 0), (2, 0), (2, 1)]
    assert cents(13).tolist() == [1000, 900]


def test_who_is_under_contract_with_the_amount_of_a_day_and_the_days_to_a_booked_end():
    known = forecasts.known(IN_CLUB, 100)

    assert known.customers.rows() == [
        ("booked", "a", 51, 10.0, 100.0),
        ("both", "a", 41, np.inf, 130.0),
        ("changed", "a", 61, np.inf, 200.0),
        ("free", "b", 6, np.inf, None),
    ]


def test_days_under_contract_and_what_they_brought_are_those_of_the_terms():
    known = forecasts.known(IN_CLUB, 75)
    came = forecasts.happened(known)
    cents = forecasts.happened(known, amounts=True)

    assert [*known.customers["customer_id"]] == ["booked", "both", "cancelled", "changed", "last"]
    assert came(20).tolist() == [20, 40, 15, 5 + 11, 20]
    assert came(40).tolist() == [35, 80, 15, 5 + 31, 25]
    assert cents(20).tolist() == [2000, 2600, 1500, 500 + 2200, 2000]


def test_what_was_paid_in_the_last_year_is_that_of_everybody():
    shopped = forecasts.paid(IN_SHOP, 30)
    assert dict(shopped.iter_rows()) == {"a": 1600, "b": 0, "late": 250}
    owed = dict(forecasts.paid(IN_CLUB, 100).iter_rows())
    assert (owed["cancelled"], owed["later"], owed["changed"]) == (4100, 0, 41 * 100 + 16 * 200)


def test_where_nobody_bought_again_or_nobody_left_nothing_is_foretold():
    once = forecasts.Past(BOUGHT.filter(customer_id="late").lazy(), NOTHING, SHOP)
    for past, day in ((once, 30), (IN_SHOP, 5), (IN_CLUB, 75)):
        assert forecasts.models(forecasts.known(past, day)) == {}


def test_in_a_planted_business_the_days_foretold_are_those_that_came():
    world = planted_truth.risk_world(3_000, seed=11)
    past = forecasts.Past(
        world["activity"].lazy(),
        world["terms"].with_columns(observed_until_day=pl.lit(None, pl.Int64)).lazy(),
        CLUB,
    )
    known = forecasts.known(past, world["snapshot_day"] - 180)
    models, came = forecasts.models(known), forecasts.happened(known)(180)

    said, until = models["ours"](180), known.customers["until"].to_numpy()
    assert len(said) > 800
    assert said.mean() == pytest.approx(came.mean(), rel=0.04)
    booked = np.isfinite(until)
    assert (said[booked] <= until[booked] + 1e-9).all()
    assert (np.diff([models["ours"](ahead) for ahead in (0, 1, 30, 180)], axis=0) >= 0).all()
    assert forecasts.rests_on(models, known, 5_000).startswith("For 100% of them")
    assert forecasts.rests_on({}, known, 5_000) == ""


@pytest.mark.parametrize(
    ("half", "said"), [(120.0, "counts half after 120 days)."), (np.inf, "never fades).")]
)
def test_how_the_models_of_purchases_are_weighted_is_said(half, said):
    fit = forecast.Fit(None, forgetting.Fit(1, 1, half, 0), 0.25)
    models = {"ours": partial(forecast.expected, fit)}
    told = forecasts.rests_on(models, forecasts.known(IN_SHOP, 20), 365)
    assert "75% of customers who leave for good, 25% of customers whose rates change" in told
    assert told.endswith(said)
