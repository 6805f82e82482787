"""What is read off the tables of revenue: the rows of a chart, its headline, its sentences."""

import polars as pl

CENTS = 100
NEWEST = 18  # cohorts that the triangle shows


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


def triangle(table: pl.DataFrame) -> pl.DataFrame:
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


def headline(rows: pl.DataFrame, ages: list[int]) -> str:
    """What is kept at the oldest of ``ages`` that is known."""
    known = at(rows, ages).sort("age", "group")
    if known.is_empty():
        return "No month of life is over for whole cohorts that paid"
    age = known["age"][-1]
    gross, net = known.filter(pl.col("age") == age).sort("group")["retention"]
    return f"Of the first month's revenue {net:.0%} comes in month of life {age}, {gross:.0%} gross"


def triangle_headline(rows: pl.DataFrame, ages: list[int]) -> str:
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


def kept(rows: pl.DataFrame, ages: list[int]) -> dict:
    """Net revenue retention at the oldest of ``ages``, as a finding."""
    known = at(rows, ages).filter(pl.col("group") == "net").sort("age")
    if known.is_empty():
        return {"name": "net_revenue_retention", "sentence": "No revenue can be compared yet."}
    row = known.row(-1, named=True)
    sentence = (
        "In month of life {age}, cohorts bring {value} of the revenue of their first ({ci}; "
        "{n} customers; ledger: {ledger})."
    )
    ci = (row["ci_lower"], row["ci_upper"])
    figures = {"value": row["retention"], "ci": ci, "unit": "share", "n": row["n_start"]}
    name = f"net_revenue_retention_{row['age']}"
    return {
        "name": name,
        "sentence": sentence,
        "age": row["age"],
        "ledger": row["ledger"],
    } | figures


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
            "".format(ledger.name.capitalize(), *(one / CENTS for one in sums), currency=currency)
        )
    return " ".join(parts)


def definition(confidence: float) -> str:
    """What gross and net mean here, for the page."""
    return (
        "Revenue is that of contracts (their amount per thirty days, day by day in force), or of "
        "events where a book knows none, by month of life: thirty days, the first from the day of "
        "the start. Net: what a cohort pays in a month by what it paid in month 0. Gross: the "
        "same, no customer counted with more than in month 0. Cohorts whose month is over for all "
        f"of them, added up; {confidence:.0%} limits of a ratio of sums over customers."
    )


def wide(moves: pl.DataFrame, ages: list[int]) -> pl.DataFrame:
    """The moves of all customers at ``ages``: age, ledger, one column for each move, in money."""
    rows = moves.filter(pl.col("cohort_by") == "all", pl.col("age").is_in(ages))
    amounts = rows.sort("age", "ledger", "move").with_columns(pl.col("cents") / CENTS)
    return amounts.pivot(on="move", index=["age", "ledger"], values="cents")
