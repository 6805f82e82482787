"""What a refresh keeps for later ones to compare themselves with, and how far columns have moved.

All that is kept is aggregate: it is published, and stays when customer tables are pruned.
"""

import itertools
import math
from collections.abc import Sequence

import polars as pl

UNKNOWN = "not known"
TEXTS = {"activity": "kind", "habits": "channel", "baskets": "category", "spells": "cause"}
TENTHS = [part / 10 for part in range(1, 10)]
TABLES = [*TEXTS, "customers_at"]
MEASURE = {"table": pl.String, "column": pl.String, "measure": pl.String, "value": pl.Float64}
GROUP = {"level": pl.String, "lower": pl.Float64, "upper": pl.Float64}
PROFILE = {"table": pl.String, "column": pl.String, **GROUP, "n": pl.Int64}


def in_force(customers_at: pl.DataFrame) -> pl.DataFrame:
    """Customers of the risk set: their id, every text, and all else as real numbers.

    The columns that number and date spells and starts are left out: they can only grow.
    """
    dates = ("spell", "started_day", "start_day", "last_day", "in_risk_set")
    kept = customers_at.filter("in_risk_set").drop(dates, strict=False)
    texts = pl.col(pl.String, pl.Boolean).cast(pl.String)
    return kept.with_columns(texts, pl.exclude(pl.String, pl.Boolean).cast(pl.Float64))


def gist(tables: dict[str, pl.DataFrame], day: int) -> pl.DataFrame:
    """Further rows of the table "data_quality".

    Takes   activity and customers_at by their names, as of ``day``
    Returns table, column, measure, value: "snapshot day"; "events"; "in the risk set" (customers);
            "median" of every number in the risk set, where any is known
    """
    now = in_force(tables["customers_at"])
    numbers = [column for column in now if column.dtype == pl.Float64 and column.count()]
    rows = [
        ("activity", None, "snapshot day", float(day)),
        ("activity", None, "events", float(tables["activity"]["events"].sum())),
        ("customers_at", None, "in the risk set", float(now.height)),
        *(("customers_at", column.name, "median", column.median()) for column in numbers),
    ]
    return pl.DataFrame(rows, MEASURE, orient="row")


def profile(tables: dict[str, pl.DataFrame], min_cell: int) -> pl.DataFrame:
    """Customers by level of every text, and by tenth of every number of the risk set.

    Takes   activity, habits, baskets, spells and customers_at by their names
    Returns the table "data_profile" (GLOSSARY.md): levels of fewer than ``min_cell`` customers are
            left out; small n are null, and so many of the next ones that all null add up to it

    Tenths end at the deciles, to three figures; ties and constants make fewer of them.
    """
    now = in_force(tables["customers_at"])
    columns = [(table, text, tables[table]) for table, text in TEXTS.items()]
    columns += [("customers_at", name, now) for name in now.columns if name != "customer_id"]
    groups = pl.concat(
        counted(frame, name, _groups(frame[name])).select(
            pl.lit(table).alias("table"), pl.lit(name).alias("column"), *GROUP, "n"
        )
        for table, name, frame in columns
    )
    n, key = pl.col("n"), ["table", "column"]
    smaller = n.cum_sum().over(key, order_by=["n", "level"]) - n
    small = (n > 0) & ((n < min_cell) | smaller.is_between(1, min_cell - 1))
    named = (n >= min_cell) | (pl.col("upper").count().over(key) > 0)
    return (
        groups.with_columns(hidden=small)
        .filter(named)
        .with_columns(n=pl.when(~pl.col("hidden")).then("n"))
        .drop("hidden")
    )


def _groups(values: pl.Series) -> pl.DataFrame:
    """What a column is divided into: its levels, or intervals above ``lower``, up to ``upper``."""
    if values.dtype == pl.String:
        levels = values.fill_null(UNKNOWN).unique().sort().alias("level").to_frame()
        return levels.with_columns(lower=pl.lit(None, pl.Float64), upper=pl.lit(None, pl.Float64))
    cuts = pl.Series([values.quantile(part, "lower") for part in TENTHS], dtype=pl.Float64)
    ends = [-math.inf, *cuts.drop_nulls().round_sig_figs(3).unique().sort(), math.inf]
    rows = [(f"{n:02}", *pair) for n, pair in enumerate(itertools.pairwise(ends), start=1)]
    return pl.DataFrame([*rows, (UNKNOWN, None, None)], GROUP, orient="row")


def counted(frame: pl.DataFrame, name: str, groups: pl.DataFrame) -> pl.DataFrame:
    """``groups`` with n: how many customers of ``frame`` are in each by the column ``name``."""
    if frame[name].dtype == pl.String or groups["upper"].count() == 0:
        level = pl.col(name).cast(pl.String).fill_null(UNKNOWN).alias("level")
        customers = pl.col("customer_id").n_unique().cast(pl.Int64).alias("n")
        sizes = frame.group_by(level).agg(customers).sort("level")
        found = groups.join(sizes, on="level", how="left", maintain_order="left")
        return found.with_columns(pl.col("n").fill_null(0))
    value = pl.col(name).cast(pl.Float64)
    inside = [
        value.is_null() if lower is None else (value > lower) & (value <= upper)
        for _, lower, upper in groups.select(*GROUP).iter_rows()
    ]
    sizes = frame.select(is_in.sum().alias(f"{n}") for n, is_in in enumerate(inside)).row(0)
    return groups.with_columns(n=pl.Series(sizes, dtype=pl.Int64))


def psi(then: Sequence[int], now: Sequence[int]) -> float:
    """Population stability index of two counts of the same groups: 0 where shares are equal.

    The sum of (q - p) ln(q / p) over groups that hold anybody, p their shares then and q now; a
    group that is empty in one of them counts as half a customer there.
    Source: Siddiqi (2006), Credit Risk Scorecards; it is Kullback and Leibler's (1951) symmetric
    divergence J. Checked in tests/test_drift.py against SciPy.
    """
    pairs = [
        (max(one, 0.5) / sum(then), max(other, 0.5) / sum(now))
        for one, other in zip(then, now, strict=True)
        if one or other
    ]
    return math.fsum((q - p) * math.log(q / p) for p, q in pairs)


def chance(groups: int, then: int, now: int) -> float:
    """What the index seldom exceeds where nothing has moved: its mean and three deviations.

    Source: Yurdakul (2018), Statistical Properties of PSI: for two samples of ``then`` and ``now``
    customers it is about (1 / then + 1 / now) times chi-squared on ``groups`` - 1.
    """
    freedom = max(groups - 1, 1)
    return (freedom + 3 * math.sqrt(2 * freedom)) * (1 / then + 1 / now)
