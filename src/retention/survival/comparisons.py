"""Whether groups stay differently long, and by how many days."""

from itertools import combinations

import numpy as np
import polars as pl
from scipy.stats import norm

from retention.stats import by_group, kaplan_meier, rank_tests, risk_sets

TESTS = {
    **dict.fromkeys(("by", "group", "other", "test"), pl.String),
    "n": pl.Int64,
    "statistic": pl.Float64,
    "df": pl.Int64,
    **dict.fromkeys(("p_value", "p_adjusted"), pl.Float64),
}
MEANS = {
    **dict.fromkeys(("by", "group", "other"), pl.String),
    **dict.fromkeys(("from_days", "tau_days", "n"), pl.Int64),
    **dict.fromkeys(("mean_days", "ci_lower", "ci_upper"), pl.Float64),
    **dict.fromkeys(("difference", "difference_lower", "difference_upper"), pl.Float64),
    "p_adjusted": pl.Float64,
}


def log_rank(observed: pl.DataFrame, by: str | None) -> pl.DataFrame:
    """Test whether all groups of ``by`` share one survival curve, and whether every two do.

    Takes   one row per customer: duration_days, event_observed[, entry_days], by
    Returns one row for all groups (group and other null), then one per pair: by, group, other,
            test, n, statistic (chi-squared), df, p_value, p_adjusted (of the pairs together); no
            row where there are fewer than two groups

    Source: see estimators/rank_tests.py. Checked in tests/test_comparisons.py.
    """
    groups = by_group.groups(observed, by)
    lives = [by_group.lives(part) for part in groups.values()]
    ends = (durations[events] for durations, events, _ in lives)
    times = np.unique(np.concatenate(list(ends)))
    counted = [risk_sets.at(times, *life) for life in lives]
    at_risk, events = (np.array(part, dtype=float) for part in zip(*counted, strict=True))
    names, sizes = list(groups), np.array([part.height for part in groups.values()])
    pairs = list(combinations(range(len(names)), 2))
    found = [rank_tests.log_rank(at_risk[rows], events[rows]) for rows in map(list, pairs)]
    adjusted = rank_tests.holm(np.array([p_value for *_, p_value in found]))
    rows = [
        (by, names[one], names[two], "log-rank", sizes[[one, two]].sum(), *test, p)
        for (one, two), test, p in zip(pairs, found, adjusted, strict=True)
    ]
    if pairs:
        whole = rank_tests.log_rank(at_risk, events)
        rows.insert(0, (by, None, None, "log-rank", sizes.sum(), *whole, None))
    return pl.DataFrame(rows, TESTS, orient="row")


def clear_first(tests: pl.DataFrame) -> pl.DataFrame:
    """``tests`` of all groups, then of pairs, those least like an accident first."""
    whole = pl.col("group").is_null()
    return tests.sort(~whole, "p_adjusted", -pl.col("statistic"), "group", "other")


def apart(tests: pl.DataFrame, confidence: float) -> str:
    """How many pairs of groups differ more than chance explains, in a sentence."""
    pairs = tests.drop_nulls("group")
    if pairs.is_empty():
        return "There are no two groups to compare."
    clear = pairs.filter(pl.col("p_adjusted") < 1 - confidence).height
    return (
        f"{clear} of {pairs.height} pairs of groups differ by more than chance explains (log-rank "
        f"test; p-values raised for being many, after Holm; limit {1 - confidence:.2g})."
    )


def restricted_means(
    observed: pl.DataFrame,
    by: str | None,
    curves: pl.DataFrame,
    days: list[int],
    confidence: float = 0.95,
) -> pl.DataFrame:
    """How many days customers of each group stay on average up to a horizon that all reach.

    Takes   one row per customer: duration_days, event_observed[, entry_days][, by]; their curves
            by group (see `survival.kaplan_meier`); days to choose the horizon from
    Returns one row per group: by, group, other (the largest group; null for itself), from_days (the
            first day on which all curves have begun: the mean is of those still there), tau_days
            (the horizon: the longest of ``days`` within all curves), n, mean_days, ci_lower,
            ci_upper; difference (from the other), difference_lower, difference_upper, p_adjusted
            (of the differences together). Limits are null where nobody left. No rows where the
            curves share no day of ``days``.

    Source: see estimators/kaplan_meier.py; normal limits. Checked in tests/test_comparisons.py.
    """
    groups = by_group.groups(observed, by)
    by = by or "all"
    curves = curves.filter(pl.col("by") == by)
    since, until = _shared(curves, days)
    if not until or curves["group"].n_unique() < len(groups):
        return pl.DataFrame(schema=MEANS)
    rows = [
        (
            *(by, group, since, until, int((life[0] > since).sum())),
            *kaplan_meier.restricted_mean(*life, until=until, since=since),
        )
        for group, life in ((group, by_group.lives(part)) for group, part in groups.items())
    ]
    names = ["by", "group", "from_days", "tau_days", "n", "mean_days", "variance"]
    z = float(norm.ppf(0.5 + confidence / 2))
    return _with_limits(pl.DataFrame(rows, names, orient="row"), z)


def farthest(means: pl.DataFrame, confidence: float = 0.95) -> dict:
    """The clearest difference of `restricted_means`, as what `findings.say` takes."""
    known = means.drop_nulls("p_adjusted").sort("p_adjusted", -pl.col("difference").abs(), "group")
    if known.is_empty():
        return {
            "name": "days_apart",
            "sentence": "Of no two groups can the days be compared up to a day of `days`.",
        }
    row = known.row(0, named=True)
    longer, shorter = row["group"], row["other"]
    value, *ci = (row[name] for name in ("difference", "difference_lower", "difference_upper"))
    if value < 0:
        longer, shorter, value, ci = shorter, longer, -value, [-end for end in reversed(ci)]
    later = "of those still there after day {since}, " if row["from_days"] else ""
    chance = "" if row["p_adjusted"] < 1 - confidence else " Chance may explain it."
    return {
        "name": f"days_{longer}_over_{shorter}",
        "sentence": "Up to day {until}, " + later + "customers of {longer} stay {value} days "
        "longer on average than those of {shorter} ({ci})." + chance,
        **{"value": value, "unit": "days", "ci": tuple(ci), "longer": longer, "shorter": shorter},
        **{"since": row["from_days"], "until": row["tau_days"]},
    }


def caption(means: pl.DataFrame, by: str) -> str:
    """From when to when the means count, and against whom, as the caption of their table."""
    if means.is_empty():
        return f"Mean days by {by}"
    since, until = means.select("from_days", "tau_days").row(0)
    other = "".join(f"; differences from {name}" for name in means["other"].drop_nulls()[:1])
    return f"Mean days from day {since:,} to day {until:,} by {by}{other}"


def definition(days: list[int], confidence: float, min_cell: int) -> str:
    """What the means are, for the page."""
    chosen = ", ".join(f"{day:,}" for day in sorted(days))
    return (
        f"Days count from when the curves of all groups have begun (day 0 unless customers enter "
        f"late) to the longest of {chosen} days that all of them reach with {min_cell} at risk. "
        f"Limits: {confidence:.0%}, normal. P-values are raised for being many, after Holm."
    )


def _shared(curves: pl.DataFrame, days: list[int]) -> tuple[int, int | None]:
    """The first day on which all curves have begun, and the last of ``days`` within all of them."""
    ends = curves.group_by("group", maintain_order=True).agg(
        first=pl.col("duration_days").min(), last=pl.col("duration_days").max()
    )
    since, until = ends["first"].max() or 0, ends["last"].min() or 0
    return since, max((day for day in days if since < day <= until), default=None)


def _with_limits(means: pl.DataFrame, z: float) -> pl.DataFrame:
    """``means`` with normal limits, and with their differences from the largest group."""
    largest = means.sort("n", "group", descending=[True, False]).row(0, named=True)
    mean, variance = pl.col("mean_days"), pl.col("variance")
    is_other = pl.col("group") != largest["group"]
    error = pl.when(variance > 0).then(variance.sqrt())
    both = pl.when(is_other, variance > 0, largest["variance"] > 0)
    apart = both.then((variance + largest["variance"]).sqrt())
    difference = pl.when(is_other).then(mean - largest["mean_days"])
    table = means.with_columns(
        other=pl.when(is_other).then(pl.lit(largest["group"])),
        ci_lower=(mean - z * error).clip(lower_bound=0),
        ci_upper=(mean + z * error).clip(upper_bound=pl.col("tau_days") - pl.col("from_days")),
        difference=difference,
        difference_lower=difference - z * apart,
        difference_upper=difference + z * apart,
        score=difference.abs() / apart,
    )
    known = table["score"].is_not_null()
    p = rank_tests.holm(2 * norm.sf(table["score"].drop_nulls().to_numpy()))
    adjusted = pl.Series("p_adjusted", [None] * table.height, pl.Float64).scatter(
        known.arg_true(), p
    )
    return table.with_columns(adjusted).select(pl.col(name).cast(MEANS[name]) for name in MEANS)
