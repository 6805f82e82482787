"""Charts of life: groups, where customers went from each stage, orders after intent, scores."""

import polars as pl
from matplotlib import rc_context
from matplotlib.figure import Figure

from retention.charts import drawing
from retention.charts.bars import bars
from retention.charts.style import LOOK


@rc_context(LOOK)
def stage_flows(table: pl.DataFrame) -> Figure:
    """Draw what part of each stage's customers stands where now.

    Takes   the table "lifecycle_flows": before, lifecycle, share (0 to 1; null = hidden)
    Returns a heat map in per cent, stages before in rows, stages now in columns; n stands in the
            table behind

    Refuses an empty table, and a pair of stages given twice.
    """
    values, before, now = drawing.grid(table, "before", "lifecycle", "share")
    axes = drawing.heat(100 * values, before, now, "{:.0f}", cmap="Blues", vmin=0, vmax=100)
    axes.tick_params(axis="x", rotation=40)
    for label in axes.get_xticklabels():
        label.set(ha="right", rotation_mode="anchor")
    axes.set(xlabel="", ylabel="", title="Of each row, per cent that stand there now")
    return axes.figure


def share_bars(table: pl.DataFrame, label: str) -> Figure:
    """Draw the share of each group: `bars` with intervals and n.

    Takes   one row per group: ``label``, n, share (0 to 1), ci_lower, ci_upper

    Refuses an empty table.
    """
    return bars(table, label, "share", "ci_lower", "ci_upper", n="n", percent=True)


def readiness(table: pl.DataFrame) -> Figure:
    """Draw what part ordered after each intent.

    Takes   the table "readiness": intent, n_before, share (0 to 1), ci_lower, ci_upper
    Returns `bars` with intervals and n; refuses an empty table.
    """
    named = table.rename({"share": "share_that_ordered"})
    limits = ("ci_lower", "ci_upper")
    return bars(named, "intent", "share_that_ordered", *limits, n="n_before", percent=True)


def survey_scores(table: pl.DataFrame) -> Figure:
    """Draw the score of each kind of survey and group.

    Takes   kind, group, n (who answered), score, ci_lower, ci_upper
    Returns `bars` with intervals and n; refuses an empty table.
    """
    named = table.with_columns(
        asked=pl.format("{} · {}", pl.col("kind").str.to_uppercase(), "group")
    )
    return bars(named, "asked", "score", "ci_lower", "ci_upper", n="n")
