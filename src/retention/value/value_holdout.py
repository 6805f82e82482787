"""What was forecast on an earlier day beside what came: in all, and week by week.

Forecast and outcome are functions of days ahead that give a number for each customer: purchases, or
days under contract (see `forecasts`).
"""

from functools import partial
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.stats import norm

from retention import charts
from retention.exhibit import Exhibit, Finding
from retention.refresh import Refresh
from retention.tables import task
from retention.value import forecasts, value
from retention.value.forecasts import Ahead, Known, Past

WEEK = 7
MEASURES = {"activity": "purchases", "contract": "days under contract"}
AMOUNT = "amount in cents"
CAME = "as it came"


class Held(NamedTuple):
    """What was ``compared`` and how many ``days`` were held out: the table "value_holdout"."""

    compared: pl.DataFrame
    days: int


def hold_out(r: Refresh, known: Known, most: int) -> Held:
    """Stand at most ``most`` days before the snapshot, forecast, and compare with what came."""
    days = horizon(known.past, r.day, most)
    then = forecasts.known(known.past, r.day - days)
    models, each = forecasts.models(then), value.cents_each(then)
    came, paid = forecasts.happened(then), forecasts.happened(then, amounts=True)
    measure = MEASURES[r.book.churn.kind]
    counted = compare(models, came, measure, days, r.confidence)
    return Held(counted.vstack(amounts(models, each, paid, days, r.confidence)), days)


def horizon(past: Past, day: int, most: int) -> int:
    """Days held out before ``day``: ``most``, but never more than half of the data."""
    bought = past.activity.filter(pl.col("orders") > 0).select(first="day")
    is_contract = past.churn.kind == "contract"
    days = past.terms.select(first="started_day") if is_contract else bought
    first = days.collect()["first"].min()
    return min(most, (day - (day if first is None else first)) // 2)


def compare(
    models: dict[str, Ahead], happened: Ahead, measure: str, days: int, confidence: float = 0.95
) -> pl.DataFrame:
    """What each model forecast for so many ``days``, beside what happened.

    Returns the table "value_holdout" without amounts: measure, by (total or week), group, model, n
            (customers), active (those of whom there was any), actual (per customer), its ci_lower
            and ci_upper (customers as drawn), predicted (per customer), rmse (over customers; null
            of a week). No rows where nothing was forecast
    """
    rows = []
    for model, ahead in models.items():
        rows.append(("total", "all", model, *_row(happened(days), ahead(days), confidence)))
        weeks = _weeks(ahead, happened, days, confidence)
        rows += [("week", f"{week:02}", model, *row) for week, row in enumerate(weeks, 1)]
    return _table(measure, rows)


def amounts(
    models: dict[str, Ahead], cents: np.ndarray, happened: Ahead, days: int, confidence: float
) -> pl.DataFrame:
    """The same of amounts, in cents and in all: units expected times what each brings.

    Takes   cents: what a purchase, or a day, of each customer is expected to bring; customers of
            whom that is not known are left out; happened: of cents
    """
    priced, rows = ~np.isnan(cents), []
    for model, ahead in models.items() if priced.any() else ():
        said = (ahead(days) * cents)[priced]
        rows.append(("total", "all", model, *_row(happened(days)[priced], said, confidence)))
    return _table(AMOUNT, rows)


def by_week(r: Refresh, held: Held) -> Exhibit:
    """What came week by week beside what was forecast: the table "value_holdout"."""
    return Exhibit(
        held.compared,
        _off,
        draw=lambda table: charts.curves(
            _weekly(table), "week", "per_customer", "n", cut=False, x_label="Week of the forecast"
        ),
        behind=partial(_totals, currency=r.book.currency),
        findings=partial(_error, days=held.days),
        empty="Too little is known to test a forecast.",
        name="value_holdout",
    )


def errors(table: pl.DataFrame) -> dict[tuple[str, str], float]:
    """By how much each model's total was too high (a share; below 0 too low), by measure and
    model."""
    known = table.filter(by="total").drop_nulls("predicted").filter(pl.col("actual") > 0)
    off = pl.col("predicted") / pl.col("actual") - 1
    return {(of, model): share for of, model, share in known.select("measure", "model", off).rows()}


def _error(table: pl.DataFrame, days: int) -> list[Finding]:
    """How far our forecast was off, in units and amounts."""
    off = {of: share for (of, model), share in errors(table).items() if model == "ours"}
    money = f" Its amounts were off by {off.pop(AMOUNT):+.1%}." if AMOUNT in off else ""
    sentence = (
        "For the {n} customers known {days} days before the snapshot, the forecast of {of} since "
        "then was off by {value} in all (above zero: too high)." + money.replace("-", "−")
    )
    n = table.filter(by="total")["n"].max()
    return [
        Finding(
            "forecast_error", sentence, share, "share", further={"n": n, "days": days, "of": of}
        )
        for of, share in off.items()
    ]


def _off(table: pl.DataFrame) -> str:
    """How far the forecast and what it is held against were off, in a sentence."""
    off = {model: share for (of, model), share in errors(table).items() if of != AMOUNT}
    if not off:
        return "Too few customers to say how far the forecast was off"
    told = "; ".join(f"{name} by {share:+.1%}" for name, share in off.items())
    return f"In all, forecasts were off: {told}".replace("-", "−")


def _totals(table: pl.DataFrame, currency: str) -> pl.DataFrame:
    """The rows of all customers, amounts in whole units of the ``currency``."""
    numbers = pl.col("actual", "ci_lower", "ci_upper", "predicted", "rmse")
    per = pl.when(pl.col("measure") == AMOUNT).then(100).otherwise(1)
    named = pl.col("measure").str.replace("cents", currency)
    return table.filter(by="total").drop("by", "group").with_columns(numbers / per, named)


def _weekly(table: pl.DataFrame) -> pl.DataFrame:
    """Week by week what happened as one of the models, for a chart: week, group ("as it came"
    first), n, per_customer, ci_lower, ci_upper (of what happened)."""
    rows = table.filter(by="week").with_columns(week=pl.col("group").cast(pl.Int64), group="model")
    first, none = rows["model"].unique(maintain_order=True).head(1), pl.lit(None, pl.Float64)
    came = rows.filter(pl.col("model").is_in(first.implode())).with_columns(group=pl.lit(CAME))
    said = rows.with_columns(actual="predicted", ci_lower=none, ci_upper=none)
    both = pl.concat([came, said]).drop_nulls("actual").rename({"actual": "per_customer"})
    return both.select("week", "group", "n", "per_customer", "ci_lower", "ci_upper")


def _table(measure: str, rows: list[tuple]) -> pl.DataFrame:
    schema = task.none("value_holdout").schema
    return pl.DataFrame([(measure, *row) for row in rows], schema, orient="row")


def _weeks(ahead: Ahead, happened: Ahead, days: int, confidence: float) -> list[tuple]:
    """What `_row` gives for each whole week, without the RMSE."""
    rows, before = [], (0.0, 0.0)
    for week in range(1, days // WEEK + 1):
        now = happened(week * WEEK), ahead(week * WEEK)
        came, said = (part - earlier for part, earlier in zip(now, before, strict=True))
        rows.append((*_row(came, said, confidence)[:-1], None))
        before = now
    return rows


def _row(came: np.ndarray, said: np.ndarray, confidence: float) -> tuple:
    """n, active, actual, its limits, predicted, rmse."""
    n, mean = len(came), came.mean()
    half = norm.ppf(0.5 + confidence / 2) * came.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
    limits = (max(mean - half, 0.0), mean + half) if np.isfinite(half) else (None, None)
    rmse = float(np.sqrt(((said - came) ** 2).mean()))
    return n, int((came > 0).sum()), float(mean), *limits, float(said.mean()), rmse
