"""The retention of cohorts by four definitions, side by side, by day, week and month of life.

Bounded: active in the interval. Unbounded: in it or later. Bracket: in at least one interval of a
range. Active since: in the spell that began with the start. An interval is a calendar day, week
(from Monday) or month in the book's time zone; age 0 is the one of the start.

Counting is Narwhals on whole numbers; rates, one row per cohort and age, are Polars.
"""

from collections.abc import Iterator
from typing import NamedTuple

import narwhals as nw
import polars as pl

from retention.book import Churn
from retention.stats.intervals import wilson
from retention.tables import blocks, calendar

KEY = ("definition", "unit", "cohort_by", "cohort", "age", "until_age")
CELL = ["unit", "cohort_by", "cohort", "age"]  # what all definitions say something about
SUMS = ["definition", "unit", "cohort_by", "age", "until_age"]  # within which cohorts add up
RATES = ["n_active", "retention", "ci_lower", "ci_upper"]
WHOSE = ["unit", "cohort_by", "definition", "cohort", "reach", "first", "last"]  # of a tally
SPAN = ["definition", "unit", "age", "until_age"]


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
        .filter((nw.col("first") >= 0) & (nw.col("first") <= most))
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
    )
    later, beyond = nw.col("free") > nw.col("begun"), nw.col("until") > most
    return (
        ages.with_columns(
            first=nw.when(later).then("free").otherwise("begun"),
            last=nw.when(beyond).then(nw.lit(most)).otherwise("until"),
        )
        .filter(nw.col("first") <= nw.col("last"))
        .select("customer_id", "cell", "first", nw.col("last").cast(nw.Int64))
    )


@nw.narwhalify
def last_seen(days, *, day: str, snapshot_day: int):
    """The last day of every customer: customer_id, cell, start_day, last_day.

    Takes   rows of `presence` or `in_force`; ``day`` names the last day of each, null = snapshot
    """
    return (
        days.with_columns(last_day=nw.col(day).fill_null(snapshot_day))
        .group_by("customer_id", "cell", "start_day")
        .agg(nw.col("last_day").max())
    )


@nw.narwhalify
def stretches(presence):
    """How many customers of a cell were active from one age to another: cell, first, last, n."""
    return presence.group_by("cell", "first", "last").agg(nw.len().cast(nw.Int64).alias("n"))


@nw.narwhalify
def furthest(lives, *, unit: str, most: int):
    """How many customers of a cell were seen up to which age: cell, first (0), last, n.

    Takes   lives: cell, start_day, last_day; ages beyond ``most`` count as it
    """
    age = calendar.period("last_day", unit) - calendar.period("start_day", unit)
    cut = nw.when(nw.col("age") > most).then(nw.lit(most)).otherwise("age")
    return (
        lives.select("cell", age=age)
        .select("cell", first=nw.lit(0).cast(nw.Int64), last=cut.cast(nw.Int64))
        .group_by("cell", "first", "last")
        .agg(nw.len().cast(nw.Int64).alias("n"))
    )


@nw.narwhalify
def within(presence, *, first: int, last: int):
    """How many customers of a cell were active at some age from ``first`` to ``last``: cell,
    first, last, n."""
    return (
        presence.filter((nw.col("first") <= last) & (nw.col("last") >= first))
        .select("customer_id", "cell")
        .unique()
        .group_by("cell")
        .agg(nw.len().cast(nw.Int64).alias("n"))
        .select(
            "cell",
            nw.lit(first).cast(nw.Int64).alias("first"),
            nw.lit(last).cast(nw.Int64).alias("last"),
            "n",
        )
    )


class Scope(NamedTuple):
    """How far retention is counted: the oldest age and the ranges [first, last], by unit."""

    most: dict[str, int]
    brackets: dict[str, list[list[int]]]


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
    Returns a tally: unit, cohort_by, definition, cohort, reach, first, last, n; `retention` makes
            shares of it. Customers are read in blocks, so that memory does not grow with them.
    """
    if churn.kind == "activity":
        rows = activity.filter(pl.col("kind").is_in(churn.activity)).select("customer_id", "day")
    else:
        rows = spells.lazy().select("customer_id", "spell", "end_day", spell_day="start_day")
    since = spells.filter(pl.col("spell") == 1).select("customer_id", "end_day")
    stays = members.join(since, on="customer_id", how="left", maintain_order="left")
    stays = last_seen(stays, day="end_day", snapshot_day=snapshot_day)
    whole = {
        (unit, "active since"): furthest(stays, unit=unit, most=most)
        for unit, most in scope.most.items()
    }
    found = [_by_cohort(whole, cells, churn, snapshot_day, scope)]
    for block in blocks.blocks(rows, members):
        asked = dict(_of_block(block.lazy(), churn, snapshot_day, scope))
        counts = pl.collect_all(asked.values(), engine="streaming")
        counts = dict(zip(asked, counts, strict=True))
        found.append(_by_cohort(counts, cells, churn, snapshot_day, scope))
    return pl.concat(found).group_by(WHOSE).agg(pl.col("n").sum()).sort(WHOSE)


def _of_block(
    block: pl.LazyFrame, churn: Churn, snapshot_day: int, scope: Scope
) -> Iterator[tuple[tuple[str, str], pl.LazyFrame]]:
    """Counts of one block of customers, by unit and definition: cell, first, last, n."""
    is_activity = churn.kind == "activity"
    day = "day" if is_activity else "end_day"
    seen = last_seen(block, day=day, snapshot_day=snapshot_day)
    for unit, most in scope.most.items():
        if is_activity:
            present = presence(block, unit=unit, most=most)
        else:
            present = in_force(block, snapshot_day=snapshot_day, unit=unit, most=most)
        yield (unit, "bounded"), stretches(present)
        yield (unit, "unbounded"), furthest(seen, unit=unit, most=most)
        spans = [span for span in scope.brackets.get(unit, []) if span[1] <= most]
        if spans:
            yield (unit, "bracket"), pl.concat(within(present, first=a, last=b) for a, b in spans)


def _by_cohort(
    counts: dict[tuple[str, str], pl.DataFrame],
    cells: pl.DataFrame,
    churn: Churn,
    snapshot_day: int,
    scope: Scope,
) -> pl.DataFrame:
    """Counts by cell as counts by cohort, for the ages that each has reached: a tally."""
    found = []
    for (unit, definition), frame in counts.items():
        newest = nw.from_native(cells).with_columns(newest=calendar.period("until_day", unit))
        reach = last_known(churn, snapshot_day, unit, definition) - pl.col("newest")
        reached = newest.to_native().with_columns(
            pl.lit(unit).alias("unit"),
            pl.lit(definition).alias("definition"),
            reach=pl.min_horizontal(reach, scope.most[unit]),
        )
        rows = frame.join(reached.filter(pl.col("reach") >= 0), on="cell")
        rows = rows.filter(pl.col("first") <= pl.col("reach"))
        found.append(rows.group_by(WHOSE).agg(pl.col("n").sum()).sort(WHOSE))
    return pl.concat(found)


def retention(tally: pl.DataFrame, scope: Scope, confidence: float = 0.95) -> pl.DataFrame:
    """The retention of every cohort by every definition.

    Takes   the tally of `count`, and the scope it was counted in
    Returns the table "retention": definition, unit, cohort_by, cohort, age, until_age, n_start,
            n_active, retention, ci_lower, ci_upper (0 to 1). Every cohort has a row for every age
            that any one of its division reached; where it has not itself, all is null, never 0.
            What stands for several starts sums over those that reached the age.

    Source: Wilson (1927), JASA 22:209, for the limits. Checked on CDNOW's published cohorts and
    against a literal count in tests/test_retention.py.
    """
    spans = _spans(tally, scope.brackets)
    active = tally.join(spans, on=["definition", "unit"]).filter(
        pl.col("reach") >= pl.col("until_age"),
        pl.col("first") <= pl.col("age"),
        pl.col("last") >= pl.col("until_age"),
        (pl.col("definition") != "bracket")
        | ((pl.col("first") == pl.col("age")) & (pl.col("last") == pl.col("until_age"))),
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
