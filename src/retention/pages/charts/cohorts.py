"""Charts of cohorts: retention by age, and as a triangle."""

import numpy as np
import polars as pl
from matplotlib import rc_context
from matplotlib.figure import Figure

from retention.pages import words
from retention.pages.charts import drawing
from retention.pages.show import LOOK


@rc_context(LOOK)
def retention_curves(table: pl.DataFrame) -> Figure:
    """Draw retention by age, all cohorts together, with its interval.

    Takes   one row per age: age (months), n_start (customers observed at that age), retention,
            ci_lower, ci_upper (0 to 1) [, group]
    Returns lines with shaded intervals, the number of customers beneath

    Refuses an empty table and more than 12 groups.
    """
    if "group" not in table.columns:
        table = table.with_columns(group=pl.lit("all"))
    return drawing.curves(
        table,
        ("age", "retention", "n_start"),
        ("Share retained", "Months since the start", "Customers observed"),
        steps=False,
    )


@rc_context(LOOK)
def retention_triangle(table: pl.DataFrame) -> Figure:
    """Draw retention by cohort and age as a heat map; what is not known stays hatched.

    Takes   one row per cohort and age: cohort, age (months), n_start (customers),
            retention (0 to 1; null = not yet observed or hidden)
    Returns a heat map, oldest cohort on top, per cent in the cells if at most 13 ages

    Refuses an empty table, and a cohort and age given twice.
    """
    sizes = table.group_by("cohort", maintain_order=True).agg(pl.col("n_start").max())
    labels = [
        f"{words.short(row['cohort'], 12)} (n {words.text(row['n_start'])})"
        for row in sizes.iter_rows(named=True)
    ]
    values, _, ages = drawing.grid(
        table.sort("age", maintain_order=True), "cohort", "age", "retention"
    )
    most = np.nanmax(values[:, 1:], initial=0.01)  # colours tell ages after the first apart
    axes = drawing.heat(values * 100, labels, ages, "{:.0f}", cmap="crest", vmin=0, vmax=100 * most)
    axes.set_title("Per cent retained")
    axes.set_xlabel("Months since the start")
    return axes.figure
