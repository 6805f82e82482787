"""What customers are worth: what is expected of them, in money, discounted, by bands.

How many purchases, or days under contract, are expected by when is told by a function of days
ahead, ``Ahead`` (see `analysis.prospects`).
"""

from collections.abc import Callable

import numpy as np
import polars as pl

from retention.book import Churn
from retention.errors import Refused
from retention.stats import gamma_gamma

Ahead = Callable[[float], np.ndarray]
STEP_DAYS = 30  # amounts within so many days are discounted alike
BANDS = ("value", "n", "share_of_customers", "value_cents", "share_of_value")
TOO_CLOSE = 0.3  # correlation of how often and how much, from which Gamma-Gamma misleads


def expected(
    models: dict[str, Ahead],
    known: pl.DataFrame,
    churn: Churn,
    *,
    ahead_days: int,
    discount_rate: float,
    margin: float,
) -> pl.DataFrame:
    """What each of the ``known`` is expected to bring within ``ahead_days``.

    Returns the table "value" without its band: customer_id, horizon_days, expected_orders (null in
            a contract book), expected_days (null in an activity book), expected_amount_cents,
            value_cents: ``margin`` times the amounts, each discounted from the middle of its 30
            days by ``discount_rate`` a year
    """
    edges = np.unique([*range(0, ahead_days, STEP_DAYS), ahead_days])
    nothing = np.full(known.height, np.nan)
    came = [models["ours"](edge) if models else nothing for edge in edges]
    units, each = came[-1] if came else nothing, cents_each(known, churn)
    years = (edges[1:] + edges[:-1]) / 2 / 365
    worth = sum(
        step * (1 + discount_rate) ** -year
        for step, year in zip(np.diff(came, axis=0), years, strict=True)
    )
    whole = {"expected_amount_cents": units * each, "value_cents": margin * worth * each}
    name = "expected_days" if churn.kind == "contract" else "expected_orders"
    other = {"expected_days", "expected_orders"} - {name}
    return known.select(
        "customer_id",
        pl.lit(ahead_days, pl.Int64).alias("horizon_days"),
        pl.Series(name, units).fill_nan(None),
        *(pl.lit(None, pl.Float64).alias(column) for column in other),
        *(
            pl.Series(column, cents).fill_nan(None).round().cast(pl.Int64)
            for column, cents in whole.items()
        ),
    )


def banded(values: pl.DataFrame, shares: dict[str, float]) -> pl.DataFrame:
    """The table "value": with the band, by value_cents, of each customer.

    Takes   ``shares``, the part of customers in each band from the highest value down; the others
            are "low", and "not known" whose value is not known. Equal values are in one band, the
            higher one
    """
    value, place = pl.col("value_cents"), pl.col("value_cents").rank("min", descending=True) - 1
    band, until = pl.when(value.is_null()).then(pl.lit("not known")), 0.0
    for name, share in shares.items():
        until += share
        band = band.when(place < (until * value.count()).round(6)).then(pl.lit(name))
    return values.with_columns(value=band.otherwise(pl.lit("low")))


def cents_each(known: pl.DataFrame, churn: Churn) -> np.ndarray:
    """What the next purchase, or the next day under contract, of each of the ``known`` brings.

    By Gamma-Gamma, or the mean of all where amounts never differ; NaN where none is known.
    """
    cents = known["cents"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    if churn.kind == "contract" or np.isnan(cents).all():
        return cents
    bought, priced = known["priced"].to_numpy().astype(float), ~np.isnan(cents)
    try:
        fit = gamma_gamma.fit(bought[priced], cents[priced])
    except Refused:
        return np.full(len(cents), cents[priced].mean())
    return gamma_gamma.expected_mean(fit, bought, cents)


def bands(values: pl.DataFrame) -> pl.DataFrame:
    """What each band of the table "value" brings, the highest first.

    Returns value, n, share_of_customers, value_cents, share_of_value (null where there is none)
    """
    order = {"high": 0, "middle": 1, "low": 2, "not known": 3}
    whole = values["value_cents"].sum()
    part = pl.col("value_cents").sum()
    return (
        values.group_by("value", maintain_order=True)
        .agg(
            n=pl.len().cast(pl.Int64),
            share_of_customers=pl.len() / values.height,
            value_cents=part,
            share_of_value=part / whole if whole else pl.lit(None, pl.Float64),
        )
        .sort(pl.col("value").replace_strict(order, default=4, return_dtype=pl.Int64))
    )


def whole(values: pl.DataFrame) -> float | None:
    """The sum of all values, in whole money; None where none is known."""
    known = values["value_cents"].drop_nulls()
    return round(known.sum() / 100) if len(known) else None


def correlation(known: pl.DataFrame, churn: Churn) -> float | None:
    """Of how often and how much customers who bought again spend; None where it says nothing."""
    if churn.kind == "contract":
        return None
    again = known.filter(pl.col("frequency") > 0).drop_nulls("cents")
    found = gamma_gamma.correlation(again["frequency"].to_numpy(), again["cents"].to_numpy())
    return None if np.isnan(found) else found


def warning(correlation: float | None, churn: Churn) -> str:
    """Whether amounts may be foretold apart from how often customers buy, in a sentence."""
    if churn.kind == "contract":
        return "Amounts are those of the contracts in force; purchases on top are not in."
    if correlation is None:
        return (
            "Too few bought again to tell whether who buys more often also spends more each time."
        )
    said = f"How often and how much customers buy correlate by {correlation:.2f}"
    if abs(correlation) < TOO_CLOSE:
        return f"{said}: little enough for amounts to be foretold apart."
    side = "low" if correlation > 0 else "high"
    return (
        f"Warning: {said}. Amounts are foretold as if they had nothing to do with each other: "
        f"those of frequent buyers come out too {side}."
    )


def who(known: pl.DataFrame, churn: Churn, min_cell: int) -> str:
    """Who is in, in a sentence with {value}; counts from 1 to ``min_cell`` - 1 are not given."""
    if churn.kind == "activity":
        again = _few((known["frequency"] > 0).sum(), min_cell)
        return (
            f"{{value}} customers have bought by the snapshot, {again} of them on several days. "
            "Who has never bought is out."
        )
    booked = _few(known["until"].is_finite().sum(), min_cell)
    unpriced = _few(known["cents"].null_count(), min_cell)
    return (
        f"{{value}} customers are under contract at the snapshot; of {booked} the end is booked, "
        f"of {unpriced} the amount is not known. Who is out of contract is out, and brings nothing "
        "unless they come back, which is not foretold."
    )


def definition(
    churn: Churn, currency: str, ahead_days: int, discount_rate: float, margin: float
) -> str:
    """What value is, for the page."""
    units = (
        "days with a purchase to be expected (of customers who leave for good, MBG/NBD, and of "
        "customers whose rates change, an NBD that forgets, weighted by how each foretold the last "
        "third of what is known) times the amount of one (Gamma-Gamma)"
        if churn.kind == "activity"
        else "days under contract to be expected (Kaplan-Meier from the present age on, by plan "
        "where it has enough contracts, the last year's rate beyond the data) times the amount "
        "agreed"
    )
    return (
        f"Value, in {currency}: {units}, within {ahead_days} days, times a margin of "
        f"{margin:.0%}, discounted at {discount_rate:.0%} a year. It allows for leaving."
    )


def _few(n: int, min_cell: int) -> str:
    return f"<{min_cell}" if 0 < n < min_cell else f"{n:,}"
