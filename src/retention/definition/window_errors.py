"""When a silent customer is gone: how often windows of silence are wrong, and how to choose.

A window of w days calls a customer gone on the day that lies w days after the last active one,
unless active before that day: it does so exactly where spells end (GLOSSARY: churn).
"""

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from retention.book import Churn
from retention.stats.intervals import wilson

WRONG = ("wrongly_gone", "wrongly_active")
ERRORS = {
    **dict.fromkeys(("after_days", "reference_days"), pl.Int64),
    "error": pl.String,
    **dict.fromkeys(("n", "wrong"), pl.Int64),
    **dict.fromkeys(("share", "ci_lower", "ci_upper"), pl.Float64),
    "chosen": pl.Boolean,
}


def grid(
    silences: pl.DataFrame, churn: Churn, windows: Sequence[int], snapshot_day: int
) -> list[int]:
    """The ``windows`` that the data can judge, with the book's own among them, shortest first.

    Those of at most a third of the days of the data: before the day of a judgement so many days
    must be known, and after it as many as the longest window has.
    """
    if silences.is_empty():
        return []
    longest = (snapshot_day - silences["day"].min() + 1) // 3
    return sorted({days for days in (*windows, churn.after_days) if 1 <= days <= longest})


def errors(
    silences: pl.DataFrame,
    grid: Sequence[int],
    churn: Churn,
    snapshot_day: int,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """Both errors of each window, by what customers did in the reference days after the judgement.

    Takes   silences: one row per customer and active day, in order: customer_id, day, silent_days,
            ended; ``grid`` as `grid`, its longest window being the reference days
    Returns one row per window and error, in order: after_days, reference_days, error, n
            (customers), wrong (customers), share, ci_lower, ci_upper (Wilson), chosen (the book's
            window); no row without customers

    wrongly_gone: of customers when they are first called gone, those active again, on that day or
    in the reference days after it. wrongly_active: of those called active on the day that lies the
    reference days before the snapshot, those not active again. Each customer counts at most once
    in each. Checked by hand, on planted customers and against the spells in
    tests/test_judgements.py.
    """
    reference = max(grid, default=0)
    day, silent = pl.col("day"), pl.col("silent_days")
    gap = silent + pl.col("ended")
    stand = snapshot_day - reference
    standing = silences.lazy().filter(day <= stand, day + silent >= stand)
    judged = []
    for window in grid:
        gone = silences.lazy().filter(gap >= window)
        gone = gone.filter(pl.col("customer_id").is_first_distinct(), day + window <= stand)
        back = pl.col("ended") & (gap <= window + reference)
        active = standing.filter(stand - day < window)
        judged += [
            frame.select(
                pl.lit(window, pl.Int64).alias("after_days"),
                pl.lit(error).alias("error"),
                pl.len().cast(pl.Int64).alias("n"),
                wrong.sum().cast(pl.Int64).alias("wrong"),
            )
            for error, frame, wrong in zip(
                WRONG, (gone, active), (back, ~pl.col("ended")), strict=True
            )
        ]
    if not judged:
        return pl.DataFrame(schema=ERRORS)
    return (
        pl.concat(pl.collect_all(judged))
        .filter(pl.col("n") > 0)
        .with_columns(
            pl.lit(reference, pl.Int64).alias("reference_days"),
            (pl.col("wrong") / pl.col("n")).alias("share"),
            *wilson("wrong", "n", confidence),
            (pl.col("after_days") == churn.after_days).alias("chosen"),
        )
        .select(*ERRORS)
    )


def wide(errors: pl.DataFrame) -> pl.DataFrame:
    """`errors` as the table "churn_window": one row per window (columns: GLOSSARY.md)."""
    return errors.pivot(
        on="error",
        on_columns=WRONG,
        index=["after_days", "reference_days", "chosen"],
        values=["n", "share", "ci_lower", "ci_upper"],
    ).rename(
        {
            "n_wrongly_gone": "n",
            "n_wrongly_active": "n_active",
            **{f"share_{error}": error for error in WRONG},
        }
    )


def criterion(errors: pl.DataFrame, tolerated: float) -> dict[str, int | None]:
    """Which window the errors themselves would choose, by two criteria.

    Takes   `errors`; ``tolerated``: which share of those called gone may come back
    Returns tolerated: the shortest window of whose wrongly gone there are at most so many; least:
            the shortest of those whose two shares add up to the least. None where there is none
    """
    gone = errors.filter(pl.col("share") <= tolerated, error="wrongly_gone")
    both = errors.drop_nulls("share").group_by("after_days", maintain_order=True)
    sums = both.agg(pl.col("share").sum(), pl.len().alias("errors")).filter(errors=len(WRONG))
    least = sums.sort("share", "after_days").head(1)["after_days"]
    return {"tolerated": gone["after_days"].min(), "least": least.min()}


def who(silences: pl.DataFrame, grid: Sequence[int], windows: Sequence[int], churn: Churn) -> str:
    """Whom the page is about, or why there is nothing to judge, in a sentence or two."""
    if churn.kind == "contract":
        return "Contracts say when they end: in this book no window of silence has to be chosen."
    if not grid:
        return "The data are too short to judge any window: it wants three times its days."
    out = sorted({*windows, churn.after_days} - {*grid})
    return (
        f"{silences['customer_id'].n_unique():,} customers with {silences.height:,} active days; "
        f"after {silences['ended'].sum():,} of these another one is known, the others are the last "
        f"so far. Windows of {_listed(grid)} days are judged"
        + (f"; left out, as longer than a third of the data: {_listed(out)} days." if out else ".")
    )


def definition(grid: Sequence[int], snapshot_date: date, confidence: float, min_cell: int) -> str:
    """Both errors in words, for the page."""
    reference = max(grid, default=0)
    return (
        "Gone: not active again before the day that lies as many days after the last active one as "
        "the window has, as spells end. Wrongly gone: of customers first called gone on that day, "
        f"those active again on it or in the {reference} days after it. "
        f"Wrongly active: of customers called active on {snapshot_date - timedelta(reference)}, "
        f"those not active in the {reference} days after it, up to the snapshot date. "
        f"{reference} days are the longest window. A customer counts at most once in each, and "
        f"only where these days are over. Bands: {confidence:.0%} limits (Wilson). Counts below "
        f"{min_cell} are hidden."
    )


def headline(errors: pl.DataFrame) -> str:
    """What the book's own window gets wrong, in a sentence."""
    row = next(errors.filter("chosen", error="wrongly_gone").iter_rows(named=True), None)
    if row is None or row["share"] is None:
        return "The book's own window cannot be judged with these data"
    return (
        f"Of those gone after {row['after_days']} days, {row['share']:.0%} come back within "
        f"{row['reference_days']} more"
    )


def said(errors: pl.DataFrame, churn: Churn, tolerated: float) -> list[dict]:
    """The findings of the page, for `findings.say`; none where nothing can be judged."""
    if errors.is_empty():
        return []
    reference, best = errors["reference_days"][0], criterion(errors, tolerated)
    sentences = {
        "wrongly_gone": "{value} of customers who are first called gone {days} days after their "
        "last active one are active again within {reference} more ({ci}; n {n}).",
        "wrongly_active": "{value} of customers called active do nothing in the next {reference} "
        "days, where those {days} days after the last active one are gone ({ci}; n {n}).",
    }
    rows = errors.filter("chosen").iter_rows(named=True)
    shortest = "{value} days are the shortest" if best["tolerated"] else "none is a"
    return [
        {
            "name": f"{row['error']}_{reference}_days",
            "sentence": sentences[row["error"]],
            "value": row["share"],
            "unit": "share",
            "ci": None if row["share"] is None else (row["ci_lower"], row["ci_upper"]),
            "reference": reference,
            "days": row["after_days"],
            "n": row["n"],
        }
        for row in rows
    ] + [
        {
            "name": f"window_tolerated_{reference}_days",
            "sentence": f"Of the windows judged: {shortest} window after which at most {{share}} "
            "come back; the two shares add up to the least at {least} days. The book says {days}.",
            "value": best["tolerated"],
            "unit": "days",
            "share": f"{tolerated:.0%}",
            "least": best["least"],
            "days": churn.after_days,
        }
    ]


def _listed(days: Sequence[int]) -> str:
    return ", ".join(map(str, days))
