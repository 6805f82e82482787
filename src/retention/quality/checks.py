"""Soft promises: what may be right and still wants a look, each by a stated rule.

A check is a row of the table "data_checks" (GLOSSARY.md): its value wants a look below `lower` or
above `upper`, which come from the book's own past and from limits that are given. Every function
but the last two gives rows in the order of CHECK; a null value means too little to judge by.
"""

import statistics

import polars as pl

from retention.quality import drift
from retention.tables import calendar, workspace

NUMBERS = ("value", "expected", "lower", "upper")
CHECK = {"check": pl.String, "of": pl.String, **dict.fromkeys(NUMBERS, pl.Float64)}
CHECK["sentence"] = pl.String
VERDICTS = ["look", "as expected", "not testable"]
LEAST = 3  # gaps or windows; fewer make no rhythm and no range
AROUND = 9  # same weekdays whose median is usual: four before, the day, four after
Before = dict[str, pl.DataFrame]


def earlier(space: workspace.Workspace) -> Before:
    """The tables of the previous refresh to compare with; empty where it is none or has none."""
    folder = workspace.previous(space)
    names = ("data_quality", "data_profile", "data_checks") if folder else ()
    files = {name: folder / "tables" / f"{name}.parquet" for name in names}
    there = all(file.is_file() for file in files.values())
    return {name: workspace.read_file(file) for name, file in files.items()} if there else {}


def compared(before: Before) -> str:
    """With which refresh this one is compared, in a sentence."""
    if not before:
        return "No earlier refresh to compare with: history, nulls, levels, drift stay unchecked."
    day = calendar.date_of(int(_kept(before["data_quality"], "snapshot day")))
    return f"The previous refresh is that of {day}."


def widespread(activity: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """``activity`` without kinds of event of fewer than ``min_cell`` customers."""
    return activity.filter(pl.col("customer_id").n_unique().over("kind") >= min_cell)


def daily(
    activity: pl.DataFrame, day: int, days: int, factor: float, deviations: float
) -> pl.DataFrame:
    """Events on each of the last ``days`` days of the data up to ``day``, and what is usual.

    Returns date, events, customers, usual (median of the same weekdays around), lower, upper, odd

    Odd are events below ``lower`` or above ``upper``: beyond usual by ``factor``, and by so many
    ``deviations`` of square roots, whose own spread in this book counts, that of chance at least
    (Anscombe 1948: the root of a Poisson count has a deviation of 1/2). Both, so that neither a
    small book's scatter nor a large one's regularity makes days odd.
    """
    counts = (
        activity.group_by("day")
        .agg(pl.col("events").sum(), pl.col("customer_id").n_unique().cast(pl.Int64))
        .sort("day")
    )
    first = max(activity["day"].min(), day - days + 1)
    every = pl.DataFrame({"day": pl.int_range(first, day + 1, eager=True)})
    found = every.join(counts, on="day", how="left", maintain_order="left").select(
        pl.from_epoch("day", "d").alias("date"),
        pl.col("events").fill_null(0),
        pl.col("customer_id").fill_null(0).alias("customers"),
    )
    weekday = pl.col("date").dt.weekday()
    usual = pl.col("events").rolling_median(AROUND, center=True, min_samples=LEAST).over(weekday)
    root, off = usual.sqrt(), (pl.col("events").sqrt() - usual.sqrt()).abs().median()
    reach = deviations * pl.max_horizontal(1.4826 * off, 0.5)
    return found.with_columns(
        usual=usual,
        lower=pl.min_horizontal(usual / factor, (root - reach).clip(0) ** 2),
        upper=pl.max_horizontal(usual * factor, (root + reach) ** 2),
    ).with_columns(odd=~pl.col("events").is_between("lower", "upper").fill_null(True))


def of_days(days: pl.DataFrame, factor: float, allowed: int) -> list[tuple]:
    """Rows "odd days", and "gaps": the longest run of empty days against the next longest."""
    odd = days.filter("odd")["date"].cast(pl.String).reverse().to_list()
    said = f"{len(odd)} of {days.height} days have far more or fewer events than usual{_such(odd)}."
    rows = [("odd days", "events", len(odd), 0, None, allowed, said)]
    seen = days.filter(pl.col("events") > 0)["date"]
    gaps = seen.diff().dt.total_days().drop_nulls() - 1
    if gaps.len() < LEAST:
        return [*rows, _unknown("gaps", "events", "Too few days have events.")]
    longest, second = gaps.sort(descending=True).head(2)
    said = (
        f"{longest} days after {seen[gaps.arg_max()]} are empty; the next longest run is {second}."
    )
    said = said if longest else "No day between events is empty."
    return [*rows, ("gaps", "events", longest, second, None, factor * max(second, 1), said)]


def freshness(activity: pl.DataFrame, day: int, factor: float) -> list[tuple]:
    """A row per kind of event: days without it up to ``day``, against its longest silence."""
    rows = []
    for (kind,), acts in activity.sort("kind").group_by("kind", maintain_order=True):
        gaps = acts["day"].unique().sort().diff().drop_nulls() - 1
        silent, longest = day - acts["day"].max(), gaps.max() or 0
        said = f"{silent} days without it up to the snapshot; at most {longest} in a row before."
        row = "freshness", kind, silent, longest, None, factor * max(longest, 1), said
        few = _unknown("freshness", kind, "It happens on too few days to have a rhythm.")
        rows.append(row if gaps.len() >= LEAST else few)
    return rows


def volume(
    activity: pl.DataFrame,
    day: int,
    factor: float,
    *,
    window_days: int,
    windows: int,
    min_cell: int,
) -> list[tuple]:
    """A row per kind of event: how many in the last window, against up to ``windows`` before it.

    Windows lie wholly in the data; one of fewer than ``min_cell`` customers counts as empty.
    """
    n = max(min(windows, (day - activity["day"].min() + 1) // window_days - 1), 0)
    window = ((day - pl.col("day")) // window_days).alias("window")
    big = (
        activity.group_by("kind", window)
        .agg(pl.col("events").sum(), pl.col("customer_id").n_unique())
        .filter(pl.col("customer_id") >= min_cell)
        .sort("kind", "window")
    )
    rows = []
    for kind in activity["kind"].unique().sort():
        of_kind = big.filter(pl.col("kind") == kind).select("window", "events")
        now, *past = (dict(of_kind.iter_rows()).get(number, 0) for number in range(n + 1))
        if n < LEAST:
            rows.append(_unknown("volume", kind, f"There are only {n} whole windows before it."))
            continue
        usual, least, most = statistics.median(past), min(past), max(past)
        said = (
            f"{now:,} events in {window_days} days; {least:,} to {most:,} in the {n} such before."
        )
        limits = min(least, usual / factor), max(most, usual * factor)
        rows.append(("volume", kind, now, usual, *limits, said))
    return rows


def hours(habits: pl.DataFrame, factor: float) -> list[tuple]:
    """The row "hours": the hour that stands out most from those beside it and an even day."""
    known = habits.drop_nulls("hour").group_by("hour").agg(pl.col("events").sum()).sort("hour")
    if known.is_empty():
        return [_unknown("hours", "events", "Times of day are not known.")]
    found, whole = dict(known.iter_rows()), known["events"].sum()
    share = [found.get(hour, 0) / whole for hour in range(24)]
    beside = [max(share[hour - 1], share[(hour + 1) % 24], 1 / 24) for hour in range(24)]
    worst = max(range(24), key=lambda hour: share[hour] / beside[hour])
    value, usual = share[worst], beside[worst]
    said = f"{value:.0%} of events fall from {worst}:00 to {worst}:59; {usual:.0%} would be usual."
    return [("hours", "events", value, usual, None, factor * usual, said)]


def duplicates(intake: pl.DataFrame, limit: float) -> list[tuple]:
    """The row "duplicates": the share of events that equal another one in all that is read."""
    found = dict(intake.filter(pl.col("table") == "events").select("measure", "n").iter_rows())
    share = (found["duplicates"] or 0) / (found["rows"] - (found["left out by only"] or 0))
    said = f"{share:.1%} of events equal another one in every column that is read."
    return [("duplicates", "events", share, 0, None, limit, said)]


def history(before: Before, activity: pl.DataFrame, change: float) -> list[tuple]:
    """The row "history": events up to the previous refresh, as read now and as read then."""
    if not before:
        return []
    then = _kept(before["data_quality"], "events")
    day = _kept(before["data_quality"], "snapshot day")
    now = activity.filter(pl.col("day") <= day)["events"].sum()
    limits = then * (1 - change), then * (1 + change)
    said = f"{now:,} events up to the previous refresh are read now, {int(then):,} were then."
    return [("history", "events", now, then, *limits, said)]


def nulls(before: Before, measures: pl.DataFrame, change: float) -> list[tuple]:
    """A row per table: the column whose share of nulls changed most; a missing one is all null."""
    key = ["table", "column"]
    share = (pl.col("measure") == "share of nulls") & pl.col("table").is_in(drift.TABLES)
    now, then = (frame.filter(share) for frame in (measures, before.get("data_quality", measures)))
    both = now.join(then, on=key, how="full", coalesce=True, suffix="_then")
    both = both.select(*key, pl.col("value", "value_then").fill_null(1.0)).sort(key)
    moved = (pl.col("value") - pl.col("value_then")).abs()
    worst = both.sort(moved, descending=True, maintain_order=True).unique(
        "table", keep="first", maintain_order=True
    )
    rows = []
    for table, column, value, was in worst.iter_rows():
        said = f"{value:.0%} of it are unknown, {was:.0%} were; no column of the table moved more."
        limits = round(was - change, 4), round(was + change, 4)  # shares are whole per cents
        rows.append(("nulls", f"{table}.{column}", value, was, *limits, said))
    return rows if before else []


def levels(before: Before, profile: pl.DataFrame, allowed: int) -> list[tuple]:
    """A row per text: levels that have come or gone, of those with customers enough to be named."""
    key = ["table", "column"]
    then = before.get("data_profile", profile)
    now, then = (frame.filter(pl.col("upper").count().over(key) == 0) for frame in (profile, then))
    both = now.with_columns(now=True).join(
        then.with_columns(then=True), on=[*key, "level"], how="full", coalesce=True
    )
    texts = (
        both.sort(*key, "level")
        .group_by(key, maintain_order=True)
        .agg(
            come=pl.col("level").filter(pl.col("then").is_null()),
            gone=pl.col("level").filter(pl.col("now").is_null()),
        )
    )
    rows = []
    for table, column, come, gone in texts.iter_rows():
        moved = len(come) + len(gone)
        said = f"{len(come)} levels have come{_such(come)}, {len(gone)} have gone{_such(gone)}."
        rows.append(("levels", f"{table}.{column}", moved, 0, None, allowed, said))
    return rows if before else []


def drifts(
    before: Before, customers_at: pl.DataFrame, measures: pl.DataFrame, limit: float
) -> list[tuple]:
    """A row per feature and attribute: its stability index in groups of the previous refresh.

    The limit is never less than what chance alone would give so many customers.
    """
    rows, now = [], drift.in_force(customers_at)
    then = before.get("data_quality", measures)
    whole = int(_kept(then, "in the risk set"))
    groups = before.get("data_profile", pl.DataFrame(schema=drift.PROFILE))
    groups = groups.filter(pl.col("table") == "customers_at").drop_nulls("n")
    for (name,), kept in groups.group_by("column", maintain_order=True):
        if name not in now.columns or now.is_empty() or not whole:
            continue
        was, sizes = kept["n"], drift.counted(now, name, kept.drop("n"))["n"]
        index = drift.psi([*was, whole - was.sum()], [*sizes, now.height - sizes.sum()])
        upper = max(limit, drift.chance(was.len() + 1, whole, now.height))
        medians = [_kept(frame, "median", name) for frame in (then, measures)]
        moved = "" if None in medians else "; median {:,.6g}, now {:,.6g}".format(*medians)
        said = f"Index {index:.2f}; {whole:,} customers then, {now.height:,} now{moved}."
        rows.append(("drift", name, index, 0, None, upper, said))
    return rows


def judged(rows: list[tuple], before: Before) -> pl.DataFrame:
    """The table "data_checks" of ``rows``, worst first: the furthest from expected to a limit."""
    checks = pl.DataFrame(rows, CHECK, orient="row", strict=False)
    then = before.get("data_checks", checks.clear()).select("check", "of", previous="value")
    value, expected, lower, upper = map(pl.col, NUMBERS)
    order = pl.when(value.is_null()).then(2).when((value < lower) | (value > upper)).then(0)
    strain = pl.max_horizontal(
        (value - expected) / (upper - expected), (expected - value) / (expected - lower)
    )
    return (
        checks.join(then, on=["check", "of"], how="left")
        .with_columns(order=order.otherwise(1), strain=strain.fill_nan(0))
        .sort("order", -pl.col("strain"), "check", "of", nulls_last=True)
        .with_columns(verdict=pl.col("order").replace_strict([0, 1, 2], VERDICTS))
        .drop("order", "strain")
    )


def in_words(checks: pl.DataFrame) -> pl.DataFrame:
    """The checks for readers: what each is of stands with its name."""
    named = pl.format("{} of {}", "check", "of").alias("check")
    return checks.with_columns(named).drop("of")


def headline(checks: pl.DataFrame) -> dict[str, object]:
    """How the checks came out, as `findings.say` takes it."""
    look = checks.filter(pl.col("verdict") == "look")
    names = in_words(look)["check"].to_list()
    verb = "wants" if look.height == 1 else "want"
    said = f"{{value}} of {{n}} checks {verb} a look{{which}}."
    return {
        "sentence": said if names else "All {n} checks are as expected.",
        "value": look.height,
        "n": checks["value"].count(),
        "which": _such(names),
    }


def unknowns(measures: pl.DataFrame, before: Before) -> pl.DataFrame:
    """Columns with nulls now or at the previous refresh: table, column, now, previous (shares)."""
    key = ["table", "column"]
    is_share = pl.col("measure") == "share of nulls"
    now = measures.filter(is_share).select(*key, now="value")
    then = before.get("data_quality", measures.clear()).filter(is_share)
    both = now.join(then.select(*key, previous="value"), on=key, how="full", coalesce=True)
    return both.filter((pl.col("now") > 0) | (pl.col("previous") > 0)).sort(key)


def _kept(measures: pl.DataFrame, measure: str, column: str | None = None) -> float | None:
    """A number that `drift.gist` has put into the table "data_quality"."""
    is_it = pl.col("column").eq_missing(pl.lit(column)) & (pl.col("measure") == measure)
    return next(iter(measures.filter(is_it)["value"]), None)


def _unknown(check: str, of: str, why: str) -> tuple:
    return check, of, None, None, None, None, why


def _such(names: list[str]) -> str:
    """The first three names, in brackets."""
    more = [f"{len(names) - 3} more"] if len(names) > 3 else []
    return f" ({', '.join([*names[:3], *more])})" if names else ""
