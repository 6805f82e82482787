"""The retention of cohorts by four definitions, side by side, by day, week and month of life.

Bounded: active in the interval. Unbounded: in it or later. Bracket: in at least one interval of a
range. Active since: in the spell that began with the start. An interval is a calendar day, week
(from Monday) or month in the book's time zone; age 0 is the one of the start.
"""

from collections.abc import Iterator
from functools import partial
from itertools import chain, product
from typing import NamedTuple

import narwhals as nw
import polars as pl

from retention import charts
from retention.book import Churn
from retention.cohorts.cohorts import Members
from retention.exhibit import Exhibit, Finding, said_of
from retention.refresh import Refresh
from retention.stats.intervals import share
from retention.tables import blocks, calendar

SPAN = ["definition", "unit", "age", "until_age"]
COHORT = ["cohort_by", "cohort"]
KEY = ("definition", "unit", *COHORT, "age", "until_age")
RATES = ["n_active", "retention", "ci_lower", "ci_upper"]
WHOSE = ["unit", "cohort_by", "definition", "cohort", "reach", "first", "last"]  # of a tally
DEFINITIONS = ("bounded", "unbounded", "bracket", "active since")
LINES = ("unbounded", "active since", "bounded")  # those that make a curve
NEWEST = 18  # cohorts that one triangle shows: more are too small to read
BY_TIME = ("all", "start_day", "start_week", "start_month")
BRACKETS = {"day": [[1, 7]], "month": [[1, 3], [4, 6], [7, 12]]}  # ranges of ages


class Scope(NamedTuple):
    """How far retention is counted: the oldest age and the ranges [first, last], none of which
    lies within another, by unit."""

    most: dict[str, int]
    brackets: dict[str, list[list[int]]]


def last_known(churn: Churn, snapshot_day: int, unit: str, definition: str = "bounded") -> int:
    """The newest interval of which no later day can change what is said: it had wholly passed.

    Where spells decide (contracts, and "active since" everywhere) a gap of less than
    ``after_days`` may yet be closed: the interval must also have begun before such a gap could.
    """
    whole = calendar.last_whole(snapshot_day, unit)
    if churn.kind == "activity" and definition != "active since":
        return whole
    return min(whole, calendar.period_of(snapshot_day - churn.after_days + 1, unit))


def _aged(rows: pl.LazyFrame, unit: str, *names: str) -> pl.LazyFrame:
    """``rows`` with the days ``names`` as ages: how many times ``unit`` since start_day."""
    origin = calendar.period("start_day", unit)
    ages = {name: calendar.period(name, unit) - origin for name in names}
    return nw.from_native(rows).with_columns(**ages).to_native()


def presence(block: pl.LazyFrame, kind: str, unit: str, most: int) -> pl.LazyFrame:
    """Ages at which customers were active: customer_id, cell, first, last; no age twice.

    Takes   customer_id, cell, start_day, last: in an activity book the days of activity; in a
            contract book the last days of spells, with spell and first (their first days)
    """
    if kind == "activity":
        ages = _aged(block, unit, "last").filter(pl.col("last").is_between(0, most))
        ages = ages.unique(["customer_id", "last"])
        return ages.select("customer_id", "cell", "last", first="last")
    free = pl.col("last").shift(1).over("customer_id", order_by="spell") + 1
    ages = _aged(block, unit, "first", "last").with_columns(pl.max_horizontal("first", free))
    ages = ages.with_columns(pl.col("last").clip(upper_bound=most))
    return ages.filter(pl.col("first") <= pl.col("last"))


def furthest(lives: pl.LazyFrame, day: str, unit: str, most: int) -> pl.LazyFrame:
    """Up to which age each customer was there, by the column ``day``: cell, first (0), last; ages
    beyond ``most`` count as it."""
    last = pl.col(day).clip(upper_bound=most).alias("last")
    return _aged(lives, unit, day).select("cell", last, first=pl.lit(0, pl.Int64))


def within(presence: pl.LazyFrame, first: int, last: int) -> pl.LazyFrame:
    """Customers who were active at some age from ``first`` to ``last``: cell, first, last."""
    inside = presence.filter(pl.col("first") <= last, pl.col("last") >= first)
    ends = {"first": pl.lit(first, pl.Int64), "last": pl.lit(last, pl.Int64)}
    return inside.unique("customer_id").select("cell", **ends)


def counted(rows: pl.LazyFrame, unit: str, definition: str) -> pl.LazyFrame:
    """How many customers of a cell were active from one age to another: cell, first, last, n, with
    ``unit`` and ``definition``."""
    n = rows.group_by("cell", "first", "last").agg(n=pl.len().cast(pl.Int64))
    return n.with_columns(unit=pl.lit(unit), definition=pl.lit(definition))


def count(
    activity: pl.LazyFrame,
    spells: pl.DataFrame,
    members: pl.DataFrame,
    cells: pl.DataFrame,
    *,
    churn: Churn,
    snapshot_day: int,
    scope: Scope,
) -> pl.DataFrame:
    """How many customers of every cohort were active from which age to which, by any definition.

    Takes   the tables "activity" and "spells"; members: customer_id, start_day, cell; cells: cell,
            cohort_by, cohort, until_day (see `cohorts.cells`)
    Returns a tally: unit, cohort_by, definition, cohort, reach, first, last, n; `shares` makes
            rates of it. Customers are read in blocks, so that memory does not grow with them.
    """
    end = pl.col("end_day").fill_null(snapshot_day)
    first = spells.filter(spell=1).select("customer_id", since=end)
    who = members.join(first, on="customer_id")
    if churn.kind == "activity":
        rows = activity.filter(pl.col("kind").is_in(churn.activity))
        rows = rows.select("customer_id", last="day")
    else:
        rows = spells.lazy().select("customer_id", "spell", first="start_day", last=end)
    reached = _reached(cells, churn, snapshot_day, scope.most)
    nobody = rows.join(who.clear().lazy(), on="customer_id").collect()
    found = []
    for block in chain([nobody], blocks.blocks(rows, who)):
        asked = [*_of_block(block.lazy(), churn.kind, scope)]
        found.append(_by_cohort(pl.collect_all(asked, engine="streaming"), reached))
    return pl.concat(found).group_by(WHOSE).agg(pl.col("n").sum()).sort(WHOSE)


def _of_block(block: pl.LazyFrame, kind: str, scope: Scope) -> Iterator[pl.LazyFrame]:
    """What `counted` gives of one block of customers, by unit and definition."""
    lives = block.group_by("customer_id", "cell", "start_day", "since").agg(pl.col("last").max())
    for unit, most in scope.most.items():
        present = presence(block, kind, unit, most)
        yield counted(present, unit, "bounded")
        yield counted(furthest(lives, "last", unit, most), unit, "unbounded")
        yield counted(furthest(lives, "since", unit, most), unit, "active since")
        for first, last in scope.brackets.get(unit, []):
            if last <= most:
                yield counted(within(present, first, last), unit, "bracket")


def _reached(
    cells: pl.DataFrame, churn: Churn, snapshot_day: int, most: dict[str, int]
) -> pl.DataFrame:
    """Up to which age (reach) each of ``cells`` is known, by unit and definition."""
    found = []
    for unit, definition in product(most, DEFINITIONS):
        newest = nw.from_native(cells).with_columns(newest=calendar.period("until_day", unit))
        reach = last_known(churn, snapshot_day, unit, definition) - pl.col("newest")
        named = {"unit": pl.lit(unit), "definition": pl.lit(definition)}
        reach = pl.min_horizontal(reach, most[unit])
        found.append(newest.to_native().with_columns(**named, reach=reach))
    return pl.concat(found).filter(pl.col("reach") >= 0)


def _by_cohort(counts: list[pl.DataFrame], reached: pl.DataFrame) -> pl.DataFrame:
    """Counts by cell as counts by cohort, for the ages that each has reached: a tally."""
    rows = pl.concat(counts).join(reached, on=["cell", "unit", "definition"])
    rows = rows.filter(pl.col("first") <= pl.col("reach"))
    return rows.group_by(WHOSE).agg(pl.col("n").sum()).sort(WHOSE)


def shares(tally: pl.DataFrame, scope: Scope, confidence: float = 0.95) -> pl.DataFrame:
    """The retention of every cohort by every definition.

    Takes   the tally of `count`, and the scope it was counted in
    Returns the table "retention": definition, unit, cohort_by, cohort, age, until_age, n_start,
            n_active, retention, ci_lower, ci_upper (0 to 1). Every cohort has a row for every age
            that any one of its division reached; where it has not itself, all is null, never 0.
            What stands for several starts sums over those that reached the age.

    Source: Wilson (1927), JASA 22:209, for the limits. Checked on CDNOW's published cohorts and
    against a literal count in tests/cohorts/test_retention.py.
    """
    spans = _spans(tally, scope.brackets)
    of_all = {"bounded": "unbounded", "bracket": "unbounded"}
    base = spans.with_columns(base=pl.col("definition").replace(of_all))
    begun = base.join(tally.rename({"definition": "base"}), on=["base", "unit"])
    active = spans.join(tally, on=["definition", "unit"]).filter(
        pl.col("first") <= pl.col("age"), pl.col("last") >= pl.col("until_age")
    )
    n, key = pl.col("n").filter(pl.col("reach") >= pl.col("until_age")).sum(), [*SPAN, *COHORT]
    grid = begun.group_by(key).agg(n_start=n)
    grid = grid.join(active.group_by(key).agg(n_active=n), on=key, how="left")
    reached = pl.col("n_start").max().over("definition", "unit", "cohort_by", "age") > 0
    known = pl.when(pl.col("n_start") > 0)
    return (
        grid.filter(reached)
        .with_columns(known.then("n_start"), known.then(pl.col("n_active").fill_null(0)))
        .with_columns(share("n_active", "n_start", confidence, ("retention", *RATES[2:])))
        .select(*KEY, "n_start", *RATES)
        .sort(KEY)
    )


def _spans(tally: pl.DataFrame, brackets: dict[str, list[list[int]]]) -> pl.DataFrame:
    """Every age that a definition speaks of: definition, unit, age, until_age."""
    ages = (
        tally.filter(pl.col("definition") != "bracket")
        .group_by("definition", "unit")
        .agg(age=pl.int_ranges(0, pl.col("reach").max() + 1))
        .explode("age")
        .with_columns(until_age="age")
    )
    ranges = [("bracket", unit, *span) for unit, spans in brackets.items() for span in spans]
    return pl.concat([ages, pl.DataFrame(ranges, ages.schema, orient="row")])


def retention(r: Refresh, members: Members, most: dict[str, int]) -> pl.DataFrame:
    """The retention of every cohort at every age by every definition: the table "retention".

    Takes   members of cohorts; ``most``: the oldest age by unit ("day", "week", "month")
    Returns it with small counts not yet hidden; what is written and shown has them hidden
    """
    scope = Scope(most, {unit: spans for unit, spans in BRACKETS.items() if unit in most})
    who = (members.customers, members.cells)
    asked = {"churn": r.book.churn, "snapshot_day": r.day, "scope": scope}
    tally = count(r.tables.activity.lazy(), r.tables.spells, *who, **asked)
    table = shares(tally, scope, r.confidence)
    r.keep("retention", table)
    return table


def curves(r: Refresh, table: pl.DataFrame, ages: list[int]) -> Exhibit:
    """All cohorts together, month by month: a line for each definition that makes a curve."""
    of_all = table.filter(unit="month", cohort_by="all").filter(pl.col("definition").is_in(LINES))
    return Exhibit(
        _lines(of_all, "definition"),
        partial(_pooled, ages=ages),
        draw=partial(charts.curves, x="age", y="retention", n="n_start"),
        behind=partial(at, ages=ages),
        definition=means(r.book.churn, r.min_cell, *LINES),
        findings=_in_month_1,
    )


def triangle(r: Refresh, table: pl.DataFrame, definition: str, ages: list[int]) -> Exhibit:
    """The share of each cohort that is retained at each age, one row per cohort by month of the
    start, the newest of them; ranges of ages for "bracket"."""
    rows = table.filter(definition=definition, unit="month", cohort_by="start_month")
    rows = rows.sort("cohort", "age", "until_age")
    newest = rows["cohort"].unique().sort().tail(NEWEST).to_list()
    rows = rows.filter(pl.col("cohort").is_in(newest))
    rows = rows.filter(pl.col("n_start").count().over("age") > 0)
    if definition == "bracket":
        rows = rows.with_columns(age=pl.format("{}–{}", "age", "until_age"))
    return Exhibit(
        rows,
        partial(_spread, ages=ages, which=f"{definition}: "),
        draw=partial(charts.triangle, value="retention", ages="Months since the start"),
        behind=partial(at, ages=ages),
        definition=means(r.book.churn, r.min_cell, definition),
        limit=12,
    )


def by_attribute(r: Refresh, table: pl.DataFrame, cohort_by: list[str], ages: list[int]) -> Exhibit:
    """Bounded retention by the first of ``cohort_by`` that is not a time of the start and tells
    customers apart: a line for each cohort."""
    chosen = table.filter(unit="month", definition="bounded")
    lines = [_lines(chosen.filter(cohort_by=by), "cohort") for by in cohort_by if by not in BY_TIME]
    told = [rows for rows in lines if rows["retention"].count()]
    return Exhibit(
        told[0] if told else _lines(chosen.clear(), "cohort"),
        partial(_spread, ages=ages, together=True),
        draw=partial(charts.curves, x="age", y="retention", n="n_start"),
        behind=partial(at, ages=ages),
        definition=means(r.book.churn, r.min_cell, "bounded"),
        empty="No attribute of the start divides customers into cohorts that are old enough.",
    )


def _lines(rows: pl.DataFrame, group: str) -> pl.DataFrame:
    """One line for each ``group``, without age 0, at which everybody is active."""
    kept = rows.filter(pl.col("age") > 0).drop_nulls("n_start")
    return kept.with_columns(group=pl.col(group)).sort("group", "age")


def at(rows: pl.DataFrame, ages: list[int]) -> pl.DataFrame:
    """The rows at ``ages``, or all ranges, as a table behind a chart prints them."""
    some = rows.filter(pl.col("age").is_in(ages)) if rows["age"].dtype.is_integer() else rows
    named = "group" if "group" in rows.columns else "cohort"
    return some.select(named, "age", "n_start", *RATES)


def _pooled(lines: pl.DataFrame, ages: list[int]) -> str:
    """How many are active at the oldest of ``ages`` that is known."""
    known = at(lines.filter(group="bounded"), ages).drop_nulls("retention").sort("age")
    if known.is_empty():
        return "No cohort is old enough to compare"
    age, share = known.select("age", "retention").row(-1)
    return f"{share:.0%} of customers are active in month {age} after their start"


def _in_month_1(lines: pl.DataFrame) -> list[Finding]:
    sentence = "{value} of customers are active in the month after they started ({ci}; bounded)."
    month = lines.filter(group="bounded", age=1)
    return said_of(month, "retention_month_1", sentence, "retention")


def spread(rows: pl.DataFrame, value: str, together: bool = False) -> tuple | None:
    """How far cohorts lie apart: the oldest age that two of them reached, or all of them
    ``together``, with the least and the most of ``value``. An age at which one is hidden is passed
    over: the range would be a choice."""
    reached = rows.drop_nulls("n_start")
    all_of_them = reached[:, 0].n_unique() if together else 2
    low, high = pl.col(value).min().alias("least"), pl.col(value).max().alias("most")
    ages = reached.group_by("age").agg(low, high, n=pl.len(), known=pl.col(value).count())
    ages = ages.filter(pl.col("n") == pl.col("known"), pl.col("n") >= max(2, all_of_them))
    return ages.sort("age").row(-1)[:3] if ages.height else None


def _spread(rows: pl.DataFrame, ages: list[int], which: str = "", together: bool = False) -> str:
    found = spread(at(rows, ages), "retention", together)
    if not found:
        return f"{which}No two cohorts can be compared at the same age yet".capitalize()
    months = f"month{'s' * isinstance(found[0], str)} {found[0]}"
    said = f"{which}in {months}, cohorts keep between {found[1]:.0%} and {found[2]:.0%}"
    return said.capitalize()


def means(churn: Churn, min_cell: int, *names: str) -> str:
    """What definitions of retention mean here, for the page."""
    meanings = _meanings(churn)
    return " ".join(meanings[name] for name in names) + (
        " Shares of cohorts that have wholly reached the age, in calendar months of the book's "
        "time zone, added up where there are several; month 0 is the one of the start. What has "
        f"not passed is empty, and so is what would tell of fewer than {min_cell} customers."
    )


def _meanings(churn: Churn) -> dict[str, str]:
    active = f"with an event of kind {', '.join(churn.activity)}"
    unbroken = f"without a silence of {churn.after_days} days or more"
    if churn.kind == "contract":
        active = "with a contract in force on at least one day"
        unbroken = f"without a break of contract of {churn.after_days} days or more"
    return {
        "bounded": f"Bounded: active ({active}) in that month, whatever happened before it.",
        "unbounded": f"Unbounded: active ({active}) in that month or any later one. Recent points "
        "have had less time for a return, so it falls towards the end for that reason alone, and "
        "what it says of a cohort still rises.",
        "bracket": f"Bracket: active ({active}) in at least one month of the range.",
        "active since": f"Active since the start: in that month or later still in the first "
        f"spell, {unbroken}. Only months are known that no renewal or return can change any more.",
    }
