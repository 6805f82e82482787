"""Bars and points with intervals, one row for each label."""

import polars as pl
import seaborn as sns
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from retention import words
from retention.charts import drawing
from retention.show import LOOK, TEXT


@rc_context(LOOK)
def bars(
    table: pl.DataFrame,
    label: str,
    value: str,
    ci_lower: str | None = None,
    ci_upper: str | None = None,
    *,
    n: str | None = None,
    percent: bool = False,
) -> Figure:
    """Draw horizontal bars from zero, in the order of the table, with intervals and n.

    Takes   one row per bar; the arguments name its columns. ``percent``: the value is a share
            (0 to 1) and is shown in per cent. A null value has no bar and is shown as a dash
    Returns bars, the value written at the right

    Refuses an empty table.
    """
    drawing.refuse_empty(table)
    sizes = [f"\nn {words.text(size)}" for size in table[n]] if n else [""] * table.height
    axes = drawing.rows(
        [words.wrapped(name) + size for name, size in zip(table[label], sizes, strict=True)]
    )
    values = table[value].cast(pl.Float64).to_numpy()
    look = {"color": drawing.PALETTE[0], "saturation": 1, "width": 0.6, "linewidth": 0}
    sns.barplot(x=values, y=range(len(values)), orient="h", ax=axes, **look)
    for y, row in enumerate(table.iter_rows(named=True)):
        if ci_lower and ci_upper:
            drawing.interval(axes, y, row[ci_lower], row[ci_upper], TEXT)
        drawing.at_right(axes, y, words.text(row[value], percent))
    axes.axvline(0, color=TEXT, linewidth=1)
    axes.set(xlabel="", ylabel="", title=words.heading(value))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    if percent:
        axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.6g}%")
    return axes.figure


@rc_context(LOOK)
def comparison(table: pl.DataFrame) -> Figure:
    """Draw what groups have of every label: points with intervals, one group beneath the other.

    Takes   one row per label and group; its columns, in this order: the label, group, n
            (customers), the value (of which a share, 0 to 1, is shown in per cent), ci_lower,
            ci_upper. A null value has no point and is shown as a dash
    Returns points from zero, a marker and a colour for each group; value and n at the right

    Refuses an empty table.
    """
    drawing.refuse_empty(table)
    labels, groups = (column.unique(maintain_order=True).to_list() for column in table[:, :2])
    heading = words.heading(table.columns[3])
    percent = heading.startswith("share")
    axes = drawing.rows([words.wrapped(label) + "\n" * (len(groups) - 1) for label in labels])
    for label, group, n, value, lower, upper in table.iter_rows():
        which = groups.index(group)
        y = labels.index(label) + 0.35 * (which - (len(groups) - 1) / 2)
        drawing.interval(axes, y, lower, upper, drawing.look(which)["color"])
        axes.plot(
            [value], [y], drawing.MARKERS[which], color=drawing.look(which)["color"], markersize=9
        )
        size = "" if n is None else f" (n {words.text(n)})"
        drawing.at_right(axes, y, words.text(value, percent) + size)
    axes.set_xlim(left=0)
    axes.set(title=heading, xlabel=" · ".join(map("{} {}".format, "●■▲◆▼", groups)))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    if percent:
        axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.6g}%")
    return axes.figure
