"""Revenue of cohorts by month of life: what is kept of the first month, what grows, what is lost.

Two ledgers. "events": the amounts of a customer's events. "contracts": what contracts bring, an
amount per thirty days for every day in force; after d days of a term that is floor(amount * d / 30)
cents, so that months of life add up to the term to the cent. A month of life is thirty days, the
first of which begins with the day of the start: as contracts are priced, and of one length.
Counting is Narwhals on whole cents.
"""

from functools import partial
from typing import NamedTuple

import narwhals as nw
import polars as pl
from scipy.stats import norm

from retention import charts
from retention.cohorts.cohorts import Members
from retention.errors import Failed
from retention.exhibit import Exhibit, Finding
from retention.refresh import Refresh
from retention.tables import blocks

MONTH = 30  # days of a month of life
MOVES = ("reactivation", "expansion", "contraction", "lost")
KEY = ("ledger", "cohort_by", "cohort", "age")
RATES = [f"{limit}{name}" for name in ("gross", "net") for limit in ("", "ci_lower_", "ci_upper_")]
UNIT = 100  # cents: squares are summed in whole units of the currency, which fit


@nw.narwhalify
def paid(events):
    """What customers paid in each month of life: customer_id, cell, age, cents (above 0).

    Takes   events: customer_id, cell, start_day, day, amount_cents; what lies before the start
            belongs to no month of life
    """
    return (
        events.filter((nw.col("day") >= nw.col("start_day")) & (nw.col("amount_cents") > 0))
        .select(
            "customer_id",
            "cell",
            age=(nw.col("day") - nw.col("start_day")) // MONTH,
            cents=nw.col("amount_cents"),
        )
        .group_by("customer_id", "cell", "age")
        .agg(nw.col("cents").sum())
    )


@nw.narwhalify
def accrued(terms, ages, *, snapshot_day: int):
    """What contracts brought in each month of life: customer_id, cell, age, cents (above 0).

    Takes   terms: customer_id, cell, start_day (of the customer), started_day, ended_day (null =
            open), amount_cents (per thirty days; null counts for nothing); ages: age, each once

    Checked against a literal addition day by day in tests/test_revenue.py.
    """
    ended, amount = nw.col("ended_day"), nw.col("amount_cents")
    open_or_later = (ended > snapshot_day) | ended.is_null()
    spans = terms.filter(amount > 0).with_columns(
        days=nw.when(open_or_later).then(nw.lit(snapshot_day)).otherwise(ended)
        - nw.col("started_day")
        + 1
    )
    begun = nw.col("start_day") + MONTH * nw.col("age") - nw.col("started_day")
    months = spans.join(ages, how="cross").with_columns(since=begun, until=begun + MONTH)
    inside = (nw.col("until") > 0) & (nw.col("since") < nw.col("days"))
    over = nw.col("until") > nw.col("days")
    return (
        months.filter(inside)
        .with_columns(
            since=nw.when(nw.col("since") < 0).then(nw.lit(0)).otherwise("since"),
            until=nw.when(over).then("days").otherwise("until"),
        )
        .with_columns(
            cents=(amount * nw.col("until")) // MONTH - (amount * nw.col("since")) // MONTH
        )
        .group_by("customer_id", "cell", "age")
        .agg(nw.col("cents").sum())
        .filter(nw.col("cents") > 0)
    )


@nw.narwhalify
def moved(payments):
    """How each payment compares with the month before and with the first month.

    Takes   payments: customer_id, cell, age, cents (above 0)
    Returns as many rows, with ``base`` (cents of month 0), ``kept`` (at most that much), what is
            reactivation (nothing was paid the month before), expansion and contraction, and
            ``lost``: cents of which nothing was paid in the month after
    """
    cents, age = nw.col("cents"), nw.col("age")
    first = payments.filter(age == 0).select("customer_id", base=cents)
    whose = {"partition_by": "customer_id", "order_by": "age"}

    def beside(column: str, by: int) -> nw.Expr:
        return nw.col(column).shift(by).over(whose["partition_by"], order_by=whose["order_by"])

    placed = payments.with_columns(
        before=beside("age", 1), was=beside("cents", 1), after=beside("age", -1)
    ).join(first, on="customer_id", how="left")
    base, follows = nw.col("base"), (nw.col("before") == age - 1).fill_null(False)
    zero = nw.lit(0)
    return placed.with_columns(base=base.fill_null(0)).with_columns(
        kept=nw.when(cents < base).then(cents).otherwise(base),
        reactivation=nw.when(follows | (age == 0)).then(zero).otherwise(cents),
        expansion=nw.when(follows & (cents > nw.col("was")))
        .then(cents - nw.col("was"))
        .otherwise(zero),
        contraction=nw.when(follows & (cents < nw.col("was")))
        .then(nw.col("was") - cents)
        .otherwise(zero),
        lost=nw.when(nw.col("after") == age + 1).then(zero).otherwise(cents),
    )


@nw.narwhalify
def summed(moves):
    """Sums of `moved` by cell and age: cents, customers (n_...) and squares in whole units."""
    one = nw.lit(1)
    whole = {name: nw.col(name) // UNIT for name in ("cents", "kept", "base")}
    named = moves.with_columns(
        **{f"n_{name}": nw.when(nw.col(name) > 0).then(one).otherwise(nw.lit(0)) for name in MOVES},
        cents_cents=whole["cents"] * whole["cents"],
        kept_kept=whole["kept"] * whole["kept"],
        cents_base=whole["cents"] * whole["base"],
        kept_base=whole["kept"] * whole["base"],
    )
    names = ("cents", "kept", *MOVES, *(f"n_{name}" for name in MOVES))
    squares = ("cents_cents", "kept_kept", "cents_base", "kept_base")
    return named.group_by("cell", "age").agg(
        nw.len().cast(nw.Int64).alias("n_paying"),
        *(nw.col(name).sum().cast(nw.Int64) for name in (*names, *squares)),
    )


class Ledger(NamedTuple):
    """``sums`` by cohort and month of life, and what was booked: in all, and before the start."""

    name: str
    sums: pl.DataFrame
    booked_cents: int
    before_cents: int


def count(
    name: str, rows: pl.LazyFrame, members: pl.DataFrame, cells: pl.DataFrame, snapshot_day: int
) -> Ledger:
    """Sums of the ledger ``name`` by cohort and month of life.

    Takes   name: "events" (rows: the table "activity") or "contracts" (rows: "terms"); members and
            cells (see `cohorts.cells`)
    Returns sums: cohort_by, cohort, reach (the last month of life that is over for all who are
            counted together), age, the sums of `summed`

    Raises:
        Failed: the months of life do not add up to what was booked.
    """
    oldest = (snapshot_day - members["start_day"].min()) // MONTH if members.height else 0
    ages = pl.LazyFrame({"age": range(oldest + 1)}, schema={"age": pl.Int64})
    dates = ["day"] if name == "events" else ["started_day", "ended_day"]
    none = members.select("customer_id", "cell", age="start_day", cents="start_day").clear()
    found, booked, before = [summed(moved(none.cast({"customer_id": pl.Int64})))], 0, 0
    for block in blocks.blocks(rows.select("customer_id", *dates, "amount_cents"), members):
        if name == "events":
            payments = paid(block.lazy())
            early = block.filter(pl.col("day") < pl.col("start_day"))
            before += early["amount_cents"].sum()
            booked += block["amount_cents"].sum()
        else:
            payments = accrued(block.lazy(), ages, snapshot_day=snapshot_day)
            booked += block.select(_brought(snapshot_day).sum()).item()
        payments = payments.collect(engine="streaming")
        found.append(summed(moved(payments.lazy())).collect())
    sums = pl.concat(found).group_by("cell", "age").sum().sort("cell", "age")
    if (inside := sums["cents"].sum()) != booked - before:
        raise Failed(f"{name}: months of life hold {inside} cents of {booked - before} booked")
    return Ledger(name, _by_cohort(sums, cells, snapshot_day), booked, before)


def ledgers(
    activity: pl.LazyFrame,
    terms: pl.LazyFrame,
    members: pl.DataFrame,
    cells: pl.DataFrame,
    snapshot_day: int,
) -> list[Ledger]:
    """The ledgers of a book: what its contracts bring, and the amounts of its events.

    One in which nothing was booked stays only where the other is as empty.
    """
    rows = {"contracts": terms, "events": activity}
    both = [count(name, rows[name], members, cells, snapshot_day) for name in rows]
    return [ledger for ledger in both if ledger.booked_cents] or both[1:]


def _brought(snapshot_day: int) -> pl.Expr:
    """What a term has brought by the snapshot, in cents."""
    last = pl.min_horizontal("ended_day", pl.lit(snapshot_day))
    days = last - pl.col("started_day") + 1
    return (pl.col("amount_cents") * days // MONTH).fill_null(0)


def _by_cohort(sums: pl.DataFrame, cells: pl.DataFrame, snapshot_day: int) -> pl.DataFrame:
    """Sums by cell as sums by cohort and reach."""
    of = cells.select("cell", "cohort_by", "cohort", reach=_reach(snapshot_day))
    key = ["cohort_by", "cohort", "reach", "age"]
    return sums.join(of, on="cell").drop("cell").group_by(key).sum().sort(key)


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
            n_start, n_paying, revenue_cents, gross and net with limits, and of every move the
            cents and the customers (n_...). Net is the revenue by that of month 0; gross counts
            for each customer no more than in month 0. Moves lead from the revenue of the month
            before to this one's, to the cent: + reactivation + expansion - contraction - lost.

    Source: Cochran (1977), Sampling Techniques, section 6.4, for the limits (a ratio of sums over
    customers). Checked by literal addition in tests/test_revenue.py.
    """
    sizes = _sizes(members, cells, snapshot_day)
    return pl.concat(_retained(ledger, sizes, confidence) for ledger in found).sort(KEY)


def _retained(ledger: Ledger, sizes: pl.DataFrame, confidence: float) -> pl.DataFrame:
    by = ["cohort_by", "cohort"]
    ages = pl.int_ranges(0, pl.col("reach") + 1)
    grid = sizes.with_columns(age=ages).explode("age")
    earlier = ledger.sums.select(*by, "reach", pl.col("age") + 1, "lost", "n_lost")
    first = ledger.sums.filter(pl.col("age") == 0)
    first = first.select(*by, "reach", base="cents", base_base="cents_cents")
    sums, on = ledger.sums.drop("lost", "n_lost"), [*by, "reach", "age"]
    for more, keys in ((sums, on), (earlier, on), (first, on[:-1])):
        grid = grid.join(more, on=keys, how="left", maintain_order="left")
    whole = grid.fill_null(0).drop("reach").group_by(*by, "age").sum().sort(*by, "age")
    z = float(norm.ppf(0.5 + confidence / 2))
    return whole.select(
        pl.lit(ledger.name).alias("ledger"),
        *by,
        "age",
        "n_start",
        "n_paying",
        pl.col("cents").alias("revenue_cents"),
        *_ratio("kept", "gross", z),
        *_ratio("cents", "net", z),
        *MOVES,
        *(f"n_{name}" for name in MOVES),
    )


def _sizes(members: pl.DataFrame, cells: pl.DataFrame, snapshot_day: int) -> pl.DataFrame:
    """How many customers a cohort has, by what they have reached together."""
    of = cells.select("cell", "cohort_by", "cohort", reach=_reach(snapshot_day))
    n = members.group_by("cell").agg(n_start=pl.len().cast(pl.Int64)).sort("cell")
    key = ["cohort_by", "cohort", "reach"]
    reached = n.join(of.filter(pl.col("reach") >= 0), on="cell")
    return reached.group_by(key).agg(pl.col("n_start").sum()).sort(key)


def _reach(snapshot_day: int) -> pl.Expr:
    return (snapshot_day - pl.col("until_day") + 1) // MONTH - 1


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


def withheld(table: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """``table`` without the months of life of a division in which, of one cohort, fewer than
    ``min_cell`` customers paid but somebody did: amounts of so few are persons'.

    Where it is month 0, by which all others are divided, the whole division goes; where it is
    that of the cohorts by month of the start, of which the others are sums, the whole ledger.
    """
    few = pl.col("n_paying").is_between(1, min_cell - 1)
    at_first = few & (pl.col("age") == 0)
    by_start = at_first & (pl.col("cohort_by") == "start_month")
    return table.filter(
        ~few.any().over("ledger", "cohort_by", "age"),
        ~at_first.any().over("ledger", "cohort_by"),
        ~by_start.any().over("ledger"),
    )


def moves(table: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """The moves of all customers and of cohorts by month of the start: the table "revenue_moves".

    Takes   what `withheld` left; nothing is said where it left out the cohorts by month of the
            start in this month of life or the one before
    Returns ledger, cohort_by, cohort, age, move, n, cents; n and cents are null where fewer than
            ``min_cell`` customers moved, and where a sum over moves or cohorts would give such
            away: no sum has a single hidden part, or parts that together are so few
    """
    by_start = table.filter(pl.col("cohort_by") == "start_month").select("ledger", "age")
    after = by_start.with_columns(pl.col("age") + 1)
    both = by_start.join(after, on=["ledger", "age"], how="semi")
    shown = table.filter(pl.col("cohort_by").is_in(["all", "start_month"]))
    shown = shown.join(both, on=["ledger", "age"], how="semi")
    parts = [
        shown.select(*KEY, pl.lit(name).alias("move"), n=f"n_{name}", cents=name) for name in MOVES
    ]
    long = pl.concat(parts).sort(*KEY, "move")
    hidden = pl.col("n").is_between(1, min_cell - 1)
    long = long.with_columns(hidden=hidden)
    margins = (list(KEY), ["ledger", "cohort_by", "age", "move"])
    while True:
        before = long["hidden"].sum()
        for by in margins:
            long = long.with_columns(hidden=pl.col("hidden") | _next(by, min_cell))
        if long["hidden"].sum() == before:
            break
    kept = (pl.when(~pl.col("hidden")).then(name).alias(name) for name in ("n", "cents"))
    return long.with_columns(kept).drop("hidden")


def _next(by: list[str], min_cell: int) -> pl.Expr:
    """The smallest part yet shown of every sum ``by`` that would give its hidden parts away."""
    hidden, n = pl.col("hidden"), pl.col("n")
    weak = (hidden.sum().over(by) == 1) | (n.filter(hidden).sum().over(by) < min_cell)
    least = n.filter(~hidden & (n > 0)).min().over(by)
    return hidden.any().over(by) & weak & (n == least).fill_null(False)


COLUMNS = (*KEY, "n_start", "n_paying", "revenue_cents", *RATES)  # of the published table
NEWEST = 18  # cohorts that the triangle shows


class Revenue(NamedTuple):
    """The ``kept`` revenue by cohort and month of life, its ``moves``, and that it ``adds_up``."""

    kept: pl.DataFrame
    moves: pl.DataFrame
    adds_up: str


def revenue(r: Refresh, members: Members) -> Revenue:
    """What cohorts keep of the revenue of their first month of life, and what changes it: the
    tables "revenue_retention" and "revenue_moves"."""
    who = (members.customers, members.cells)
    found = ledgers(r.tables.activity.lazy(), r.tables.terms.lazy(), *who, r.day)
    kept = withheld(revenue_retention(found, *who, r.day, r.confidence), r.min_cell)
    changed = moves(kept, r.min_cell)
    r.keep("revenue_moves", changed)
    r.keep("revenue_retention", kept.select(COLUMNS))
    return Revenue(kept.select(COLUMNS), changed, adds_up(found, r.book.currency))


def revenue_curves(r: Refresh, revenue: Revenue, ages: list[int]) -> Exhibit:
    """Gross and net revenue retention of all customers, month by month of life."""
    return Exhibit(
        lines(revenue.kept),
        partial(_kept_headline, ages=ages),
        draw=partial(
            charts.curves, x="age", y="retention", n="n_start", y_label=OF_FIRST, cut=False
        ),
        behind=lambda rows: at(rows, ages).drop("ledger"),
        definition=kept_means(r.confidence),
        findings=partial(_kept, ages=ages),
        empty="Nobody paid anything in a month of life that is over for a whole cohort.",
    )


def revenue_triangle(r: Refresh, revenue: Revenue, ages: list[int]) -> Exhibit:
    """Net revenue retention of cohorts by month of the start."""
    return Exhibit(
        net(revenue.kept),
        partial(_net_headline, ages=ages),
        draw=partial(charts.triangle, value="retention", ages="Months of life", title=OF_FIRST),
        behind=lambda rows: at(rows, ages).drop_nulls(),
        definition=kept_means(r.confidence),
        empty="By cohort so few paid in some month of life that amounts would be persons'.",
        limit=12,
    )


def revenue_changes(r: Refresh, revenue: Revenue, ages: list[int]) -> Exhibit:
    """What changed from the month of life before, in amounts: one column for each move."""
    rows = revenue.moves.filter(pl.col("cohort_by") == "all", pl.col("age").is_in(ages))
    amounts = rows.sort("age", "ledger", "move")
    wide = amounts.pivot(on="move", index=["age", "ledger"], values="cents")
    return Exhibit(wide, "What changed from the month of life before")


OF_FIRST = "Share of the first month's revenue"


def lines(table: pl.DataFrame) -> pl.DataFrame:
    """Gross and net of all customers, of the first ledger (contracts before events): ledger,
    group, age, n_start, retention, ci_lower, ci_upper; without month 0, which is 1."""
    first = pl.col("ledger") == pl.col("ledger").min()
    rows = table.filter(pl.col("cohort_by") == "all").filter(first, pl.col("age") > 0)
    parts = [
        rows.select(
            "ledger",
            pl.lit(name).alias("group"),
            "age",
            "n_start",
            retention=name,
            ci_lower=f"ci_lower_{name}",
            ci_upper=f"ci_upper_{name}",
        )
        for name in ("gross", "net")
    ]
    return pl.concat(parts).drop_nulls("retention").sort("group", "age")


def net(table: pl.DataFrame) -> pl.DataFrame:
    """Net of cohorts by month of the start, of the first ledger: cohort, age, n_start, retention;
    a row for every age that any one reached, null where it has not itself."""
    first = pl.col("ledger") == pl.col("ledger").min()
    rows = table.filter(pl.col("cohort_by") == "start_month").filter(first)
    newest = rows["cohort"].unique().sort().tail(NEWEST).to_list()
    rows = rows.filter(pl.col("cohort").is_in(newest))
    known = rows.select("cohort", "age", "n_start", retention="net")
    grid = known.select(pl.col("cohort").unique().sort()).join(
        known.select(pl.col("age").unique().sort()), how="cross"
    )
    return grid.join(known, on=["cohort", "age"], how="left").sort("cohort", "age")


def at(rows: pl.DataFrame, ages: list[int]) -> pl.DataFrame:
    """The rows at ``ages``, in months of life."""
    return rows.filter(pl.col("age").is_in(ages))


def _kept_headline(rows: pl.DataFrame, ages: list[int]) -> str:
    """What is kept at the oldest of ``ages`` that is known."""
    known = at(rows, ages).sort("age", "group")
    if known.is_empty():
        return "No month of life is over for whole cohorts that paid"
    age = known["age"][-1]
    gross, net = known.filter(pl.col("age") == age).sort("group")["retention"]
    return f"Of the first month's revenue {net:.0%} comes in month of life {age}, {gross:.0%} gross"


def _net_headline(rows: pl.DataFrame, ages: list[int]) -> str:
    """How far cohorts lie apart at the oldest of ``ages`` that two or more reached."""
    known = (
        at(rows, ages)
        .drop_nulls("retention")
        .group_by("age")
        .agg(n=pl.len(), least=pl.col("retention").min(), most=pl.col("retention").max())
        .filter(pl.col("n") > 1)
        .sort("age")
    )
    if known.is_empty():
        return "No two cohorts can be compared at the same month of life yet"
    age, _, least, most = known.row(-1)
    return (
        f"In month of life {age}, cohorts bring between {least:.0%} and {most:.0%} of their first"
    )


def _kept(rows: pl.DataFrame, ages: list[int]) -> list[Finding]:
    """Net revenue retention at the oldest of ``ages``."""
    known = at(rows, ages).filter(group="net").drop_nulls("retention").sort("age")
    if known.is_empty():
        return []
    row = known.row(-1, named=True)
    sentence = (
        "In month of life {age}, cohorts bring {value} of the revenue of their first ({ci}; "
        "{n} customers; ledger: {ledger})."
    )
    ci, name = (row["ci_lower"], row["ci_upper"]), f"net_revenue_retention_{row['age']}"
    further = {"age": row["age"], "n": row["n_start"], "ledger": row["ledger"]}
    return [Finding(name, sentence, row["retention"], "share", ci, further)]


def adds_up(ledgers: list, currency: str) -> str:
    """That the months of life add up to what was booked, and where it lies, in a sentence."""
    parts = []
    for ledger in ledgers:
        whole = ledger.sums.filter(pl.col("cohort_by") == "all")
        over = whole.filter(pl.col("age") <= pl.col("reach"))["cents"].sum()
        rest = whole["cents"].sum() - over
        sums = (ledger.booked_cents, over, rest, ledger.before_cents)
        parts.append(
            "{}: {:,.2f} {currency} booked by these customers = {:,.2f} in months of life that are "
            "over for their cohort + {:,.2f} in months still running + {:,.2f} before the start."
            "".format(ledger.name.capitalize(), *(one / UNIT for one in sums), currency=currency)
        )
    return " ".join(parts)


def kept_means(confidence: float) -> str:
    """What gross and net mean here, for the page."""
    return (
        "Revenue is that of contracts (their amount per thirty days, day by day in force), or of "
        "events where a book knows none, by month of life: thirty days, the first from the day of "
        "the start. Net: what a cohort pays in a month by what it paid in month 0. Gross: the "
        "same, no customer counted with more than in month 0. Cohorts whose month is over for all "
        f"of them, added up; {confidence:.0%} limits of a ratio of sums over customers."
    )
