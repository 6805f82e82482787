"""What a refresh keeps for later ones to compare themselves with, and how far columns have moved.

All that is kept is aggregate: it stays when customer tables are pruned.
"""

import math
from collections.abc import Sequence

import polars as pl

UNKNOWN = "not known"
TENTHS = [part / 10 for part in range(1, 10)]
GROUP = {"level": pl.String, "upper": pl.Float64}


def in_force(customers_at: pl.DataFrame) -> pl.DataFrame:
    """Current customers: their id, every text, and all else as real numbers.

    The columns that number and date spells and starts are left out: they can only grow.
    """
    dates = ("spell", "started_day", "start_day", "last_day", "standing")
    kept = customers_at.filter(standing="current").drop(dates, strict=False)
    texts = pl.col(pl.String, pl.Boolean).cast(pl.String)
    return kept.with_columns(texts, pl.exclude(pl.String, pl.Boolean).cast(pl.Float64))


def profile(now: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """Customers by level of every text, and by tenth of every number.

    Takes   current customers as `in_force` gives them
    Returns the table "data_profile": column, level, upper, n (customers; null where there are fewer
            than ``min_cell``, but not none); smaller levels have no row

    Tenths end at the deciles, to three figures; ties and constants make fewer of them.
    """
    groups = pl.concat(
        counted(now, name, _groups(now[name])).select(pl.lit(name).alias("column"), *GROUP, "n")
        for name in now.columns
        if name != "customer_id"
    )
    enough, is_number = pl.col("n") >= min_cell, pl.col("upper").count().over("column") > 0
    shown = groups.filter(enough | is_number)
    return shown.with_columns(pl.when(enough | (pl.col("n") == 0)).then("n").alias("n"))


def _groups(values: pl.Series) -> pl.DataFrame:
    """What a column is divided into: its levels, or intervals that end at ``upper``."""
    if values.dtype == pl.String:
        levels = values.fill_null(UNKNOWN).unique().sort()
        return pl.DataFrame({"level": levels, "upper": [None] * levels.len()}, GROUP)
    cuts = pl.Series([values.quantile(part, "lower") for part in TENTHS], dtype=pl.Float64)
    ends = [*cuts.drop_nulls().round_sig_figs(3).unique().sort(), math.inf]
    rows = [(f"{n:02}", end) for n, end in enumerate(ends, start=1)]
    return pl.DataFrame([*rows, (UNKNOWN, None)], GROUP, orient="row")


def counted(frame: pl.DataFrame, name: str, groups: pl.DataFrame) -> pl.DataFrame:
    """``groups`` with n: how many customers of ``frame`` are in each by the column ``name``."""
    own, ends = frame.select(value=name), groups.drop_nulls("upper")
    if frame[name].dtype == pl.String or ends.is_empty():
        own = own.with_columns(level=pl.col("value").cast(pl.String))
    else:
        own = own.cast({"value": pl.Float64}).sort("value")
        own = own.join_asof(ends, left_on="value", right_on="upper", strategy="forward")
    customers = pl.len().cast(pl.Int64)
    sizes = own.group_by(pl.col("level").fill_null(UNKNOWN)).agg(n=customers).sort("level")
    found = groups.join(sizes, on="level", how="left", maintain_order="left")
    return found.with_columns(pl.col("n").fill_null(0))


def psi(then: Sequence[int], now: Sequence[int]) -> float:
    """Population stability index of two counts of the same groups: 0 where shares are equal.

    The sum of (q - p) ln(q / p) over groups that hold anybody, p their shares then and q now; a
    group that is empty in one of them counts as half a customer there.
    Source: Siddiqi (2006), Credit Risk Scorecards; it is Kullback and Leibler's (1951) symmetric
    divergence J. Checked in tests/quality/test_drift.py against SciPy.
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
