"""Charts of cohorts: retention by age, and as a triangle; trends, drop-off, revenue."""

import numpy as np
import polars as pl
from matplotlib import rc_context
from matplotlib.figure import Figure

from retention import words
from retention.charts import drawing
from retention.charts.bars import bars
from retention.show import LOOK, TEXT


@rc_context(LOOK)
def retention_curves(table: pl.DataFrame) -> Figure:
    """Draw retention by age with its interval, one line for each group if there are any.

    Takes   one row per age: age, n_start (customers observed at that age), retention, ci_lower,
            ci_upper (0 to 1) [, group] [, unit (day, week, month; the same in all rows)]
    Returns lines with shaded intervals, the number of customers beneath

    Refuses an empty table and more than 12 groups.
    """
    if "group" not in table.columns:
        table = table.with_columns(group=pl.lit("all"))
    unit = table["unit"][0] if "unit" in table.columns and table.height else "month"
    return drawing.curves(
        table,
        ("age", "retention", "n_start"),
        ("Share retained", f"{unit.capitalize()}s since the start", "Customers observed"),
        steps=False,
    )


@rc_context(LOOK)
def retention_triangle(table: pl.DataFrame) -> Figure:
    """Draw retention by cohort and age as a heat map; what is not known stays hatched.

    Takes   one row per cohort and age: cohort, age (months, or a range of them as text), n_start
            (customers), retention (0 to 1; null = not yet observed or hidden)
    Returns a heat map, oldest cohort on top, per cent in the cells if at most 13 ages

    Refuses an empty table, and a cohort and age given twice.
    """
    return _triangle(table, "Per cent retained", "Months since the start")


@rc_context(LOOK)
def revenue_triangle(table: pl.DataFrame) -> Figure:
    """Draw net revenue retention by cohort and month of life, as `retention_triangle`.

    Takes   the same columns; retention is revenue by that of month 0
    Returns a heat map

    Refuses an empty table, and a cohort and age given twice.
    """
    return _triangle(table, "Per cent of the first month's revenue", "Months of life")


def _triangle(table: pl.DataFrame, title: str, ages_are: str) -> Figure:
    sizes = table.group_by("cohort", maintain_order=True).agg(pl.col("n_start").max())
    labels = [
        f"{words.short(row['cohort'], 18)} (n {words.text(row['n_start'])})"
        for row in sizes.iter_rows(named=True)
    ]
    if table["age"].dtype.is_integer():
        table = table.sort("age", maintain_order=True)
    values, _, ages = drawing.grid(table, "cohort", "age", "retention")
    told = values[:, 1:] if ages[0] == "0" else values  # colours tell ages after the first apart
    most = np.nanmax(told, initial=0.01)
    axes = drawing.heat(values * 100, labels, ages, "{:.0f}", cmap="crest", vmin=0, vmax=100 * most)
    axes.set_title(title)
    axes.set_xlabel(ages_are)
    return axes.figure


@rc_context(LOOK)
def retention_trends(table: pl.DataFrame) -> Figure:
    """Draw how retention changes from cohort to cohort, at every age and by every definition.

    Takes   one row per definition and age: definition, age (months), cohorts, n, slope, ci_lower,
            ci_upper (shares)
    Returns points with intervals around zero, in percentage points; cohorts and customers named

    Refuses an empty table.
    """
    drawing.refuse_empty(table)
    labels = [
        f"{row['definition']}, month {row['age']}\n{row['cohorts']} cohorts, n {row['n']:,}"
        for row in table.iter_rows(named=True)
    ]
    return _around_zero(table, labels, "slope", "Percentage points from a cohort to the next")


@rc_context(LOOK)
def drop_off(table: pl.DataFrame) -> Figure:
    """Draw the share who drop off before each month of life.

    Takes   the table "drop_off", at most some 12 rows of it
    Returns bars with intervals and n

    Refuses an empty table.
    """
    named = table.with_columns(label=pl.format("before month {}", "age"))
    return bars(named, "label", "drop_off", "ci_lower", "ci_upper", n="n_at_risk", percent=True)


@rc_context(LOOK)
def drop_off_by_cohort(table: pl.DataFrame) -> Figure:
    """Draw how many more of a cohort have gone than of the others.

    Takes   one row per cohort and age: label, n, difference, ci_lower, ci_upper (shares)
    Returns points with intervals around zero, in percentage points

    Refuses an empty table.
    """
    drawing.refuse_empty(table)
    labels = [
        f"{words.wrapped(row['label'])}\nn {row['n']:,}" for row in table.iter_rows(named=True)
    ]
    return _around_zero(table, labels, "difference", "Percentage points more gone than others")


@rc_context(LOOK)
def revenue_curves(table: pl.DataFrame) -> Figure:
    """Draw the share of the first month's revenue that is kept, month by month of life.

    Takes   one row per group and age: group, age (months of life), n_start (customers), retention,
            ci_lower, ci_upper (share of the first month's revenue; may be above 1)
    Returns lines with shaded intervals, the number of customers beneath

    Refuses an empty table and more than 12 groups.
    """
    names = ("Share of the first month's revenue", "Months of life", "Customers observed")
    drawn = drawing.curves(table, ("age", "retention", "n_start"), names, steps=False)
    most = max(table["ci_upper"].max() or 0, table["retention"].max() or 0)
    drawn.axes[0].set_ylim(0, max(1.02, 1.02 * most))
    return drawn


def _around_zero(table: pl.DataFrame, labels: list[str], value: str, title: str) -> Figure:
    """Points in percentage points with intervals, a line at zero, values at the right."""
    axes = drawing.rows(labels)
    for y, row in enumerate(table.iter_rows(named=True)):
        point, lower, upper = (100 * row[name] for name in (value, "ci_lower", "ci_upper"))
        drawing.interval(axes, y, lower, upper, drawing.PALETTE[0])
        axes.plot([point], [y], "o", color=drawing.PALETTE[0], markersize=8)
        drawing.at_right(axes, y, f"{point:+.2f}".replace("-", "−"))
    axes.axvline(0, color=TEXT, linewidth=1)
    axes.set(title=title, xlabel="")
    return axes.figure
