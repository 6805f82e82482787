"""When a silent customer is gone: how often windows of silence are wrong, and how to choose.

A window of w days calls a customer gone on the day that lies w days after the last active one,
unless active before that day: it does so exactly where spells end (GLOSSARY: churn).
"""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import polars as pl

from retention import charts
from retention.book import Churn
from retention.definition import gaps
from retention.exhibit import Exhibit, Finding
from retention.refresh import Refresh
from retention.stats.intervals import share

TRIED = (7, 14, 30, 45, 60, 90, 120, 180, 270, 365)  # days, for a new book
TOLERATED = 0.2  # share of customers called gone who may come back after all
JUDGED = {"wrongly_gone": "n", "wrongly_active": "n_active"}  # the errors, and of how many
COUNTS = ("after_days", "reference_days", "n", "back", "n_active", "silent")
SAID = {
    "wrongly_gone": "{value} of customers first called gone {days} days after their last active "
    "day are active again within {reference} more ({ci}; n {n}).",
    "wrongly_active": "{value} of customers called active, as silent for less than {days} days, "
    "do nothing in the next {reference} ({ci}; n {n}).",
}


def windows(r: Refresh, silences: pl.DataFrame, tried: Sequence[int]) -> list[int]:
    """The windows of ``tried`` that the data can judge, with the book's own among them, shortest
    first.

    Those of at most a third of the days of the data: before the day of a judgement so many days
    must be known, and after it as many as the longest window has.
    """
    if silences.is_empty():
        return []
    longest = (r.day - silences["day"].min() + 1) // 3
    return sorted({days for days in (*tried, r.book.churn.after_days) if 1 <= days <= longest})


def who_is_counted(
    r: Refresh, silences: pl.DataFrame, windows: Sequence[int], tried: Sequence[int]
) -> str:
    """Whom the page is about, or why there is nothing to judge, in a sentence or two."""
    if r.book.churn.kind == "contract":
        return "Contracts say when they end: in this book no window of silence has to be chosen."
    if not windows:
        return "The data are too short to judge any window: it needs three times as many days."
    out = sorted({*tried, r.book.churn.after_days} - {*windows})
    listed = [", ".join(map(str, days)) for days in (windows, out)]
    return (
        f"{silences['customer_id'].n_unique():,} customers with {silences.height:,} active days, "
        f"of which {silences['ended'].sum():,} are followed by another one. Windows of {listed[0]} "
        "days are judged"
        + (f"; {listed[1]} days are longer than a third of the data." if out else ".")
    )


def judged(
    silences: pl.DataFrame,
    windows: Sequence[int],
    churn: Churn,
    snapshot_day: int,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """Both errors of each window, by what customers did in the reference days after the judgement.

    Takes   silences: one row per customer and active day, in order: customer_id, day, silent_days,
            ended; ``windows`` as `windows` gives them; the longest is the reference days
    Returns the table "churn_window", one row per window: after_days, reference_days, n (customers
            called gone), wrongly_gone (share of them), n_active, wrongly_active, both with limits
            (Wilson), chosen (the book's window)

    wrongly_gone: of customers when they are first called gone, those active again, on that day or
    in the reference days after it. wrongly_active: of those called active on the day that lies the
    reference days before the snapshot, those not active again. Each customer counts at most once
    in each. Checked by hand, on planted customers and against the spells in
    tests/definition/test_window_errors.py.
    """
    reference = max(windows, default=0)
    day, silent, ended = pl.col("day"), pl.col("silent_days"), pl.col("ended")
    gap, stand = silent + ended, snapshot_day - reference
    standing = silences.filter(day <= stand, day + silent >= stand)
    rows = []
    for window in windows:
        gone = silences.filter(gap >= window)
        gone = gone.filter(pl.col("customer_id").is_first_distinct(), day + window <= stand)
        back = gone.filter(ended, gap <= window + reference)
        active = standing.filter(stand - day < window)
        counts = (gone, back, active, active.filter(~ended))
        rows.append((window, reference, *(frame.height for frame in counts)))
    table = pl.DataFrame(rows, dict.fromkeys(COUNTS, pl.Int64), orient="row")
    for error, wrong in zip(JUDGED, ("back", "silent"), strict=True):
        n = JUDGED[error]
        names = (error, f"ci_lower_{error}", f"ci_upper_{error}")
        table = table.with_columns(share(wrong, n, confidence, names))
    return table.drop("back", "silent").with_columns(
        chosen=pl.col("after_days") == churn.after_days
    )


def proposed(activity: pl.DataFrame, kinds: list[str], snapshot_day: int) -> tuple[int, str, bool]:
    """A window for a new book, why in words, and whether it holds.

    Takes   the table "activity"; the kinds that count as activity
    Returns the shortest of `TRIED` under which at most a fifth of those called gone come back (it
            holds); where there is none, the longest. Windows of at most a quarter of the days of
            the data are tried, so that there are starts and ends to judge

    Checked in tests/definition/test_window_errors.py.
    """
    churn = Churn(kind="activity", activity=kinds, after_days=1)
    silences = gaps.of(activity, churn, snapshot_day)
    span = snapshot_day - silences["day"].min() + 1
    windows = [days for days in TRIED if 4 * days <= span] or [TRIED[0]]
    table = judged(silences, windows, churn, snapshot_day)
    shortest, _ = criterion(table, TOLERATED)
    row = table.filter(after_days=shortest or windows[-1]).row(0, named=True)
    days, wrong, silent = row["after_days"], row["wrongly_gone"], row["wrongly_active"]
    if wrong is None or silent is None:
        return days, f"the data are too short to judge any window of {days} days or more", False
    why = (
        f"of customers called gone after {days} days {wrong:.0%} come back within "
        f"{row['reference_days']} more; of those called active {silent:.0%} do nothing in them"
    )
    none = f"no window holds, this is the longest of at most a quarter of {span} days: "
    return days, why if shortest else none + why, bool(shortest)


def errors(r: Refresh, silences: pl.DataFrame, windows: Sequence[int], tolerated: float) -> Exhibit:
    """How often each window is wrong, in both ways: the table "churn_window"."""
    churn, reference = r.book.churn, max(windows, default=0)
    return Exhibit(
        judged(silences, windows, churn, r.day, r.confidence),
        _headline,
        draw=lambda table: charts.curves(
            _lines(table),
            x="after_days",
            y="share",
            n="n",
            y_label="Share called wrongly",
            evenly=True,
            mark=churn.after_days,
        ),
        behind=lambda table: table.drop("reference_days", "chosen"),
        definition=f"Wrongly gone: of customers called gone for the first time, those active again "
        f"on that day or in the {reference} days after it. Wrongly active: of customers called "
        f"active on {r.snapshot_date - timedelta(reference)}, those not active in the {reference} "
        f"days after it, up to the snapshot date. {reference} days are the longest window. A "
        "customer counts at most once in each, and only where these days are over. Bands: "
        f"{r.confidence:.0%} limits (Wilson). The dotted line is the book's own window.",
        findings=partial(_found, tolerated=tolerated),
        empty="No window can be judged.",
        name="churn_window",
    )


def _lines(table: pl.DataFrame) -> pl.DataFrame:
    """A row per error and window, as a chart of curves takes it."""
    return pl.concat(
        table.select(
            "after_days",
            pl.lit(error.replace("_", " ")).alias("group"),
            pl.col(n).alias("n"),
            pl.col(error).alias("share"),
            *(pl.col(f"{end}_{error}").alias(end) for end in ("ci_lower", "ci_upper")),
        )
        for error, n in JUDGED.items()
    )


def criterion(table: pl.DataFrame, tolerated: float) -> tuple[int | None, int | None]:
    """The shortest window of whose wrongly gone there are at most ``tolerated``, and the shortest
    of those whose two shares add up to the least; None where there is none."""
    shortest = table.filter(pl.col("wrongly_gone") <= tolerated)["after_days"].min()
    sums = table.select("after_days", both=pl.col("wrongly_gone") + pl.col("wrongly_active"))
    return shortest, sums.filter(pl.col("both") == pl.col("both").min())["after_days"].min()


def _found(table: pl.DataFrame, tolerated: float) -> list[Finding]:
    """What the book's own window gets wrong, and which windows the errors would choose."""
    if table.is_empty():
        return []
    found, reference = [], table["reference_days"][0]
    own = table.filter("chosen").row(0, named=True) if table["chosen"].any() else {}
    for error, n in JUDGED.items():
        if own.get(error) is not None:
            ci = own[f"ci_lower_{error}"], own[f"ci_upper_{error}"]
            further = {"days": own["after_days"], "reference": reference, "n": own[n]}
            name = f"{error}_{reference}_days"
            found.append(Finding(name, SAID[error], own[error], "share", ci, further))
    shortest, least = criterion(table, tolerated)
    sentence = f"{tolerated:.0%} of those called gone come back"
    sentence = (
        f"{{value}} days is the shortest of these windows under which at most {sentence}"
        if shortest
        else f"Under each of these windows more than {sentence}"
    )
    sentence += f"; both errors together are least at {least} days." if least else "."
    return [*found, Finding(f"window_tolerated_{reference}_days", sentence, shortest, "days")]


def _headline(table: pl.DataFrame) -> str:
    own = table.filter("chosen").drop_nulls("wrongly_gone")
    for row in own.iter_rows(named=True):
        return (
            f"Of those called gone after {row['after_days']} days, {row['wrongly_gone']:.0%} come "
            f"back within {row['reference_days']} more"
        )
    return "The book's own window cannot be judged with these data"
