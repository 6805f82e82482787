"""Checks of the data against its own past: what may be right and still needs attention.

A check is a row of the table "data_checks": its value needs attention below `lower` or above
`upper`, which come from the book's own past and from limits that are given. Functions of checks
give such rows in the order of `ROW`; a null value means that there is too little to judge by.
"""

import statistics
from collections.abc import Iterable, Iterator

import polars as pl

from retention import charts
from retention.exhibit import Exhibit, Finding
from retention.quality.measures import kinds
from retention.refresh import Refresh
from retention.tables import calendar, workspace

NUMBERS = ("value", "expected", "lower", "upper")
ROW = ("check", "of", *NUMBERS, "sentence")
CHECK = dict.fromkeys(ROW, pl.String) | dict.fromkeys(NUMBERS, pl.Float64)
VERDICTS = ["needs attention", "as expected", "not testable"]
LEAST = 3  # gaps or windows; fewer make no rhythm and no range
ALONE = "No earlier refresh to compare with: history, nulls and drift stay unchecked."
AROUND = 9  # same weekdays whose median is usual: four before, the day, four after


def daily(r: Refresh, days: int, factor: float, deviations: float) -> pl.DataFrame:
    """Events on each of the last ``days`` days of the data, and what is usual.

    Returns day, usual (median of the same weekdays around), lower, upper, odd, customers,
            events_of_day

    Odd are events below ``lower`` or above ``upper``: beyond usual by ``factor``, and by so many
    ``deviations`` of square roots, whose own spread in this book counts, that of chance at least
    (Anscombe 1948: the root of a Poisson count has a deviation of 1/2). Both, so that neither a
    small book's scatter nor a large one's regularity makes days odd.
    """
    customers, events = pl.col("customer_id").n_unique(), pl.col("events").sum()
    counts = r.tables.activity.group_by("day").agg(customers=customers, events_of_day=events)
    first = max(counts["day"].min(), r.day - days + 1)
    every = pl.DataFrame({"day": pl.int_range(first, r.day + 1, eager=True)})
    counts = every.join(counts, on="day", how="left", maintain_order="left").fill_null(0)
    weekday, events = pl.col("day") % 7, pl.col("events_of_day")
    usual = events.rolling_median(AROUND, center=True, min_samples=LEAST).over(weekday)
    root, off = usual.sqrt(), (events.sqrt() - usual.sqrt()).abs().median()
    reach = deviations * pl.max_horizontal(1.4826 * off, 0.5)
    lower = pl.min_horizontal(usual / factor, (root - reach).clip(0) ** 2)
    upper = pl.max_horizontal(usual * factor, (root + reach) ** 2)
    odd = ~events.is_between(lower, upper).fill_null(True)
    limits = {"usual": usual, "lower": lower, "upper": upper, "odd": odd}
    return counts.with_columns(**limits).select("day", *limits, "customers", "events_of_day")


def of_days(days: pl.DataFrame, gap_factor: float, allowed: int) -> Iterator[tuple]:
    """Rows "odd days", and "gaps": the longest run of empty days against the next longest."""
    odd = [str(calendar.date_of(day)) for day in days.filter("odd")["day"].reverse()]
    said = f"{len(odd)} of {days.height} days have far more or fewer events than usual{such(odd)}."
    yield "odd days", "events", len(odd), 0, None, allowed, said
    seen = days.filter(pl.col("events_of_day") > 0)["day"]
    gaps = seen.diff().drop_nulls() - 1
    if gaps.len() < LEAST:
        yield _not_testable("gaps", "events", "Too few days have events.")
        return
    longest, second = gaps.sort(descending=True).head(2)
    day = calendar.date_of(seen[gaps.arg_max()])
    said = f"{longest} days after {day} are empty; the next longest run is {second}."
    said = said if longest else "No day between events is empty."
    yield "gaps", "events", longest, second, None, gap_factor * max(second, 1), said


def of_kinds(
    r: Refresh, gap_factor: float, volume_factor: float, window_days: int, windows: int
) -> Iterator[tuple]:
    """Of every kind of event a row "freshness" and a row "volume".

    Freshness: days without it up to the snapshot, against its longest silence before. Volume: how
    many in the last window, against up to ``windows`` before it that lie wholly in the data; one of
    fewer than ``min_cell`` customers counts as empty.
    """
    acts = kinds(r).sort("kind")
    if acts.is_empty():
        return
    n = max(min(windows, (r.day - acts["day"].min() + 1) // window_days - 1), 0)
    for (kind,), rows in acts.group_by("kind", maintain_order=True):
        yield _freshness(kind, rows["day"].unique().sort(), r.day, gap_factor)
        counts = (
            rows.group_by(window=(r.day - pl.col("day")) // window_days)
            .agg(pl.col("events").sum(), pl.col("customer_id").n_unique())
            .filter(pl.col("customer_id") >= r.min_cell)
        )
        events = dict(counts.select("window", "events").iter_rows())
        counts = [events.get(window, 0) for window in range(n + 1)]
        yield _volume(kind, counts, window_days, volume_factor)


def _freshness(kind: str, days: pl.Series, day: int, factor: float) -> tuple:
    gaps = days.diff().drop_nulls() - 1
    if gaps.len() < LEAST:
        return _not_testable("freshness", kind, "It happens on too few days to have a rhythm.")
    silent, longest = day - days.max(), gaps.max()
    said = f"{silent} days without it up to the snapshot; at most {longest} in a row before."
    return "freshness", kind, silent, longest, None, factor * max(longest, 1), said


def _volume(kind: str, counts: list[int], window_days: int, factor: float) -> tuple:
    now, *past = counts
    if len(past) < LEAST:
        return _not_testable("volume", kind, f"There are only {len(past)} whole windows before it.")
    usual, least, most = statistics.median(past), min(past), max(past)
    before = f"{least:,} to {most:,} in the {len(past)} such windows before"
    said = f"{now:,} events in {window_days} days; {before}."
    return "volume", kind, now, usual, min(least, usual / factor), max(most, usual * factor), said


def of_events(r: Refresh, duplicate_share: float) -> Iterator[tuple]:
    """The row "duplicates": the share of events that equal another one in all that is read."""
    counts = dict(r.tables.intake.filter(table="events").select("measure", "n").iter_rows())
    share = (counts["duplicates"] or 0) / (counts["rows"] - (counts["left out by only"] or 0))
    said = f"{share:.1%} of events equal another one in every column that is read."
    yield "duplicates", "events", share, 0, None, duplicate_share, said


def attention(r: Refresh, rows: Iterable[tuple]) -> Exhibit:
    """What needs attention, in words, worst first: the table "data_checks"."""
    before = workspace.previous(r.space)
    compared = f"Compared with the refresh of {before.name[:10]}." if before else ALONE
    return Exhibit(
        judged(rows, workspace.read_previous(r.space, "data_checks")),
        "The checks that need attention or come nearest to it, worst first",
        behind=lambda table: table.select("check", "of", "verdict", found="sentence").head(10),
        definition=compared,
        findings=_found,
        name="data_checks",
    )


def judged(rows: Iterable[tuple], before: pl.DataFrame) -> pl.DataFrame:
    """The table "data_checks" of ``rows``, worst first: the furthest from expected to a limit.

    Takes   rows in the order of `ROW`; before: that table at the previous refresh
    """
    checks = pl.DataFrame([*rows], CHECK, orient="row", strict=False)
    value, expected, lower, upper = map(pl.col, NUMBERS)
    beyond = (value < lower) | (value > upper)
    order = pl.when(value.is_null()).then(2).when(beyond).then(0).otherwise(1)
    above, below = (value - expected) / (upper - expected), (expected - value) / (expected - lower)
    strain = pl.max_horizontal(above, below).fill_nan(0)
    before = before.select("check", "of", previous="value")
    return (
        checks.join(before, on=["check", "of"], how="left")
        .sort(order, -strain, "check", "of", nulls_last=True)
        .with_columns(verdict=order.replace_strict([0, 1, 2], VERDICTS))
    )


def _found(checks: pl.DataFrame) -> list[Finding]:
    """How many checks need attention, and which."""
    worst = checks.filter(verdict=VERDICTS[0]).select(pl.format("{} of {}", "check", "of"))
    names = worst.to_series().to_list()
    verb = "needs" if len(names) == 1 else "need"
    said = f"{{value}} of {{n}} checks {verb} attention{such(names)}."
    said = said if names else "All {n} checks are as expected."
    n = {"n": checks["value"].count()}
    return [Finding("checks_that_need_attention", said, len(names), "checks", further=n)]


def every_day(r: Refresh, days: pl.DataFrame) -> Exhibit:
    """Whether all days are there: events per day, and what is usual."""
    return Exhibit(
        days,
        lambda table: f"{table['odd'].sum()} of {table.height} days are unusual",
        draw=lambda table: charts.days(table, "events_of_day", marked="odd"),
        behind=lambda table: table.filter("odd").select("day", "events_of_day", "usual"),
        definition="Events per day, without days of fewer than "
        f"{r.min_cell} customers; the band holds what is not odd.",
    )


def _not_testable(check: str, of: str, why: str) -> tuple:
    return check, of, None, None, None, None, why


def such(names: list[str]) -> str:
    """The first three names, in brackets."""
    more = [f"and {len(names) - 3} more"] if len(names) > 3 else []
    return f" ({', '.join([*names[:3], *more])})" if names else ""
