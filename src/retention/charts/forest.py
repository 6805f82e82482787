"""Ratios with their intervals, one row each."""

from collections.abc import Callable

import numpy as np
import polars as pl
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from retention import schema
from retention.charts import drawing
from retention.charts.style import LOOK, TEXT


@rc_context(LOOK)
def forest(
    table: pl.DataFrame, label: Callable[[dict], str], value: str, group: str, sides: str
) -> Figure:
    """Draw a forest plot: ratios around one, on a log axis.

    Takes   one row per ratio: ``value``, ci_lower, ci_upper (> 0), ``group``, by which rows are
            coloured; ``label`` names a row, ``sides`` says what lies left and right of one
    Returns a point and an interval per row, in the order of the table; figures at the right. What
            is null is not drawn
    """
    groups = table[group].unique(maintain_order=True).to_list()
    axes = drawing.rows([label(row) for row in table.iter_rows(named=True)])
    axes.axvline(1, color=TEXT, linewidth=1)
    for y, row in enumerate(table.iter_rows(named=True)):
        if row[value] is None:
            continue
        values = (row[value], row["ci_lower"], row["ci_upper"])
        text = "{:.2f} ({:.2f}–{:.2f})".format(*values)
        drawing.mark(axes, y, values, groups.index(row[group]), text)
    ends = np.log(table.select("ci_lower", "ci_upper").to_numpy().astype(float))
    reach = np.exp(np.clip(np.nanmax(np.abs(ends), initial=np.log(1.3)), None, np.log(100)))
    tick = max(tick for tick in (1.2, 1.5, 2, 3, 5, 10, 30) if tick <= reach)
    axes.set_xscale("log")
    axes.set_xlim(1 / reach / 1.05, reach * 1.05)
    axes.set_xticks([1 / tick, 1, tick], [f"{x:.2g}" for x in (1 / tick, 1, tick)])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(title=schema.label(value), xlabel=sides)
    return axes.figure
