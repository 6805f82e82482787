"""Charts of hazard ratios."""

import numpy as np
import polars as pl
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from retention import words
from retention.charts import drawing
from retention.charts.style import LOOK, TEXT

UNNAMED = ("any", "all")  # cause, period


@rc_context(LOOK)
def hazard_ratios(table: pl.DataFrame) -> Figure:
    """Draw a forest plot: how much sooner or later customers leave, on a log axis.

    Takes   one row per term [, cause and period]: term, hazard_ratio, ci_lower, ci_upper (> 0)
            [, cause] [, period]; "any" and "all" are not named
    Returns a point and an interval per row, in the order of the table; figures at the right

    Refuses an empty table.
    """
    drawing.refuse_empty(table)
    causes = (
        table["cause"].unique(maintain_order=True).to_list() if "cause" in table.columns else [None]
    )
    parts = [name for name in ("term", "cause", "period") if name in table.columns]
    labels = [
        [part for part in row if part not in UNNAMED] for row in table.select(parts).iter_rows()
    ]
    axes = drawing.rows(["\n".join(map(words.wrapped, label)) for label in labels])
    axes.axvline(1, color=TEXT, linewidth=1)
    for y, row in enumerate(table.iter_rows(named=True)):
        which = causes.index(row.get("cause"))
        drawing.interval(axes, y, row["ci_lower"], row["ci_upper"], drawing.look(which)["color"])
        axes.plot(
            row["hazard_ratio"],
            y,
            drawing.MARKERS[which % 6],
            color=drawing.look(which)["color"],
            markersize=9,
        )
        drawing.at_right(
            axes, y, "{hazard_ratio:.2f} ({ci_lower:.2f}–{ci_upper:.2f})".format(**row)
        )
    ends = np.log(table.select("ci_lower", "ci_upper").to_numpy().astype(float))
    reach = np.exp(np.clip(np.nanmax(np.abs(ends), initial=np.log(1.3)), None, np.log(100)))
    tick = max(tick for tick in (1.2, 1.5, 2, 3, 5, 10, 30) if tick <= reach)
    axes.set_xscale("log")
    axes.set_xlim(1 / reach / 1.05, reach * 1.05)
    axes.set_xticks([1 / tick, 1, tick], [f"{value:.2g}" for value in (1 / tick, 1, tick)])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("← stays longer · leaves sooner →")
    axes.set_title("Hazard ratio")
    return axes.figure
