"""What a regression can bear: covariates as columns of numbers, or left out, and why in words."""

import math
from typing import NamedTuple

import numpy as np
import polars as pl

LEAST_ENDS = 5  # ends on each side of a column of 0 and 1, or its ratio rests on too few
MOST_LEVELS = 12
SAME = 1e-6  # of a column's variance: with less of its own it follows from others
DONE = {"term": pl.String, "done": pl.String, "why": pl.String, "n": pl.Int64}


class Design(NamedTuple):
    """``columns``: numbers, one per term, named in words. ``done``: term, done, why, n (customers;
    null where few) for everything that was merged, filled or left out."""

    columns: pl.DataFrame
    done: pl.DataFrame


def checked(
    covariates: pl.DataFrame,
    durations: np.ndarray,
    events: np.ndarray,
    *,
    least: int = 10,
    same: float = SAME,
    steps: bool = True,
) -> Design:
    """The columns of ``covariates`` with which hazards can be fitted, and what was done to them.

    Takes   covariates: one row per customer; text and truth become 0/1 columns against the most
            frequent level, numbers are centred and counted in the power of ten that suits their
            spread, both named in the term (``steps`` false: numbers as they are, as named).
            Durations, events (bool). A column with less than ``same`` of its variance of its own
            follows from those before it.
    Returns a design: the unknown is a level of its own, or a term beside a number that is filled
            with its mean; levels of fewer than ``least`` customers or LEAST_ENDS ends, and those
            beyond MOST_LEVELS, are merged into "other"; constant, rare, separating (its ratio
            would be infinite) and collinear columns are left out.

    Source: monotone likelihood after Bryson and Johnson (1981), Technometrics 23:381; collinearity
    by the variance that the columns before leave. Checked in tests/stats/test_design.py.
    """
    columns, done = [], []
    for column in covariates.get_columns():
        if column.dtype.is_numeric():
            made, said = _number(column, events, least, steps)
        else:
            made, said = _levels(column, events, least)
        columns, done = columns + made, done + said
    frame = pl.DataFrame(columns)
    separating = _separating(frame, durations, events)
    left_out = dict.fromkeys(separating, "separates those who left from the others")
    frame = frame.drop(separating)
    left_out |= _following(frame, same)
    done += [(term, "left out", why, len(events)) for term, why in left_out.items()]
    hidden = [(*row, n if n >= least else None) for *row, n in done]
    return Design(frame.drop(left_out, strict=False), pl.DataFrame(hidden, DONE, orient="row"))


def few(mask: np.ndarray, events: np.ndarray, least: int = 0) -> bool:
    """Whether so few customers or ends lie in ``mask``, or ends outside, that no ratio can be."""
    ends = events[mask].sum()
    return bool(mask.sum() < least or min(ends, events.sum() - ends) < LEAST_ENDS)


def _levels(column: pl.Series, events: np.ndarray, least: int) -> tuple[list, list]:
    """Columns of 0 and 1 against the most frequent level, and what was done to the others."""
    name, levels = column.name, column.cast(pl.String).fill_null("not known").alias("level")
    if levels.n_unique() < 2:
        return [], [(name, "left out", "every customer has the same value", len(levels))]
    kept, rest = _divided(pl.DataFrame([levels, pl.Series("ends", events)]), least)
    unless = f"fewer than {least} customers or {LEAST_ENDS} ends"
    if kept.height + bool(rest.height) < 2:
        return [], [(name, "left out", f"but for one, its levels have {unless}", len(levels))]
    said = []
    if rest.height:
        named = ", ".join(rest.filter(pl.col("n") >= least)["level"].sort().head(3))
        which = f"{rest.height} of {kept.height + rest.height} levels"
        which += f", such as {named}" if named else ""
        why = f"{which}: {unless}, or beyond the {MOST_LEVELS} most frequent, or joined to these"
        said.append((name, "merged into other", why, rest["n"].sum()))
    if column.null_count() and "not known" in kept["level"]:
        said.append((name, "a level of its own", "not known", column.null_count()))
    merged = levels.replace_strict(
        kept["level"], kept["level"], default="other", return_dtype=pl.String
    )
    order = merged.value_counts().sort(["count", "level"], descending=[True, False])["level"]
    return [
        (merged == level).cast(pl.Float64).alias(f"{name}: {level} against {order[0]}")
        for level in order[1:].sort()
    ], said


def _divided(frame: pl.DataFrame, least: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Levels to keep and to merge (level, n, ends), so that the merged together are large too."""
    counts = (
        frame.group_by("level")
        .agg(pl.len().cast(pl.Int64).alias("n"), pl.col("ends").sum())
        .sort("n", "level", descending=[True, False])
    )
    large = (counts["n"] >= least) & (counts["ends"] >= LEAST_ENDS)
    kept, rest = counts.filter(large), counts.filter(~large)
    if kept.height > MOST_LEVELS - bool(rest.height):
        kept, rest = kept.head(MOST_LEVELS - 1), rest.vstack(kept[MOST_LEVELS - 1 :])
    while rest.height and kept.height and not (
        rest["n"].sum() >= least and rest["ends"].sum() >= LEAST_ENDS
    ):  # fmt: skip
        kept, rest = kept.head(-1), rest.vstack(kept.tail(1))
    return kept, rest


def _number(column: pl.Series, events: np.ndarray, least: int, steps: bool) -> tuple[list, list]:
    """A centred column in readable steps, one for who has none, and what was done."""
    name, values = column.name, column.cast(pl.Float64).to_numpy().copy()
    known = np.isfinite(values)
    if not known.any():
        return [], [(name, "left out", "not known for anybody", len(values))]
    made, said, scale = [], [], np.abs(values[known]).max() or 1.0
    shares = values / scale  # huge numbers do not overflow
    spread = shares[known].std()
    if spread < 1e-9:
        said.append((name, "left out", "every customer has the same value", int(known.sum())))
    elif _rare(values[known], events[known], least):
        why = f"but for one value, fewer than {least} customers or {LEAST_ENDS} ends"
        said.append((name, "left out", why, int(known.sum())))
    else:
        step = _step(spread * scale, np.ptp(shares[known]) * scale) if steps else 1.0
        centred = np.where(known, shares - shares[known].mean(), 0.0) * (scale / step)
        more = "one" if step == 1 else f"{step:,.15g}"
        made.append(pl.Series(f"{name}: {more} more" if steps else name, centred))
    if known.all():
        return made, said
    is_few, unknown = few(~known, events, least), int((~known).sum())
    if not is_few:
        made.append(pl.Series(f"{name}: not known against known", (~known).astype(float)))
    what = "taken as the average" if is_few else "taken as the average, with a term of its own"
    return made, [*said, (name, what, "not known", unknown)]


def _rare(values: np.ndarray, events: np.ndarray, least: int) -> bool:
    """Whether too few differ from the most frequent value, or have it where there are but two."""
    found, counts = np.unique(values, return_counts=True)
    usual = values == found[counts.argmax()]
    apart = few(~usual, events, least) if len(found) == 2 else events[~usual].sum() < LEAST_ENDS
    return bool(apart or (~usual).sum() < least or (len(found) == 2 and usual.sum() < least))


def _step(spread: float, reach: float) -> float:
    """1 where that is a step a reader can see, else the power of ten just below the spread."""
    return 1.0 if spread < 20 and reach >= 1 else 10.0 ** math.floor(math.log10(spread))


def _separating(frame: pl.DataFrame, durations: np.ndarray, events: np.ndarray) -> list[str]:
    """Columns of which everybody who left had the most, or the least, of all still there."""
    order = np.argsort(-durations, kind="stable")
    there = np.searchsorted(-durations[order], -durations[order], "right") - 1
    left = events[order]
    found = []
    for column in frame.get_columns():
        values = column.to_numpy()[order]
        most, fewest = (f.accumulate(values)[there] for f in (np.maximum, np.minimum))
        if (values == most)[left].all() or (values == fewest)[left].all():
            found.append(column.name)
    return found


def _following(frame: pl.DataFrame, same: float) -> dict[str, str]:
    """Columns that follow from those before them, and from which."""
    if frame.width < 2:
        return {}
    values = frame.to_numpy()
    gram = np.corrcoef(values, rowvar=False)
    kept, found = [0], {}
    for number in range(1, frame.width):
        weights = np.linalg.solve(gram[np.ix_(kept, kept)], gram[kept, number])
        if 1 - gram[kept, number] @ weights >= same:
            kept.append(number)
            continue
        names = [frame.columns[k] for k, w in zip(kept, weights, strict=True) if abs(w) > 0.01]
        found[frame.columns[number]] = f"follows from {' and '.join(names)}"
    return found
