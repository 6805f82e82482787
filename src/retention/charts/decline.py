"""Charts of usage decline."""

import polars as pl
from matplotlib import rc_context
from matplotlib.figure import Figure

from retention.charts import drawing
from retention.charts.bars import bars
from retention.charts.style import LOOK, TEXT


@rc_context(LOOK)
def usage_changes(table: pl.DataFrame) -> Figure:
    """Draw how many customers do less or more than before, and how many would seem to by chance.

    Takes   the table "usage_decline": usage, n, share, ci_lower, ci_upper, by_chance (of what is
            null nothing is drawn)
    Returns bars with intervals and n for those who fall and rise, and a diamond where chance alone
            would put the end of the bar

    Refuses a table without them.
    """
    changed = table.filter(pl.col("usage").is_in(["falling", "rising"]))
    figure = bars(changed, "usage", "share", "ci_lower", "ci_upper", n="n", percent=True)
    chance = changed["by_chance"].cast(pl.Float64)
    axes = figure.axes[0]
    axes.plot(chance, range(changed.height), "D", color=drawing.PALETTE[1], markeredgecolor=TEXT)
    axes.set_xlabel("◆ by chance alone, if nobody had changed")
    return figure


def left_by_usage(table: pl.DataFrame) -> Figure:
    """Draw what part left, by how usage had changed.

    Takes   the table "left_by_usage": usage, n, share, ci_lower, ci_upper (of what is null nothing
            is drawn)
    Returns bars with intervals and n

    Refuses an empty table.
    """
    named = table.rename({"share": "share_that_left"})
    return bars(named, "usage", "share_that_left", "ci_lower", "ci_upper", n="n", percent=True)
