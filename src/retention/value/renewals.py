"""How a cohort under contract thins out, month by month, and what a model of it foretells.

Months are of 30 days. The model (shifted beta-geometric) learns from the first half of the months
that were seen, and is held against the rest.
"""

import numpy as np
import polars as pl

from retention.book import Churn
from retention.errors import Refused
from retention.stats import kaplan_meier, sbg

MONTH_DAYS = 30
LEAST_MONTHS = 4  # of which half can teach anything
SCHEMA = {"month": pl.Int64, "at_risk": pl.Int64, "survival": pl.Float64, "ci_lower": pl.Float64}
SCHEMA |= {"ci_upper": pl.Float64, "model": pl.Float64, "learnt": pl.Boolean}


def renewals(
    spells: pl.DataFrame, churn: Churn, day: int, min_cell: int, confidence: float = 0.95
) -> pl.DataFrame:
    """The share of first contracts still running after each month, as seen and by the model.

    Takes   the table spells as of ``day``, of which first spells that can be judged count. A month
            counts for whom it had wholly passed by then, whether they left in it or not
    Returns the table "renewals": month (1 = after 30 days), at_risk, survival, ci_lower, ci_upper
            (Kaplan-Meier), model (sBG), learnt (whether the model knew this month). As far as
            ``min_cell`` are at risk; no rows in an activity book, or where there is too little

    Source: `kaplan_meier.curve`, `sbg.fit`. Checked on planted cohorts in tests/test_renewals.py.
    """
    if churn.kind == "activity":
        return pl.DataFrame(schema=SCHEMA)
    months, left = _months(spells, day - churn.after_days)
    curve = kaplan_meier.curve(months, left, None, confidence, min_cell)
    curve = curve.filter(pl.col("duration_days") > 0).rename({"duration_days": "month"})
    half = curve.height // 2
    if curve.height < LEAST_MONTHS:
        return pl.DataFrame(schema=SCHEMA)
    gone = left & (months <= half)
    lost = np.bincount(months[gone], minlength=half + 1)[1:]
    stayed = np.bincount(np.minimum(months[~gone], half), minlength=half + 1)[1:]
    try:
        fit = sbg.fit(lost, stayed)
    except Refused:
        return pl.DataFrame(schema=SCHEMA)
    said = sbg.survival(fit, curve["month"].to_numpy())
    known = pl.col("month") <= half
    return curve.with_columns(model=pl.Series(said), learnt=known).select(*SCHEMA)


def _months(spells: pl.DataFrame, judged_until: int) -> tuple[np.ndarray, np.ndarray]:
    """In which month each first contract ended, or the last that had wholly passed; and which."""
    first = spells.filter(pl.col("spell") == 1, pl.col("excluded").is_null())
    ended = -(-first["duration_days"].to_numpy() // MONTH_DAYS)
    passed = (judged_until - first["start_day"].to_numpy() + 1) // MONTH_DAYS
    left = first["event_observed"].to_numpy() & (ended <= passed)
    months = np.where(left, ended, passed)
    return months[months > 0], left[months > 0]


def headline(table: pl.DataFrame) -> str:
    """What was foretold of the last month beside what came, in a sentence."""
    if table.is_empty():
        return "There is no cohort under contract to foretell"
    row = table.row(-1, named=True)
    return (
        f"After {row['month']} months {row['survival']:.0%} are still there; from half of the "
        f"months the model foretold {row['model']:.0%}"
    )


def lines(table: pl.DataFrame) -> pl.DataFrame:
    """As seen, and by the model, for the chart of curves: group, month, share, limits, at_risk."""
    columns = {"as seen": ("survival", "ci_lower", "ci_upper"), "model": ("model",) * 3}
    names = ("share", "ci_lower", "ci_upper")
    return pl.concat(
        table.select(
            pl.lit(group).alias("group"),
            "month",
            "at_risk",
            *(pl.col(of).alias(name) for of, name in zip(own, names, strict=True)),
        )
        for group, own in columns.items()
    )


DEFINITION = (
    "Share of first contracts still running after so many months of 30 days. As seen: "
    "Kaplan-Meier. Model: shifted beta-geometric, learnt from the first half of the months: each "
    "customer has a steady chance to leave at a renewal, and those likely to leave go first."
)
