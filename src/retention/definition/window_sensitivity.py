"""What hangs on the window of silence: how many leave, and who is among the riskiest."""

from collections.abc import Sequence

import polars as pl

from retention.book import Churn
from retention.stats import kaplan_meier
from retention.tables import spells

LIVES = {
    **dict.fromkeys(("after_days", "by_days", "n"), pl.Int64),
    **dict.fromkeys(("share", "ci_lower", "ci_upper"), pl.Float64),
}


def riskiest(silences: pl.DataFrame, churn: Churn, grid: Sequence[int]) -> pl.DataFrame:
    """How many of the riskiest tenth under the book's window are among it under another one.

    Takes   silences: one row per customer and active day, in order: customer_id, silent_days, ended
    Returns one row per window, the book's among them: after_days, n_current (customers silent for
            fewer days), n_riskiest (the tenth of them, rounded up, that has been silent longest
            beside the own rhythm), in_common (with the book's tenth), overlap (Jaccard: in common,
            of those in either; null where nobody is current)

    A rhythm is the median gap between a customer's active days; for who has no gap yet, the median
    of the others' rhythms. Equals stand in order of customer_id. Checked by hand in
    tests/test_window_effects.py.
    """
    silent, rhythm = pl.col("silent_days"), pl.col("rhythm")
    order = (
        silences.group_by("customer_id", maintain_order=True)
        .agg((silent.filter("ended") + 1).median().alias("rhythm"), silent.last())
        .with_columns(beside=silent / rhythm.fill_null(rhythm.median()).fill_null(1))
        .sort("beside", "customer_id", descending=[True, False])
    )
    current = {days: order.filter(silent < days) for days in sorted({*grid, churn.after_days})}
    tenth = {days: frame.head(-(-frame.height // 10)) for days, frame in current.items()}
    book = tenth[churn.after_days]["customer_id"]
    common = pl.col("in_common")
    return (
        pl.DataFrame(
            [
                (
                    days,
                    current[days].height,
                    top.height,
                    top["customer_id"].is_in(book.to_list()).sum(),
                )
                for days, top in tenth.items()
                if order.height
            ],
            schema=dict.fromkeys(("after_days", "n_current", "n_riskiest", "in_common"), pl.Int64),
            orient="row",
        )
        .with_columns(overlap=common / (pl.col("n_riskiest") + book.len() - common))
        .fill_nan(None)
    )


def lives(
    activity: pl.DataFrame,
    stretches: pl.DataFrame,
    churn: Churn,
    grid: Sequence[int],
    snapshot_day: int,
    *,
    days: Sequence[int],
    confidence: float = 0.95,
    least: int = 1,
) -> pl.DataFrame:
    """How many first spells end by a day since their start, were another window the book's.

    Takes   activity: one row per customer, day and kind; ``stretches``: the table "spells" of the
            book; ``days`` since the start
    Returns one row per window, the book's among them, and day up to which ``least`` customers are
            at risk under the book's own: after_days, by_days, n (first spells), share (that has
            ended, Kaplan-Meier; null where fewer than ``least`` are at risk), ci_lower, ci_upper

    The customers are those whose first spell the book's own window can judge; of them, who was
    first seen more than that after the first day of the data counts as started then, unless a
    longer window leaves it open.
    """
    first = stretches.filter(pl.col("spell") == 1, pl.col("excluded").is_null())
    if churn.kind == "contract" or first.is_empty():
        return pl.DataFrame(schema=LIVES)
    edge = activity.filter(pl.col("kind").is_in(churn.activity))["day"].min() + churn.after_days
    started = pl.when(pl.col("start_day") < edge).then("start_day").alias("started_day")
    customers = first.lazy().select("customer_id", started)
    curves = {}
    for window in sorted({*grid, churn.after_days}):
        other = spells.from_activity(
            activity.lazy().select("customer_id", "day", "kind"),
            customers,
            kinds=churn.activity,
            snapshot_day=snapshot_day,
            after_days=window,
        )
        known = other.join(customers, on="customer_id", how="semi")
        curves[window] = _curve(known, confidence, least)
    last = curves[churn.after_days]["duration_days"].max() or 0
    shown = [day for day in sorted(days) if day <= last]
    rows = [_read(curve, window, day) for window, curve in curves.items() for day in shown]
    return pl.DataFrame(rows, schema=LIVES, orient="row")


def headline(lives: pl.DataFrame, churn: Churn) -> str:
    """What `lives` say of the last day that can be shown, in a sentence."""
    last = lives.filter(pl.col("by_days") == pl.col("by_days").max()).drop_nulls("share")
    for row in last.filter(after_days=churn.after_days).iter_rows(named=True):
        least, most, windows = (
            last["share"].min(),
            last["share"].max(),
            lives["after_days"].n_unique(),
        )
        meant = "all" if last.height == windows else f"the {last.height} readable of"
        return (
            f"By day {row['by_days']}, {row['share']:.0%} have left, and {least:.0%} to {most:.0%} "
            f"under {meant} {windows} windows"
        )
    return "Too few first spells to say how many leave"


def _curve(stretches: pl.LazyFrame, confidence: float, least: int) -> pl.DataFrame:
    first = stretches.filter(pl.col("spell") == 1, pl.col("excluded").is_null()).collect()
    return kaplan_meier.curve(
        first["duration_days"].to_numpy(),
        first["event_observed"].to_numpy(),
        (first["entry_day"] - first["start_day"]).to_numpy(),
        confidence,
        least,
    ).with_columns(n=pl.lit(first.height, pl.Int64))


def _read(curve: pl.DataFrame, window: int, day: int) -> tuple:
    """One curve on ``day``, as a row of `lives`; null where it begins late or ends before."""
    row = curve.filter(pl.col("duration_days") <= day).tail(1)
    whole = 0 in curve["duration_days"] and curve["duration_days"].max() >= day
    names = ("survival", "ci_upper", "ci_lower")
    shares = [1 - row[name].item() if whole else None for name in names]
    return window, day, curve["n"].max(), *shares
