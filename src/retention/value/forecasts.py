"""What customers may do after a day: purchases, or days under contract, forecast and as they came.

In an activity book these are days with a purchase (`stats.forecast`), in a contract book days under
contract (`stats.remaining`). Either is told by an ``Ahead``: a function of days ahead that gives,
for each customer, how many are expected by then, or came.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import narwhals as nw
import numpy as np
import polars as pl

from retention.book import Churn
from retention.errors import Refused
from retention.refresh import Refresh
from retention.stats import bg_nbd, by_group, forecast, kaplan_meier, remaining
from retention.tables import spells, workspace

Ahead = Callable[[float], np.ndarray]
MONTH_DAYS = 30  # amounts of contracts are for so many days
YEAR_DAYS = 365
LEAST_OF_PLAN = 200  # spells of a plan, for a curve of its own
LEAST_AT_RISK = 20  # spells still at risk where a curve stops


class Past(NamedTuple):
    """What happened: the tables activity and terms, and the book's definition of churn."""

    activity: pl.LazyFrame
    terms: pl.LazyFrame
    churn: Churn


class Known(NamedTuple):
    """Customers who may bring something after ``day``, as known on it.

    ``customers`` has one row per customer, in order: customer_id, cents (mean amount of a purchase,
    or agreed for a day; null where not known), and
    in an activity book, of everybody who has bought: frequency, recency, age (days, see `bg_nbd`),
    priced (purchases with an amount above 0)
    in a contract book, of everybody in force: plan, tenure_days, until (days to a booked end,
    infinite where none is known)
    """

    past: Past
    day: int
    customers: pl.DataFrame


def today(r: Refresh) -> Known:
    """Customers who may bring something after the snapshot, as known on it."""
    activity, terms = (workspace.scan_table(r.space, name) for name in ("activity", "terms"))
    return known(Past(activity, terms, r.book.churn), r.day)


def known(past: Past, day: int) -> Known:
    """Customers who may bring something after ``day``, as known on it."""
    found = _under_contract if past.churn.kind == "contract" else _buyers
    return Known(past, day, found(past, day))


def purchases(past: Past) -> pl.DataFrame:
    """Days with an order, one row per customer and day: customer_id, day, amount_cents."""
    days = past.activity.filter(pl.col("orders") > 0).group_by("customer_id", "day")
    return days.agg(pl.col("amount_cents").sum()).sort("customer_id", "day").collect()


def models(known: Known) -> dict[str, Ahead]:
    """What is expected of the ``known``, by the workbook's forecast ("ours") and by what it is held
    against; nothing where there is too little to learn from.

    Against: in an activity book BG/NBD, in a contract book one daily rate of leaving for all.
    """
    if known.customers.is_empty():
        return {}
    if known.past.churn.kind == "contract":
        return _contract_models(known)
    history = _history(known)
    lives = forecast.lives(history)
    try:
        ours, plain = forecast.fit(history), bg_nbd.fit(*lives)
    except Refused:
        return {}
    return {
        "ours": partial(forecast.expected, ours, history),
        "BG/NBD": partial(bg_nbd.expected, plain, *lives),
    }


def happened(known: Known, *, amounts: bool = False) -> Ahead:
    """What the ``known`` did after the day: purchases or days under contract, or their cents."""
    past, place = known.past, known.customers.select("customer_id").with_row_index("who")
    if past.churn.kind == "contract":
        rows = past.terms.collect().join(place, on="customer_id", how="inner")
        first = np.maximum(rows["started_day"].to_numpy() - 1, known.day)
        last = rows["ended_day"].fill_null(np.iinfo(np.int32).max).to_numpy()
        worth = rows["amount_cents"].fill_null(0).to_numpy() / MONTH_DAYS
    else:
        rows = purchases(past).filter(pl.col("day") > known.day)
        rows = rows.join(place, on="customer_id", how="inner")
        first = rows["day"].to_numpy() - 1
        last, worth = rows["day"].to_numpy(), rows["amount_cents"].to_numpy()
    who, weight = rows["who"].to_numpy(), worth if amounts else np.ones(rows.height)

    def by(ahead: float) -> np.ndarray:
        counted = np.clip(np.minimum(last, known.day + ahead) - first, 0, None)
        return np.bincount(who, counted * weight, minlength=place.height)

    return by


def paid(past: Past, day: int) -> pl.DataFrame:
    """What every customer paid in the last 365 days up to ``day``: customer_id, amount_cents.

    Amounts of purchases in an activity book; in a contract book, days in force times the amount
    agreed for a day (of terms whose amount is known).
    """
    source = past.terms if past.churn.kind == "contract" else past.activity
    everybody = source.select("customer_id").unique().sort("customer_id").collect()
    until = past._replace(activity=past.activity.filter(pl.col("day") <= day))
    cents = happened(Known(until, day - YEAR_DAYS, everybody), amounts=True)(YEAR_DAYS)
    return everybody.with_columns(amount_cents=pl.Series(cents).round().cast(pl.Int64))


def rests_on(models: dict[str, Ahead], known: Known, ahead_days: int) -> str:
    """What the `models` of the ``known`` rest on, in a sentence: in an activity book how two are
    weighted, in a contract book for which part the days ahead lead beyond the data.

    "" where nothing is forecast.
    """
    if not models:
        return ""
    if known.past.churn.kind == "contract":
        judged = _stretches(known.past, known.day).filter(pl.col("excluded").is_null())
        tenure = known.customers["tenure_days"].to_numpy()
        off = remaining.beyond(_curve(judged), tenure, ahead_days).mean()
        return f"For {off:.0%} of them the days ahead lead beyond the longest stays seen so far."
    fit = models["ours"].args[0]
    half = fit.changing.half
    fades = "never fades" if np.isinf(half) else f"counts half after {half:.0f} days"
    return (
        f"Two forecasts are mixed by how well each did in the past: {1 - fit.weight:.0%} of "
        f"customers who leave for good, {fit.weight:.0%} of customers whose rates change (a "
        f"purchase {fades})."
    )


def _buyers(past: Past, day: int) -> pl.DataFrame:
    date, amount = pl.col("day"), pl.col("amount_cents")
    bought = purchases(past).filter(date <= day).group_by("customer_id", maintain_order=True)
    return bought.agg(
        frequency=pl.len().cast(pl.Int64) - 1,
        recency=date.max() - date.min(),
        age=day - date.min(),
        priced=(amount > 0).sum().cast(pl.Int64),
        cents=amount.filter(amount > 0).mean(),
    )


def _history(known: Known) -> forecast.History:
    day, place = known.day, known.customers.select("customer_id", "age").with_row_index("who")
    at = (pl.col("age") - (day - pl.col("day"))).alias("at")
    rows = purchases(known.past).join(place, on="customer_id", how="inner").select("who", "day", at)
    again = rows.filter(pl.col("day") <= day, pl.col("at") > 0)
    age, at_age = (part.to_numpy().astype(float) for part in (place["age"], again["at"]))
    return forecast.History(age, again["who"].to_numpy(), at_age)


def _under_contract(past: Past, day: int) -> pl.DataFrame:
    stretches = _stretches(past, day).filter(pl.col("end_day").is_null())
    in_force = (pl.col("started_day") <= day) & (pl.col("ended_day").fill_null(day + 1) > day)
    agreed, is_known = pl.col("amount_cents").sum(), pl.col("amount_cents").is_not_null().all()
    cents = past.terms.filter(in_force).group_by("customer_id")
    planned = pl.col("observed_until_day")
    cents = cents.agg(
        cents=pl.when(is_known).then(agreed / MONTH_DAYS),
        planned=pl.when(planned.is_not_null().all()).then(planned.max() - day),
    )
    booked = nw.to_native(spells.booked_ends(past.terms, snapshot_day=day), pass_through=True)
    left = pl.min_horizontal("booked_end_in_days", "planned").cast(pl.Float64).fill_null(np.inf)
    return (
        stretches.lazy()
        .join(cents, on="customer_id", how="left")
        .join(booked, on="customer_id", how="left")
        .select(
            "customer_id",
            "plan",
            (day - pl.col("start_day") + 1).alias("tenure_days"),
            left.alias("until"),
            "cents",
        )
        .sort("customer_id")
        .collect()
    )


def _stretches(past: Past, day: int) -> pl.DataFrame:
    after = past.churn.after_days
    made = spells.from_contracts(past.terms, snapshot_day=day, after_days=after)
    return nw.from_native(made).lazy().collect().to_native().sort("customer_id", "spell")


def _contract_models(known: Known) -> dict[str, Ahead]:
    judged = _stretches(known.past, known.day).filter(pl.col("excluded").is_null())
    ends, lived = judged["event_observed"].sum(), judged["duration_days"].sum()
    if not ends:
        return {}
    sizes = judged.group_by("plan").len().filter(pl.col("len") >= LEAST_OF_PLAN).sort("plan")
    everybody = _curve(judged)
    curves = {plan: _curve(judged.filter(plan=plan)) for plan in sizes["plan"].drop_nulls()}
    tenure, until = (known.customers[name].to_numpy() for name in ("tenure_days", "until"))
    plans, rate = known.customers["plan"].fill_null("").to_numpy(), ends / lived

    def ours(ahead: float) -> np.ndarray:
        found = remaining.days(everybody, tenure, ahead, until)
        for plan, curve in curves.items():
            own = plans == plan
            found[own] = remaining.days(curve, tenure[own], ahead, until[own])
        return found

    def one_rate(ahead: float) -> np.ndarray:
        return -np.expm1(-rate * np.minimum(ahead, until)) / rate

    return {"ours": ours, "one rate": one_rate}


def _curve(judged: pl.DataFrame) -> pl.DataFrame:
    return kaplan_meier.curve(*by_group.lives(judged), least=LEAST_AT_RISK)
