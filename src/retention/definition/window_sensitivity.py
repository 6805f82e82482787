"""What depends on the window of silence: how many leave."""

from collections.abc import Sequence
from functools import partial

import polars as pl

from retention import charts
from retention.exhibit import Exhibit
from retention.refresh import Refresh
from retention.stats import by_group, kaplan_meier
from retention.tables import spells

LEFT = ("share_gone", "ci_lower", "ci_upper")
LIVES = dict.fromkeys(("after_days", "by_days", "n"), pl.Int64) | dict.fromkeys(LEFT, pl.Float64)


def sensitivity(r: Refresh, windows: Sequence[int], days: Sequence[int]) -> Exhibit:
    """How many first spells end by each of ``days``, were another window the book's."""
    churn = r.book.churn
    return Exhibit(
        lives(r, windows, days),
        partial(_headline, own=churn.after_days),
        draw=lambda table: charts.curves(
            table.with_columns(group=pl.format("by day {}", "by_days")),
            x="after_days",
            y="share_gone",
            n="n",
            evenly=True,
            mark=churn.after_days,
        ),
        behind=lambda table: table.drop_nulls("share_gone"),
        definition="Share of first spells that have ended by so many days since their start "
        f"(Kaplan-Meier), each window in turn taken for the book's own. Bands: {r.confidence:.0%} "
        "limits (log-log). The dotted line is the book's own window.",
        empty="No window can be compared with another one.",
    )


def lives(r: Refresh, windows: Sequence[int], days: Sequence[int]) -> pl.DataFrame:
    """How many first spells end by a day since their start, were another window the book's.

    Takes   the tables "activity" and "spells"; ``days`` since the start
    Returns one row per window, the book's among them, and day up to which ``min_cell`` customers
            are at risk under the book's own: after_days, by_days, n (first spells), share_gone
            (that have ended, Kaplan-Meier; null where fewer are at risk), ci_lower, ci_upper

    The customers are those whose first spell the book's own window can judge; of them, who was
    first seen more than that after the first day of the data counts as started then, unless a
    longer window leaves it open.
    """
    activity, churn = r.tables.activity.lazy(), r.book.churn
    known = pl.col("spell") == 1, pl.col("excluded").is_null()
    first = r.tables.spells.filter(*known)
    if churn.kind == "contract" or first.is_empty():
        return pl.DataFrame(schema=LIVES)
    active = activity.filter(pl.col("kind").is_in(churn.activity)).select(pl.col("day").min())
    edge = active.collect().item() + churn.after_days
    started = pl.when(pl.col("start_day") < edge).then("start_day").alias("started_day")
    customers = first.lazy().select("customer_id", started)
    curves = {}
    for window in sorted({*windows, churn.after_days}):
        other = spells.from_activity(
            activity, customers, kinds=churn.activity, snapshot_day=r.day, after_days=window
        )
        judged = other.filter(*known).join(customers, on="customer_id", how="semi").collect()
        lives = judged.with_columns(entry_days=pl.col("entry_day") - pl.col("start_day"))
        curve = kaplan_meier.curve(*by_group.lives(lives), r.confidence, r.min_cell)
        curves[window] = judged.height, curve
    last = curves[churn.after_days][1]["duration_days"].max() or 0
    rows = [
        (window, day, n, *ended_by(curve, day))
        for window, (n, curve) in curves.items()
        for day in sorted(days)
        if day <= last
    ]
    return pl.DataFrame(rows, LIVES, orient="row")


def ended_by(curve: pl.DataFrame, day: float) -> list[float | None]:
    """The share that has ended by ``day`` with its limits, by a curve of Kaplan and Meier; null
    where the curve begins late or ends before."""
    known = 0 in curve["duration_days"] and curve["duration_days"].max() >= day
    last = curve.filter(pl.col("duration_days") <= day).tail(1)
    names = ("survival", "ci_upper", "ci_lower")
    return [1 - last[name].item() if known else None for name in names]


def _headline(table: pl.DataFrame, own: int) -> str:
    """What the last day says that can be shown."""
    last = table.filter(pl.col("by_days") == pl.col("by_days").max()).drop_nulls("share_gone")
    for day, share in last.filter(after_days=own).select("by_days", "share_gone").iter_rows():
        least, most = last["share_gone"].min(), last["share_gone"].max()
        under = f"{least:.0%} to {most:.0%} under the {last.height} windows that can be read"
        return f"By day {day}, {share:.0%} have left, and {under}"
    return "There are too few first spells to say how many leave"
