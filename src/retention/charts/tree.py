"""The condensed tree of clusters: what parts into what as density rises."""

import numpy as np
import polars as pl
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from retention.charts import drawing
from retention.charts.style import LOOK

SIDES = np.array([-1, 1, 1, -1])  # of the corners of a bar


@rc_context(LOOK)
def condensed_tree(nodes: pl.DataFrame) -> Figure:
    """Draw how customers part into ever denser groups, from all at the top.

    Takes   one row per node: node, parent (null for the first), n and n_at_death (customers at its
            birth and when it ends; null = hidden), birth, death (densities), cluster (-1 = none)
    Returns a bar per node from birth down to death, as wide as it has customers, above those that
            it splits into; clusters, and what lies beneath them, in colour, with number and n
    """
    axes, free, deepest = drawing.canvas(5), {None: 0.0}, {}
    nodes = nodes.sort("node").with_columns(pl.col("n").fill_null(0))
    nodes = nodes.with_columns(pl.col("n_at_death").fill_null(pl.col("n")))
    gap = 0.004 * nodes["n"].max()  # at both sides of a bar
    for row in nodes.iter_rows(named=True):
        middle, cluster = free[row["parent"]] + row["n"] / 2, row["cluster"]
        free[row["parent"]] += row["n"]  # where the next one beside it begins
        free[row["node"]] = middle - row["n_at_death"] / 2
        half = np.repeat([row["n"], row["n_at_death"]], 2) / 2 - gap
        heights = [row["birth"], row["birth"], row["death"], row["death"]]
        colour = drawing.look(cluster)["color"] if cluster >= 0 else drawing.GREY
        axes.fill(middle + SIDES * half.clip(0), heights, color=colour, alpha=0.75, linewidth=0)
        if cluster >= 0:
            x, n, depth = deepest.get(cluster, (middle, row["n"], 0))
            deepest[cluster] = x, n, max(depth, row["death"])
    for cluster, (x, n, depth) in deepest.items():
        axes.text(x, depth * 1.03, f"{cluster}\nn {n:,}", ha="center", va="top", size=12)
    axes.set(xticks=[], yscale="log", ylabel="density", title="Width: customers")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(nodes["death"].max() * 1.35, nodes["birth"].replace(0, None).min() / 1.5)
    axes.spines["bottom"].set_visible(False)
    return axes.figure
