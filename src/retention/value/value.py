"""What customers are worth: what is expected of them, in money, discounted, by bands."""

from typing import NamedTuple

import numpy as np
import polars as pl

from retention.errors import Refused
from retention.exhibit import Exhibit, Finding
from retention.refresh import Refresh
from retention.stats import gamma_gamma, ranks
from retention.value import forecasts
from retention.value.forecasts import Ahead, Known

STEP_DAYS = 30  # amounts within so many days are discounted alike
TOO_CLOSE = 0.3  # correlation of how often and how much, from which Gamma-Gamma misleads


class Worth(NamedTuple):
    """The table "value", and what its forecast rests on, in a sentence."""

    values: pl.DataFrame
    rests_on: str


def who_is_counted(r: Refresh, known: Known) -> Finding:
    """Whose value is forecast, and of how many what is known; few are not told."""
    customers, who = known.customers, "have bought by the snapshot"
    if r.book.churn.kind == "activity":
        parts = {"on several days": (customers["frequency"] > 0).sum()}
    else:
        who = "are under contract at the snapshot"
        booked, unpriced = customers["until"].is_finite().sum(), customers["cents"].null_count()
        parts = {"with a booked end": booked, "without a known amount": unpriced}
    told = [f"{n:,} {words}" for words, n in parts.items() if n >= r.min_cell]
    sentence = f"{{value}} customers {'; '.join([who, *told])}. All others are excluded."
    return Finding("valued", sentence, customers.height, "customers")


def expected(
    r: Refresh, known: Known, shares: dict[str, float], *, ahead_days: int, **rates: float
) -> Worth:
    """What each of the ``known`` is expected to bring within ``ahead_days``: the table "value".

    Takes   ``shares``, the part of customers in each band from the highest value down
            ({"high": 0.1, "middle": 0.2}; the others are "low"); discount_rate and margin
    """
    models = forecasts.models(known)
    table = forecast_value(models, known, ahead_days=ahead_days, **rates)
    table = table.with_columns(value=ranks.bands("value_cents", shares))
    rests_on = forecasts.rests_on(models, known, ahead_days)
    return Worth(r.keep("value", table), rests_on)


def forecast_value(
    models: dict[str, Ahead], known: Known, *, ahead_days: int, discount_rate: float, margin: float
) -> pl.DataFrame:
    """What the `models` expect of each of the ``known`` within ``ahead_days``.

    Returns the table "value" without its band: customer_id, horizon_days, expected_orders (null in
            a contract book), expected_days (null in an activity book), expected_amount_cents,
            value_cents: ``margin`` times the amounts, each discounted from the middle of its 30
            days by ``discount_rate`` a year
    """
    edges = np.unique([*range(0, ahead_days, STEP_DAYS), ahead_days])
    nothing = np.full(known.customers.height, np.nan)
    came = [models["ours"](edge) if models else nothing for edge in edges]
    units, each = came[-1] if came else nothing, cents_each(known)
    years = (edges[1:] + edges[:-1]) / 2 / 365
    discounted = sum(
        step * (1 + discount_rate) ** -year
        for step, year in zip(np.diff(came, axis=0), years, strict=True)
    )
    days, orders = (units, nothing) if known.past.churn.kind == "contract" else (nothing, units)
    return known.customers.select(
        "customer_id",
        horizon_days=pl.lit(ahead_days, pl.Int64),
        expected_orders=pl.Series(orders).fill_nan(None),
        expected_days=pl.Series(days).fill_nan(None),
        expected_amount_cents=_whole(units * each),
        value_cents=_whole(margin * discounted * each),
    )


def _whole(cents: np.ndarray) -> pl.Series:
    return pl.Series(cents).fill_nan(None).round().cast(pl.Int64)


def cents_each(known: Known) -> np.ndarray:
    """What the next purchase, or the next day under contract, of each of the ``known`` brings.

    By Gamma-Gamma, or the mean of all where amounts never differ; NaN where none is known.
    """
    cents = known.customers["cents"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    if known.past.churn.kind == "contract" or np.isnan(cents).all():
        return cents
    bought, priced = known.customers["priced"].to_numpy().astype(float), ~np.isnan(cents)
    try:
        fit = gamma_gamma.fit(bought[priced], cents[priced])
    except Refused:
        return np.full(len(cents), cents[priced].mean())
    return gamma_gamma.expected_mean(fit, bought, cents)


def by_band(values: pl.DataFrame) -> pl.DataFrame:
    """What each band of the table "value" brings, the highest first.

    Returns band, n, share_of_customers, value_cents, share_of_value (null where there is none)
    """
    order = {"high": 0, "middle": 1, "low": 2, "not known": 3}
    whole, part = values["value_cents"].sum() or None, pl.col("value_cents").sum()
    return (
        values.group_by(band="value", maintain_order=True)
        .agg(
            n=pl.len().cast(pl.Int64),
            share_of_customers=pl.len() / values.height,
            value_cents=part,
            share_of_value=part / pl.lit(whole, pl.Float64),
        )
        .sort(pl.col("band").replace_strict(order, return_dtype=pl.Int64))
    )


def bands(r: Refresh, worth: Worth) -> Exhibit:
    """What customers are expected to bring in all, and which part each band of value brings."""
    values, found = worth.values, []
    cents = values["value_cents"].drop_nulls()
    if len(cents):
        sentence = (
            f"The {{n}} customers whose value is known are worth {r.book.currency} {{value}} in "
            f"all, {values['horizon_days'][0]} days ahead. {worth.rests_on}"
        )
        whole, further = round(cents.sum() / 100), {"n": len(cents)}
        found = [Finding("value", sentence, whole, r.book.currency, further=further)]
    return Exhibit(
        by_band(values), _highest, findings=found, empty="Nobody's value can be forecast."
    )


def _highest(bands: pl.DataFrame) -> str:
    high = bands.filter(band="high").drop_nulls("share_of_value")
    if high.is_empty():
        return "Customers by band of value"
    said = "{share_of_customers:.0%} of customers, in the band high, bring {share_of_value:.0%} of "
    return (said + "the value").format(**high.row(0, named=True))


def amounts_apart(known: Known) -> str:
    """Whether amounts may be forecast apart from how often customers buy, in a sentence."""
    if known.past.churn.kind == "contract":
        return "Amounts are those of the contracts in force; purchases besides are not counted."
    again = known.customers.filter(pl.col("frequency") > 0).drop_nulls("cents")
    found = gamma_gamma.correlation(again["frequency"].to_numpy(), again["cents"].to_numpy())
    if np.isnan(found):
        return "Too few bought again to tell whether frequent buyers also spend more each time."
    said = f"How often and how much customers buy correlate by {found:.2f}"
    if abs(found) < TOO_CLOSE:
        return f"{said}: little enough, so amounts are forecast separately."
    side = "low" if found > 0 else "high"
    return f"Warning: {said}, so the amounts forecast for frequent buyers are too {side}."
