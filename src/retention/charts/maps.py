"""Maps: points in two dimensions, and a measure of every pair as a heat map."""

import polars as pl
import seaborn as sns
from matplotlib import rc_context
from matplotlib.figure import Figure

from retention import schema, words
from retention.charts import drawing
from retention.charts.style import LOOK


@rc_context(LOOK)
def scatter(points: pl.DataFrame) -> Figure:
    """Draw points on a map, a colour, a marker and a name for each segment.

    Takes   one row per point: x, y (any unit), segment (null = in none, grey), name, n (customers
            of the whole segment)
    Returns a rasterised scatter; names with n at the right, a line from the middle of each
    """
    axes, middles = drawing.canvas(5), []
    marks = {"s": 20, "alpha": 0.45, "linewidth": 0, "rasterized": True}
    ordered = points.sort(pl.col("segment").str.len_chars(), "segment", nulls_last=False)
    for (segment,), part in ordered.group_by("segment", maintain_order=True):
        look = drawing.of_segment(segment)
        looks = marks | {"color": look["color"], "marker": look["marker"]}
        sns.scatterplot(x=part["x"].to_numpy(), y=part["y"].to_numpy(), ax=axes, **looks)
        size = f"n {part['n'][0]:,}"
        if segment is None:
            axes.set_title(f"Grey: in no segment, {size}")
        else:
            name = f"{segment} {words.short(part['name'][0], 16)}, {size}"
            middles.append((part["y"].median(), part["x"].median(), name))
    drawing.name_points(axes, sorted(middles))
    axes.set_axis_off()
    return axes.figure


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
