"""Whether groups stay differently long, and by how many days."""

from functools import partial
from itertools import combinations

import numpy as np
import polars as pl
from scipy.stats import norm

from retention.exhibit import Exhibit, Finding
from retention.refresh import Refresh
from retention.stats import by_group, kaplan_meier, rank_tests, risk_sets
from retention.survival.groups import Division

TESTS = ("group", "other", "n", "statistic", "df", "p_value", "p_adjusted")
MEANS = (
    *("group", "other", "from_days", "tau_days", "n", "mean_days", "ci_lower", "ci_upper"),
    *("difference", "difference_lower", "difference_upper", "p_adjusted"),
)


def log_rank(observed: pl.DataFrame, by: str) -> pl.DataFrame:
    """Test whether all groups of ``by`` share one survival curve, and whether every two do.

    Takes   one row per customer: duration_days, event_observed[, entry_days], by
    Returns one row for all groups (group and other null), then one per pair: group, other, n,
            statistic (chi-squared), df, p_value, p_adjusted (of the pairs together); no row where
            there are fewer than two groups

    Source: see stats/rank_tests.py. Checked in tests/survival/test_comparisons.py.
    """
    groups = by_group.groups(observed, by)
    names, sizes = list(groups), np.array([part.height for part in groups.values()])
    if len(names) < 2:
        return pl.DataFrame(schema=TESTS)
    lives = [by_group.lives(part) for part in groups.values()]
    times = np.unique(np.concatenate([durations[events] for durations, events, _ in lives]))
    counted = [risk_sets.at(times, *life) for life in lives]
    at_risk, events = (np.array(part, dtype=float) for part in zip(*counted, strict=True))
    chosen = [list(some) for some in (range(len(names)), *combinations(range(len(names)), 2))]
    found = [rank_tests.log_rank(at_risk[some], events[some]) for some in chosen]
    adjusted = [None, *rank_tests.holm(np.array([p_value for *_, p_value in found[1:]]))]
    named = [(None, None), *combinations(names, 2)]
    rows = [
        (*pair, int(sizes[some].sum()), *test, p)
        for pair, some, test, p in zip(named, chosen, found, adjusted, strict=True)
    ]
    return pl.DataFrame(rows, TESTS, orient="row", infer_schema_length=None)


def tests(r: Refresh, division: Division) -> Exhibit:
    """Whether groups share one curve: all together, then every two, the clearest first."""
    found = log_rank(division.lives, division.by)
    order = [pl.col("group").is_not_null(), "p_adjusted", -pl.col("statistic"), "group", "other"]
    return Exhibit(
        found.sort(order).with_columns(pl.col("group").fill_null("all groups")),
        partial(apart, confidence=r.confidence),
        definition="Log-rank tests, first of all groups together, then of every two; p (adjusted) "
        "is raised because several pairs are tested (Holm).",
        empty="There are no two groups to compare.",
        limit=12,
    )


def apart(tests: pl.DataFrame, confidence: float) -> str:
    """How many pairs of groups differ more than chance explains, in a sentence."""
    pairs = tests.drop_nulls("p_adjusted")
    clear = pairs.filter(pl.col("p_adjusted") < 1 - confidence).height
    return f"{clear} of {pairs.height} pairs of groups differ by more than chance explains"


def restricted_means(
    observed: pl.DataFrame, by: str, curves: pl.DataFrame, days: list[int], confidence: float = 0.95
) -> pl.DataFrame:
    """How many days customers of each group stay on average up to a horizon that all reach.

    Takes   one row per customer: duration_days, event_observed[, entry_days], by; their curves by
            group (see `survival.kaplan_meier`); days to choose the horizon from
    Returns one row per group: group, other (the largest group; null for itself), from_days (the
            first day on which all curves have begun: the mean is of those still there), tau_days
            (the horizon: the longest of ``days`` within all curves), n, mean_days, ci_lower,
            ci_upper; difference (from the other), difference_lower, difference_upper, p_adjusted
            (of the differences together). Limits are null where nobody left. No rows where the
            curves share no day of ``days``.

    Source: see stats/kaplan_meier.py; normal limits. Checked in tests/survival/test_comparisons.py.
    """
    groups = by_group.groups(observed, by)
    since, until = _shared(curves.filter(by=by), days)
    if not until or curves.filter(by=by)["group"].n_unique() < len(groups):
        return pl.DataFrame(schema=dict.fromkeys(MEANS, pl.Float64))
    lives = [by_group.lives(part) for part in groups.values()]
    found = [kaplan_meier.restricted_mean(*life, until=until, since=since) for life in lives]
    mean, variance = np.array(found).T
    n = np.array([(durations > since).sum() for durations, *_ in lives])
    largest, z = n.argmax(), norm.ppf(0.5 + confidence / 2)
    is_other = np.arange(len(n)) != largest
    error = np.where(variance > 0, np.sqrt(variance), np.nan)
    difference = np.where(is_other, mean - mean[largest], np.nan)
    both = np.hypot(error, error[largest])
    p_value = 2 * norm.sf(np.abs(difference) / both)
    known = ~np.isnan(p_value)
    p_value[known] = rank_tests.holm(p_value[known])
    columns = [list(groups), [list(groups)[largest] if one else None for one in is_other]]
    columns += [since, until, n, mean]
    columns += [np.clip(mean + side * error, 0, until - since) for side in (-z, z)]
    columns += [difference, difference - z * both, difference + z * both, p_value]
    return pl.DataFrame(dict(zip(MEANS, columns, strict=True)), nan_to_null=True)


def _shared(curves: pl.DataFrame, days: list[int]) -> tuple[int, int | None]:
    """The first day on which all curves have begun, and the last of ``days`` within all of them."""
    day = pl.col("duration_days")
    ends = curves.group_by("group", maintain_order=True).agg(first=day.min(), last=day.max())
    since, until = ends["first"].max() or 0, ends["last"].min() or 0
    return since, max((day for day in days if since < day <= until), default=None)


def days_apart(r: Refresh, division: Division, curves: pl.DataFrame, days: list[int]) -> Exhibit:
    """How many days groups stay on average up to a horizon, compared with the largest group."""
    return Exhibit(
        restricted_means(division.lives, division.by, curves, days, r.confidence),
        _caption,
        behind=lambda means: means.drop("other", "from_days", "tau_days"),
        definition="Area under the curve, from when the curves of all groups have begun (day 0 "
        "unless customers enter late) to the longest of the chosen days that all of them reach. "
        f"Limits: {r.confidence:.0%}, normal; p is raised because several are tested (Holm).",
        findings=partial(farthest, confidence=r.confidence),
        empty="The curves of the groups share none of the chosen days: nothing can be compared.",
    )


def _caption(means: pl.DataFrame) -> str:
    """From when to when the means count, and against whom."""
    since, until = means.select("from_days", "tau_days").row(0)
    other = "".join(f", compared with {name}" for name in means["other"].drop_nulls()[:1])
    return f"Days stayed on average from day {since:,} to day {until:,}{other}"


def farthest(means: pl.DataFrame, confidence: float = 0.95) -> list[Finding]:
    """The clearest difference of `restricted_means`, if there is any."""
    known = means.drop_nulls("p_adjusted").sort("p_adjusted", -pl.col("difference").abs(), "group")
    if known.is_empty():
        return []
    row = known.row(0, named=True)
    value, *ci = (row[f"difference{end}"] for end in ("", "_lower", "_upper"))
    longer, shorter = row["group"], row["other"]
    if value < 0:
        longer, shorter, value, ci = shorter, longer, -value, [-end for end in reversed(ci)]
    later = "of those still active after day {from_days}, " if row["from_days"] else ""
    clear = "." if row["p_adjusted"] < 1 - confidence else ": no clear difference."
    sentence = (
        f"Up to day {{tau_days}}, {later}customers of {{longer}} stay {{value}} days longer on "
        f"average than those of {{shorter}} ({{ci}}){clear}"
    )
    further = row | {"longer": longer, "shorter": shorter}
    return [Finding(f"days_{longer}_over_{shorter}", sentence, value, "days", tuple(ci), further)]
