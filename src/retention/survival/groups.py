"""What divides customers into groups whose stay is compared: an attribute, or their segment."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl

from retention.errors import Refused
from retention.refresh import Refresh
from retention.stats import levels
from retention.tables import calendar, workspace

SEGMENT, NONE = "segment", "no segment"
CAUSES = 11  # so that a chart has room for any cause besides


class Division(NamedTuple):
    """``lives`` has one row per customer, the group in the column ``by``; ``said`` says whose.

    ``by`` is None for everybody together.
    """

    by: str | None
    lives: pl.DataFrame
    said: str


def divide(r: Refresh, observed: pl.DataFrame, names: list[str]) -> list[Division]:
    """Divide the customers of ``observed`` by each of ``names``: an attribute, or "segment" for
    the segments of the previous refresh. Everybody together comes first.

    Takes   observed (see `survival.observed`)
    Returns groups of ``min_cell`` customers or more, at most 12: small ones are "other", numbers of
            many values are divided into quarters; rare causes are "other" too. By segment only
            those are left who can be compared (see `by_segment`), or all as one group where
            segments are not known.

    Raises:
        Refused: there is no such attribute.
    """
    observed = causes_merged(observed, r.min_cell)
    found = [Division(None, observed, "")]
    for by in dict.fromkeys(names):
        lives, said = observed, ""
        if by == SEGMENT and by not in observed.columns:
            lives, said = _by_previous(observed, r.tables.spells, workspace.previous(r.space))
        elif by not in observed.columns:
            known = ", ".join(observed.columns)
            raise Refused(f"no attribute {by!r} is known at the start (there are: {known})")
        column = levels.collapsed(lives[by], r.min_cell)
        said = said or f"Compared by {by.replace('_', ' ')}: {column.n_unique()} groups."
        found.append(Division(by, lives.with_columns(column), said))
    return found


def causes_merged(observed: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """``observed`` with the causes of fewer than ``min_cell`` ends together as "other"; the cause
    of an end of which it is not known is "not known". Unchanged where no cause is known."""
    ended = observed.filter("event_observed").select("customer_id", "cause")
    if not ended["cause"].count():
        return observed
    named = ended.with_columns(levels.collapsed(ended["cause"], min_cell, CAUSES))
    return observed.drop("cause").join(named, on="customer_id", how="left", maintain_order="left")


def each(divided: list[Division], estimate: Callable[..., pl.DataFrame], *how) -> pl.DataFrame:
    """``estimate(lives, by, *how)`` of every division, as one table."""
    return pl.concat(estimate(one.lives, one.by, *how) for one in divided)


def by_segment(
    observed: pl.DataFrame,
    spells: pl.DataFrame,
    members: pl.DataFrame,
    segments: pl.DataFrame,
    day: int,
) -> pl.DataFrame:
    """Those of ``observed`` who stayed beyond ``day``, with the segment they were in on it.

    Takes   observed; spells; members and segments as of ``day``
    Returns their rows with ``segment``: the name of the stratum, or "no segment"; ``entry_days``
            is what they had lived by the end of ``day``

    A segment is known only of who was still there: counted from the start, the days before would
    be days on which nobody in a segment could leave. They enter late instead. Checked on planted
    lives in tests/survival/test_groups.py.
    """
    strata = segments.filter(kind="stratum").select("segment", "name")
    named = members.join(strata, on="segment").select("customer_id", segment="name")
    starts = spells.filter(spell=1).select("customer_id", "start_day")
    lived = day + 1 - pl.col("start_day")
    how = {"on": "customer_id", "how": "left", "maintain_order": "left", "validate": "1:1"}
    lives = observed.join(starts, **how).join(named, **how)
    entry = pl.max_horizontal("entry_days", lived)
    lives = lives.with_columns(pl.col("segment").fill_null(NONE), entry_days=entry)
    later = pl.col("duration_days") > pl.col("entry_days")
    return lives.filter(lived > 0, later).drop("start_day")


def _by_previous(
    observed: pl.DataFrame, spells: pl.DataFrame, before: Path | None
) -> tuple[pl.DataFrame, str]:
    """By the segments in the folder ``before``, and how that is to be read or why it cannot be."""
    nobody = observed.with_columns(segment=pl.lit(NONE))
    files = [before / "tables" / f"{name}.parquet" for name in ("members", "segments") if before]
    if not files or not all(file.is_file() for file in files):
        return nobody, "Segments cannot be compared: no earlier refresh is there to take them from."
    day = date.fromisoformat(before.name[:10])
    tables = (workspace.read_file(file) for file in files)
    lives = by_segment(observed, spells, *tables, calendar.day_of(day))
    if lives.is_empty():
        return nobody, f"Segments of {day} cannot be compared: nobody can be judged since then yet."
    return lives, (
        f'By segment as of {day}, the previous refresh; who was in none is "{NONE}". Compared are '
        f"the {lives.height:,} customers who stayed beyond that day, from then on: only their "
        "segment is known."
    )
