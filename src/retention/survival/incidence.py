"""Why customers leave: the share gone by each cause, where causes compete."""

from functools import partial

import numpy as np
import polars as pl

from retention import charts
from retention.exhibit import Exhibit, said_of
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
    ended = observed.filter("event_observed")["cause"]
    if not ended.count():
        return pl.DataFrame(schema=INCIDENCE)
    causes = ended.fill_null("not known").unique().sort()
    named = pl.when("event_observed").then(pl.col("cause").fill_null("not known"))
    codes = np.arange(1, len(causes) + 1)
    coded = observed.with_columns(_code=named.replace_strict(causes, codes, default=0))
    found = []
    for of, cause in zip(codes, causes, strict=True):
        curve = partial(_curve, of=of, confidence=confidence, least=least)
        table = by_group.each(coded, by, curve)
        found.append(table.select(pl.lit(cause).alias("cause"), pl.all()))
    return pl.concat(found).cast(INCIDENCE)


def _curve(frame: pl.DataFrame, of: int, confidence: float, least: int) -> pl.DataFrame:
    """Incidence of cause ``of``, from the day on which the survival curve begins to its last."""
    there = kaplan_meier.curve(*by_group.lives(frame), confidence, least)
    none = pl.lit(None, pl.Float64)
    first = there.head(1).select(
        *("duration_days", "at_risk", "events"), incidence=0.0, ci_lower=none, ci_upper=none
    )
    if there.is_empty():
        return first
    begin, end = there["duration_days"].min(), there["duration_days"].max()
    frame = frame.filter(pl.col("duration_days") > begin)
    durations, _, entry = risk_sets.since(begin, *by_group.lives(frame))
    causes = frame["_code"].to_numpy()
    curve = estimator.cumulative_incidence(durations, causes, of, entry, confidence)
    return pl.concat([first, curve.filter(pl.col("duration_days") <= end)])


def causes_of_leaving(r: Refresh, divided: list[groups.Division], days: list[int]) -> Exhibit:
    """The share who have left by each cause, of everybody together; of every division in the table
    "incidence"."""
    found = r.keep("incidence", groups.each(divided, incidence, r.confidence, r.min_cell))
    whole = found.filter(by="all")
    read = by_group.read(whole, days)
    return Exhibit(
        whole,
        headline(read),
        draw=partial(charts.curves, y="incidence", group="cause", **AXES),
        behind=lambda _: read.drop("by", "group"),
        definition="Share of all customers who have left by a cause, by days since their start "
        "(cumulative incidence after Aalen and Johansen). Who has left by one cause cannot leave "
        "by another, so causes add up to the share who are no longer active. Causes of fewer than "
        f'{r.min_cell} ends are "other". Bands: {r.confidence:.0%} limits. Drawn where at least '
        f"{r.min_cell} are at risk.",
        findings=said_of(
            _last(read).tail(1).with_columns(whole=pl.lit(f"{_last(read)['incidence'].sum():.1%}")),
            "left_by_{cause}_{duration_days}_days",
            "{value} of customers with a known start have left within {duration_days} days for the "
            "cause {cause} ({ci}), the most frequent; {whole} for any cause.",
            "incidence",
        ),
        empty="No cause of leaving is known here, or only of too few customers.",
    )


def headline(read: pl.DataFrame) -> str:
    """How many each cause takes by the last day that was read, the most frequent first."""
    last = _last(read)
    if last.is_empty():
        return "Causes of leaving are known, but not yet for the chosen days"
    parts = [f"{share:.0%} {cause}" for cause, share in last.select("cause", "incidence").rows()]
    return f"Within {last['duration_days'][0]:,} days have left: {', '.join(reversed(parts))}"


def _last(read: pl.DataFrame) -> pl.DataFrame:
    """The causes on the last day that was read, the most frequent last."""
    known = read.filter(pl.col("incidence") > 0)
    last = known.filter(pl.col("duration_days") == pl.col("duration_days").max())
    return last.sort("incidence", "cause", descending=[False, True])
