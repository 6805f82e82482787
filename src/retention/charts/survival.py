"""Charts of survival: curves."""

import polars as pl
from matplotlib import rc_context
from matplotlib.figure import Figure

from retention.charts import drawing
from retention.charts.style import LOOK


@rc_context(LOOK)
def survival_curves(curves: pl.DataFrame, by: str) -> Figure:
    """Draw the share still active by days since the start, a step line for each group.

    Takes   one row per ``group`` and day: by, group, duration_days, at_risk (customers),
            survival, ci_lower, ci_upper (0 to 1); only the rows of this ``by`` are drawn
    Returns lines with shaded intervals, named at their ends, numbers at risk beneath

    Refuses an empty table and more than 12 groups.
    """
    return drawing.curves(
        curves.filter(pl.col("by") == by),
        ("duration_days", "survival", "at_risk"),
        ("Share still active", "Days since start", "Customers at risk"),
        steps=True,
    )


@rc_context(LOOK)
def incidence(table: pl.DataFrame) -> Figure:
    """Draw the share who have left by each cause, and by any, by days since the start.

    Takes   one row per ``cause`` and day, of one group: cause, duration_days, at_risk, incidence,
            ci_lower, ci_upper (0 to 1; null where there are none)
    Returns lines with shaded intervals, named at their ends, numbers at risk beneath

    Refuses an empty table and more than 12 causes.
    """
    return drawing.curves(
        table.with_columns(group="cause"),
        ("duration_days", "incidence", "at_risk"),
        ("Share who have left", "Days since start", "Customers at risk"),
        steps=True,
    )


@rc_context(LOOK)
def returns(table: pl.DataFrame) -> Figure:
    """Draw the share of those gone who have come back, by days since they were judged gone.

    Takes   one row per ``group`` and day: group, duration_days, at_risk (still away and observed),
            returned, ci_lower, ci_upper (0 to 1)
    Returns lines with shaded intervals, numbers still away beneath

    Refuses an empty table and more than 12 groups.
    """
    return drawing.curves(
        table,
        ("duration_days", "returned", "at_risk"),
        ("Share who have come back", "Days since judged gone", "Customers still away"),
        steps=True,
    )
