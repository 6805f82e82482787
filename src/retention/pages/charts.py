"""Charts: a tidy result table in, a Figure out. Nothing here computes a statistic.

A chart shows its intervals and its n; `show.figure` gives it the headline, the text alternative
and the table without which it is not published.
"""

import numpy as np
import polars as pl
import seaborn as sns
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter

from retention.pages import words
from retention.pages.show import LOOK, TEXT

GREY = "#7A7A7A"
# Chosen by search: every pair differs by 0.1 in OKLab, or 0.17 to full colour vision, also
# without red, green or blue cones; 3:1 against a white and a near-black page.
PALETTE = ("#348DF2", "#AE450E", "#0B7760", "#DD5FA9", "#8347C1", "#95901B")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--")


@rc_context(LOOK)
def survival_curves(curves: pl.DataFrame, by: str) -> Figure:
    """Draw the share still active by days since the start, a step line for each group.

    Takes   one row per ``group`` and day: by, group, duration_days, at_risk (customers),
            survival, ci_lower, ci_upper (0 to 1); only the rows of this ``by`` are drawn
    Returns lines with shaded intervals, named at their ends, numbers at risk beneath

    Refuses an empty table and more than 12 groups.
    """
    return _curves(
        curves.filter(pl.col("by") == by),
        ("duration_days", "survival", "at_risk"),
        ("Share still active", "Days since start", "Customers at risk"),
        steps=True,
    )


@rc_context(LOOK)
def retention_curves(table: pl.DataFrame) -> Figure:
    """Draw retention by age, all cohorts together, with its interval.

    Takes   one row per age: age (months), n_start (customers observed at that age), retention,
            ci_lower, ci_upper (0 to 1) [, group]
    Returns lines with shaded intervals, the number of customers beneath

    Refuses an empty table and more than 12 groups.
    """
    if "group" not in table.columns:
        table = table.with_columns(group=pl.lit("all"))
    return _curves(
        table,
        ("age", "retention", "n_start"),
        ("Share retained", "Months since the start", "Customers observed"),
        steps=False,
    )


@rc_context(LOOK)
def hazard_ratios(table: pl.DataFrame) -> Figure:
    """Draw a forest plot: how much sooner or later customers leave, on a log axis.

    Takes   one row per term [and cause]: term, hazard_ratio, ci_lower, ci_upper (> 0) [, cause]
    Returns a point and an interval per row, in the order of the table; figures at the right

    Refuses an empty table.
    """
    _refuse_empty(table)
    causes = (
        table["cause"].unique(maintain_order=True).to_list() if "cause" in table.columns else [None]
    )
    named = [name for name in ("term", "cause") if name in table.columns]
    axes = _rows(["\n".join(map(words.wrapped, row)) for row in table.select(named).iter_rows()])
    axes.axvline(1, color=TEXT, linewidth=1)
    for y, row in enumerate(table.iter_rows(named=True)):
        which = causes.index(row.get("cause"))
        _interval(axes, y, row["ci_lower"], row["ci_upper"], _look(which)["color"])
        axes.plot(
            row["hazard_ratio"], y, MARKERS[which % 6], color=_look(which)["color"], markersize=9
        )
        _at_right(axes, y, "{hazard_ratio:.2f} ({ci_lower:.2f}–{ci_upper:.2f})".format(**row))
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


@rc_context(LOOK)
def retention_triangle(table: pl.DataFrame) -> Figure:
    """Draw retention by cohort and age as a heat map; what is not known stays hatched.

    Takes   one row per cohort and age: cohort, age (months), n_start (customers),
            retention (0 to 1; null = not yet observed or hidden)
    Returns a heat map, oldest cohort on top, per cent in the cells if at most 13 ages

    Refuses an empty table, and a cohort and age given twice.
    """
    sizes = table.group_by("cohort", maintain_order=True).agg(pl.col("n_start").max())
    labels = [
        f"{words.short(row['cohort'], 12)} (n {words.text(row['n_start'])})"
        for row in sizes.iter_rows(named=True)
    ]
    values, _, ages = _grid(table.sort("age", maintain_order=True), "cohort", "age", "retention")
    most = np.nanmax(values[:, 1:], initial=0.01)  # colours tell ages after the first apart
    axes = _heat(values * 100, labels, ages, "{:.0f}", cmap="crest", vmin=0, vmax=100 * most)
    axes.set_title("Per cent retained")
    axes.set_xlabel("Months since the start")
    return axes.figure


@rc_context(LOOK)
def profile_heatmap(table: pl.DataFrame) -> Figure:
    """Draw how far each segment lies from the typical customer in each trait.

    Takes   one row per segment and trait: segment, trait, difference (of medians, in interquartile
            ranges of all customers; null = not known or hidden)
    Returns a heat map, traits in rows, segments in columns, 0 = like the middle of all

    Refuses an empty table, and a segment and trait given twice.
    """
    values, traits, segments = _grid(table, "trait", "segment", "difference")
    axes = _heat(values, traits, segments, "{:+.1f}", cmap="vlag", vmin=-2, vmax=2)
    axes.tick_params(axis="x", rotation=40 if max(map(len, segments)) > 4 else 0)
    for label in axes.get_xticklabels():
        label.set(ha="right" if label.get_rotation() else "center", rotation_mode="anchor")
    axes.set_title("Interquartile ranges from the median")
    return axes.figure


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
    _refuse_empty(table)
    sizes = [f"\nn {words.text(size)}" for size in table[n]] if n else [""] * table.height
    axes = _rows(
        [words.wrapped(name) + size for name, size in zip(table[label], sizes, strict=True)]
    )
    values = table[value].cast(pl.Float64).to_numpy()
    look = {"color": PALETTE[0], "saturation": 1, "width": 0.6, "linewidth": 0}
    sns.barplot(x=values, y=range(len(values)), orient="h", ax=axes, **look)
    for y, row in enumerate(table.iter_rows(named=True)):
        if ci_lower and ci_upper:
            _interval(axes, y, row[ci_lower], row[ci_upper], TEXT)
        _at_right(axes, y, words.text(row[value], percent))
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
    _refuse_empty(table)
    labels, groups = (column.unique(maintain_order=True).to_list() for column in table[:, :2])
    heading = words.heading(table.columns[3])
    percent = heading.startswith("share")
    axes = _rows([words.wrapped(label) + "\n" for label in labels])
    for label, group, n, value, lower, upper in table.iter_rows():
        which = groups.index(group)
        y = labels.index(label) + 0.35 * (which - (len(groups) - 1) / 2)
        _interval(axes, y, lower, upper, _look(which)["color"])
        axes.plot([value], [y], MARKERS[which], color=_look(which)["color"], markersize=9)
        size = "" if n is None else f" (n {words.text(n)})"
        _at_right(axes, y, words.text(value, percent) + size)
    axes.set_xlim(left=0)
    axes.set(title=heading, xlabel=" · ".join(map("{} {}".format, "●■▲◆▼", groups)))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    if percent:
        axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.6g}%")
    return axes.figure


@rc_context(LOOK)
def traits(table: pl.DataFrame) -> Figure:
    """Draw how far a segment lies from the others in each feature: medians and its middle half.

    Takes   one row per feature: feature, n, difference, lower, upper (in spreads of all)
    Returns `bars`; refuses an empty table.
    """
    return bars(table, "feature", "difference", "lower", "upper", n="n")


@rc_context(LOOK)
def events_per_day(days: pl.DataFrame) -> Figure:
    """Draw events per day as points, what is usual as a band, odd days as diamonds.

    Takes   one row per day: date, events (null = hidden), lower, upper (null = not known), odd
    Returns points and a band from zero, rasterised; n above

    Refuses an empty table.
    """
    _refuse_empty(days)
    axes = _canvas(4)
    dates = days["date"].to_numpy()
    lower, upper, events = days.select("lower", "upper", "events").cast(pl.Float64).to_numpy().T
    band = {"color": GREY, "alpha": 0.25, "linewidth": 0, "rasterized": True}
    axes.fill_between(dates, lower, upper, **band)
    odd = days["odd"].to_numpy()
    axes.plot(dates[~odd], events[~odd], ".", color=PALETTE[0], markersize=4, rasterized=True)
    axes.plot(dates[odd], events[odd], "D", color=PALETTE[1], markersize=8)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(AutoDateLocator(maxticks=5))
    axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))
    axes.set_title(f"Events per day (n {words.text(int(np.nansum(events)))})")
    return axes.figure


@rc_context(LOOK)
def cluster_map(points: pl.DataFrame) -> Figure:
    """Draw customers as points on a map, a colour, a marker and a name for each cluster.

    Takes   one row per customer: x, y (any unit), cluster (-1 = noise, grey) [, name]
    Returns a rasterised scatter; names with n at the right, a line from the middle of each

    Refuses an empty table.
    """
    _refuse_empty(points)
    axes = _canvas(5)
    marks = {"s": 20, "alpha": 0.45, "linewidth": 0, "rasterized": True}
    middles = []
    for (cluster,), members in points.sort("cluster").group_by("cluster", maintain_order=True):
        noise = cluster == -1
        sns.scatterplot(
            x=members["x"].to_numpy(),
            y=members["y"].to_numpy(),
            color=GREY if noise else _look(cluster)["color"],
            marker="." if noise else MARKERS[(cluster + cluster // 6) % 6],
            ax=axes,
            **marks,
        )
        size = f"n {members.height:,}"
        if noise:
            axes.set_title(f"Grey: noise, {size}")
            continue
        name = members["name"][0] if "name" in members.columns else f"cluster {cluster}"
        middles.append(
            (members["y"].median(), members["x"].median(), f"{words.short(name)}, {size}")
        )
    _name_points(axes, sorted(middles))
    axes.set(xlabel="", ylabel="")
    axes.set_axis_off()
    return axes.figure


def _look(number: int) -> dict[str, str]:
    """Six colours, then the same dashed."""
    return {"color": PALETTE[number % 6], "linestyle": DASHES[number // 6 % 2]}


def _refuse_empty(table: pl.DataFrame) -> None:
    if table.is_empty():
        raise ValueError("a chart needs at least one row")


def _canvas(height: float) -> Axes:
    return Figure(figsize=(7, height), layout="constrained").subplots()


def _rows(labels: list[str]) -> Axes:
    """Axes for one mark per label, the first on top."""
    lines = 1 + max(label.count("\n") for label in labels)
    axes = _canvas(1.2 + len(labels) * (0.25 + 0.2 * lines))
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    return axes


def _interval(axes: Axes, y: float, lower: float | None, upper: float | None, colour: str) -> None:
    if lower is not None and upper is not None:
        axes.plot([lower, upper], [y, y], color=colour, solid_capstyle="butt")


def _at_right(axes: Axes, y: float, text: str) -> None:
    axes.text(1.03, y, text, transform=axes.get_yaxis_transform(), va="center")


def _curves(
    table: pl.DataFrame, columns: tuple[str, str, str], names: tuple[str, str, str], steps: bool
) -> Figure:
    """One line per group of ``table``; columns and names are those of x, share and count."""
    _refuse_empty(table)
    x, share, count = columns
    groups = {
        group: line.sort(x) for (group,), line in table.group_by("group", maintain_order=True)
    }
    if len(groups) > len(PALETTE) * len(DASHES):
        raise ValueError(f"{len(groups)} groups are more than one chart can tell apart: choose 12")
    end = table[x].max()
    axes = _canvas(3.9 + 0.28 * len(groups))
    for number, line in enumerate(groups.values()):
        _line(axes, line.select(x, share, "ci_lower", "ci_upper"), end, _look(number), steps)
    axes.set(xlim=(0, end), ylim=(0, 1.02), title=names[0], xlabel=names[1], ylabel="")
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xticks(
        [tick for tick in MaxNLocator(4, integer=True).tick_values(0, end) if 0 <= tick <= end]
    )
    if len(groups) > 1:
        _name_lines(axes, [(group, line[share]) for group, line in groups.items()])
    _counts_beneath(
        axes, {group: line.select(x, count) for group, line in groups.items()}, names[2], steps
    )
    return axes.figure


def _line(axes: Axes, line: pl.DataFrame, end: float, look: dict[str, str], steps: bool) -> None:
    """Draw one row per 300th of the axis, its last: more points than that cannot be seen."""
    part = pl.col(line.columns[0]) * 300 // max(end, 1)
    points = line.filter(part.ne_missing(part.shift(-1))).cast(pl.Float64).to_numpy()
    x, share, lower, upper = points.T
    kind = {"drawstyle": "steps-post"} if steps else {"marker": "o", "markersize": 5}
    sns.lineplot(x=x, y=share, ax=axes, errorbar=None, **look, **kind)
    band = {"step": "post" if steps else None, "color": look["color"], "rasterized": True}
    axes.fill_between(x, lower, upper, alpha=0.2, linewidth=0, **band)


def _name_lines(axes: Axes, shares: list[tuple[object, pl.Series]]) -> None:
    """Write each line's name at its end, moved apart where they would overlap."""
    beside = axes.get_yaxis_transform()
    ends = [
        (share.drop_nulls().tail(1).sum(), number, group)
        for number, (group, share) in enumerate(shares)
    ]
    ends.sort()
    heights = _apart([end for end, *_ in ends], gap=0.1, top=1.0)
    for height, (end, number, group) in zip(heights, ends, strict=True):
        axes.plot([1.01, 1.06], [end, height], **_look(number), transform=beside, clip_on=False)
        axes.text(1.08, height, words.short(group, 18), transform=beside, va="center")


def _name_points(axes: Axes, middles: list[tuple[float, float, str]]) -> None:
    """Write names at the right, each joined to its middle (y, x), lowest first."""
    low, high = axes.get_ylim()
    heights = _apart([(y - low) / (high - low) for y, *_ in middles], gap=0.08, top=0.98)
    for height, (y, x, name) in zip(heights, middles, strict=True):
        line = {"arrowstyle": "-", "color": TEXT, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
        axes.annotate(
            name,
            (x, y),
            (1.02, height),
            textcoords="axes fraction",
            va="center",
            annotation_clip=False,
            arrowprops=line,
        )


def _apart(heights: list[float], gap: float, top: float) -> list[float]:
    """Rising heights, moved as little as keeps them ``gap`` apart and below ``top``."""
    apart = heights[:1]
    for height in heights[1:]:
        apart.append(max(height, apart[-1] + gap))
    return [min(height, top - gap * left) for left, height in enumerate(reversed(apart))][::-1]


def _counts_beneath(
    axes: Axes, counts: dict[object, pl.DataFrame], heading: str, steps: bool
) -> None:
    """Print each group's count at the ticks; a dash where there is none. Between ``steps`` the next
    one counts: it was at risk all the while."""

    def write(text, x, down, xycoords=("data", "axes fraction"), **place):
        place |= {"textcoords": "offset points", "annotation_clip": False, "va": "top"}
        axes.annotate(text, (x, 0), (0, down), xycoords=xycoords, **place)

    write(heading, 0, -50)
    for number, (group, line) in enumerate(counts.items()):
        down = -70 - 20 * number
        for tick in axes.get_xticks():
            there = line.filter(pl.nth(0) >= tick if steps else pl.nth(0) == tick)
            write(words.text(there.item(0, 1) if len(there) else None), tick, down, ha="center")
        if len(counts) > 1:
            write(words.short(group, 18), 1.08, down, xycoords="axes fraction")


def _grid(
    table: pl.DataFrame, rows: str, columns: str, value: str
) -> tuple[np.ndarray, list[str], list[str]]:
    """The values as a matrix with its labels; null becomes NaN, which is drawn as a gap."""
    _refuse_empty(table)
    if table.select(rows, columns).is_duplicated().any():
        raise ValueError(f"each {rows} and {columns} may be given only once")
    wide = table.pivot(on=columns, index=rows, values=value)
    matrix = wide.drop(rows).cast(pl.Float64).to_numpy()
    return matrix, list(map(words.short, wide[rows])), list(map(words.short, wide.columns[1:]))


def _heat(values: np.ndarray, rows: list[str], columns: list[str], form: str, **colours) -> Axes:
    few = len(columns) <= 13
    columns = [name if few or number % 3 == 0 else "" for number, name in enumerate(columns)]
    axes = _canvas(1.4 + 0.36 * len(rows))
    axes.patch.set(hatch="///", edgecolor=GREY)  # seen where there is no value
    sns.heatmap(
        values,
        annot=np.vectorize(form.format)(values.round(1) + 0.0) if few else None,
        fmt="",
        annot_kws={"size": 13},
        xticklabels=columns,
        yticklabels=rows,
        cbar=not few,
        rasterized=True,
        ax=axes,
        **colours,
    )
    axes.tick_params(length=0, rotation=0)
    return axes
