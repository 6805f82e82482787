"""Curves over time or age, and triangles of cohorts."""

import numpy as np
import polars as pl
import seaborn as sns
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from retention import schema, words
from retention.charts import drawing
from retention.charts.style import LOOK

MOST_LINES = len(drawing.PALETTE) * len(drawing.DASHES)  # that can be told apart


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

    Refuses more than 12 groups.
    """
    shown = table.with_columns(group=pl.col(group) if group in table.columns else pl.lit("all"))
    values = shown[x].unique().sort().to_list()
    first = int(len(values) == 1)  # an axis from 0 to 0 would have no length
    if evenly:
        places = range(first, first + len(values))
        shown = shown.with_columns(pl.col(x).replace_strict(values, places))
    percent = drawing.in_percent(y)
    top = 1.0 if cut or percent else 0.0
    if not cut:
        top = max(top, table["ci_upper"].max() or 0, table[y].max() or 0)
    lines = {name: line.sort(x) for (name,), line in shown.group_by("group", maintain_order=True)}
    if len(lines) > MOST_LINES:
        raise ValueError(f"{len(lines)} groups are more than one chart can tell apart: choose 12")
    end = shown[x].max()
    counts = {name: line.select(x, n) for name, line in lines.items()}
    shared = next(iter(counts.values()))
    counts = {"": shared} if all(map(shared.equals, counts.values())) else counts
    axes = drawing.canvas(3.9 + 0.28 * len(counts))
    for number, line in enumerate(lines.values()):
        drawn = line.select(x, y, "ci_lower", "ci_upper")
        _line(axes, drawn, end, drawing.look(number), steps)
    axes.set(xlim=(0, end), ylim=(0, 1.02 * top), ylabel="")
    axes.set(title=y_label or schema.label(y), xlabel=x_label or schema.label(x))
    if percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    ticks = MaxNLocator(4, integer=True).tick_values(0, end)
    axes.set_xticks([tick for tick in ticks if 0 <= tick <= end])
    if len(lines) > 1:
        _name_lines(axes, [(name, line[y]) for name, line in lines.items()], top)
    _counts_beneath(axes, counts, schema.label(n), steps)
    if evenly:
        told = {place: words.text(value) for place, value in zip(places, values, strict=True)}
        axes.set_xticks(axes.get_xticks(), [told.get(tick, "") for tick in axes.get_xticks()])
        if mark in values:
            axes.axvline(first + values.index(mark), color=drawing.GREY, linestyle=":")
    return axes.figure


@rc_context(LOOK)
def triangle(table: pl.DataFrame, value: str, ages: str) -> Figure:
    """Draw a share by cohort and age as a heat map; what is not known stays hatched.

    Takes   one row per cohort and age: cohort, age (whole, or a range of ages as text), n_start
            (customers) and the share ``value`` (null = not yet observed or hidden)
    Returns a heat map, oldest cohort on top, per cent in the cells if at most 13 ages

    Refuses a cohort and age given twice.
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
    axes.set(title=f"{schema.label(value)}, per cent", xlabel=ages)
    return axes.figure


def _line(axes: Axes, line: pl.DataFrame, end: float, look: dict[str, str], steps: bool) -> None:
    """Draw one row per 300th of the axis, its last: more points than that cannot be seen."""
    part = pl.col(line.columns[0]) * 300 // max(end, 1)
    points = line.filter(part.ne_missing(part.shift(-1))).cast(pl.Float64).to_numpy()
    x, share, lower, upper = points.T
    dots = {"marker": "o", "markersize": 5} if len(points) <= 13 else {}
    kind = {"drawstyle": "steps-post"} if steps else dots
    sns.lineplot(x=x, y=share, ax=axes, errorbar=None, **look, **kind)
    band = {"step": "post" if steps else None, "color": look["color"]}
    band["rasterized"] = len(points) > 40  # fewer are smaller as lines
    axes.fill_between(x, lower, upper, alpha=0.2, linewidth=0, **band)


def _name_lines(axes: Axes, shares: list[tuple[object, pl.Series]], top: float) -> None:
    """Write each line's name at its end, moved apart where they would overlap."""
    beside = axes.get_yaxis_transform()
    ends = [
        (share.drop_nulls().tail(1).sum(), number, group)
        for number, (group, share) in enumerate(shares)
    ]
    ends.sort()
    heights = drawing.apart([end for end, *_ in ends], gap=0.1 * top, top=top)
    for height, (end, number, group) in zip(heights, ends, strict=True):
        axes.plot(
            [1.01, 1.06], [end, height], **drawing.look(number), transform=beside, clip_on=False
        )
        axes.text(1.08, height, words.short(group, 18), transform=beside, va="center")


def _counts_beneath(
    axes: Axes, counts: dict[object, pl.DataFrame], heading: str, steps: bool
) -> None:
    """Print each group's count at the ticks; a dash where there is none. Between ``steps`` the next
    one counts: it was at risk all the while; before the first, none."""

    def write(text, x, down, xycoords=("data", "axes fraction"), **place):
        place |= {"textcoords": "offset points", "annotation_clip": False, "va": "top"}
        axes.annotate(text, (x, 0), (0, down), xycoords=xycoords, **place)

    write(heading, 0, -50)
    for number, (group, line) in enumerate(counts.items()):
        down = -70 - 20 * number
        for tick in axes.get_xticks():
            next_one = pl.nth(0) >= tick if steps else pl.nth(0) == tick
            there = line.filter(next_one, pl.nth(0).min() <= tick)
            write(words.text(there.item(0, 1) if len(there) else None), tick, down, ha="center")
        if len(counts) > 1:
            write(words.short(group, 18), 1.08, down, xycoords="axes fraction")
