"""Where in life customers drop off."""

import polars as pl

from retention import charts
from retention.exhibit import Exhibit, Finding, said_of
from retention.refresh import Refresh
from retention.stats.intervals import share

RATE = ("drop_off", "ci_lower", "ci_upper")
COLUMNS = ("age", "n_at_risk", "n_left", *RATE)
MONTHS = 9  # of life that are drawn


def drop_off(r: Refresh, retention: pl.DataFrame) -> Exhibit:
    """Before which month of life most customers drop off."""
    return Exhibit(
        by_age(r.hide(retention), r.min_cell, r.confidence),
        _headline,
        draw=lambda table: charts.bars(
            table.head(MONTHS).with_columns(label=pl.format("before month {}", "age")),
            "label",
            "drop_off",
            n="n_at_risk",
        ),
        behind=lambda table: table.head(MONTHS),
        definition="Of those in month N of life still there without a break since the start "
        "(active since), the share who are not in month N + 1. Cohorts of which both months are "
        "shown, added up.",
        findings=_steepest,
        empty="No cohort is old enough.",
    )


def by_age(shown: pl.DataFrame, min_cell: int, confidence: float = 0.95) -> pl.DataFrame:
    """Of those still there in one month of life, the share who are not in the next.

    Takes   the table "retention" with small cells hidden
    Returns one row per age: age (the month not reached, from 1), n_at_risk (still there in the
            month before, in cohorts of which both months are shown), n_left, drop_off with Wilson's
            limits. No rows where fewer than ``min_cell`` were still there.
    """
    cells = shown.filter(definition="active since", unit="month", cohort_by="start_month")
    cells = cells.drop_nulls("n_active")
    after = cells.select("cohort", pl.col("age") - 1, later="n_active")
    return (
        cells.join(after, on=["cohort", "age"])
        .group_by("age")
        .agg(n_at_risk=pl.col("n_active").sum(), later=pl.col("later").sum())
        .sort("age")
        .filter(pl.col("n_at_risk") >= min_cell)
        .with_columns(pl.col("age") + 1, n_left=pl.col("n_at_risk") - pl.col("later"))
        .with_columns(share("n_left", "n_at_risk", confidence, RATE))
        .select(COLUMNS)
    )


def _steepest(life: pl.DataFrame) -> list[Finding]:
    sentence = (
        "They drop off most between month {before} and month {age} of their life: {value} of the "
        "{n_at_risk} still there in the one are not in the other ({ci})."
    )
    worst = _worst(life).with_columns(before=pl.col("age") - 1)
    return said_of(worst, "steepest_drop_off", sentence, "drop_off")


def _headline(life: pl.DataFrame) -> str:
    age, share = _worst(life).select("age", "drop_off").row(0)
    return f"Most are lost before month {age} of life: {share:.0%} of those still there"


def _worst(life: pl.DataFrame) -> pl.DataFrame:
    known = life.drop_nulls("drop_off")
    return known.sort("drop_off", "age", descending=[True, False]).head(1)
