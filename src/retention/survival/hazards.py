"""Who leaves sooner: hazard ratios of what was known at the start, and of nothing later."""

from functools import partial

import polars as pl

from retention import charts, schema, words
from retention.errors import Refused
from retention.exhibit import Exhibit
from retention.refresh import Refresh
from retention.stats import design, leaks, proportional, rank_tests

LIFE = ("duration_days", "event_observed", "entry_days")
NOT_KNOWN = ("customer_id", *LIFE, "cause", "start_day")
SIDES = "← stays longer · leaves sooner →"
HALVES, DONE = "Is a ratio the same early and late?", "What was merged, filled or left out, and why"


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
    """The covariates that may enter; and those that leak how long customers stayed, with why.

    Takes   observed: one row per customer: customer_id, duration_days, event_observed, entry_days,
            covariates; spells: customer_id, spell, start_day
    Returns names; and of each one refused, why (see `leaks.leak`)

    Raises:
        Refused: a covariate was not known at the start.
    """
    known_at_start(observed, covariates)
    starts = spells.filter(spell=1).select("customer_id", "start_day")
    lives = observed.select("customer_id", *LIFE).join(
        starts, on="customer_id", how="left", maintain_order="left"
    )
    end = pl.col("start_day") + pl.col("duration_days")
    lives = lives.with_columns(longest=end.max() - pl.col("start_day"))
    found = {name: leaks.leak(observed[name], lives) for name in covariates}
    return [name for name in found if not found[name]], {n: why for n, why in found.items() if why}


def refusals(refused: dict[str, str]) -> str:
    """What `gate` refused, in a sentence for each."""
    said = [f"{name} is refused: {why}." for name, why in refused.items()]
    return " ".join(said) or "No covariate leaks the outcome."


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
    return exhibits(r, answer, "known at the start", means, name="hazard_ratios")


def exhibits(
    r: Refresh, answer: proportional.Answer, what: str, means: str, **further
) -> list[Exhibit]:
    """The ratios of an ``answer`` as a forest plot, and two tables of how they were made."""
    ratios = Exhibit(
        answer.ratios,
        partial(headline, what=what, confidence=r.confidence),
        draw=partial(charts.forest, label=_named, value="hazard_ratio", group="cause", sides=SIDES),
        definition=means,
        empty=proportional.why_none(answer) if answer.done.height else f"There is nothing {what}.",
        **further,
    )
    tables = {HALVES: answer.halves, DONE: answer.done}
    return [ratios, *(Exhibit(table, name) for name, table in tables.items() if table.height)]


def _named(row: dict) -> str:
    parts = [row[name] for name in ("term", "cause", "period") if row[name] not in ("any", "all")]
    return "\n".join(map(words.wrapped, parts))


def headline(ratios: pl.DataFrame, what: str = "known at the start", confidence=0.95) -> str:
    """Which hazard ratio departs most from 1 among those that do so beyond chance, all taken
    together: where none does, one is named in 1 - ``confidence`` of tables at most."""
    known = ratios.drop_nulls("p_value")
    together = pl.Series(rank_tests.holm(known["p_value"].to_numpy()))
    clear = proportional.ranked(known.filter(together < 1 - confidence))
    if clear.is_empty():
        return f"Nothing {what} is clearly linked to leaving sooner or later"
    row = clear.row(0, named=True)
    when = "sooner" if row["hazard_ratio"] > 1 else "later"
    period = "" if row["period"] == "all" else f", {row['period']}"
    why = "" if row["cause"] == "any" else f", by {row['cause'].replace('_', ' ')}"
    ratio = f"hazard ratio {row['hazard_ratio']:.2f}{why}{period}"
    return f"Leaving {when} is linked most clearly to {row['term']}: {ratio}"
