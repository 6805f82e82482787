"""Revenue of cohorts by month of life: what is kept of the first month, what grows, what is lost.

Two ledgers. "events": the amounts of a customer's events. "contracts": what contracts bring, an
amount per thirty days for every day in force; after d days of a term that is floor(amount * d / 30)
cents, so that months of life add up to the term to the cent. A month of life is thirty days, the
first of which begins with the day of the start: as contracts are priced, and of one length.
"""

from functools import partial
from typing import NamedTuple

import polars as pl
from scipy.stats import norm

from retention import charts
from retention.cohorts.cohorts import Members
from retention.cohorts.retention import NEWEST, spread
from retention.disclosure import LARGEST
from retention.errors import Failed
from retention.exhibit import Exhibit, Finding, said_of
from retention.refresh import Refresh
from retention.tables import blocks

MONTH = 30  # days of a month of life
MOVES = ("reactivation", "expansion", "contraction", "lost")
KEY = ("ledger", "cohort_by", "cohort", "age")
RATES = [f"{limit}{name}" for name in ("gross", "net") for limit in ("", "ci_lower_", "ci_upper_")]
COLUMNS = (*KEY, "n_start", "n_paying", "revenue_cents", *RATES, LARGEST)  # of the table
SQUARES = (("cents", "cents"), ("kept", "kept"), ("cents", "base"), ("kept", "base"))
UNIT = 100  # cents: squares are summed in whole units of the currency, which fit


def paid(events: pl.LazyFrame) -> pl.LazyFrame:
    """What customers paid in each month of life: customer_id, cell, age, cents (above 0).

    Takes   events: customer_id, cell, start_day, day, amount_cents; what lies before the start
            belongs to no month of life
    """
    since = pl.col("day") - pl.col("start_day")
    inside = events.filter(since >= 0, pl.col("amount_cents") > 0)
    months = inside.group_by("customer_id", "cell", age=since // MONTH)
    return months.agg(cents=pl.col("amount_cents").sum())


def accrued(terms: pl.LazyFrame, snapshot_day: int) -> pl.LazyFrame:
    """What contracts brought in each month of life: customer_id, cell, age, cents (above 0).

    Takes   terms: customer_id, cell, start_day (of the customer), started_day, ended_day (null =
            open), amount_cents (per thirty days; null counts for nothing)

    Checked against a literal addition day by day in tests/cohorts/test_revenue.py.
    """
    amount, since, until = pl.col("amount_cents"), pl.col("since"), pl.col("until")
    lived = pl.col("started_day") - pl.col("start_day")  # of the customer, when the term began
    days = _days(snapshot_day)
    begun = MONTH * pl.col("age") - lived
    return (
        terms.filter(amount > 0)
        .with_columns(age=pl.int_ranges((lived // MONTH).clip(0), (lived + days) // MONTH + 1))
        .explode("age")
        .with_columns(since=begun.clip(0), until=pl.min_horizontal(begun + MONTH, days))
        .filter(until > since)
        .group_by("customer_id", "cell", "age")
        .agg(cents=(amount * until // MONTH - amount * since // MONTH).sum())
        .filter(pl.col("cents") > 0)
    )


def _days(snapshot_day: int) -> pl.Expr:
    """For how many days a term was in force by the snapshot."""
    last = pl.min_horizontal("ended_day", pl.lit(snapshot_day))
    return last - pl.col("started_day") + 1


def moved(payments: pl.LazyFrame) -> pl.LazyFrame:
    """How each payment compares with the month before and with the first month.

    Takes   payments: customer_id, cell, age, cents (above 0)
    Returns as many rows, with ``base`` (cents of month 0), ``kept`` (at most that much), what is
            reactivation (nothing was paid the month before), expansion and contraction, and
            ``lost``: cents of which nothing was paid in the month after
    """
    cents, age, was = pl.col("cents"), pl.col("age"), pl.col("was")
    before = pl.when(age.shift(1) == age - 1).then(cents.shift(1)).otherwise(0)
    stays = pl.when(age.shift(-1) == age + 1).then(True).otherwise(False)
    own = {"partition_by": "customer_id", "order_by": "age"}
    return payments.with_columns(
        base=cents.filter(age == 0).sum().over("customer_id"),
        was=before.over(**own),
        stays=stays.over(**own),
    ).with_columns(
        kept=pl.min_horizontal("cents", "base"),
        reactivation=pl.when(was == 0, age > 0).then(cents).otherwise(0),
        expansion=pl.when(was > 0).then((cents - was).clip(0)).otherwise(0),
        contraction=(was - cents).clip(0),
        lost=pl.when("stays").then(0).otherwise(cents),
    )


def summed(moves: pl.LazyFrame) -> pl.LazyFrame:
    """Sums of `moved` by cell and age: cents, customers (n_...), squares in whole units; and the
    most that one customer has of each (most_...)."""
    whole = {name: pl.col(name) // UNIT for name in ("cents", "kept", "base")}
    return moves.group_by("cell", "age").agg(
        pl.len().cast(pl.Int64).alias("n_paying"),
        pl.col("cents", "kept", *MOVES).sum(),
        pl.col("cents", *MOVES).max().name.prefix("most_"),
        (pl.col(MOVES) > 0).sum().cast(pl.Int64).name.prefix("n_"),
        **{f"{one}_{two}": (whole[one] * whole[two]).sum() for one, two in SQUARES},
    )


def added(sums: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """`summed` rows put together ``by`` other columns."""
    most = [name for name in sums.columns if name.startswith("most_")]
    return sums.group_by(by).agg(pl.exclude(most).sum(), pl.col(most).max()).sort(by)


class Ledger(NamedTuple):
    """``sums`` by cell and month of life, and what was ``booked_cents`` in all."""

    name: str
    sums: pl.DataFrame
    booked_cents: int


def count(name: str, rows: pl.LazyFrame, members: pl.DataFrame, snapshot_day: int) -> Ledger:
    """Sums of the ledger ``name`` by cell and month of life.

    Takes   name: "events" (rows: the table "activity") or "contracts" (rows: "terms"); members
            (see `cohorts.cells`)
    Returns sums of `summed`, by cell and age

    Raises:
        Failed: the months of life do not add up to what was booked.
    """
    dates = ["day"] if name == "events" else ["started_day", "ended_day"]
    none = members.clear().select("customer_id", "cell", age="start_day", cents="start_day")
    found, booked, before = [summed(moved(none.lazy())).collect()], 0, 0
    for block in blocks.blocks(rows.select("customer_id", *dates, "amount_cents"), members):
        if name == "events":
            payments = paid(block.lazy())
            before += block.filter(pl.col("day") < pl.col("start_day"))["amount_cents"].sum()
            booked += block["amount_cents"].sum()
        else:
            payments = accrued(block.lazy(), snapshot_day)
            brought = pl.col("amount_cents") * _days(snapshot_day) // MONTH
            booked += block.select(brought.sum()).item()
        payments = payments.collect(engine="streaming")
        found.append(summed(moved(payments.lazy())).collect())
    sums = added(pl.concat(found), ["cell", "age"])
    if (inside := sums["cents"].sum()) != booked - before:
        raise Failed(f"{name}: months of life hold {inside} cents of {booked - before} booked")
    return Ledger(name, sums, booked)


def ledgers(
    activity: pl.LazyFrame, terms: pl.LazyFrame, members: pl.DataFrame, snapshot_day: int
) -> list[Ledger]:
    """The ledgers of a book: what its contracts bring, and the amounts of its events.

    One in which nothing was booked stays only where the other is as empty.
    """
    rows = {"contracts": terms, "events": activity}
    both = [count(name, rows[name], members, snapshot_day) for name in rows]
    return [ledger for ledger in both if ledger.booked_cents] or both[1:]


def revenue_retention(
    found: list[Ledger],
    members: pl.DataFrame,
    cells: pl.DataFrame,
    snapshot_day: int,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """What cohorts keep of the revenue of their first month of life.

    Takes   ``found`` (see `ledgers`)
    Returns one row per ledger, cohort and month of life that is over for those counted, with
            n_start, n_paying, revenue_cents, gross and net with limits, largest_share (the part of
            the revenue that one customer paid at most), and of every move the cents, the customers
            (n_...) and the most of one customer (most_...). Net is the revenue by that of month 0;
            gross counts for each customer no more than in month 0. Moves lead from the revenue of
            the month before to this one's, to the cent:
            + reactivation + expansion - contraction - lost.

    Source: Cochran (1977), Sampling Techniques, section 6.4, for the limits (a ratio of sums over
    customers). Checked by literal addition in tests/cohorts/test_revenue.py.
    """
    sizes = members.group_by("cell").agg(n_start=pl.len().cast(pl.Int64))
    over = (snapshot_day - pl.col("until_day") + 1) // MONTH - 1  # the last month of life that is
    grid = cells.select("cell", "cohort_by", "cohort", reach=over).filter(pl.col("reach") >= 0)
    grid = grid.join(sizes, on="cell")
    grid = grid.with_columns(age=pl.int_ranges(0, pl.col("reach") + 1)).explode("age")
    return pl.concat(_retained(ledger, grid, confidence) for ledger in found).sort(KEY)


def _retained(ledger: Ledger, grid: pl.DataFrame, confidence: float) -> pl.DataFrame:
    sums, age, lost = ledger.sums, pl.col("age"), ["lost", "n_lost", "most_lost"]
    first = sums.filter(age == 0).select("cell", base="cents", base_base="cents_cents")
    earlier = sums.select("cell", age + 1, *lost)
    for more in (sums.drop(lost), earlier):
        grid = grid.join(more, on=["cell", "age"], how="left")
    whole = grid.join(first, on="cell", how="left").drop("cell", "reach").fill_null(0)
    z = float(norm.ppf(0.5 + confidence / 2))
    return added(whole, [*KEY[1:]]).select(
        pl.lit(ledger.name).alias("ledger"),
        *KEY[1:],
        "n_start",
        "n_paying",
        pl.col("cents").alias("revenue_cents"),
        *_ratio("kept", "gross", z),
        *_ratio("cents", "net", z),
        (pl.col("most_cents") / pl.col("cents")).fill_nan(None).alias(LARGEST),
        *(f"{of}{name}" for of in ("", "n_", "most_") for name in MOVES),
    )


def _ratio(of: str, name: str, z: float) -> tuple[pl.Expr, ...]:
    """The sum of ``of`` by that of month 0, with limits; null where month 0 brought nothing."""
    base = pl.when(pl.col("base") > 0).then("base").cast(pl.Float64)
    n, share = pl.col("n_start"), pl.col(of) / base
    squares = (
        pl.col(f"{of}_{of}") - 2 * share * pl.col(f"{of}_base") + share**2 * pl.col("base_base")
    )
    spread = (n / (n - 1) * squares.clip(0)).sqrt() * UNIT / base
    return (
        share.alias(name),
        (share - z * spread).clip(0).alias(f"ci_lower_{name}"),
        (share + z * spread).alias(f"ci_upper_{name}"),
    )


def enough(table: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """``table`` without cohorts of which fewer than ``min_cell`` customers, but somebody, paid in
    month 0: all that is divided by what these paid would tell it."""
    first = pl.col("n_paying").filter(pl.col("age") == 0).first().over(KEY[:3])
    return table.filter(~first.is_between(1, min_cell - 1))


class Revenue(NamedTuple):
    """What is ``kept`` by cohort and month of life, and the ``moves`` of everybody together."""

    kept: pl.DataFrame
    moves: pl.DataFrame


def revenue(r: Refresh, members: Members) -> Revenue:
    """What cohorts keep of the revenue of their first month of life: the table
    "revenue_retention"; and what changes it."""
    who = members.customers
    found = ledgers(r.tables.activity.lazy(), r.tables.terms.lazy(), who, r.day)
    table = revenue_retention(found, who, members.cells, r.day, r.confidence)
    table = enough(table, r.min_cell)
    kept = r.keep("revenue_retention", table.select(COLUMNS))
    return Revenue(kept, moves(table))


def moves(table: pl.DataFrame) -> pl.DataFrame:
    """What changed from the month of life before, of everybody together: ledger, age, move, n,
    cents, largest_share."""
    whole = table.filter(pl.col("cohort_by") == "all", pl.col("age") > 0)
    parts = [
        whole.select(
            *("ledger", "age", pl.lit(name).alias("move")),
            *(pl.col(f"n_{name}").alias("n"), pl.col(name).alias("cents")),
            (pl.col(f"most_{name}") / pl.col(name)).fill_nan(None).alias(LARGEST),
        )
        for name in MOVES
    ]
    return pl.concat(parts).sort("ledger", "age", "move")


def revenue_curves(r: Refresh, revenue: Revenue, ages: list[int]) -> Exhibit:
    """Gross and net revenue retention of all customers, month by month of life."""
    rows = long(revenue.kept).filter(pl.col("cohort_by") == "all", pl.col("age") > 0)
    return Exhibit(
        rows.drop("cohort_by", "cohort").drop_nulls("revenue_kept"),
        partial(_kept_headline, ages=ages),
        draw=partial(
            charts.curves,
            x="age",
            y="revenue_kept",
            n="n_start",
            cut=False,
            x_label="Months of life",
        ),
        behind=lambda rows: rows.filter(pl.col("age").is_in(ages)).drop("ledger"),
        definition=kept_means(r.confidence),
        findings=partial(_kept, ages=ages),
        empty="Nobody paid anything in a month of life that is over for a whole cohort.",
    )


def revenue_triangle(r: Refresh, revenue: Revenue, ages: list[int]) -> Exhibit:
    """Net revenue retention of cohorts by month of the start."""
    rows = long(revenue.kept).filter(cohort_by="start_month", group="net")
    newest = rows["cohort"].unique().sort().tail(NEWEST)
    rows = rows.filter(pl.col("cohort").is_in(newest.implode()))
    return Exhibit(
        rows.select("cohort", "age", "n_start", "n_paying", "revenue_kept"),
        partial(_net_headline, ages=ages),
        draw=partial(charts.triangle, value="revenue_kept", ages="Months of life"),
        behind=lambda rows: rows.filter(pl.col("age").is_in(ages)).drop_nulls(),
        definition=kept_means(r.confidence),
        empty="By month of the start too few paid in their first month of life.",
        limit=12,
    )


def revenue_changes(r: Refresh, revenue: Revenue, ages: list[int]) -> Exhibit:
    """What changed from the month of life before, in amounts: one column for each move."""
    return Exhibit(
        revenue.moves.filter(pl.col("age").is_in(ages)),
        "What changed from the month of life before",
        behind=lambda rows: rows.pivot(on="move", index=["age", "ledger"], values="cents"),
        empty="No revenue changed from one month of life to the next.",
    )


def long(table: pl.DataFrame) -> pl.DataFrame:
    """Gross and net of the first ledger (contracts before events) as groups: ledger, cohort_by,
    cohort, group, age, n_start, n_paying, revenue_kept, ci_lower, ci_upper."""
    first = table.filter(pl.col("ledger") == pl.col("ledger").min().over("cohort_by"))
    parts = [
        first.select(
            *("ledger", "cohort_by", "cohort", pl.lit(name).alias("group")),
            *("age", "n_start", "n_paying"),
            revenue_kept=name,
            ci_lower=f"ci_lower_{name}",
            ci_upper=f"ci_upper_{name}",
        )
        for name in ("gross", "net")
    ]
    return pl.concat(parts).sort("group", "cohort", "age")


def _kept_headline(rows: pl.DataFrame, ages: list[int]) -> str:
    """What is kept at the oldest of ``ages`` that is known."""
    known = rows.filter(pl.col("age").is_in(ages)).sort("age", "group")
    if known.is_empty():
        return "No month of life is over for whole cohorts that paid"
    (gross, net), age = known["revenue_kept"].tail(2), known["age"][-1]
    return f"Of the first month's revenue {net:.0%} comes in month of life {age}, {gross:.0%} gross"


def _net_headline(rows: pl.DataFrame, ages: list[int]) -> str:
    found = spread(rows.filter(pl.col("age").is_in(ages)), "revenue_kept")
    if not found:
        return "No two cohorts can be compared at the same month of life yet"
    age, least, most = found
    return (
        f"In month of life {age}, cohorts bring between {least:.0%} and {most:.0%} of their first"
    )


def _kept(rows: pl.DataFrame, ages: list[int]) -> list[Finding]:
    """Net revenue retention at the oldest of ``ages``."""
    known = rows.filter(pl.col("age").is_in(ages)).filter(group="net").sort("age").tail(1)
    sentence = (
        "In month of life {age}, cohorts bring {value} of the revenue of their first ({ci}; "
        "{n_start} customers; ledger: {ledger})."
    )
    return said_of(known, "net_revenue_retention_{age}", sentence, "revenue_kept")


def kept_means(confidence: float) -> str:
    """What gross and net mean here, for the page."""
    return (
        "Revenue is that of contracts (their amount per thirty days, day by day in force), or of "
        "events where a book knows none, by month of life: thirty days, the first from the day of "
        "the start. Net: what a cohort pays in a month by what it paid in month 0. Gross: the "
        "same, no customer counted with more than in month 0. Cohorts whose month is over for all "
        f"of them, added up; {confidence:.0%} limits of a ratio of sums over customers."
    )
