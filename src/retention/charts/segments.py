"""Charts of segments: the map of clusters."""

import numpy as np
import polars as pl
import seaborn as sns
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from retention import words
from retention.charts import drawing
from retention.charts.style import LOOK


@rc_context(LOOK)
def cluster_map(points: pl.DataFrame) -> Figure:
    """Draw customers as points on a map, a colour, a marker and a name for each segment.

    Takes   one row per customer drawn: x, y (any unit), segment (null = in none, grey), name, n (of
            the whole segment)
    Returns a rasterised scatter; names with n at the right, a line from the middle of each

    Refuses an empty table.
    """
    drawing.refuse_empty(points)
    axes = drawing.canvas(5)
    marks = {"s": 20, "alpha": 0.45, "linewidth": 0, "rasterized": True}
    order, middles = [pl.col("segment").str.len_chars(), "segment"], []
    groups = points.sort(order, nulls_last=False).group_by("segment", maintain_order=True)
    for (segment,), members in groups:
        look = drawing.of_segment(segment)
        sns.scatterplot(
            x=members["x"].to_numpy(),
            y=members["y"].to_numpy(),
            color=look["color"],
            marker=look["marker"],
            ax=axes,
            **marks,
        )
        size = f"n {members['n'][0]:,}"
        if segment is None:
            axes.set_title(f"Grey: in no segment, {size}")
            continue
        name = f"{segment} {words.short(members['name'][0], 16)}, {size}"
        middles.append((members["y"].median(), members["x"].median(), name))
    drawing.name_points(axes, sorted(middles))
    axes.set(xlabel="", ylabel="")
    axes.set_axis_off()
    return axes.figure


@rc_context(LOOK)
def condensed_tree(nodes: pl.DataFrame) -> Figure:
    """Draw how customers part into ever denser groups, from all at the top.

    Takes   one row per node: node, parent (null for the first), n and n_at_death (customers at its
            birth and when it ends), birth, death (densities), group (-1 = none)
    Returns a bar per node from birth down to death, as wide as it has customers; those that became
            a group, and what lies beneath them, in colour, with the group's number and n

    Refuses an empty table.
    """
    drawing.refuse_empty(nodes)
    axes = drawing.canvas(5)
    places, deepest = _places(nodes), {}
    for row in nodes.sort("node").iter_rows(named=True):
        x, group = places[row["node"]], row["group"]
        ends = np.array([-1, 1, 1, -1]) * np.repeat([row["n"], row["n_at_death"]], 2) / 2
        heights = [row["birth"], row["birth"], row["death"], row["death"]]
        colour = drawing.look(group)["color"] if group >= 0 else drawing.GREY
        axes.fill(x + ends, heights, color=colour, alpha=0.75, linewidth=0)
        if row["parent"] is not None:
            level = [places[row["parent"]], x], [row["birth"]] * 2
            axes.plot(*level, color=drawing.GREY, linewidth=0.8, zorder=0)
        if group >= 0:
            place, n, depth = deepest.get(group, (x, row["n"], 0))
            deepest[group] = place, n, max(depth, row["death"])
    for group, (x, n, depth) in deepest.items():
        axes.text(x, depth * 1.03, f"{group}\nn {n:,}", ha="center", va="top", size=12)
    first = nodes["birth"].filter(nodes["birth"] > 0).min()
    axes.set(xticks=[], yscale="log", ylabel="density", title="Width: customers")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(nodes["death"].max() * 1.35, first / 1.5)
    axes.spines["bottom"].set_visible(False)
    return axes.figure


def _places(nodes: pl.DataFrame) -> dict[int, float]:
    """The middle of every node: leaves side by side, a parent between its children."""
    children: dict[int, list[int]] = {}
    for node, parent in nodes.sort("node").select("node", "parent").iter_rows():
        children.setdefault(parent, []).append(node)
    width, places, right = dict(nodes.select("node", "n").iter_rows()), {}, 0.0
    ahead = [*children[None]]
    order = []
    while ahead:
        order.append(node := ahead.pop())
        ahead += children.get(node, [])
    for node in order:
        if node not in children:
            places[node] = right + width[node] / 2
            right += width[node] * 1.25
    for node in reversed(order):
        if node in children:
            places[node] = float(np.mean([places[child] for child in children[node]]))
    return places


@rc_context(LOOK)
def profile_heatmap(table: pl.DataFrame) -> Figure:
    """Draw how far each segment lies from the typical customer in each trait.

    Takes   one row per segment and trait: segment, trait, difference (of medians, in interquartile
            ranges of all customers; null = not known or hidden)
    Returns a heat map, traits in rows, segments in columns, 0 = like the middle of all

    Refuses an empty table, and a segment and trait given twice.
    """
    values, traits, segments = drawing.grid(table, "trait", "segment", "difference")
    axes = drawing.heat(values, traits, segments, "{:+.1f}", cmap="vlag", vmin=-2, vmax=2)
    axes.tick_params(axis="x", rotation=40 if max(map(len, segments)) > 4 else 0)
    for label in axes.get_xticklabels():
        label.set(ha="right" if label.get_rotation() else "center", rotation_mode="anchor")
    axes.set_title("Interquartile ranges from the median")
    return axes.figure


@rc_context(LOOK)
def trust(table: pl.DataFrame) -> Figure:
    """Draw how much of each cluster comes back in every check.

    Takes   one row per segment and check: segment, check, value (0 to 1)
    Returns a heat map, clusters in rows, checks in columns

    Refuses an empty table, and a segment and check given twice.
    """
    values, segments, checks = drawing.grid(table, "segment", "check", "value")
    axes = drawing.heat(values, segments, checks, "{:.2f}", cmap="viridis", vmin=0, vmax=1)
    axes.set_xticklabels([name.replace(" ", "\n") for name in checks])
    axes.set_title("Part that is found again")
    return axes.figure
