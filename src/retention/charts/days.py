"""Numbers day by day."""

import numpy as np
import polars as pl
from matplotlib import rc_context
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from retention import schema, words
from retention.charts import drawing
from retention.charts.style import LOOK


@rc_context(LOOK)
def days(table: pl.DataFrame, value: str, marked: str) -> Figure:
    """Draw a number per day as points, what is usual as a band, days that stand out as diamonds.

    Takes   one row per day: day, lower, upper (null = not known), ``value`` (null = hidden) and
            ``marked`` (whether the day stands out)
    Returns points and a band from zero, rasterised; the sum above
    """
    axes = drawing.canvas(4)
    dates = table["day"].cast(pl.Date).to_numpy()
    lower, upper, y = table.select("lower", "upper", value).cast(pl.Float64).to_numpy().T
    band = {"color": drawing.GREY, "alpha": 0.25, "linewidth": 0, "rasterized": True}
    axes.fill_between(dates, lower, upper, **band)
    odd = table[marked].to_numpy()
    axes.plot(dates[~odd], y[~odd], ".", color=drawing.PALETTE[0], markersize=4, rasterized=True)
    axes.plot(dates[odd], y[odd], "D", color=drawing.PALETTE[1], markersize=8)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(AutoDateLocator(maxticks=5))
    axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))
    axes.set_title(f"{schema.label(value)} (n {words.text(int(np.nansum(y)))})")
    return axes.figure
