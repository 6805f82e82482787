"""How a cohort under contract thins out, month by month, and what a model of it foretells.

Months are of 30 days. The model (shifted beta-geometric) learns from the first half of the months
that were seen, and is held against the rest.
"""

import numpy as np
import polars as pl

from retention import charts
from retention.book import Churn
from retention.errors import Refused
from retention.exhibit import Exhibit
from retention.refresh import Refresh
from retention.stats import kaplan_meier, sbg

MONTH_DAYS = 30
LEAST_MONTHS = 4  # of which half can teach anything
SEEN, MODEL = "as seen", "model"


def months_under_contract(r: Refresh) -> Exhibit:
    """Which share of first contracts still runs after each month, as seen and by the model."""
    return Exhibit(
        renewals(r.tables.spells, r.book.churn, r.day, r.min_cell, r.confidence),
        _last,
        draw=lambda table: charts.curves(table, "months", "survival", "at_risk"),
        behind=lambda table: table.drop_nulls("survival"),
        empty="This book has no contracts, or too few, to follow from month to month.",
    )


def renewals(
    spells: pl.DataFrame, churn: Churn, day: int, min_cell: int, confidence: float = 0.95
) -> pl.DataFrame:
    """The share of first contracts still running after each month, as seen and by the model.

    Takes   the table spells as of ``day``, of which first spells that can be judged count. A month
            counts for whom it had wholly passed by then, whether they left in it or not
    Returns one row per group ("as seen": Kaplan-Meier; "model": sBG) and month: group, months
            (1 = after 30 days), at_risk, survival, ci_lower, ci_upper. As far as ``min_cell`` are
            at risk; no rows in an activity book, or where there is too little

    Source: `kaplan_meier.curve`, `sbg.fit`. Checked on planted cohorts in
    tests/value/test_renewals.py.
    """
    if churn.kind == "activity":
        return pl.DataFrame()
    months, left = _months(spells, day - churn.after_days)
    curve = kaplan_meier.curve(months, left, None, confidence, min_cell)
    curve = curve.filter(pl.col("duration_days") > 0).rename({"duration_days": "months"})
    half = curve.height // 2
    if curve.height < LEAST_MONTHS:
        return pl.DataFrame()
    gone = left & (months <= half)
    lost = np.bincount(months[gone], minlength=half + 1)[1:]
    stayed = np.bincount(np.minimum(months[~gone], half), minlength=half + 1)[1:]
    try:
        fit = sbg.fit(lost, stayed)
    except Refused:
        return pl.DataFrame()
    model = pl.Series("survival", sbg.survival(fit, curve["months"].to_numpy()))
    none = pl.lit(None, pl.Float64)
    said = curve.with_columns(model, ci_lower=none, ci_upper=none)
    both = [rows.with_columns(group=pl.lit(of)) for of, rows in ((SEEN, curve), (MODEL, said))]
    return pl.concat(both).select("group", "months", "at_risk", "survival", "ci_lower", "ci_upper")


def _months(spells: pl.DataFrame, judged_until: int) -> tuple[np.ndarray, np.ndarray]:
    """In which month each first contract ended, or the last that had wholly passed; and which."""
    first = spells.filter(pl.col("spell") == 1, pl.col("excluded").is_null())
    ended = -(-first["duration_days"].to_numpy() // MONTH_DAYS)
    passed = (judged_until - first["start_day"].to_numpy() + 1) // MONTH_DAYS
    left = first["event_observed"].to_numpy() & (ended <= passed)
    months = np.where(left, ended, passed)
    return months[months > 0], left[months > 0]


def _last(table: pl.DataFrame) -> str:
    """What was forecast of the last month beside what came, in a sentence."""
    seen, said = (table.filter(group=of).row(-1, named=True) for of in (SEEN, MODEL))
    return (
        f"After {seen['months']} months {seen['survival']:.0%} are still there; from half of the "
        f"months the model forecast {said['survival']:.0%}"
    )
