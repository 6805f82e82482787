"""Charts of risk: how models rank at each landmark, and whether the risk comes true."""

import polars as pl
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from retention import words
from retention.charts import drawing
from retention.charts.bars import bars
from retention.charts.style import LOOK, TEXT


@rc_context(LOOK)
def backtest(table: pl.DataFrame) -> Figure:
    """Draw how well each model ranked at each landmark.

    Takes   one row per landmark and model: landmark (text), model, n (customers), auc (0 to 1)
    Returns points joined by lines, a marker and a colour for each model, landmarks from left to
            right, the number of customers beneath

    Refuses an empty table.
    """
    drawing.refuse_empty(table)
    axes = drawing.canvas(4.6)
    landmarks = table["landmark"].unique(maintain_order=True).to_list()
    models = table["model"].unique(maintain_order=True).to_list()
    for number, model in enumerate(models):
        line = table.filter(model=model)
        places = [landmarks.index(landmark) for landmark in line["landmark"]]
        look = drawing.look(number) | {"marker": drawing.MARKERS[number], "markersize": 8}
        axes.plot(places, line["auc"], **look)
    axes.set(title="AUC: 0.5 is chance, 1 is perfect", xlim=(-0.3, len(landmarks) - 0.7))
    axes.set_xlabel(" · ".join(map("{} {}".format, "●■▲◆▼", models)))
    sizes = table.unique("landmark", maintain_order=True)["n"]
    labels = [
        f"{landmark}\nn {words.text(n)}" for landmark, n in zip(landmarks, sizes, strict=True)
    ]
    axes.set_xticks(range(len(landmarks)), labels, rotation=40, ha="right")
    axes.yaxis.set_major_locator(MaxNLocator(4))
    return axes.figure


@rc_context(LOOK)
def calibration(table: pl.DataFrame) -> Figure:
    """Draw what was predicted against what came true: on the line, the two are equal.

    Takes   one row per group of customers: predicted, observed (0 to 1; null = hidden), ci_lower,
            ci_upper, n
    Returns a point with its interval for each group, over the line of equality

    Refuses an empty table.
    """
    drawing.refuse_empty(table)
    axes = drawing.canvas(5)
    top = max(
        table.select(pl.max_horizontal("predicted", "observed", "ci_upper").max()).item(), 0.1
    )
    axes.plot([0, top], [0, top], color=TEXT, linewidth=1)
    colour = drawing.PALETTE[0]
    for row in table.drop_nulls("observed").iter_rows(named=True):
        axes.plot([row["predicted"]] * 2, [row["ci_lower"], row["ci_upper"]], color=colour)
        axes.plot(row["predicted"], row["observed"], "o", color=colour, markersize=8)
    axes.set(xlim=(0, 1.03 * top), ylim=(0, 1.03 * top), xlabel="Predicted risk")
    axes.set_title(f"Share that left (n {words.text(table['n'].sum())})")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4))
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    return axes.figure


def signals(table: pl.DataFrame) -> Figure:
    """Draw how far each signal moves risks apart.

    Takes   one row per signal: signal, spread (of the log odds)
    Returns `bars`; refuses an empty table.
    """
    named = table.with_columns(pl.col("signal").str.replace_all("_", " "))
    return bars(named, "signal", "spread")
