"""The retention of cohorts by four definitions, side by side, by day, week and month of life.

Bounded: active in the interval. Unbounded: in it or later. Bracket: in at least one interval of a
range. Active since: in the spell that began with the start. An interval is a calendar day, week
(from Monday) or month in the book's time zone; age 0 is the one of the start.

Counting is Narwhals on whole numbers; rates, one row per cohort and age, are Polars.
"""

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import NamedTuple

import narwhals as nw
import polars as pl

from retention import charts
from retention.book import Churn
from retention.cohorts.cohorts import Members
from retention.exhibit import Exhibit, Finding, said_of
from retention.refresh import Refresh
from retention.stats.intervals import wilson
from retention.tables import blocks, calendar

KEY = ("definition", "unit", "cohort_by", "cohort", "age", "until_age")
RATES = ["n_active", "retention", "ci_lower", "ci_upper"]
WHOSE = ["unit", "cohort_by", "definition", "cohort", "reach", "first", "last"]  # of a tally
SPAN = ["definition", "unit", "age", "until_age"]
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


@nw.narwhalify
def presence(days, *, unit: str, most: int):
    """Ages at which customers were active: customer_id, cell, first, last (the same). Once each.

    Takes   days: customer_id, cell, start_day, day (of activity)
    """
    age = calendar.period("day", unit) - calendar.period("start_day", unit)
    return (
        days.select("customer_id", "cell", first=age)
        .filter(nw.col("first").is_between(0, most))
        .unique(["customer_id", "first"])
        .with_columns(last=nw.col("first"))
    )


@nw.narwhalify
def in_force(terms, *, snapshot_day: int, unit: str, most: int):
    """Ages through which contracts were in force: customer_id, cell, first, last; no age twice.

    Takes   terms: customer_id, cell, start_day (of the customer), spell, spell_day (its first),
            end_day (null = in force)
    """
    origin = calendar.period("start_day", unit)
    before = nw.col("until").shift(1).over("customer_id", order_by="spell")
    ages = (
        terms.with_columns(last_day=nw.col("end_day").fill_null(snapshot_day))
        .with_columns(
            begun=calendar.period("spell_day", unit) - origin,
            until=calendar.period("last_day", unit) - origin,
        )
        .with_columns(free=before + 1)
        .with_columns(
            first=nw.max_horizontal("begun", "free"),
            last=nw.min_horizontal("until", nw.lit(most)).cast(nw.Int64),
        )
    )
    whole = ages.filter(nw.col("first") <= nw.col("last"))
    return whole.select("customer_id", "cell", "first", "last")


@nw.narwhalify
def last_seen(days, *, day: str, snapshot_day: int):
    """The last day of every customer: customer_id, cell, start_day, last_day.

    Takes   rows of `presence` or `in_force`; ``day`` names the last day of each, null = snapshot
    """
    seen = days.with_columns(last_day=nw.col(day).fill_null(snapshot_day))
    return seen.group_by("customer_id", "cell", "start_day").agg(nw.col("last_day").max())


@nw.narwhalify
def furthest(lives, *, unit: str, most: int):
    """Up to which age each customer was seen: cell, first (0), last; ages beyond ``most`` count
    as it.

    Takes   lives: cell, start_day, last_day
    """
    age = calendar.period("last_day", unit) - calendar.period("start_day", unit)
    last = nw.min_horizontal(age, nw.lit(most)).cast(nw.Int64)
    return lives.select("cell", first=nw.lit(0).cast(nw.Int64), last=last)


@nw.narwhalify
def within(presence, *, first: int, last: int):
    """Customers who were active at some age from ``first`` to ``last``: cell, first, last."""
    inside = presence.filter((nw.col("first") <= last) & (nw.col("last") >= first))
    ends = {"first": nw.lit(first).cast(nw.Int64), "last": nw.lit(last).cast(nw.Int64)}
    return inside.select("customer_id", "cell").unique().select("cell", **ends)


@nw.narwhalify
def counted(rows, *, unit: str, definition: str):
    """How many customers of a cell were active from one age to another: cell, first, last, n, with
    ``unit`` and ``definition``."""
    n = rows.group_by("cell", "first", "last").agg(nw.len().cast(nw.Int64).alias("n"))
    return n.with_columns(unit=nw.lit(unit), definition=nw.lit(definition))


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
    if churn.kind == "activity":
        rows = activity.filter(pl.col("kind").is_in(churn.activity)).select("customer_id", "day")
    else:
        rows = spells.lazy().select("customer_id", "spell", "end_day", spell_day="start_day")
    since = spells.filter(pl.col("spell") == 1).select("customer_id", "end_day")
    stays = members.join(since, on="customer_id", how="left", maintain_order="left")
    stays = last_seen(stays, day="end_day", snapshot_day=snapshot_day)
    whole = [
        counted(furthest(stays, unit=unit, most=most), unit=unit, definition="active since")
        for unit, most in scope.most.items()
    ]
    reached = _reached(cells, churn, snapshot_day, scope.most)
    found = [_by_cohort(whole, reached)]
    for block in blocks.blocks(rows, members):
        asked = list(_of_block(block.lazy(), churn, snapshot_day, scope))
        found.append(_by_cohort(pl.collect_all(asked, engine="streaming"), reached))
    return pl.concat(found).group_by(WHOSE).agg(pl.col("n").sum()).sort(WHOSE)


def _of_block(
    block: pl.LazyFrame, churn: Churn, snapshot_day: int, scope: Scope
) -> Iterator[pl.LazyFrame]:
    """What `counted` gives of one block of customers, by unit and definition."""
    is_activity = churn.kind == "activity"
    seen = last_seen(block, day="day" if is_activity else "end_day", snapshot_day=snapshot_day)
    for unit, most in scope.most.items():
        if is_activity:
            present = presence(block, unit=unit, most=most)
        else:
            present = in_force(block, snapshot_day=snapshot_day, unit=unit, most=most)
        yield counted(present, unit=unit, definition="bounded")
        yield counted(furthest(seen, unit=unit, most=most), unit=unit, definition="unbounded")
        for first, last in scope.brackets.get(unit, []):
            if last <= most:
                inside = within(present, first=first, last=last)
                yield counted(inside, unit=unit, definition="bracket")


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
    active = tally.join(spans, on=["definition", "unit"]).filter(
        pl.col("reach") >= pl.col("until_age"),
        pl.col("first") <= pl.col("age"),
        pl.col("last") >= pl.col("until_age"),
    )
    of_all = {"bounded": "unbounded", "bracket": "unbounded"}
    base = spans.with_columns(base=pl.col("definition").replace(of_all))
    whole = base.join(tally.rename({"definition": "base"}), on=["base", "unit"])
    begun = whole.filter(pl.col("reach") >= pl.col("until_age"))
    by = ["cohort_by", "cohort"]
    grid = whole.select(*SPAN, *by).unique().sort(*SPAN, *by)
    key = [*SPAN, *by]
    for name, rows in {"n_start": begun, "n_active": active}.items():
        sums = rows.group_by(key).agg(pl.col("n").sum().alias(name)).sort(key)
        grid = grid.join(sums, on=key, how="left", maintain_order="left")
    reached = (pl.col("n_start").max() > 0).over("definition", "unit", "cohort_by", "age")
    return (
        grid.filter(reached.fill_null(False))
        .with_columns(pl.when(pl.col("n_start") > 0).then(pl.col("n_active").fill_null(0)))
        .with_columns(
            (pl.col("n_active") / pl.col("n_start")).alias("retention"),
            *wilson("n_active", "n_start", confidence),
        )
        .select(*KEY, "n_start", *RATES)
        .sort(KEY)
    )


def _spans(tally: pl.DataFrame, brackets: dict[str, list[list[int]]]) -> pl.DataFrame:
    """Every age that a definition speaks of: definition, unit, age, until_age."""
    ages = (
        tally.filter(pl.col("definition") != "bracket")
        .group_by("definition", "unit")
        .agg(age=pl.int_ranges(0, pl.col("reach").max() + 1))
        .sort("definition", "unit")
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
