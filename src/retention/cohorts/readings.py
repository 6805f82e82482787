"""What is read off the table "retention": the rows of a chart, its headline, its definition."""

from collections.abc import Collection

import polars as pl

from retention.book import Churn

LINES = ("unbounded", "active since", "bounded")  # those that make a curve
RANGES = "bracket"
NEWEST = 18  # cohorts that one triangle shows: more are too small to read
BY_TIME = ("all", "start_day", "start_week", "start_month")


def pooled(table: pl.DataFrame, unit: str) -> pl.DataFrame:
    """All cohorts together, age by age, one group for each definition that makes a curve.

    Takes   the table "retention"
    Returns its columns with ``group``; without age 0, at which everybody is active
    """
    chosen = table.filter(
        pl.col("unit") == unit, pl.col("cohort_by") == "all", pl.col("definition").is_in(LINES)
    )
    return _lines(chosen, "definition")


def by_level(table: pl.DataFrame, names: Collection[str], definition: str) -> pl.DataFrame:
    """Cohorts of the first of ``names`` that is not a time of the start and reached an age above 0.

    Returns as `pooled`, by month, one group for each cohort; no rows where there is none
    """
    chosen = table.filter(pl.col("unit") == "month", pl.col("definition") == definition)
    for name in names:
        lines = _lines(chosen.filter(pl.col("cohort_by") == name), "cohort")
        if name not in BY_TIME and lines["retention"].count():
            return lines
    return _lines(chosen.clear(), "cohort")


def _lines(rows: pl.DataFrame, group: str) -> pl.DataFrame:
    kept = rows.filter(pl.col("age") > 0).drop_nulls("n_start")
    return kept.with_columns(group=pl.col(group)).sort("group", "age")


def triangle(table: pl.DataFrame, definition: str) -> pl.DataFrame:
    """The newest cohorts by month of the start, month by month; ranges as text for "bracket"."""
    rows = table.filter(
        pl.col("definition") == definition,
        pl.col("unit") == "month",
        pl.col("cohort_by") == "start_month",
    ).sort("cohort", "age", "until_age")
    newest = rows["cohort"].unique().sort().tail(NEWEST)
    rows = rows.filter(pl.col("cohort").is_in(newest.to_list()))
    rows = rows.filter(pl.col("n_start").count().over("age") > 0)
    if definition != RANGES:
        return rows
    return rows.with_columns(age=pl.format("{}–{}", "age", "until_age"))


def at(rows: pl.DataFrame, ages: list[int]) -> pl.DataFrame:
    """The rows at ``ages``, or all ranges, as a table behind a chart prints them."""
    some = rows.filter(pl.col("age").is_in(ages)) if rows["age"].dtype.is_integer() else rows
    named = ["group"] if "group" in rows.columns else ["cohort"]
    return some.select(*named, "age", "n_start", "n_active", "retention", "ci_lower", "ci_upper")


def headline(lines: pl.DataFrame, ages: list[int], group: str = "bounded") -> str:
    """How many are retained at the oldest of ``ages`` that is known of ``group``."""
    known = at(lines.filter(pl.col("group") == group), ages).drop_nulls("retention").sort("age")
    if known.is_empty():
        return "No cohort is old enough to compare"
    age, share = known.select("age", "retention").row(-1)
    unit = lines["unit"][0]
    said = {
        "bounded": f"are active {'on' if unit == 'day' else 'in'} {unit} {age} after their start",
        "active since": f"are there without a break until {unit} {age} after their start",
    }
    return f"{share:.0%} of customers {said[group]}"


def level_headline(lines: pl.DataFrame, ages: list[int]) -> str:
    """How far the cohorts of an attribute lie apart at the oldest of ``ages`` all are known at."""
    return _spread(at(lines, ages), lines["group"].n_unique(), "")


def spread_headline(shown: pl.DataFrame, table: pl.DataFrame, definition: str, ages) -> str:
    """How far cohorts lie apart at the oldest of ``ages`` that two or more reached.

    Takes   "retention" as ``shown``, and as it was before anything was hidden; an age at which a
            cell is hidden is passed over, or the range would be a choice
    """
    cells, all_cells = (triangle(each, definition) for each in (shown, table))
    if definition == RANGES:
        ages = all_cells["age"].unique().sort().to_list()
    keep = pl.col("age").is_in(ages)
    seen = all_cells.filter(keep).drop_nulls("retention").group_by("age").len("cohorts").sort("age")
    known = cells.filter(keep).drop_nulls("retention").join(seen, on="age")
    whole = known.filter(pl.len().over("age") == pl.col("cohorts"))
    return _spread(whole, None, f"{definition}: ")


def _spread(rows: pl.DataFrame, groups: int | None, which: str) -> str:
    ranges = (
        rows.drop_nulls("retention")
        .group_by("age")
        .agg(n=pl.len(), least=pl.col("retention").min(), most=pl.col("retention").max())
        .filter(pl.col("n") > 1, pl.lit(True) if groups is None else pl.col("n") == groups)
        .sort("age")
    )
    if ranges.is_empty():
        return f"{which}No two cohorts can be compared at the same age yet".capitalize()
    age, _, least, most = ranges.row(-1)
    months = f"months {age}" if isinstance(age, str) else f"month {age}"
    return f"{which}in {months}, cohorts keep between {least:.0%} and {most:.0%}".capitalize()


def definition(name: str, churn: Churn, min_cell: int, unit: str = "month") -> str:
    """What a definition of retention means here, for the page."""
    kinds = ", ".join(churn.activity)
    active = f"with an event of kind {kinds}"
    unbroken = f"without a silence of {churn.after_days} days or more"
    if churn.kind == "contract":
        active = "with a contract in force on at least one day"
        unbroken = f"without a break of contract of {churn.after_days} days or more"
    meanings = {
        "bounded": f"Bounded: active ({active}) in that {unit}, whatever happened before it.",
        "unbounded": f"Unbounded: active ({active}) in that {unit} or any later one. Recent points "
        "have had less time for a return, so it falls towards the end for that reason alone, and "
        "what it says of a cohort still rises.",
        "bracket": f"Bracket: active ({active}) in at least one {unit} of the range.",
        "active since": f"Active since the start: in that {unit} or later still in the first "
        f"spell, {unbroken}. Only {unit}s are known that no renewal or return can change any more.",
    }
    cells = (
        f"Shares of cohorts that have wholly reached the age, in calendar {unit}s of the book's "
        f"time zone; {unit} 0 is the one of the start. What has not passed is empty, and so is "
        f"what would tell of fewer than {min_cell} active customers."
    )
    return f"{meanings[name]} {cells}"


def definitions(churn: Churn, min_cell: int, unit: str) -> str:
    """What the curves of `pooled` mean."""
    texts = [definition(name, churn, min_cell, unit) for name in ("bounded", *LINES[:2])]
    meanings = [text.partition(" Shares of cohorts")[0] for text in texts[:-1]]
    return " ".join([*meanings, texts[-1]]) + (
        " All cohorts that reached the age are added up; it is no mean of their shares."
    )
