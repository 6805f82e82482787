"""Curves over time or age, and triangles of cohorts."""

import numpy as np
import polars as pl
from matplotlib import rc_context
from matplotlib.figure import Figure

from retention import schema, words
from retention.charts import drawing
from retention.charts.style import LOOK


@rc_context(LOOK)
def curves(
    table: pl.DataFrame,
    x: str,
    y: str,
    n: str,
    *,
    group: str = "group",
    steps: bool = False,
    cut: bool = True,
    evenly: bool = False,
    mark: int | None = None,
    y_label: str = "",
    x_label: str = "",
) -> Figure:
    """Draw a measure over ``x``, a line with its interval for each ``group``, and counts beneath.

    Takes   one row per group and x: the columns named, ci_lower, ci_upper. ``steps``: it changes
            in steps (survival); ``cut``: it ends at 1; ``evenly``: the whole numbers ``x`` stand
            equally far apart, and the one to ``mark`` has a dotted line; labels are the schema's
            unless said
    Returns lines with shaded intervals, named at their ends; the counts ``n`` beneath

    Refuses an empty table and more than 12 groups.
    """
    shown = table.with_columns(group=pl.col(group) if group in table.columns else pl.lit("all"))
    names = (y_label or schema.label(y), x_label or schema.label(x), schema.label(n))
    values = shown[x].unique().sort().to_list()
    first = int(len(values) == 1)  # an axis from 0 to 0 would have no length
    if evenly:
        places = range(first, first + len(values))
        shown = shown.with_columns(pl.col(x).replace_strict(values, places))
    top = 1.0
    if not cut:
        top = max(table["ci_upper"].max() or 0, table[y].max() or 0)
    percent = schema.column(y).kind in ("share", "estimate", "points")
    top = max(top, 1.0) if percent else top
    drawn = drawing.curves(shown, (x, y, n), names, steps=steps, top=top, percent=percent)
    if evenly:
        axes = drawn.axes[0]
        told = {place: words.text(value) for place, value in zip(places, values, strict=True)}
        axes.set_xticks(axes.get_xticks(), [told.get(tick, "") for tick in axes.get_xticks()])
        if mark in values:
            axes.axvline(first + values.index(mark), color=drawing.GREY, linestyle=":")
    return drawn


@rc_context(LOOK)
def triangle(table: pl.DataFrame, value: str, ages: str, title: str = "") -> Figure:
    """Draw a share by cohort and age as a heat map; what is not known stays hatched.

    Takes   one row per cohort and age: cohort, age (whole, or a range of ages as text), n_start
            (customers) and the share ``value`` (null = not yet observed or hidden)
    Returns a heat map, oldest cohort on top, per cent in the cells if at most 13 ages

    Refuses an empty table, and a cohort and age given twice.
    """
    sizes = table.group_by("cohort", maintain_order=True).agg(pl.col("n_start").max())
    labels = [
        f"{words.short(row['cohort'], 18)} (n {words.text(row['n_start'])})"
        for row in sizes.iter_rows(named=True)
    ]
    if table["age"].dtype.is_integer():
        table = table.sort("age", maintain_order=True)
    values, _, columns = drawing.grid(table, "cohort", "age", value)
    told = values[:, 1:] if columns[0] == "0" else values  # colours tell ages after the first apart
    top = {"vmin": 0, "vmax": 100 * np.nanmax(told, initial=0.01)}
    axes = drawing.heat(values * 100, labels, columns, "{:.0f}", cmap="crest", **top)
    axes.set(title=f"{title or schema.label(value)}, per cent", xlabel=ages)
    return axes.figure
