"""What charts are drawn with: colours, axes of rows, lines with intervals, heat maps."""

import numpy as np
import polars as pl
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from retention import schema, words

GREY = "#7A7A7A"
# Chosen by search: every pair differs by 0.1 in OKLab, or 0.17 to full colour vision, also
# without red, green or blue cones; 3:1 against a white and a near-black page.
PALETTE = ("#348DF2", "#AE450E", "#0B7760", "#DD5FA9", "#8347C1", "#95901B")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--")


def look(number: int) -> dict[str, str]:
    """Six colours, then the same dashed."""
    return {"color": PALETTE[number % 6], "linestyle": DASHES[number // 6 % 2]}


def in_percent(value: str) -> bool:
    """Whether the column ``value`` is shown in per cent."""
    return schema.column(value).kind in ("share", "estimate", "points")


def canvas(height: float) -> Axes:
    return Figure(figsize=(7, height), layout="constrained").subplots()


def rows(labels: list[str]) -> Axes:
    """Axes for one mark per label, the first on top."""
    lines = 1 + max(label.count("\n") for label in labels)
    axes = canvas(1.2 + len(labels) * (0.25 + 0.2 * lines))
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    return axes


def interval(axes: Axes, y: float, lower: float | None, upper: float | None, colour: str) -> None:
    if lower is not None and upper is not None:
        axes.plot([lower, upper], [y, y], color=colour, solid_capstyle="butt")


def at_right(axes: Axes, y: float, text: str) -> None:
    axes.text(1.03, y, text, transform=axes.get_yaxis_transform(), va="center")


def mark(axes: Axes, y: float, values: tuple, which: int, text: str) -> None:
    """A point at the first of ``values`` with its interval, the two others, in the look of group
    ``which``; ``text`` at the right. What is null is not drawn."""
    middle, lower, upper = values
    colour = look(which)["color"]
    interval(axes, y, lower, upper, colour)
    axes.plot([middle], [y], MARKERS[which % 6], color=colour, markersize=9)
    at_right(axes, y, text)


def grid(
    table: pl.DataFrame, rows: str, columns: str, value: str
) -> tuple[np.ndarray, list[str], list[str]]:
    """The values as a matrix with its labels; null becomes NaN, which is drawn as a gap."""
    if table.select(rows, columns).is_duplicated().any():
        raise ValueError(f"each {rows} and {columns} may be given only once")
    wide = table.pivot(on=columns, index=rows, values=value)
    matrix = wide.drop(rows).cast(pl.Float64).to_numpy()
    return matrix, list(map(words.short, wide[rows])), list(map(words.short, wide.columns[1:]))


def heat(values: np.ndarray, rows: list[str], columns: list[str], form: str, **colours) -> Axes:
    few = len(columns) <= 13 and len(rows) <= 13
    thin = 1 if len(columns) <= 13 else 3
    digits = int(form[form.index(".") + 1])  # rounded first, so that no zero has a sign
    columns = [name if number % thin == 0 else "" for number, name in enumerate(columns)]
    axes = canvas(1.4 + (0.36 if len(rows) <= 13 else 0.22) * len(rows))
    axes.patch.set(hatch="///", edgecolor=GREY)  # seen where there is no value
    sns.heatmap(
        values,
        annot=np.vectorize(form.format)(values.round(digits) + 0.0) if few else None,
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


def apart(heights: list[float], gap: float, top: float) -> list[float]:
    """Rising heights, moved as little as keeps them ``gap`` apart and below ``top``."""
    apart = heights[:1]
    for height in heights[1:]:
        apart.append(max(height, apart[-1] + gap))
    return [min(height, top - gap * left) for left, height in enumerate(reversed(apart))][::-1]
