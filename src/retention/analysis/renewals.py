"""How a cohort under contract thins out, month by month, and what a model of it foretells.

Months are of 30 days. The model (shifted beta-geometric) learns from the first half of the months
that were seen, and is held against the rest.
"""

import numpy as np
import polars as pl

from retention.book import Churn
from retention.errors import Refused
from retention.estimators import kaplan_meier, sbg

MONTH_DAYS = 30
LEAST_MONTHS = 4  # of which half can teach anything
SCHEMA = {"month": pl.Int64, "at_risk": pl.Int64, "survival": pl.Float64, "ci_lower": pl.Float64}
SCHEMA |= {"ci_upper": pl.Float64, "model": pl.Float64, "learnt": pl.Boolean}


def renewals(
    spells: pl.DataFrame, churn: Churn, min_cell: int, confidence: float = 0.95
) -> pl.DataFrame:
    """The share of first contracts still running after each month, as seen and by the model.

    Takes   the table spells, of which first spells that can be judged count
    Returns the table "renewals": month (1 = after 30 days), at_risk, survival, ci_lower, ci_upper
            (Kaplan-Meier), model (sBG), learnt (whether the model knew this month). As far as
            ``min_cell`` are at risk; no rows in an activity book, or where there is too little

    Source: `kaplan_meier.curve` and `sbg.fit`.
    """
    if churn.kind == "activity":
        return pl.DataFrame(schema=SCHEMA)
    first = spells.filter(pl.col("spell") == 1, pl.col("excluded").is_null())
    first = first.filter(pl.col("entry_day") == pl.col("start_day"))
    days, left = first["duration_days"].to_numpy(), first["event_observed"].to_numpy()
    months = np.ceil(days / MONTH_DAYS).astype(int)  # in which somebody left
    whole = days // MONTH_DAYS  # that somebody came through
    curve = kaplan_meier.curve(np.where(left, months, whole + 1), left, None, confidence, min_cell)
    curve = curve.filter(pl.col("duration_days") > 0).select(
        pl.col("duration_days").alias("month"), "at_risk", "survival", "ci_lower", "ci_upper"
    )
    half = curve.height // 2
    if curve.height < LEAST_MONTHS:
        return pl.DataFrame(schema=SCHEMA)
    gone = np.bincount(months[left & (months <= half)], minlength=half + 1)[1:]
    stayed = np.where(
        left & (months <= half), 0, np.minimum(np.where(left, months - 1, whole), half)
    )
    through = np.bincount(stayed, minlength=half + 1)[1:]
    try:
        fit = sbg.fit(gone, through)
    except Refused:
        return pl.DataFrame(schema=SCHEMA)
    said = sbg.survival(fit, curve["month"].to_numpy())
    return curve.with_columns(model=pl.Series(said), learnt=pl.col("month") <= half).select(*SCHEMA)


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
    limits = ("ci_lower", "ci_upper")
    seen = table.select(
        pl.lit("as seen").alias("group"),
        "month",
        "at_risk",
        pl.col("survival").alias("share"),
        *limits,
    )
    said = table.select(
        pl.lit("model").alias("group"),
        "month",
        "at_risk",
        pl.col("model").alias("share"),
        *(pl.col("model").alias(name) for name in limits),
    )
    return pl.concat([seen, said])


DEFINITION = (
    "Share of first contracts still running after so many months of 30 days. As seen: "
    "Kaplan-Meier. Model: shifted beta-geometric, learnt from the first half of the months: each "
    "customer has a steady chance to leave at a renewal, and those likely to leave go first."
)
