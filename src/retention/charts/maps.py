"""A measure of every pair of labels as a heat map."""

import polars as pl
from matplotlib import rc_context
from matplotlib.figure import Figure

from retention import schema
from retention.charts import drawing
from retention.charts.style import LOOK


@rc_context(LOOK)
def heat_map(
    table: pl.DataFrame,
    row: str,
    column: str,
    value: str,
    *,
    span: tuple[float, float] = (0, 1),
    title: str = "",
) -> Figure:
    """Draw a measure of every pair of labels as a heat map; what is null stays hatched.

    Takes   one row per pair: the columns named. Colours go from the least to the most of ``span``,
            and part at 0 where it lies within; shares are printed in per cent; the title is the
            measure's label unless said

    Refuses a pair given twice.
    """
    values, rows, columns = drawing.grid(table, row, column, value)
    percent, parted = schema.column(value).kind == "share", span[0] < 0
    times, form = (100, "{:.0f}") if percent else (1, "{:+.1f}" if parted else "{:.2f}")
    colours = {"cmap": "vlag" if parted else "crest", "vmin": times * span[0]}
    axes = drawing.heat(times * values, rows, columns, form, vmax=times * span[1], **colours)
    turned = max(map(len, columns)) > 4
    axes.tick_params(axis="x", rotation=40 if turned else 0)
    for label in axes.get_xticklabels():
        label.set(ha="right" if turned else "center", rotation_mode="anchor")
    unit = ", per cent" if percent else ""
    axes.set(title=title or schema.label(value) + unit, xlabel="", ylabel="")
    return axes.figure
