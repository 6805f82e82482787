"""Why customers leave: the share gone by each cause, where causes compete."""

from functools import partial

import numpy as np
import polars as pl

from retention import charts
from retention.exhibit import Exhibit, Finding
from retention.refresh import Refresh
from retention.stats import by_group, kaplan_meier, risk_sets
from retention.stats import incidence as estimator
from retention.survival import groups
from retention.survival.survival import AXES

INCIDENCE = {
    **dict.fromkeys(("cause", "by", "group"), pl.String),
    **dict.fromkeys(("duration_days", "at_risk", "events"), pl.Int64),
    **dict.fromkeys(("incidence", "ci_lower", "ci_upper"), pl.Float64),
}
ANY = "any cause"


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

    Source: see stats/incidence.py. Checked in tests/survival/test_causes.py.
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
        by_group.each(coded, by, partial(_curve, of=of, confidence=confidence, least=least)).select(
            pl.lit(cause).alias("cause"), pl.all()
        )
        for of, cause in enumerate(causes, 1)
    ]
    return pl.concat(tables).cast(INCIDENCE)


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
    ).cast(schema)
    first = pl.DataFrame([(begin, n, 0, 0.0, None, None)], schema, orient="row")
    last = pl.col("duration_days") <= there["duration_days"].max()
    return pl.concat([first, curve.filter(last)])


def incidence_at(table: pl.DataFrame, days: list[int]) -> pl.DataFrame:
    """The curves of `incidence` read at ``days``; null beyond a curve's last day."""
    values = ("incidence", "ci_lower", "ci_upper")
    return by_group.read(table, days, values, ("cause", "by", "group"))


def with_any(table: pl.DataFrame, survival: pl.DataFrame) -> pl.DataFrame:
    """``table`` with the share who have left at all, to be drawn beside the causes it is made of.

    Takes   incidence; the survival curves of the same groups
    """
    left = survival.with_columns(
        cause=pl.lit(ANY),
        incidence=1 - pl.col("survival"),
        ci_lower=1 - pl.col("ci_upper"),
        ci_upper=1 - pl.col("ci_lower"),
    )
    return pl.concat([table, left.select(table.columns)]) if table.height else table


def causes_of_leaving(
    r: Refresh, divided: list[groups.Division], curves: pl.DataFrame, days: list[int]
) -> Exhibit:
    """The share who have left by each cause, and by any, of everybody together; of every division
    in the table "incidence"."""
    found = r.keep("incidence", groups.each(divided, incidence, r.confidence, r.min_cell))
    return Exhibit(
        with_any(found.filter(by="all"), curves.filter(by="all")),
        lambda table: headline(_by_cause(table, days)),
        draw=partial(charts.curves, y="incidence", group="cause", **AXES),
        behind=lambda table: _by_cause(table, days).drop("by", "group"),
        definition="Share of all customers who have left by a cause, by days since their start "
        "(cumulative incidence after Aalen and Johansen). Who has left by one cause cannot leave "
        f'by another, so causes add up to "{ANY}", one less survival. Causes of fewer than '
        f'{r.min_cell} ends are "other". Bands: {r.confidence:.0%} limits. Drawn where at least '
        f"{r.min_cell} are at risk.",
        findings=lambda table: foremost(_by_cause(table, days)),
        empty="No cause of leaving is known here, or only of too few customers.",
    )


def _by_cause(table: pl.DataFrame, days: list[int]) -> pl.DataFrame:
    return incidence_at(table.filter(pl.col("cause") != ANY), days)


def foremost(read: pl.DataFrame) -> list[Finding]:
    """The cause that takes most customers by the last day that was read."""
    last = _last(read)
    if last.is_empty() or last["ci_lower"][0] is None:
        return []
    cause, day, share, *ci = last.drop("by", "group", "at_risk").row(0)
    sentence = (
        "{value} of customers with a known start have left within {day} days for the cause {cause} "
        "({ci}), the most frequent; {whole} for any cause."
    )
    further = {"cause": cause, "day": day, "whole": f"{last['incidence'].sum():.1%}"}
    name = f"left_by_{cause}_{day}_days"
    return [Finding(name, sentence, share, "share", tuple(ci), further)]


def headline(read: pl.DataFrame) -> str:
    """How many each cause takes by the last day that was read, in a few words."""
    last = _last(read)
    if last.is_empty():
        return "Causes of leaving are known, but not yet for the chosen days"
    parts = [f"{share:.0%} {cause}" for cause, share in last.select("cause", "incidence").rows()]
    return f"Within {last['duration_days'][0]:,} days have left: {', '.join(parts)}"


def _last(read: pl.DataFrame) -> pl.DataFrame:
    """The causes on the last day that was read, the most frequent first."""
    known = read.filter(pl.col("incidence") > 0)
    last = known.filter(pl.col("duration_days") == pl.col("duration_days").max())
    return last.sort("incidence", "cause", descending=[True, False])
