"""What sets a segment apart."""

import polars as pl
from matplotlib import rc_context
from matplotlib.figure import Figure

from retention.charts.bars import bars
from retention.charts.style import LOOK


@rc_context(LOOK)
def traits(table: pl.DataFrame) -> Figure:
    """Draw how far a segment lies from the others in each feature: medians and its middle half.

    Takes   one row per feature: feature, n, difference, lower, upper (in spreads of all)
    Returns `bars`; refuses an empty table.
    """
    return bars(table, "feature", "difference", "lower", "upper", n="n")
