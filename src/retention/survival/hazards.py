"""Who leaves sooner: hazard ratios of what was known at the start, and of nothing later."""

from functools import partial

import numpy as np
import polars as pl

from retention import charts, schema, words
from retention.errors import Refused
from retention.exhibit import Exhibit
from retention.refresh import Refresh
from retention.stats import design, proportional, rank_tests, risk_sets

FOLLOWS = 0.9  # rank correlation with the duration from which a covariate is a leak
ENOUGH = 20  # customers, below which nothing is judged to leak
EXPECTED = 10  # customers who should have stayed, where nearly none has
SIDES = "← stays longer · leaves sooner →"
NOT_KNOWN = ("customer_id", "duration_days", "event_observed", "entry_days", "cause", "start_day")


def by_cause(
    observed: pl.DataFrame,
    covariates: list[str],
    causes: list[str | None],
    confidence: float = 0.95,
    min_cell: int = 10,
) -> proportional.Answer:
    """Cox regression: how much sooner do customers leave by each covariate known at the start?

    Takes   one row per customer: duration_days, event_observed[, entry_days][, cause], covariates
            (numbers for one more of them; text as levels against the most frequent one); causes:
            other ends count as censored; any end where none is named
    Returns ratios: the table "hazard_ratios", one row per cause, term [and period]; how far each
            is the same early and late; what was merged or left out. What cannot be estimated has
            no rows and stops nothing: `proportional.why_none` says why.

    Raises:
        Refused: a covariate was not known at the start, or nobody left by one of ``causes``.

    Source: Cox (1972), JRSS B 34:187; ties after Efron (1977). Checked on Rossi's data in
    tests/survival/test_hazards.py and on planted hazards, over 1,000 seeds, in
    tests/survival/test_planted_hazards.py.
    """
    known_at_start(observed, covariates)
    proportional.known_causes(observed, causes)
    columns = observed.select(*dict.fromkeys(covariates))
    return proportional.by_cause(columns, observed, causes, confidence, least=min_cell)


def hazard_ratios(
    r: Refresh, observed: pl.DataFrame, covariates: list[str], causes: list[str]
) -> list[Exhibit]:
    """How much sooner or later customers leave by what was known of them at the start: the table
    "hazard_ratios"; then how far each ratio is the same early and late, and what was left out."""
    answer = by_cause(observed, covariates, causes, r.confidence, r.min_cell)
    means = (
        "Cox regression, ties after Efron, each term with the others held fixed; for one cause, "
        f"other ends count as censored. Intervals: {r.confidence:.0%} (Wald). Of a number: for the "
        f"step in its name. {proportional.JUDGED} Levels of fewer than {r.min_cell} customers or "
        f"{design.LEAST_ENDS} ends are merged."
    )
    none = "" if covariates else "The book names no covariate that is known at the start."
    return exhibits(r, answer, "known at the start", means, none, name="hazard_ratios")


def exhibits(
    r: Refresh, answer: proportional.Answer, what: str, means: str, none: str = "", **further
) -> list[Exhibit]:
    """The ratios of an ``answer`` as a forest plot, and two tables of how they were made."""
    plot = partial(charts.forest, label=_named, value="hazard_ratio", group="cause", sides=SIDES)
    ratios = Exhibit(
        answer.ratios,
        partial(headline, what=what, confidence=r.confidence),
        draw=plot,
        definition=means,
        empty=none or proportional.why_none(answer),
        **further,
    )
    tables = {
        "Is a ratio the same early and late?": answer.halves,
        "What was merged, filled or left out, and why": answer.done,
    }
    return [ratios, *(Exhibit(table, name) for name, table in tables.items() if table.height)]


def _named(row: dict) -> str:
    parts = [row[name] for name in ("term", "cause", "period") if row[name] not in ("any", "all")]
    return "\n".join(map(words.wrapped, parts))


def headline(ratios: pl.DataFrame, what: str = "known at the start", confidence=0.95) -> str:
    """Which hazard ratio departs most from 1 among those that do so beyond chance, all taken
    together: where none does, one is named in 1 - ``confidence`` of tables at most."""
    known = ratios.drop_nulls("p_value")
    together = pl.Series(rank_tests.holm(known["p_value"].to_numpy()), dtype=pl.Float64)
    clear = proportional.ranked(known.filter(together < 1 - confidence))
    if clear.is_empty():
        return f"Nothing {what} is clearly linked to leaving sooner or later"
    row = clear.row(0, named=True)
    when = "sooner" if row["hazard_ratio"] > 1 else "later"
    period = "" if row["period"] == "all" else f", {row['period']}"
    why = "" if row["cause"] == "any" else f", by {row['cause'].replace('_', ' ')}"
    ratio = f"hazard ratio {row['hazard_ratio']:.2f}{why}{period}"
    return f"Leaving {when} is linked most clearly to {row['term']}: {ratio}"


def known_at_start(observed: pl.DataFrame, covariates: list[str]) -> None:
    """Refuse covariates by name that the start does not know.

    Raises:
        Refused: a name is a feature, tells how or when customers left, or is not there.
    """
    features = {*schema.TABLES["customers_at"].columns}
    there = ", ".join(name for name in observed.columns if name not in NOT_KNOWN)
    for name in covariates:
        late = name in NOT_KNOWN or name in features
        if late or name not in observed.columns:
            leak = "is measured after the start, so that it would leak how long customers stay"
            why = leak if late else "is no attribute of this book"
            raise Refused(f"covariate {name!r} {why}; known at the start are: {there}")


def gate(
    observed: pl.DataFrame, spells: pl.DataFrame, covariates: list[str]
) -> tuple[list[str], dict[str, str]]:
    """The covariates that may enter, and those that leak how long customers stayed, with why.

    Takes   observed: one row per customer: customer_id, duration_days, event_observed, entry_days,
            covariates; spells: customer_id, spell, start_day
    Returns names; and of each one refused, why

    An attribute is refused that follows the duration of those who left, or the day they left, with
    a rank correlation of FOLLOWS or more (text that reads as dates counts as days); or one that
    marks those who left: nearly nobody with one of its levels stays, or nearly nobody of whom it
    is known, though by how long those very customers stayed at least EXPECTED of them should.

    Raises:
        Refused: a covariate was not known at the start.

    Source: that a level is complete of those who left alone is a truncation, which shows as a lack
    of censored lives, as in Tsai (1990), Biometrika 77:169. Checked in
    tests/survival/test_hazards.py.
    """
    known_at_start(observed, covariates)
    starts = spells.filter(spell=1).select("customer_id", "start_day")
    lives = observed.join(starts, on="customer_id", how="left", maintain_order="left")
    ends = lives["start_day"] + lives["duration_days"]
    lives = lives.with_columns(_longest=ends.max() - lives["start_day"])
    found = {name: _leak(lives, name) for name in dict.fromkeys(covariates)}
    refused = {name: why for name, why in found.items() if why}
    return [name for name in found if name not in refused], refused


def refusals(refused: dict[str, str]) -> str:
    """What `gate` refused, in a sentence for each."""
    said = [f"{name} is refused: {why}." for name, why in refused.items()]
    return " ".join(said) or "No covariate leaks the outcome."


def _leak(lives: pl.DataFrame, name: str) -> str:
    """Why the covariate cannot have been known at the start, or nothing."""
    left = lives.with_columns(value=_as_number(lives[name])).filter("event_observed")
    left = left.filter(pl.col("value").is_finite())
    if left.height >= ENOUGH and (rho := _follows(left)) >= FOLLOWS:
        return (
            f"of {left.height:,} customers who left, it follows how long they stayed, or when "
            f"they left (rank correlation {rho:.2f}; from {FOLLOWS} on it must be a leak)"
        )
    levels = _tenths(lives[name]) if lives[name].dtype.is_numeric() else lives[name]
    levels = levels.cast(pl.String).alias("level")
    sizes = levels.drop_nulls().value_counts().sort(["count", "level"], descending=[True, False])
    large = sizes.filter(pl.col("count") >= ENOUGH)["level"].head(50)
    alike = ((levels == level).fill_null(False) for level in large)
    followed = lives.select("duration_days", "event_observed", "entry_days", "_longest")
    for mask in (levels.is_not_null(), levels.is_null(), *alike):
        stayed, expected = _stayed(followed.filter(mask))
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
    start on or back from today."""
    value, start = pl.col("value"), pl.col("start_day")
    found = left.select(
        pl.corr(x, "duration_days", method="spearman").abs().fill_nan(0).alias(f"{number}")
        for number, x in enumerate((value, value - start, value + start))
    )
    return max(rho or 0.0 for rho in found.row(0))


def _tenths(column: pl.Series) -> pl.Series:
    """The tenth of the known values in which each lies; equal ones in the same."""
    return (column.rank("min") - 1) * 10 // max(column.count(), 1)


def _stayed(group: pl.DataFrame) -> tuple[int, float]:
    """How many of ``group`` stayed; how many would, had they been followed by chance until F."""
    durations, left, entry, longest = (
        group[name].to_numpy()
        for name in ("duration_days", "event_observed", "entry_days", "_longest")
    )
    times = np.unique(durations[left])
    at_risk, ends = risk_sets.at(times, durations, left, entry)
    survival = np.concatenate([[1.0], np.cumprod(1 - ends / at_risk)])
    until, since = (survival[np.searchsorted(times, day, "right")] for day in (longest, entry))
    return int((~left).sum()), float((until / np.maximum(since, 1e-12)).sum())
