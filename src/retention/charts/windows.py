"""Charts of windows of silence: shares by window, and how long silences last."""

import polars as pl
from matplotlib import rc_context
from matplotlib.figure import Figure

from retention import words
from retention.charts import drawing
from retention.charts.style import LOOK


@rc_context(LOOK)
def window_shares(table: pl.DataFrame, by: str) -> Figure:
    """Draw a share for each window of silence, a line for each value of ``by``.

    Takes   one row per window and ``by`` (text, or whole days): after_days, n (customers or
            silences), share, ci_lower, ci_upper (0 to 1; null = hidden) [, chosen: the book's own]
    Returns lines with shaded intervals over the windows, evenly apart; n beneath; the chosen
            window dotted

    Refuses an empty table and more than 12 lines.
    """
    drawing.refuse_empty(table)
    days = table["after_days"].unique().sort().to_list()
    first = int(len(days) == 1)  # an axis from 0 to 0 would have no length
    place = pl.col("after_days").replace_strict(days, range(first, first + len(days)))
    names = {value: _name(by, value) for value in table[by].unique(maintain_order=True)}
    group = pl.col(by).replace_strict(names, return_dtype=pl.String).alias("group")
    placed = table.with_columns(place.alias("place"), group)
    titles = ("Share", "Days of silence", "n")
    axes = drawing.curves(placed, ("place", "share", "n"), titles, steps=False).axes[0]
    ticks = [int(tick) for tick in axes.get_xticks()]
    axes.set_xticks(ticks, [str(days[tick - first]) if tick >= first else "" for tick in ticks])
    own = placed.filter("chosen")["place"] if "chosen" in table.columns else ()
    if len(own):
        axes.axvline(own[0], color=drawing.GREY, linestyle=":")
    return axes.figure


@rc_context(LOOK)
def silence_curves(table: pl.DataFrame) -> Figure:
    """Draw the share of customers not back yet, by days since an active day.

    Takes   one row per group and day: group, duration_days, at_risk (customers), survival,
            ci_lower, ci_upper (0 to 1)
    Returns step lines with shaded intervals, numbers at risk beneath

    Refuses an empty table and more than 12 groups.
    """
    columns = ("duration_days", "survival", "at_risk")
    titles = ("Share not back yet", "Days since the first active day", "Customers at risk")
    return drawing.curves(table, columns, titles, steps=True)


def _name(by: str, value: object) -> str:
    """What a line is called: "wrongly gone", "within 30 days"."""
    if isinstance(value, int):
        return f"{by.removesuffix('_days')} {words.text(value)} days"
    return words.heading(str(value))
