"""Charts of segments: the map of clusters, and what sets a segment apart."""

import polars as pl
import seaborn as sns
from matplotlib import rc_context
from matplotlib.figure import Figure

from retention.pages import words
from retention.pages.charts import drawing
from retention.pages.charts.bars import bars
from retention.pages.show import LOOK


@rc_context(LOOK)
def cluster_map(points: pl.DataFrame) -> Figure:
    """Draw customers as points on a map, a colour, a marker and a name for each cluster.

    Takes   one row per customer: x, y (any unit), cluster (-1 = noise, grey) [, name]
    Returns a rasterised scatter; names with n at the right, a line from the middle of each

    Refuses an empty table.
    """
    drawing.refuse_empty(points)
    axes = drawing.canvas(5)
    marks = {"s": 20, "alpha": 0.45, "linewidth": 0, "rasterized": True}
    middles = []
    for (cluster,), members in points.sort("cluster").group_by("cluster", maintain_order=True):
        noise = cluster == -1
        sns.scatterplot(
            x=members["x"].to_numpy(),
            y=members["y"].to_numpy(),
            color=drawing.GREY if noise else drawing.look(cluster)["color"],
            marker="." if noise else drawing.MARKERS[(cluster + cluster // 6) % 6],
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
    drawing.name_points(axes, sorted(middles))
    axes.set(xlabel="", ylabel="")
    axes.set_axis_off()
    return axes.figure


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
def traits(table: pl.DataFrame) -> Figure:
    """Draw how far a segment lies from the others in each feature: medians and its middle half.

    Takes   one row per feature: feature, n, difference, lower, upper (in spreads of all)
    Returns `bars`; refuses an empty table.
    """
    return bars(table, "feature", "difference", "lower", "upper", n="n")
