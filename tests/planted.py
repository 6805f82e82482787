"""What tests know of simulated worlds: planted hazard ratios and densities."""

from datetime import date

import numpy as np
import polars as pl

from retention.stats import design, proportional
from retention.survival import survival
from retention.tables import activity, calendar, features, spells
from retention_demo import behaviours, simulate

CUSTOMERS = 2_000
NOISE = np.array([0.06, 0.08, 0.03, 0.03])  # sd with which 90 days of events show the coordinates


def hazard_ratios(seed: int) -> pl.DataFrame:
    """Estimates of one simulated world, with the planted hazard ratios beside them.

    Regions, which act on nothing, are terms too. One ratio for all time is taken: to judge whether
    it is the same at every age, which it is here, would take most of a thousand worlds' time.
    """
    people = simulate.people(CUSTOMERS, seed)
    terms = simulate.terms(people, simulate.lives(people, seed), seed)
    regions = {f"region_{name}": pl.col("region") == name for name in simulate.REGIONS[1:]}
    columns = simulate.TERMS | regions
    known = people.select(
        "customer_id", **{name: term.cast(pl.Float64) for name, term in columns.items()}
    )
    observed = survival.observed(spells_at(terms, simulate.LAST_DAY), known)
    return pl.concat(
        _whole(observed, list(columns), cause).with_columns(
            cause=pl.lit(cause),
            planted=pl.col("term").replace_strict(ratios, default=1.0, return_dtype=pl.Float64),
        )
        for cause, ratios in simulate.HAZARD_RATIOS.items()
    ).with_columns(
        covered=pl.col("planted").is_between("ci_lower", "ci_upper"),
        significant=pl.col("p_value") < 0.05,
        bias=pl.col("hazard_ratio").log() - pl.col("planted").log(),
    )


def _whole(observed: pl.DataFrame, names: list[str], cause: str) -> pl.DataFrame:
    """The ratios of one cause before they are judged, as the pages estimate them."""
    left = observed["event_observed"] & (observed["cause"] == cause).fill_null(False)
    lives = proportional.Lives(observed["duration_days"].to_numpy(), left.to_numpy())
    made = design.checked(observed.select(names), lives.durations, lives.events)
    columns, fitter, left_out = proportional._fitted(made.columns, lives)
    assert columns.width == len(names), (made.done, left_out)
    return proportional._table(fitter, 0.95).with_columns(
        pl.col("term").str.strip_suffix(": one more")
    )


def spells_at(contracts: pl.DataFrame, day: date) -> pl.DataFrame:
    """The workbook's spells of simulated contracts, as known on ``day``."""
    terms = contracts.select(
        "customer_id", *map(_day, ("started", "ended", "booked")), "cause", "plan"
    )
    return spells.from_contracts(terms, snapshot_day=calendar.day_of(day), after_days=30)


def activity_of(events: pl.DataFrame) -> pl.DataFrame:
    """The workbook's customer-days of simulated events."""
    days = events.select(
        "customer_id",
        "kind",
        "order_id",
        day=pl.col("at").dt.date().cast(pl.Int32).cast(pl.Int64),
        amount_cents=(pl.col("amount") * 100).round().cast(pl.Int64),
    )
    return activity.activity(days)


def customers_at(world: dict[str, pl.DataFrame], day: date) -> pl.DataFrame:
    """The workbook's features of simulated customers, as known on ``day``."""
    stretches, until = spells_at(world["contracts"], day), calendar.day_of(day)
    customers = world["customers"].select("customer_id", _day("started"))
    counts = features.counts_at(activity_of(world["events"]), stretches, day=until)
    return features.customers_at(customers, stretches, counts, day=until, after_days=30)


def _day(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Date).cast(pl.Int32).cast(pl.Int64).alias(f"{name}_day")


def log_densities(seen: pl.DataFrame, setting: str = "separate") -> np.ndarray:
    """Log of weight times planted density, one column per label: the argmax is Bayes' classifier.

    Takes one row per customer: events_per_30d, cents_per_order_90d, weekend_share_90d,
          order_share_90d, as seen in the 90 days up to a snapshot

    Bells are as wide as habits and NOISE together; that they are cut, and that stragglers keep
    away from them, is left out. Checked in tests/test_simulate.py.
    """
    points = seen.select(
        pl.col("events_per_30d", "cents_per_order_90d").log(),
        pl.col("weekend_share_90d", "order_share_90d"),
    ).to_numpy()
    columns = []
    for group in behaviours.groups(setting):
        noise = np.tile(NOISE, (len(points), 1))
        slope = 2 * group.bend * (points[:, 0] - group.centre[0]) / group.spread[0] ** 2
        noise[:, 1] += np.abs(slope) * NOISE[0]  # along a bend, noise in events shows in cents
        width = np.hypot(group.spread, noise)
        squares = (behaviours.unbent(points, group) / width) ** 2
        bell = -(squares / 2 + np.log(width)).sum(axis=1) - 2 * np.log(2 * np.pi)
        columns.append(np.log(group.weight) + bell)
    stragglers = behaviours.STRAGGLERS
    even = np.log(stragglers.weight) - np.log(2 * np.array(stragglers.spread)).sum()
    return np.column_stack([*columns, np.full(len(points), even)])
