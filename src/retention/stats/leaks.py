"""Whether a covariate tells how long customers stayed, which nobody knew at their start."""

import numpy as np
import polars as pl

from retention.stats import risk_sets

FOLLOWS = 0.9  # rank correlation with the duration from which a covariate is a leak
HALF = 0.5  # of what the start day leaves open of the duration
ENOUGH = 20  # customers, below which nothing is judged to leak
EXPECTED = 10  # customers who should have stayed, where nearly none has


def leak(covariate: pl.Series, lives: pl.DataFrame) -> str:
    """Why the ``covariate`` cannot have been known at the start, or nothing.

    Takes   one value and one row per customer: start_day, duration_days, event_observed,
            entry_days, longest (days to the end of the data)

    It leaks where it follows the duration of those who left, or the day they left, with a rank
    correlation of FOLLOWS or more (text that reads as dates counts as days), and does so better
    than the start day; or where it marks
    those who left: nearly nobody with one of its levels stays, or nearly nobody of whom it is
    known, though by how long those very customers stayed at least EXPECTED of them should.

    Source: that a level is complete of those who left alone is a truncation, which shows as a lack
    of censored lives, as in Tsai (1990), Biometrika 77:169. Checked in
    tests/survival/test_hazards.py.
    """
    left = lives.with_columns(value=_as_number(covariate)).filter("event_observed")
    left = left.filter(pl.col("value").is_finite())
    if left.height >= ENOUGH and (rho := _follows(left)) >= FOLLOWS:
        return (
            f"of {left.height:,} customers who left, it follows how long they stayed, or when "
            f"they left (rank correlation {rho:.2f}; from {FOLLOWS} on it must be a leak)"
        )
    levels = _tenths(covariate) if covariate.dtype.is_numeric() else covariate
    levels = levels.cast(pl.String).alias("level")
    sizes = levels.drop_nulls().value_counts().sort(["count", "level"], descending=[True, False])
    large = sizes.filter(pl.col("count") >= ENOUGH)["level"].head(50)
    alike = ((levels == level).fill_null(False) for level in large)
    for mask in (levels.is_not_null(), levels.is_null(), *alike):
        stayed, expected = _stayed(lives.filter(mask))
        if expected >= EXPECTED and stayed <= expected / 10:
            whom = "nearly nobody" if stayed else "nobody"
            return (
                f"of {mask.sum():,} customers who are alike in it, {whom} is still there, where "
                f"{expected:,.0f} should be, by how long they stayed: it marks those who left"
            )
    return ""


def _as_number(column: pl.Series) -> pl.Series:
    """Numbers as they are, dates in text as day numbers, other text and truth as null."""
    if column.dtype == pl.String:
        column = column.str.to_date("%Y-%m-%d", strict=False).cast(pl.Int32)
    number = column if column.dtype.is_numeric() else pl.repeat(None, len(column), eager=True)
    return number.cast(pl.Float64)


def _follows(left: pl.DataFrame) -> float:
    """Largest rank correlation of ``value`` with the duration: as it is, or as a day, from the
    start on or back from today; 0 where the start day alone tells as much.

    Where customers began long ago and are seen to leave lately, the start tells the duration, and
    any number beside it does. As it is, a value must follow the duration more than the start; as a
    day, it must halve what the start leaves open.
    """
    value, start, lasted = pl.col("value"), pl.col("start_day"), pl.col("duration_days")
    pairs = {
        "alone": (start, lasted),
        "own": (value, lasted),
        "of_start": (value, start),
        "since": (value - start, lasted),
        "ago": (value + start, lasted),
    }
    found = left.select(
        pl.corr(*pair, method="spearman").abs().fill_nan(0).fill_null(0).alias(name)
        for name, pair in pairs.items()
    ).row(0, named=True)
    own = found["own"] if found["own"] > found["of_start"] else 0.0
    days = max(found["since"], found["ago"])
    return max(own, days if 1 - days <= HALF * (1 - found["alone"]) else 0.0)


def _tenths(column: pl.Series) -> pl.Series:
    """The tenth of the known values in which each lies; equal ones in the same."""
    return (column.rank("min") - 1) * 10 // max(column.count(), 1)


def _stayed(group: pl.DataFrame) -> tuple[int, float]:
    """How many of ``group`` stayed; how many would, had they been followed by chance until F."""
    names = ("duration_days", "event_observed", "entry_days", "longest")
    durations, left, entry, longest = (group[name].to_numpy() for name in names)
    times = np.unique(durations[left])
    at_risk, ends = risk_sets.at(times, durations, left, entry)
    survival = np.concatenate([[1.0], np.cumprod(1 - ends / at_risk)])
    until, since = (survival[np.searchsorted(times, day, "right")] for day in (longest, entry))
    return int((~left).sum()), float((until / np.maximum(since, 1e-12)).sum())
