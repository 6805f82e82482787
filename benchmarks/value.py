"""Forecasts of repeat purchases beside lifetimes' BG/NBD, and the time a million customers take.

Usage: python benchmarks/value.py [--data DIR] [--customers N]

The workbook's forecast (estimators/forecast.py) was chosen on CDNOW's 1/10 sample alone, whose row
is shown for comparison. It is judged on the other nine tenths of CDNOW's customers
and, where DIR holds online_retail/lines.parquet (UCI Online Retail), on those of another shop: at
the three ends of quarters, counted back from the last day, that leave a quarter to be forecast.
Both models see the same customers up to the origin. Limits: paired bootstrap over customers.
"""

import argparse
import time
import warnings
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import date, timedelta
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from lifetimes import BetaGeoFitter
from lifetimes.utils import ConvergenceError

from retention.stats import bg_nbd, forecast, gamma_gamma
from retention.tables import calendar
from retention_demo import readers

RETAIL = "online_retail/lines.parquet"
QUARTER = 91  # days
DRAWS = 2000
ORIGIN, HORIZON = date(1997, 9, 30), 273
NINE, SAMPLE = "CDNOW, nine tenths", "CDNOW, 1/10 sample (chosen on it)"


class Customers(NamedTuple):
    """What was seen of each up to an origin (days), and what they bought within the horizon."""

    history: forecast.History
    bought: np.ndarray


class Judged(NamedTuple):
    """One forecast of one model set beside that of another."""

    data: str
    origin: date
    horizon: int
    n: int
    bought: float
    error: float
    error_of_bg: float
    rmse: float
    rmse_of_bg: float
    lower: float
    upper: float
    bg_by: str


def cdnow() -> dict[str, pl.DataFrame]:
    """Days with a purchase of the 1/10 sample, and of everybody else: customer_id, day."""
    whole = readers.cdnow()["events"]
    chosen_on = readers.cdnow("CDNOW_sample.txt")["events"].select("customer_id").unique()
    parts = {
        SAMPLE: whole.join(chosen_on, on="customer_id", how="semi"),
        NINE: whole.join(chosen_on, on="customer_id", how="anti"),
    }
    return {name: _days(events).collect() for name, events in parts.items()}


def retail(folder: Path) -> pl.DataFrame:
    """Days with a purchase of known customers: no cancellation, a quantity and a price."""
    lines = pl.scan_parquet(folder / RETAIL).filter(
        pl.col("customer_id").is_not_null(),
        ~pl.col("invoice").str.starts_with("C"),
        pl.col("quantity") > 0,
        pl.col("unit_price") > 0,
    )
    return _days(lines.with_columns(at=pl.col("ts").dt.date())).collect()


def _days(events: pl.LazyFrame) -> pl.LazyFrame:
    day = pl.col("at").cast(pl.Int32).cast(pl.Int64).alias("day")
    return events.select("customer_id", day).unique().sort("customer_id", "day")


def customers(days: pl.DataFrame, origin: date, horizon: int) -> Customers:
    day, end = pl.col("day"), calendar.day_of(origin)
    seen = days.group_by("customer_id", maintain_order=True).agg(
        first=day.min(), bought=day.filter(day > end, day <= end + horizon).len()
    )
    known = seen.filter(pl.col("first") <= end).with_row_index("who")
    again = days.join(known, on="customer_id", how="inner", maintain_order="left")
    again = again.filter(day <= end, day > pl.col("first"))
    age, at = end - known["first"].to_numpy(), (again["day"] - again["first"]).to_numpy()
    history = forecast.History(age.astype(float), again["who"].to_numpy(), at.astype(float))
    return Customers(history, known["bought"].to_numpy().astype(float))


def lifetimes_fit(frequency: np.ndarray, recency: np.ndarray, age: np.ndarray) -> BetaGeoFitter:
    """lifetimes' BG/NBD, in weeks as published."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return BetaGeoFitter().fit(frequency, recency / 7, age / 7)


def bg(seen: Customers, horizon: int) -> tuple[np.ndarray, str]:
    """What BG/NBD expects, and by whose fit: where lifetimes' fails, the same model's by ours."""
    past = frequency, recency, age = forecast.lives(seen.history)
    try:
        with redirect_stdout(StringIO()):
            model = lifetimes_fit(*past)
    except ConvergenceError:
        return bg_nbd.expected(bg_nbd.fit(*past), *past, horizon), "ours: lifetimes fails"
    weeks = (frequency, recency / 7, age / 7)
    said = model.conditional_expected_number_of_purchases_up_to_time(horizon / 7, *weeks)
    return np.asarray(said), "lifetimes"


def judge(name: str, days: pl.DataFrame, origin: date, horizon: int) -> Judged:
    seen = customers(days, origin, horizon)
    ours = forecast.expected(forecast.fit(seen.history), seen.history, horizon)
    other, by = bg(seen, horizon)
    off, off_of_bg = ((said - seen.bought) ** 2 for said in (ours, other))
    total = seen.bought.sum()
    errors = [said.sum() / total - 1 for said in (ours, other)]
    rmse = [float(np.sqrt(part.mean())) for part in (off, off_of_bg)]
    limits = _limits(off, off_of_bg)
    return Judged(name, origin, horizon, len(off), total, *errors, *rmse, *limits, by)


def _limits(off: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """95 % limits of the difference of two RMSE, of the same customers drawn again."""
    rng, n = np.random.default_rng(1), len(off)
    draws = (rng.integers(n, size=n) for _ in range(DRAWS))
    drawn = [np.sqrt(off[rows].mean()) - np.sqrt(other[rows].mean()) for rows in draws]
    return tuple(np.quantile(drawn, [0.025, 0.975]))


def judged(folder: Path | None) -> Iterator[Judged]:
    for name, days in cdnow().items():
        yield judge(name, days, ORIGIN, HORIZON)
    if folder is None:
        return
    days = retail(folder)
    last = calendar.date_of(days["day"].max())
    for quarters in (3, 2, 1):
        origin = last - timedelta(days=quarters * QUARTER)
        yield judge("Online Retail", days, origin, QUARTER)


def agreement() -> float:
    """How far our BG/NBD lies from lifetimes', as the largest relative difference of parameters."""
    past = forecast.lives(customers(cdnow()[SAMPLE], ORIGIN, HORIZON).history)
    fit, other = bg_nbd.fit(*past), lifetimes_fit(*past).params_
    wanted = (other["r"], 7 * other["alpha"], other["a"], other["b"])
    return max(abs(got / want - 1) for got, want in zip(fit[:4], wanted, strict=True))


def million(n: int) -> Iterator[tuple[str, float]]:
    """Processor seconds for ``n`` drawn customers: the fits, and what to expect of everyone."""
    rng = np.random.default_rng(1)
    age = rng.integers(30, 720, n).astype(float)
    frequency = rng.poisson(rng.gamma(0.6, 1 / 90, n) * age)
    last = np.ceil(age * rng.beta(np.maximum(frequency, 1), 1.5))
    who = np.repeat(np.arange(n), frequency)
    history = forecast.History(age, who, np.ceil(last[who] * rng.uniform(size=len(who))))
    mean = np.round(2000 * rng.gamma(3.0, 1, n) + 1)
    started = time.process_time()
    fit = forecast.fit(history)
    yield "forecast, fit", time.process_time() - started
    started = time.process_time()
    forecast.expected(fit, history, 365)
    yield "forecast, a year ahead", time.process_time() - started
    started = time.process_time()
    gamma_gamma.expected_mean(gamma_gamma.fit(frequency + 1, mean), frequency + 1, mean)
    yield "Gamma-Gamma, fit and means", time.process_time() - started


def show(row: Judged) -> None:
    print(
        f"{row.data:34} {row.origin} {row.horizon:4} {row.n:7,} {row.bought:8,.0f} "
        f"{row.error:+8.1%} {row.error_of_bg:+8.1%} {row.rmse:8.4f} {row.rmse_of_bg:8.4f} "
        f"{row.rmse - row.rmse_of_bg:+8.4f} ({row.lower:+.4f} to {row.upper:+.4f}) {row.bg_by}",
        flush=True,
    )


def goals(rows: list[Judged]) -> None:
    """A line for each goal: the error of the total is the smaller one, RMSE is clearly below."""
    for row in rows:
        place = "nine_tenths" if row.data == NINE else f"retail_{row.origin:%Y_%m_%d}"
        less = abs(row.error) - abs(row.error_of_bg)
        print(f"goal value_{place}_total_error_minus_bg_nbd: {less:.4f}, wanted <= 0")
        print(f"goal value_{place}_rmse_difference_upper: {row.upper:.4f}, wanted <= 0")


def main(folder: Path | None, n: int) -> None:
    print(f"parameters of BG/NBD differ from lifetimes' by at most {agreement():.1e} of their size")
    heads = ("days", 4), ("n", 7), ("bought", 8), ("ours", 8), ("BG/NBD", 8), ("RMSE", 8)
    shown = " ".join(f"{name:>{width}}" for name, width in (*heads, ("BG/NBD", 8)))
    print(f"{'':34} {'origin':10} {shown} difference (95 % limits), BG/NBD by")
    rows = []
    for row in judged(folder):
        show(row)
        rows += [row] if row.data != SAMPLE else []
    if folder is None:
        print(f"left out: Online Retail, for which --data DIR must hold {RETAIL}")
    took = dict(million(n))
    for name, seconds in took.items():
        print(f"{n:,} customers: {name}: {seconds:.2f} CPU s")
    goals(rows)
    print(f"goal value_customers_cpu_seconds: {sum(took.values()):.2f}, wanted <= 30")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--data", type=Path, dest="folder")
    arguments.add_argument("--customers", type=int, default=1_000_000, dest="n")
    main(**vars(arguments.parse_args()))
