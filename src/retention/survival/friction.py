"""Friction: what customers do in their first days, and how it hastens or delays leaving later."""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from retention.errors import Refused
from retention.stats import proportional

USUAL = 0.5  # share of customers who did it from which a kind is counted, not only any or none
ACTIVE = "active days: one more"
OWN = 0.1  # of its variance that a term must have of its own beside those before it


class Friction(NamedTuple):
    """``answer``: the table "friction", farthest from 1 first, how far each ratio is the same
    early and late, and what was left out; of ``n`` customers; ``why`` there are no ratios."""

    answer: proportional.Answer
    n: int
    why: str


def friction(
    spells: pl.DataFrame,
    activity: pl.DataFrame,
    landmark_days: int = 30,
    causes: Sequence[str | None] = (),
    *,
    confidence: float = 0.95,
    min_cell: int = 10,
) -> Friction:
    """By which factor does what was done in the first ``landmark_days`` hasten leaving after them?

    Takes   spells (first ones that are not excluded and were seen from their start); activity:
            customer_id, day, kind, events
    Returns one row per cause, term [and period]: the table "friction". A term is a kind of event,
            each doubling of 1 + its number, or any against none where fewer than USUAL did it at
            all; or the number of active days. Each is with the others held fixed, which is why
            one with less than OWN of its variance beside those before it is left out.

    Only who is still there after the landmark is compared, and nothing done after it is counted.
    Days count from the start: since all are there at the landmark, the ratios are the same as if
    they were counted from it.

    Raises:
        Refused: ``landmark_days`` is less than 1, or nobody left by one of ``causes``.

    Source: landmarking, Anderson, Cain and Gelber (1983), J Clin Oncol 1:710; van Houwelingen
    (2007), Scand J Stat 34:70. Checked on planted friction in tests/test_friction.py.
    """
    if landmark_days < 1:
        raise Refused(f"landmark_days must be 1 or more, got {landmark_days}")
    proportional.known_causes(spells, causes)
    usable = pl.col("excluded").is_null() & (pl.col("entry_day") == pl.col("start_day"))
    first = spells.filter(pl.col("spell") == 1, usable).sort("customer_id")
    there = first.filter(pl.col("duration_days") > landmark_days)
    terms = done_by(there, activity, landmark_days)
    checks = {"least": min_cell, "same": OWN, "steps": False}
    answer = proportional.by_cause(terms, there, causes, confidence, **checks)
    ranked = answer._replace(ratios=proportional.ranked(answer.ratios))
    return Friction(ranked, there.height, proportional.why_none(answer))


def done_by(there: pl.DataFrame, activity: pl.DataFrame, landmark_days: int) -> pl.DataFrame:
    """What each of ``there`` did from the start day on, for ``landmark_days``: a column per term.

    Takes   there: customer_id, start_day, one row each; activity: customer_id, day, kind, events
    Returns the terms alone, in the order of ``there``
    """
    since = pl.col("day") - pl.col("start_day")
    window = activity.join(there.select("customer_id", "start_day"), on="customer_id").filter(
        since.is_between(0, landmark_days - 1)
    )
    kinds = window["kind"].unique().sort().to_list()
    events = [
        pl.col("events").filter(pl.col("kind") == kind).sum().alias(f"{kind}:") for kind in kinds
    ]
    active = pl.col("day").n_unique().alias(ACTIVE)
    counts = (
        there.select("customer_id")
        .join(
            window.group_by("customer_id").agg(*events, active).sort("customer_id"),
            on="customer_id",
            how="left",
            maintain_order="left",
        )
        .fill_null(0)
    )
    return counts.select(*(_term(counts[f"{kind}:"]) for kind in kinds), ACTIVE)


def _term(counts: pl.Series) -> pl.Series:
    """How often a kind was done, on a scale on which it is compared."""
    if (counts > 0).mean() >= USUAL:
        return (counts + 1).log(2).alias(f"{counts.name} each doubling")
    return (counts > 0).cast(pl.Float64).alias(f"{counts.name} any against none")


def definition(landmark_days: int) -> str:
    """What the terms mean and who is compared, for the page."""
    return (
        f"Customers who were seen from their start and stayed longer than {landmark_days} days; "
        f"what they did on the first {landmark_days}. Each doubling: of one more than the number "
        f"of events; any against none: of kinds that fewer than {USUAL:.0%} did at all. A term "
        f"with less than {OWN:.0%} of its variance beside those before it is left out. "
        f"{proportional.JUDGED}"
    )
