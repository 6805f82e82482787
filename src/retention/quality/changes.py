"""Checks of the data against the previous refresh: history, nulls and drift."""

from collections.abc import Iterator

import polars as pl

from retention.quality import drift
from retention.quality.measures import unknowns
from retention.refresh import Refresh
from retention.tables import workspace


def since(r: Refresh, history: float, nulls: float, drift_limit: float) -> Iterator[tuple]:
    """All checks against the previous refresh; none where there is none to compare with.

    Takes   the shares by which events and nulls may have moved, and the highest index of a drift
    """
    before = workspace.read_previous(r.space, "data_quality")
    profile = workspace.read_previous(r.space, "data_profile")
    if before.height:
        yield _history(r, before, history)
        yield from _nulls(unknowns(r), nulls)
        yield from _drifts(r, before, profile, drift_limit)


def _history(r: Refresh, before: pl.DataFrame, change: float) -> tuple:
    """The row "history": events up to the previous refresh, as read now and as read then."""
    then, day = (_kept(before, name) for name in ("events", "snapshot day"))
    now = r.tables.activity.filter(pl.col("day") <= day)["events"].sum()
    limits = then * (1 - change), then * (1 + change)
    said = f"{now:,} events up to the previous refresh are read now, {int(then):,} were then."
    return "history", "events", now, then, *limits, said


def _nulls(shares: pl.DataFrame, change: float) -> Iterator[tuple]:
    """A row per table: the column whose share of nulls changed most; a missing one is all null."""
    moved = (pl.col("unknown") - pl.col("unknown_before")).abs()
    worst = shares.fill_null(1.0).sort(moved, descending=True, maintain_order=True)
    worst = worst.filter(pl.col("table").is_first_distinct())
    for table, column, now, then in worst.iter_rows():
        limits = round(then - change, 4), round(then + change, 4)  # shares are whole per cents
        said = f"{now:.0%} are unknown, {then:.0%} were; no column of the table moved more."
        yield "nulls", f"{table}.{column}", now, then, *limits, said


def _drifts(
    r: Refresh, before: pl.DataFrame, profile: pl.DataFrame, limit: float
) -> Iterator[tuple]:
    """A row per feature and attribute: its stability index in groups of the previous refresh.

    The limit is never less than what chance alone would give so many customers.
    """
    now, whole = drift.in_force(r.tables.customers_at), int(_kept(before, "current customers"))
    groups = profile.rename({"n": "was"}).group_by("column", maintain_order=True)
    for (name,), group in groups:
        if name not in now.columns or now.is_empty() or not whole:
            continue
        was, sizes = drift.counted(now, name, group).drop_nulls("was").select("was", "n")
        index = drift.psi([*was, whole - was.sum()], [*sizes, now.height - sizes.sum()])
        upper = max(limit, drift.chance(was.len() + 1, whole, now.height))
        medians = [_kept(frame, "median", name) for frame in (before, r.tables.data_quality)]
        moved = "" if None in medians else "; median {:,.6g}, now {:,.6g}".format(*medians)
        said = f"Index {index:.2f}; {whole:,} customers then, {now.height:,} now{moved}."
        yield "drift", name, index, 0, None, upper, said


def _kept(measures: pl.DataFrame, measure: str, column: str | None = None) -> float | None:
    """A number of the table "data_quality"."""
    found = measures.filter(pl.col("column").eq_missing(pl.lit(column)), measure=measure)
    return next(iter(found["value"]), None)
