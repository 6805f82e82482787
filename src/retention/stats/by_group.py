"""Curves of several groups as one table, and such a table read at chosen days."""

from collections.abc import Callable

import numpy as np
import polars as pl

GROUP = ("by", "group")


def lives(frame: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Durations, events and entries of ``frame``: duration_days, event_observed[, entry_days]."""
    entry = frame["entry_days"].to_numpy() if "entry_days" in frame.columns else None
    return frame["duration_days"].to_numpy(), frame["event_observed"].to_numpy(), entry


def groups(frame: pl.DataFrame, by: str | None) -> dict[str, pl.DataFrame]:
    """``frame`` by the groups of ``by``, in order; those without a value are "not known".

    Everybody together, as "all", where ``by`` is None.
    """
    if by is None:
        return {"all": frame}
    named = frame.with_columns(pl.col(by).cast(pl.String).fill_null("not known").alias("_group"))
    parts = named.sort("_group", maintain_order=True).group_by("_group", maintain_order=True)
    return {group: part.drop("_group") for (group,), part in parts}


def each(
    frame: pl.DataFrame, by: str | None, estimate: Callable[[pl.DataFrame], pl.DataFrame]
) -> pl.DataFrame:
    """``estimate`` of each of the `groups`, as one table with the columns by and group before."""
    return pl.concat(
        estimate(part).select(pl.lit(by or "all").alias("by"), pl.lit(group).alias("group"), "*")
        for group, part in groups(frame, by).items()
    )


def read(table: pl.DataFrame, days: list[int]) -> pl.DataFrame:
    """Step curves read at ``days``; null before a curve's first day and beyond its last.

    Takes   one row per curve and step: texts that name the curve, duration_days, at_risk, and
            measures (real numbers)
    Returns the texts, duration_days, at_risk (just before that day), the measures (after it)
    """
    keys = [name for name, dtype in table.schema.items() if dtype == pl.String]
    values = [name for name, dtype in table.schema.items() if dtype == pl.Float64]
    table = table.sort("duration_days")
    last = table.group_by(keys, maintain_order=True).agg(_last=pl.col("duration_days").max())
    asked = pl.DataFrame({"duration_days": sorted(days)}, {"duration_days": pl.Int64})
    grid = last.sort(keys).join(asked, how="cross")
    how = {"on": "duration_days", "by": keys, "check_sortedness": False}
    found = grid.sort("duration_days").join_asof(
        table.select(*keys, "duration_days", *values), **how
    )
    found = found.join_asof(
        table.select(*keys, "duration_days", "at_risk"), strategy="forward", **how
    )
    seen = (pl.col("duration_days") <= pl.col("_last")) & pl.col(values[0]).is_not_null()
    shown = (pl.when(seen).then(name).alias(name) for name in ("at_risk", *values))
    return found.select(*keys, "duration_days", *shown).sort(*keys, "duration_days")
