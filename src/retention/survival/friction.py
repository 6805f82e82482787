"""Friction: what customers do in their first days, and how it goes with leaving later."""

from collections.abc import Sequence

import polars as pl

from retention.errors import Refused
from retention.exhibit import Exhibit, Finding
from retention.refresh import Refresh
from retention.stats import proportional
from retention.survival import hazards

USUAL = 0.5  # share of customers who did it from which a kind is counted, not only any or none
ACTIVE = "active days: one more"
OWN = 0.1  # of its variance that a term must have of its own beside those before it


def friction(
    spells: pl.DataFrame,
    activity: pl.DataFrame,
    landmark_days: int = 30,
    causes: Sequence[str | None] = (),
    *,
    confidence: float = 0.95,
    min_cell: int = 10,
) -> tuple[proportional.Answer, int]:
    """How much sooner do customers leave by what they did in the first ``landmark_days``?

    Takes   spells (first ones that are not excluded and were seen from their start); activity:
            customer_id, day, kind, events
    Returns what `hazards.by_cause` does, the ratio farthest from 1 first; and of how many
            customers. A term is a kind of event, each doubling of 1 + its number, or any against
            none where fewer than USUAL did it at all; or the number of active days. Each is with
            the others held fixed, which is why one with less than OWN of its variance beside those
            before it is left out.

    Only who is still there after the landmark is compared, and nothing done after it is counted.
    Days count from the start: since all are there at the landmark, the ratios are the same as if
    they were counted from it.

    Raises:
        Refused: ``landmark_days`` is less than 1, or nobody left by one of ``causes``.

    Source: landmarking, Anderson, Cain and Gelber (1983), J Clin Oncol 1:710; van Houwelingen
    (2007), Scand J Stat 34:70. Checked on planted friction in tests/survival/test_friction.py.
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
    return answer._replace(ratios=proportional.ranked(answer.ratios)), there.height


def done_by(there: pl.DataFrame, activity: pl.DataFrame, landmark_days: int) -> pl.DataFrame:
    """What each of ``there`` did from the start day on, for ``landmark_days``: a column per term.

    Takes   there: customer_id, start_day, one row each; activity: customer_id, day, kind, events
    Returns the terms alone, in the order of ``there``
    """
    since = pl.col("day") - pl.col("start_day")
    window = activity.join(there.select("customer_id", "start_day"), on="customer_id").filter(
        since.is_between(0, landmark_days - 1)
    )
    named = window.with_columns(kind=pl.format("{}:", "kind"))  # a kind may have any name
    whose = {"index": "customer_id", "values": "events", "aggregate_function": "sum"}
    counts = named.pivot("kind", **whose)
    active = window.group_by("customer_id").agg(pl.col("day").n_unique().alias(ACTIVE))
    done = there.select("customer_id")
    for part in (counts, active):
        done = done.join(part, on="customer_id", how="left", maintain_order="left")
    done = done.fill_null(0)
    kinds = window["kind"].unique().sort()
    return done.select(*(_term(done[f"{kind}:"]) for kind in kinds), ACTIVE)


def _term(counts: pl.Series) -> pl.Series:
    """How often a kind was done, on a scale on which it is compared."""
    if (counts > 0).mean() >= USUAL:
        return (counts + 1).log(2).alias(f"{counts.name} each doubling")
    return (counts > 0).cast(pl.Float64).alias(f"{counts.name} any against none")


def first_days(r: Refresh, landmark_days: int, causes: list[str]) -> list[Exhibit]:
    """How much sooner or later customers leave by what they did in their first days."""
    spells, activity = r.tables.spells, r.tables.activity
    limits = {"confidence": r.confidence, "min_cell": r.min_cell}
    answer, n = friction(spells, activity, landmark_days, causes, **limits)
    sentence = f"{{value}} customers seen from their start stayed longer than {landmark_days} days."
    means = (
        f"Customers who were seen from their start and stayed longer than {landmark_days} days; "
        f"what they did on the first {landmark_days}. Each doubling: of one more than the number "
        f"of events; any against none: of kinds that fewer than {USUAL:.0%} did at all. A term "
        f"with less than {OWN:.0%} of its variance beside those before it is left out. "
        f"{proportional.JUDGED}"
    )
    counted = [Finding("still_there", sentence, n, "customers")] if n >= r.min_cell else []
    return hazards.exhibits(r, answer, "done in the first days", means, findings=counted)
