"""Charts of the data themselves: events per day."""

import numpy as np
import polars as pl
from matplotlib import rc_context
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from retention import words
from retention.charts import drawing
from retention.charts.style import LOOK


@rc_context(LOOK)
def events_per_day(days: pl.DataFrame) -> Figure:
    """Draw events per day as points, what is usual as a band, odd days as diamonds.

    Takes   one row per day: date, events (null = hidden), lower, upper (null = not known), odd
    Returns points and a band from zero, rasterised; n above

    Refuses an empty table.
    """
    drawing.refuse_empty(days)
    axes = drawing.canvas(4)
    dates = days["date"].to_numpy()
    lower, upper, events = days.select("lower", "upper", "events").cast(pl.Float64).to_numpy().T
    band = {"color": drawing.GREY, "alpha": 0.25, "linewidth": 0, "rasterized": True}
    axes.fill_between(dates, lower, upper, **band)
    odd = days["odd"].to_numpy()
    axes.plot(
        dates[~odd], events[~odd], ".", color=drawing.PALETTE[0], markersize=4, rasterized=True
    )
    axes.plot(dates[odd], events[odd], "D", color=drawing.PALETTE[1], markersize=8)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(AutoDateLocator(maxticks=5))
    axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))
    axes.set_title(f"Events per day (n {words.text(int(np.nansum(events)))})")
    return axes.figure
