"""Retention of cohorts: the share of customers who are active at each age in months.

Bounded retention: active in the calendar month that lies ``age`` months after the month of the
start. Counting is Narwhals on integers; the rates, one row per cohort and age, are Polars.
"""

from datetime import date

import narwhals as nw
import polars as pl

from retention.book import Churn
from retention.intervals import wilson
from retention.tables import calendar


@nw.narwhalify
def starts(spells):
    """First spells that began within the data: customer_id, cohort (month, see tables.calendar).

    Who started before the data is left out: of their first months nothing was seen, and nothing
    at all of those who left by then.
    """
    known = (nw.col("excluded").is_null()) | (nw.col("excluded") != "unknown_start")
    within = nw.col("entry_day") == nw.col("start_day")
    return spells.filter((nw.col("spell") == 1) & known & within).select(
        "customer_id", cohort=calendar.month("start_day")
    )


def large(starts: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """``starts`` of the cohorts with at least ``min_cell`` customers.

    Small cohorts are left out of every sum as well, or a sum would give them away.
    """
    return starts.filter(pl.len().over("cohort") >= min_cell)


@nw.narwhalify
def active_months(activity, kinds: list[str]):
    """Months in which a customer was active: customer_id, month. One row each."""
    days = activity.filter(nw.col("kind").is_in(kinds)) if kinds else activity
    return days.select("customer_id", month=calendar.month("day")).unique()


@nw.narwhalify
def months_in_force(spells, months, *, snapshot_day: int):
    """Months on at least one day of which a contract was in force: customer_id, month.

    Takes   spells of a contract book; months: month (every month that may occur, once)
    """
    spans = spells.select(
        "customer_id", "start_day", last_day=nw.col("end_day").fill_null(snapshot_day)
    ).select("customer_id", first=calendar.month("start_day"), last=calendar.month("last_day"))
    return (
        spans.join(months, how="cross")
        .filter((nw.col("month") >= nw.col("first")) & (nw.col("month") <= nw.col("last")))
        .select("customer_id", "month")
        .unique()
    )


def months(
    activity: pl.DataFrame, spells: pl.DataFrame, churn: Churn, snapshot_day: int
) -> pl.DataFrame:
    """Months in which customers count as active, by the book's kind: customer_id, month.

    Activity books: a month with an event that counts as activity. Contract books: a month on at
    least one day of which a contract was in force.
    """
    if churn.kind == "activity":
        return active_months(activity, churn.activity)
    first = calendar.month_of(calendar.date_of(spells["start_day"].min()))
    last = calendar.month_of(calendar.date_of(snapshot_day))
    every = pl.DataFrame({"month": range(first, last + 1)}, schema={"month": pl.Int64})
    return months_in_force(spells, every, snapshot_day=snapshot_day)


@nw.narwhalify
def active_counts(starts, months):
    """How many customers of each cohort were active at each age.

    Takes   starts: customer_id, cohort; months: customer_id, month
    Returns cohort, age (months since the cohort's), n_active; only where n_active > 0
    """
    return (
        months.join(starts, on="customer_id", how="inner")
        .with_columns(age=nw.col("month") - nw.col("cohort"))
        .filter(nw.col("age") >= 0)
        .group_by("cohort", "age")
        .agg(nw.len().cast(nw.Int64).alias("n_active"))
        .sort("cohort", "age")
    )


def definition(churn: Churn, min_cell: int) -> str:
    """What retention means here, for the page."""
    active = (
        f"with an event of kind {', '.join(churn.activity)} in that month"
        if churn.kind == "activity"
        else "with a contract in force on at least one day of that month"
    )
    return (
        f"Bounded retention: share of the cohort {active}. A cell is empty where the month had "
        f"not wholly passed, and hidden where fewer than {min_cell} customers stand in it."
    )


def at(table: pl.DataFrame, ages: list[int]) -> pl.DataFrame:
    """The rows of "retention" at ``ages``."""
    return table.filter(pl.col("age").is_in(ages))


def headline(pooled: pl.DataFrame, ages: list[int]) -> str:
    """The pooled retention at the oldest of ``ages`` that was observed, in a sentence."""
    known = at(pooled, ages).drop_nulls("retention").sort("age")
    if known.is_empty():
        return "No cohort is old enough to compare"
    age, share = known.select("age", "retention").row(-1)
    return f"{share:.0%} of customers are active {age} months after their start"


def spread_headline(cells: pl.DataFrame, observed: pl.DataFrame, ages: list[int]) -> str:
    """How far cohorts lie apart at the oldest of ``ages`` that two or more reached.

    Takes   the rows of single cohorts: ``cells`` as shown, ``observed`` before anything was hidden;
            an age at which a cell is hidden is passed over, or the range would be a choice
    """
    rates = pl.col("retention")
    seen = at(observed, ages).group_by("age", maintain_order=True)
    ranges = (
        at(cells, ages)
        .group_by("age", maintain_order=True)
        .agg(rates.count().alias("shown"), rates.min().alias("least"), rates.max().alias("most"))
        .join(seen.agg(rates.count().alias("cohorts")), on="age")
        .filter(pl.col("shown") > 1, pl.col("shown") == pl.col("cohorts"))
        .sort("age")
    )
    if ranges.is_empty():
        return "No two cohorts can be compared at the same age yet"
    age, least, most = ranges.select("age", "least", "most").row(-1)
    return f"At {age} months, cohorts keep between {least:.0%} and {most:.0%}"


def first_and_last(cells: pl.DataFrame, ages: list[int]) -> pl.DataFrame:
    """At each of ``ages``, the first and the last cohort that were observed and are shown."""
    known = at(cells, ages).drop_nulls("retention").sort("age", "cohort")
    by_age = known.group_by("age", maintain_order=True)
    return (
        pl.concat([by_age.first(), by_age.last()])
        .unique(maintain_order=True)
        .sort("age", "cohort")
        .select("age", "cohort", "n_start", "retention", "ci_lower", "ci_upper")
    )


def retention(
    starts: pl.DataFrame, counts: pl.DataFrame, snapshot_date: date, confidence: float = 0.95
) -> pl.DataFrame:
    """Bounded retention of monthly cohorts and of all cohorts pooled.

    Takes   starts: customer_id, cohort; counts: cohort, age, n_active
    Returns the table "retention": definition, cohort_by, cohort (2025-06, or "all" for the pooled
            rate), age (months), n_start, n_active, retention, ci_lower, ci_upper (0 to 1). Every
            cohort has a row for every age up to the oldest one's; what had not wholly passed by
            the snapshot is null, never 0. The pooled rate sums over cohorts that reached the age.

    Source: Wilson (1927), JASA 22:209, for the limits. Checked on CDNOW's published cohorts and
    against a literal count in tests/test_cohorts.py.
    """
    sizes = starts.group_by("cohort").agg(pl.len().cast(pl.Int64).alias("n_start")).sort("cohort")
    last = calendar.last_whole_month(snapshot_date)
    oldest = max(last - sizes["cohort"].min(), 0) if sizes.height else 0
    ages = pl.DataFrame({"age": range(oldest + 1)}, schema={"age": pl.Int64})
    seen = pl.col("cohort") + pl.col("age") <= last
    cells = (
        sizes.join(ages, how="cross")
        .join(counts, on=["cohort", "age"], how="left")
        .with_columns(n_active=pl.when(seen).then(pl.col("n_active").fill_null(0)))
    )
    pooled = (
        cells.filter(seen)
        .group_by("age", maintain_order=True)
        .agg(pl.col("n_start").sum(), pl.col("n_active").sum())
        .with_columns(cohort=pl.lit("all"))
    )
    year, month = (pl.col("cohort") // 12).cast(pl.String), pl.col("cohort") % 12 + 1
    name = pl.concat_str(year, month.cast(pl.String).str.zfill(2), separator="-")
    both = pl.concat(
        [cells.with_columns(cohort=name), pooled.select("cohort", "n_start", "age", "n_active")]
    )
    return both.select(
        pl.lit("bounded").alias("definition"),
        pl.lit("start_month").alias("cohort_by"),
        "cohort",
        "age",
        "n_start",
        "n_active",
        (pl.col("n_active") / pl.col("n_start")).alias("retention"),
        *wilson("n_active", "n_start", confidence),
    ).sort("cohort", "age")
