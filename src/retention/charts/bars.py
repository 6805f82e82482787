"""Bars and points with intervals, one row for each label."""

from collections.abc import Callable

import polars as pl
import seaborn as sns
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from retention import schema, words
from retention.charts import drawing
from retention.charts.style import LOOK, TEXT


@rc_context(LOOK)
def bars(
    table: pl.DataFrame,
    label: str | list[str],
    value: str,
    ci_lower: str | None = "ci_lower",
    ci_upper: str | None = "ci_upper",
    *,
    n: str | None = None,
) -> Figure:
    """Draw horizontal bars from zero, in the order of the table, with intervals and n.

    Takes   one row per bar; the arguments name its columns; several columns may make a label.
            A null value has no bar and is shown as a dash
    Returns bars, the value written at the right
    """
    sizes = [f"\nn {words.text(size)}" for size in table[n]] if n else [""] * table.height
    names = table.select(pl.concat_str(label, separator=": ")).to_series()
    axes = drawing.rows(
        [words.wrapped(name) + size for name, size in zip(names, sizes, strict=True)]
    )
    values = table[value].cast(pl.Float64).to_numpy()
    look = {"color": drawing.PALETTE[0], "saturation": 1, "width": 0.6, "linewidth": 0}
    sns.barplot(x=values, y=range(len(values)), orient="h", ax=axes, **look)
    for y, row in enumerate(table.iter_rows(named=True)):
        if ci_lower in row and ci_upper in row:
            drawing.interval(axes, y, row[ci_lower], row[ci_upper], TEXT)
        drawing.at_right(axes, y, words.text(row[value], drawing.in_percent(value)))
    return _from_zero(axes, value, "")


@rc_context(LOOK)
def comparison(table: pl.DataFrame) -> Figure:
    """Draw what groups have of every label: points with intervals, one group beneath the other.

    Takes   one row per label and group; its first columns, in this order: the label, group, n
            (customers), the value, ci_lower, ci_upper. The value's label and format are the
            schema's. A null value has no point and is shown as a dash
    Returns points, from zero where no value is below it, a marker and a colour for each group;
            value and n at the right
    """
    labels, groups = (column.unique(maintain_order=True).to_list() for column in table[:, :2])
    value = table.columns[3]
    axes = drawing.rows([words.wrapped(label) + "\n" * (len(groups) - 1) for label in labels])
    for label, group, n, middle, lower, upper in table[:, :6].iter_rows():
        which = groups.index(group)
        y = labels.index(label) + 0.35 * (which - (len(groups) - 1) / 2)
        size = "" if n is None else f" (n {words.text(n)})"
        text = words.text(middle, drawing.in_percent(value)) + size
        drawing.mark(axes, y, (middle, lower, upper), which, text)
    return _from_zero(axes, value, " · ".join(map("{} {}".format, "●■▲◆▼", groups)))


@rc_context(LOOK)
def points(
    table: pl.DataFrame, label: Callable[[dict], str], value: str, percent: bool = False
) -> Figure:
    """Draw differences as points with intervals around zero, one row each.

    Takes   one row per point: ``value``, ci_lower, ci_upper; ``label`` names a row. ``percent``:
            values are shares, shown in percentage points
    Returns points, the value written at the right
    """
    times = 100 if percent else 1
    axes = drawing.rows([label(row) for row in table.iter_rows(named=True)])
    for y, row in enumerate(table.iter_rows(named=True)):
        values = tuple(row[name] and times * row[name] for name in (value, "ci_lower", "ci_upper"))
        form = "{:+.2f}" if percent else "{:+.3f}"
        text = "" if row[value] is None else form.format(values[0]).replace("-", "−")
        drawing.mark(axes, y, values, 0, text)
    axes.axvline(0, color=TEXT, linewidth=1)
    axes.set(title=schema.label(value) + (", percentage points" if percent else ""), xlabel="")
    return axes.figure


def _from_zero(axes: Axes, value: str, beneath: str) -> Figure:
    """The figure of ``axes`` with a title, a line at zero, and what stands ``beneath``."""
    axes.axvline(0, color=TEXT, linewidth=1)
    axes.set(title=schema.label(value), xlabel=beneath, ylabel="")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    if drawing.in_percent(value):
        axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.6g}%")
    return axes.figure
