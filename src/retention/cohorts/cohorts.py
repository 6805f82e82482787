"""Cohorts: who belongs to which, by the time of the start or by what was known at it.

A customer counts once, from the first start. Nobody is left out because a cohort is small: it is
put together with its neighbours (by time) or with others (by attribute), so that no total gives
it away.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import narwhals as nw
import polars as pl

from retention import schema
from retention.errors import Refused
from retention.exhibit import Finding
from retention.refresh import Refresh
from retention.stats import levels
from retention.tables import calendar

ALL = "all"
BY_TIME = {f"start_{unit}": unit for unit in ("day", "week", "month")}
LEVELS = 8  # cohorts of an attribute at most: more take longer to be large enough
FIRST = ("first_channel", "first_product", "first_category")
NONE_YET = "none on the first day"
SEVERAL = "several"


@dataclass(frozen=True)
class Members:
    """Who belongs to which cohort.

    ``customers``: customer_id, start_day, cell; ``cells``: cell, cohort_by, cohort, until_day (see
    `cells`); ``divided`` is by what they could be divided, ``out`` how many are left out.
    """

    customers: pl.DataFrame
    cells: pl.DataFrame
    divided: dict[str, pl.DataFrame]
    out: int


def members(r: Refresh, cohort_by: list[str]) -> Members:
    """Everybody who started within the data, in cohorts by each of ``cohort_by`` (see `divide`)."""
    spells, at = r.tables.spells, r.tables.customers_at
    begun = starts(spells)
    habits, baskets = r.tables.habits.lazy(), r.tables.baskets.lazy()
    seen = first_seen(begun, habits, baskets, cohort_by)
    divided = divide(known_at_start(begun, spells, at, seen), cohort_by, r.min_cell)
    customers, numbered = cells(divided)
    out = spells["customer_id"].n_unique() - customers.height
    return Members(customers, numbered, divided, out)


def who_is_counted(members: Members, cohort_by: list[str]) -> tuple[Finding, str]:
    """How many customers are in, how many are left out, and what cohorts they make."""
    sentence = (
        "{value} customers who started within the data. Left out: {out}, with an unknown or "
        "earlier start."
    )
    n, out = members.customers.height, {"out": members.out}
    counted = Finding("cohort_customers", sentence, n, "customers", further=out)
    return counted, divided_by(members.divided, cohort_by)


def starts(spells: pl.DataFrame) -> pl.DataFrame:
    """First spells that began within the data: customer_id, start_day.

    Who started before the data is left out: of their first days nothing was seen, and nothing at
    all of those who left by then.
    """
    known = pl.col("excluded").ne_missing("unknown_start")
    within = pl.col("entry_day") == pl.col("start_day")
    return spells.filter(pl.col("spell") == 1, known, within).select("customer_id", "start_day")


def first_seen(
    starts: pl.DataFrame, habits: pl.LazyFrame, baskets: pl.LazyFrame, asked: Iterable[str]
) -> pl.DataFrame:
    """Through which channel a customer came and what was bought first: customer_id and those of
    ``asked`` that are "first_channel", "first_product" or "first_category".

    Takes   starts; habits (customer_id, channel, hour, first_day); baskets (customer_id, day,
            product, category, amount_cents)
    Returns one row per customer. Only the day of the start counts: what is done later is done by
            those who stayed. Of several, the channel of the earliest hour and the product or
            category of the largest amount; "several" where these are equal.
    """
    lazy = starts.lazy()
    came = habits.join(lazy, on="customer_id").filter(pl.col("first_day") == pl.col("start_day"))
    bought = baskets.join(lazy, on="customer_id").filter(pl.col("day") == pl.col("start_day"))
    for name in (name for name in FIRST if name in asked):
        if name == "first_channel":
            first = _foremost(came, name, -pl.col("hour").min())
        else:
            first = _foremost(bought, name, pl.col("amount_cents").sum())
        starts = starts.join(first, on="customer_id", how="left", maintain_order="left")
    return starts.drop("start_day")


def _foremost(rows: pl.LazyFrame, name: str, rank: pl.Expr) -> pl.DataFrame:
    """The one level per customer of what ``name`` is the first of, by the highest ``rank``:
    customer_id, ``name``."""
    level, best = name.removeprefix("first_"), pl.col("rank").max().over("customer_id")
    ranked = rows.drop_nulls(level).group_by("customer_id", level).agg(rank=rank)
    one = pl.when(pl.len() == 1).then(pl.col(level).first()).otherwise(pl.lit(SEVERAL))
    top = ranked.filter((pl.col("rank") == best).fill_null(True))
    return top.group_by("customer_id").agg(one.alias(name)).sort("customer_id").collect()


def known_at_start(
    starts: pl.DataFrame, spells: pl.DataFrame, customers: pl.DataFrame, seen: pl.DataFrame
) -> pl.DataFrame:
    """``starts`` with everything a cohort may be made of: plan, attributes, what was first seen.

    Takes   spells (customer_id, spell, plan); customers: the table "customers_at"; seen (see
            `first_seen`)
    """
    later = {*schema.TABLES["customers_at"].columns, "plan"} - {"customer_id"}
    plan = spells.filter(pl.col("spell") == 1).select("customer_id", "plan")
    for more in (plan, customers.drop(later & set(customers.columns)), seen):
        starts = starts.join(more, on="customer_id", how="left", maintain_order="left")
    return starts.sort("customer_id")


def divide(known: pl.DataFrame, names: Iterable[str], min_cell: int) -> dict[str, pl.DataFrame]:
    """Divide all customers into cohorts, by each of ``names``; "all" comes first.

    Takes   known (see `known_at_start`); names: start_month, start_week, start_day or a column
    Returns by name: customer_id, start_day, cohort (text), until_day (the day on which the last of
            those counted together had started). A cohort has reached an age when it is over for
            whoever started on ``until_day``. Left out is a name by which no two cohorts can be
            told apart; fewer than ``min_cell`` customers in all are no cohort.

    Each step in the number that reached an age, and each cohort, stands for ``min_cell`` customers
    or more: neighbouring periods of the start are taken together until they do, levels of an
    attribute become "other". Checked in tests/cohorts/test_cohorts.py.

    Raises:
        Refused: there is no such column.
    """
    known = known if known.height >= min_cell else known.clear()
    found = {}
    for by in dict.fromkeys([ALL, *names]):
        level = _levels(known, by, min_cell)
        if by in (ALL, *BY_TIME) or level.n_unique() > 1:
            found[by] = _grouped(known, level, by, min_cell)
    return found


def _levels(known: pl.DataFrame, by: str, min_cell: int) -> pl.Series:
    """The level of every customer, as text; all alike for a division by time."""
    if by in (ALL, *BY_TIME):
        return pl.Series([ALL]).new_from_index(0, known.height)
    if by not in known.columns or by in ("customer_id", "start_day"):
        there = ", ".join([*BY_TIME, *known.drop("customer_id", "start_day").columns])
        raise Refused(f"no attribute {by!r} is known at the start (there are: {there})")
    column = known[by]
    if by in FIRST and column.null_count() < column.len():
        column = column.fill_null(NONE_YET)
    return levels.collapsed(column, min_cell, LEVELS)


def _grouped(known: pl.DataFrame, level: pl.Series, by: str, min_cell: int) -> pl.DataFrame:
    """The cohorts of one division, see `divide`."""
    unit = BY_TIME.get(by, "month")
    rows = nw.from_native(known.select("customer_id", "start_day", level.alias("cohort")))
    rows = rows.with_columns(period=calendar.period("start_day", unit)).to_native()
    sizes = rows.group_by("period", "cohort").agg(n=pl.len()).sort("period", "cohort")
    named = [
        (period, _name(periods, unit), calendar.last_day(periods[-1], unit))
        for periods in _neighbours(sizes, min_cell)
        for period in periods
    ]
    columns = {"period": rows["period"].dtype, "name": pl.String, "until_day": pl.Int64}
    until = pl.DataFrame(named, columns, orient="row")
    rows = rows.join(until, on="period", how="left", maintain_order="left")
    if by in BY_TIME:
        rows = rows.with_columns(cohort="name")
    return rows.drop("period", "name")


def _neighbours(sizes: pl.DataFrame, min_cell: int) -> list[list[int]]:
    """Periods taken together until each level in them has ``min_cell`` customers.

    Takes   sizes: period, cohort, n, sorted; what is left at the end joins the last group
    """
    groups, held, together = [], Counter(), []
    for (period,), rows in sizes.group_by("period", maintain_order=True):
        together.append(period)
        held.update(dict(rows.select("cohort", "n").iter_rows()))
        if min(held.values()) >= min_cell:
            groups.append(together)
            held, together = Counter(), []
    return [*groups[:-1], [*groups[-1], *together]] if groups else [together] * bool(together)


def _name(periods: list[int], unit: str) -> str:
    ends = dict.fromkeys([periods[0], periods[-1]])
    return " to ".join(calendar.name_of(period, unit) for period in ends)


def cells(cohorts: dict[str, pl.DataFrame]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Customers who belong to the same cohorts in every division, under one number.

    Takes   cohorts by name (see `divide`)
    Returns members: customer_id, start_day, cell; cells: cell, cohort_by, cohort, until_day. What
            is counted by cell can be added up to any cohort, so that rows are counted but once.
    """
    members = cohorts[ALL].select("customer_id", "start_day")
    for by, frame in cohorts.items():
        mine = frame.select("customer_id", pl.struct("cohort", "until_day").alias(by))
        members = members.join(mine, on="customer_id", how="left", maintain_order="left")
    alike = members.select(*cohorts).unique(maintain_order=True).with_row_index("cell")
    alike = alike.with_columns(pl.col("cell").cast(pl.Int64))
    members = members.join(alike, on=list(cohorts), how="left", maintain_order="left")
    named = [alike.select("cell", pl.lit(by).alias("cohort_by"), by).unnest(by) for by in cohorts]
    return members.select("customer_id", "start_day", "cell"), pl.concat(named)


def divided_by(cohorts: dict[str, pl.DataFrame], names: Iterable[str]) -> str:
    """By what customers are divided into how many cohorts, and by what they cannot be, in words."""
    n = {by: frame["cohort"].n_unique() for by, frame in cohorts.items() if by != ALL}
    told = ", ".join(f"{by.replace('_', ' ')} ({count})" for by, count in n.items())
    mute = ", ".join(name.replace("_", " ") for name in names if name not in n)
    said = f"Cohorts by {told}." if told else "All customers are one cohort."
    unknown = f" Nothing is known that tells customers apart by {mute}." if mute else ""
    method = (
        "Neighbouring months are taken together until each stands for enough customers; of an "
        "attribute, until every level does. A first channel or product is that of the day of the "
        "start alone: what is done later is done by those who stayed."
    )
    return f"{said}{unknown} {method}"
