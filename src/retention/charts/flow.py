"""Moves between places, from one day to another."""

from collections.abc import Sequence

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
ABSENT = ("entered", "left")  # places of those who were not there then, or are not there now
BAND = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]


@rc_context(LOOK)
def flow(
    table: pl.DataFrame,
    before: str,
    after: str,
    order: Sequence[str],
    hatched: tuple[str, str, str] | None = None,
) -> Figure:
    """Draw who went from where to where as bands as wide as they are many.

    Takes   one row per move: ``before`` and ``after`` (null: not there then, or now), n (customers;
            null = hidden, not drawn); ``order`` of the places from the top; ``hatched``: a column,
            the value of it whose bands are hatched, and what it means
    Returns places then at the left, now at the right, n beside each; bands in the colour of the
            place they come from: pale stayed, strong moved
    """
    hatch = pl.lit(False) if hatched is None else pl.col(hatched[0]) == hatched[1]
    rank = {place: number for number, place in enumerate([*order, *ABSENT])}
    sides = pl.col(before).fill_null(ABSENT[0]), pl.col(after).fill_null(ABSENT[1])
    flows = table.select(*sides, "n", hatch=hatch).sort(
        *(pl.col(side).replace_strict(rank) for side in (before, after)), "hatch"
    )
    colours = {place: drawing.of_segment(place) for place in rank}
    if {*colours.values()} == {drawing.GREY}:
        colours = {place: drawing.look(number)["color"] for place, number in rank.items()}
    axes = drawing.canvas(1.6 + 0.55 * len(order))
    tops, ends = (_places(axes, flows, *at, colours) for at in ((before, -WIDE), (after, 1)))
    for start, end, n, is_hatched in flows.filter(pl.col("n") > 0).iter_rows():
        look = {"alpha": 0.6, "hatch": "////"} if is_hatched else {"alpha": 0.85}
        look = {"alpha": 0.3} if start == end or {start, end} & {*ABSENT} else look
        band = _band(tops[start], ends[end], n)
        axes.add_patch(
            PathPatch(band, facecolor=colours[start], edgecolor=TEXT, linewidth=0, **look)
        )
        tops[start] -= n
        ends[end] -= n
    said = "Pale: stayed. Strong: moved." + (f" Hatched: {hatched[2]}." if hatched else "")
    few = "\n+: and some too few to be shown" if flows["n"].null_count() else ""
    axes.set(title=said + few, xlim=(-0.3, 1.3), ylim=(axes.dataLim.y0, 0))
    axes.set_axis_off()
    return axes.figure


def _places(
    axes: Axes, flows: pl.DataFrame, column: str, left: float, colours: dict[str, str]
) -> dict[str, float]:
    """Draw the places of one side, from ``left`` on and from the top down; gives where each
    begins."""
    gap, top, tops = GAP * max(flows["n"].sum(), 1), 0.0, {}
    for place in [place for place in colours if place in flows[column]]:
        own = flows.filter(pl.col(column) == place)["n"]
        n, more = own.sum(), "+" if own.null_count() else ""
        axes.add_patch(Rectangle((left, top - n), WIDE, n, color=colours[place], linewidth=0))
        x, side = (left - WIDE / 2, "right") if left < 0 else (left + 1.5 * WIDE, "left")
        text = f"{words.short(place, 12)} {words.text(n)}{more}"
        axes.text(x, top - n / 2, text, ha=side, va="center")
        tops[place] = top
        top -= n + gap
    return tops


def _band(start: float, end: float, n: int) -> Path:
    """A band from the left at ``start`` down to the right at ``end``, both its upper edges."""
    points = [(0, start), (0.5, start), (0.5, end), (1, end), (1, end - n)]
    points += [(0.5, end - n), (0.5, start - n), (0, start - n), (0, start)]
    return Path(points, BAND)
