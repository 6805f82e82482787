"""Purchases without a contract (CDNOW, an online music shop).

Times of the models are weeks, as published, up to 1997-09-30; cohorts and silences go on to
1998-06-30. The sample is every tenth customer.
"""

from datetime import date

import numpy as np
import polars as pl
from lifetimes import ParetoNBDFitter

from published import fits
from retention.book import Churn
from retention.cohorts import cohorts
from retention.cohorts.retention import Scope, count, shares
from retention.definition import gaps
from retention.stats import bg_nbd, gamma_gamma
from retention.tables import calendar, spells
from retention_demo import readers

SNAPSHOT = calendar.day_of(date(1998, 6, 30))
PURCHASES = Churn(kind="activity", activity=["purchase"], after_days=180)
ONE = (np.array([2]), np.array([30.43]), np.array([38.86]))  # x, tx and T of the example


def cdnow() -> fits.Found:
    """Models of the sample, its cohorts and silences, and the cohorts of all."""
    seen = readers.cdnow_lives()
    lives = tuple(seen[name].to_numpy() for name in ("x", "t_x", "T"))
    sample, whole = (_days(file) for file in ("CDNOW_sample.txt", "CDNOW_master.txt"))
    return {
        **_customers("sample", sample),
        **_customers("all", whole),
        **_bg_nbd(lives),
        **_pareto_nbd(lives),
        **_gamma_gamma(seen.filter(pl.col("zbar") > 0)),
        **_silences(sample),
        **_cohorts("sample", sample),
        **_cohorts("all", whole),
    }


SETS = {"cdnow": cdnow}


def _days(file: str) -> pl.DataFrame:
    events = readers.cdnow(file)["events"].collect()
    return events.with_columns(day=pl.col("at").cast(pl.Int32).cast(pl.Int64))


def _customers(name: str, days: pl.DataFrame) -> fits.Found:
    return {
        f"{name}: customers": days["customer_id"].n_unique(),
        f"{name}: transactions": days.height,
        f"{name}: customer-days": days.select("customer_id", "day").n_unique(),
        f"{name}: amount": days["amount"].sum(),
    }


def _bg_nbd(lives: tuple[np.ndarray, ...]) -> fits.Found:
    fit = bg_nbd.fit(*lives)
    return {
        **{f"BG/NBD: {name}": getattr(fit, name) for name in ("r", "alpha", "a", "b")},
        **{f"BG/NBD by lifetimes: {name}": getattr(fit, name) for name in ("r", "alpha", "a", "b")},
        "BG/NBD: log-likelihood": fit.log_likelihood,
        "BG/NBD, x 2, tx 30.43, T 38.86: expected in 39 weeks": bg_nbd.expected(fit, *ONE, 39)[0],
        "BG/NBD, x 2, tx 30.43, T 38.86: chance to be alive": bg_nbd.alive(fit, *ONE)[0],
    }


def _pareto_nbd(lives: tuple[np.ndarray, ...]) -> fits.Found:
    """Schmittlein, Morrison and Colombo (1987), by lifetimes: customers may go at any time, not
    only with a purchase."""
    fit = ParetoNBDFitter().fit(*lives, initial_params=np.ones(4), tol=1e-8)
    at_best = fit._conditional_log_likelihood(fit.params_.to_numpy(), *lives)
    found = fit.params_.to_dict() | {"log-likelihood": at_best.sum()}
    return {f"Pareto/NBD: {name}": number for name, number in found.items()}


def _gamma_gamma(spent: pl.DataFrame) -> fits.Found:
    fit = gamma_gamma.fit(spent["x"].to_numpy(), spent["zbar"].to_numpy())
    return {
        "Gamma-Gamma: customers who bought again": spent.height,
        "Gamma-Gamma: mean of their means": spent["zbar"].mean(),
        **{f"Gamma-Gamma: {name}": getattr(fit, name) for name in ("p", "q", "gamma")},
        **{f"Gamma-Gamma by lifetimes: {name}": getattr(fit, name) for name in ("p", "q", "gamma")},
    }


def _silences(days: pl.DataFrame) -> fits.Found:
    found = gaps.of(days, PURCHASES, SNAPSHOT)
    ended = found.filter("ended")["silent_days"] + 1
    percentiles = {50: 0.5, 75: 0.75, 80: 0.8, 90: 0.9, 95: 0.95, 99: 0.99}
    back = {}
    for after in (30, 60, 90, 120, 180, 270):
        silent = found.filter(
            pl.col("silent_days") >= after, pl.col("day") + after + 180 <= SNAPSHOT
        )
        returned = silent["ended"] & (silent["silent_days"] < after + 180)
        name = f"back within 180 days after {after} silent ones"
        back |= {f"{name}: n": silent.height, f"{name}: share": returned.mean()}
    return {
        "gaps": len(ended),
        "gaps: mean": ended.mean(),
        **{f"gaps: {n} % end by": ended.quantile(at, "linear") for n, at in percentiles.items()},
        **back,
    }


def _cohorts(name: str, days: pl.DataFrame) -> fits.Found:
    """Customers of each month of start who are active in a later one (bounded), and in it or a
    later one still (unbounded)."""
    people = days.group_by("customer_id").agg(started_day=pl.col("day").min()).sort("customer_id")
    stays = spells.from_activity(
        days,
        people,
        kinds=PURCHASES.activity,
        snapshot_day=SNAPSHOT,
        after_days=PURCHASES.after_days,
    )
    divided = cohorts.divide(cohorts.starts(stays).sort("customer_id"), ["start_month"], 1)
    scope = Scope({"month": 17}, {})
    whole = {"churn": PURCHASES, "snapshot_day": SNAPSHOT, "scope": scope}
    tally = count(days.lazy(), stays, *cohorts.cells(divided), **whole)
    table = shares(tally, scope).select("cohort", "definition", "age", "n_active")
    return {
        f"{name}, {cohort}, {kind}: active in month {age}": n
        for cohort, kind, age, n in table.drop_nulls("n_active").iter_rows()
    }
