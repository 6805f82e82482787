"""What tests know of simulated worlds: planted hazard ratios and densities."""

from datetime import date

import numpy as np
import polars as pl

from retention.analysis import hazards, survival
from retention.tables import activity, behaviours, calendar, features, simulate, spells

CUSTOMERS = 2_000
NOISE = np.array([0.06, 0.08, 0.03, 0.03])  # sd with which 90 days of events show the coordinates


def hazard_ratios(seed: int) -> pl.DataFrame:
    """Estimates of one simulated world, with the planted hazard ratios beside them."""
    people = simulate.people(CUSTOMERS, seed)
    terms = simulate.terms(people, simulate.lives(people, seed), seed)
    stretches = spells_at(terms, simulate.LAST_DAY)
    design = people.select(
        "customer_id", **{name: term.cast(pl.Float64) for name, term in simulate.TERMS.items()}
    )
    observed = survival.observed(stretches, design)
    return pl.concat(
        hazards.hazard_ratios(observed, list(simulate.TERMS), cause)
        .with_columns(pl.col("term").str.strip_suffix(": one more"))
        .with_columns(planted=pl.col("term").replace_strict(ratios, return_dtype=pl.Float64))
        for cause, ratios in simulate.HAZARD_RATIOS.items()
    ).with_columns(
        covered=pl.col("planted").is_between("ci_lower", "ci_upper"),
        bias=pl.col("hazard_ratio").log() - pl.col("planted").log(),
    )


def spells_at(contracts: pl.DataFrame, day: date) -> pl.DataFrame:
    """The workbook's spells of simulated contracts, as known on ``day``."""
    terms = contracts.select(
        "customer_id", *map(_day, ("started", "ended", "booked")), "cause", "plan"
    )
    return spells.from_contracts(terms, snapshot_day=calendar.day_of(day), after_days=30)


def customers_at(world: dict[str, pl.DataFrame], day: date) -> pl.DataFrame:
    """The workbook's features of simulated customers, as known on ``day``."""
    events = world["events"].select(
        "customer_id",
        "kind",
        "order_id",
        day=pl.col("at").dt.date().cast(pl.Int32).cast(pl.Int64),
        amount_cents=(pl.col("amount") * 100).round().cast(pl.Int64),
    )
    stretches, until = spells_at(world["contracts"], day), calendar.day_of(day)
    customers = world["customers"].select("customer_id", _day("started"))
    counts = features.counts_at(activity.activity(events), stretches, day=until)
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
