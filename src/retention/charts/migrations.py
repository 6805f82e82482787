"""Chart of moves: from the segments of the last refresh to those of this one."""

import polars as pl
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from retention import words
from retention.charts import drawing
from retention.charts.style import LOOK, TEXT

GAP = 0.06  # between two places, as a share of all customers
WIDE = 0.03  # of a place, as a share of the way
ENTERED, LEFT = "entered", "left"
STYLES = {"customer": {"alpha": 0.85}, "definition": {"alpha": 0.6, "hatch": "////"}}
PALE = {"alpha": 0.3}
BAND = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]


@rc_context(LOOK)
def migrations(table: pl.DataFrame) -> Figure:
    """Draw who went from which segment to which as bands as wide as they are many.

    Takes   one row per previous_segment (null: not compared then), segment (null: not compared
            now) and moved_by: n (customers; null = hidden, not drawn)
    Returns places then at the left, now at the right, n beside each; bands in the colour of the
            segment they come from: pale stayed, strong moved, hatched where the definition moved

    Refuses an empty table.
    """
    drawing.refuse_empty(table)
    flows = table.with_columns(
        pl.col("previous_segment").fill_null(ENTERED), pl.col("segment").fill_null(LEFT)
    )
    gap = GAP * max(flows["n"].sum(), 1)
    then, now = (_places(flows, name, gap) for name in ("previous_segment", "segment"))
    axes = drawing.canvas(1.6 + 0.55 * max(len(then), len(now)))
    _draw_places(axes, then, -WIDE, "right")
    _draw_places(axes, now, 1 + WIDE, "left")
    tops = [{name: place[0] for name, place in places.items()} for places in (then, now)]
    for start, end, by, n in _ordered(flows, then, now).iter_rows():
        band = _band(tops[0][start], tops[1][end], n)
        colour = drawing.of_segment(start)["color"]
        style = STYLES.get(by, PALE)
        axes.add_patch(PathPatch(band, facecolor=colour, edgecolor=TEXT, linewidth=0, **style))
        tops[0][start] -= n
        tops[1][end] -= n
    hidden = "\n+: and some too few to be shown" if flows["n"].null_count() else ""
    axes.set_title(f"Pale: stayed. Strong: moved. Hatched: drawn anew.{hidden}")
    lowest = min(top - n for places in (then, now) for top, n, _ in places.values())
    axes.set(xlim=(-0.3, 1.3), ylim=(lowest, gap / 2))
    axes.set_axis_off()
    return axes.figure


def _places(flows: pl.DataFrame, column: str, gap: float) -> dict[str, tuple]:
    """The places at one side from the top down: where each begins, n, whether some is hidden."""
    last = pl.col(column).replace_strict({"none": 1, ENTERED: 2, LEFT: 2}, default=0)
    order = [last, pl.col(column).str.len_chars(), column]
    sums = [pl.col("n").sum(), pl.col("n").has_nulls().alias("hidden")]
    sizes = flows.group_by(column, maintain_order=True).agg(sums).sort(order)
    places, top = {}, 0.0
    for name, n, hidden in sizes.iter_rows():
        places[name] = (top, n, hidden)
        top -= n + gap
    return places


def _ordered(flows: pl.DataFrame, then: dict, now: dict) -> pl.DataFrame:
    """The bands to draw, so ordered that those of one place do not cross at its side."""
    ranks = [
        pl.col(name).replace_strict({place: rank for rank, place in enumerate(places)})
        for name, places in (("previous_segment", then), ("segment", now))
    ]
    columns = ["previous_segment", "segment", "moved_by", "n"]
    return flows.filter(pl.col("n") > 0).sort(*ranks, "moved_by").select(columns)


def _draw_places(axes: Axes, places: dict, x: float, side: str) -> None:
    out = WIDE if side == "left" else -WIDE
    for name, (top, n, hidden) in places.items():
        colour = drawing.of_segment(name)["color"]
        axes.add_patch(Rectangle((x, top - n), -out, n, color=colour, linewidth=0))
        text = f"{words.short(name, 12)} {words.text(n)}{'+' if hidden else ''}"
        axes.text(x + out / 2, top - n / 2, text, ha=side, va="center")


def _band(start: float, end: float, n: int) -> Path:
    """A band from the left at ``start`` down to the right at ``end``, both its upper edges."""
    points = [(0, start), (0.5, start), (0.5, end), (1, end), (1, end - n)]
    points += [(0.5, end - n), (0.5, start - n), (0, start - n), (0, start)]
    return Path(points, BAND)
