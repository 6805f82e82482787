"""Charts of value: the forecast held against each week, and how a cohort under contract thins."""

import polars as pl
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from retention import words
from retention.charts import drawing
from retention.charts.bars import bars
from retention.charts.style import LOOK, TEXT


@rc_context(LOOK)
def weeks_foretold(table: pl.DataFrame) -> Figure:
    """Draw what came week by week, and what each model had foretold of it.

    Takes   one row per week and model: week (1 = the first), model, n (customers), actual (per
            customer; null = hidden), ci_lower, ci_upper, predicted
    Returns what came as points with their intervals, a line for each model; refuses an empty table.
    """
    drawing.refuse_empty(table)
    axes = drawing.canvas(4.6)
    models = table["model"].unique(maintain_order=True).to_list()
    came = table.filter(model=models[0]).sort("week")
    for row in came.drop_nulls("actual").iter_rows(named=True):
        axes.plot([row["week"]] * 2, [row["ci_lower"], row["ci_upper"]], color=TEXT, linewidth=1)
        axes.plot(row["week"], row["actual"], "o", color=TEXT, markersize=4)
    for number, model in enumerate(models):
        line = table.filter(model=model).sort("week")
        marked = {"marker": drawing.MARKERS[number + 1], "markevery": 0.2, "markersize": 8}
        axes.plot(line["week"], line["predicted"], **drawing.look(number) | marked)
    axes.set(title=f"Per customer and week (n {words.text(came['n'].max())})", ylim=(0, None))
    marks = "".join("●■▲◆▼"[: len(models) + 1])
    shown = " · ".join(map("{} {}".format, marks, ["as it came", *models]))
    axes.set_xlabel(f"Week after the day of the forecast\n{shown}")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))
    return axes.figure


@rc_context(LOOK)
def renewals(table: pl.DataFrame) -> Figure:
    """Draw the share still there after each month, as seen and by the model.

    Takes   one row per group and month: group, month, share, ci_lower, ci_upper, at_risk
    Returns one line per group, its band, the number at risk beneath; refuses an empty table.
    """
    names = ("Still there", "Months since the start", "At risk")
    return drawing.curves(table, ("month", "share", "at_risk"), names, steps=False)


def next_products(table: pl.DataFrame) -> Figure:
    """Draw how much likelier a purchase is after another one.

    Takes   one row per pair: pair, lift, lift_lower, lift_upper, n (customers)
    Returns `bars`; refuses an empty table.
    """
    return bars(table, "pair", "lift", "lift_lower", "lift_upper", n="n")
