"""Why customers leave: the share gone by each cause, where causes compete."""

import numpy as np
import polars as pl

from retention.stats import by_group, kaplan_meier, levels, risk_sets
from retention.stats import incidence as estimator

INCIDENCE = {
    **dict.fromkeys(("cause", "by", "group"), pl.String),
    **dict.fromkeys(("duration_days", "at_risk", "events"), pl.Int64),
    **dict.fromkeys(("incidence", "ci_lower", "ci_upper"), pl.Float64),
}
VALUES = ("incidence", "ci_lower", "ci_upper")
ANY = "any cause"
NONE = "No cause of leaving is known here, or of too few customers."
MOST = 11  # causes, so that a chart has room for any


def merged(observed: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """``observed`` with the causes of fewer than ``min_cell`` ends together as "other"; the cause
    of an end of which it is not known is "not known". Unchanged where no cause is known."""
    ended = observed.filter("event_observed").select("customer_id", "cause")
    if not ended["cause"].count():
        return observed
    named = ended.with_columns(levels.collapsed(ended["cause"], min_cell, MOST))
    return observed.drop("cause").join(named, on="customer_id", how="left", maintain_order="left")


def incidence(
    observed: pl.DataFrame, by: str | None = None, confidence: float = 0.95, least: int = 1
) -> pl.DataFrame:
    """Estimate the share of customers who have left by each cause, by days since their start.

    Takes   one row per customer: duration_days (>= 1), event_observed, cause (text)[, entry_days]
            [, by]; the cause of an end that is not known is a cause of its own, "not known"
    Returns one row per cause, group and day on which anything happened, in order: cause, by, group,
            duration_days, at_risk (customers), events (ends by this cause), incidence (0 to 1),
            ci_lower, ci_upper (null where nobody has left by the cause yet). A curve begins and
            stops as those of `survival.kaplan_meier`; on each day the causes add up to one less
            survival. No rows where no cause is known at all.

    Source: see estimators/incidence.py. Checked in tests/test_causes.py.
    """
    ended = observed.filter("event_observed")
    if not ended["cause"].count():
        return pl.DataFrame(schema=INCIDENCE)
    causes = ended["cause"].fill_null("not known").unique().sort()
    named = pl.when("event_observed").then(pl.col("cause").fill_null("not known"))
    coded = observed.with_columns(
        _code=named.replace_strict(causes, np.arange(1, len(causes) + 1), default=0)
    )
    tables = [
        by_group.each(coded, by, lambda frame, of=of: _curve(frame, of, confidence, least)).select(
            pl.lit(cause).alias("cause"), pl.all()
        )
        for of, cause in enumerate(causes, 1)
    ]
    return pl.concat(tables).cast(INCIDENCE)


def incidence_at(table: pl.DataFrame, days: list[int]) -> pl.DataFrame:
    """The curves of `incidence` read at ``days``; null beyond a curve's last day."""
    return by_group.read(table, days, VALUES, ("cause", "by", "group"))


def with_any(table: pl.DataFrame, survival: pl.DataFrame) -> pl.DataFrame:
    """``table`` with the share who have left at all, to be drawn beside the causes it is made of.

    Takes   incidence; the survival curves of the same groups
    """
    left = survival.select(
        *("by", "group", "duration_days", "at_risk", "events"),
        cause=pl.lit(ANY),
        incidence=1 - pl.col("survival"),
        ci_lower=1 - pl.col("ci_upper"),
        ci_upper=1 - pl.col("ci_lower"),
    )
    return pl.concat([table, left.select(table.columns)]) if table.height else table


def foremost(read: pl.DataFrame) -> dict:
    """The cause that takes most customers by the last day that was read, as what `findings.say`
    takes."""
    known = read.drop_nulls("incidence")
    if known.is_empty():
        return {"name": "left_by_cause", "sentence": NONE}
    last = known.filter(pl.col("duration_days") == pl.col("duration_days").max())
    most = last.sort("incidence", "cause", descending=[True, False]).row(0, named=True)
    return {
        "name": f"left_by_{most['cause']}_{most['duration_days']}_days",
        "sentence": "{value} of customers with a known start have left within {day} days for the "
        "cause {cause} ({ci}), the most frequent; {whole} for any cause.",
        **{"value": most["incidence"], "unit": "share", "cause": most["cause"]},
        "ci": None if most["ci_lower"] is None else (most["ci_lower"], most["ci_upper"]),
        **{"day": most["duration_days"], "whole": f"{last['incidence'].sum():.1%}"},
    }


def headline(read: pl.DataFrame) -> str:
    """How many each cause takes by the last day that was read, in a few words."""
    last = read.drop_nulls("incidence").filter(
        pl.col("duration_days") == pl.col("duration_days").max()
    )
    if last.is_empty():
        return NONE
    shares = last.sort("incidence", "cause", descending=[True, False]).select("cause", "incidence")
    parts = [f"{share:.0%} {cause}" for cause, share in shares.rows()]
    return f"Within {last['duration_days'][0]:,} days have left: {', '.join(parts)}"


def definition(confidence: float, min_cell: int) -> str:
    """What the curves mean, for the page."""
    return (
        "Share of all customers who have left by a cause, by days since their start (cumulative "
        "incidence after Aalen and Johansen): who has left by one cause can no longer leave by "
        f'another, so causes add up to "{ANY}", one less survival. Causes of fewer than {min_cell} '
        f'ends are "other". Bands: {confidence:.0%} limits. Drawn where at least {min_cell} are at '
        "risk."
    )


def _curve(frame: pl.DataFrame, of: int, confidence: float, least: int) -> pl.DataFrame:
    """Incidence of cause ``of``, from the day on which the survival curve begins to its last."""
    schema = {name: INCIDENCE[name] for name in list(INCIDENCE)[3:]}
    there = kaplan_meier.curve(*by_group.lives(frame), confidence, least)
    if there.is_empty():
        return pl.DataFrame(schema=schema)
    begin, n = there.select("duration_days", "at_risk").row(0)
    frame = frame.filter(pl.col("duration_days") > begin)
    durations, _, entry = risk_sets.since(begin, *by_group.lives(frame))
    curve = estimator.cumulative_incidence(
        durations, frame["_code"].to_numpy(), of, entry=entry, confidence=confidence
    ).select(pl.col(name).cast(kind) for name, kind in schema.items())
    first = pl.DataFrame([(begin, n, 0, 0.0, None, None)], schema, orient="row")
    last = pl.col("duration_days") <= there["duration_days"].max()
    return pl.concat([first, curve.filter(last)])
