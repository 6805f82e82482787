"""Cox regression on simulated worlds, through the workbook's own spells."""

import polars as pl

from retention.analysis import survival
from retention.tables import calendar, simulate, spells

CUSTOMERS = 2_000


def hazard_ratios(seed: int) -> pl.DataFrame:
    """Estimates of one simulated world, with the planted hazard ratios beside them."""
    people = simulate.people(CUSTOMERS, seed)
    terms = simulate.terms(people, simulate.lives(people, seed), seed)
    contracts = terms.select(
        "customer_id",
        *(
            pl.col(name).cast(pl.Date).cast(pl.Int32).cast(pl.Int64).alias(f"{name}_day")
            for name in ("started", "ended", "booked")
        ),
        "cause",
        "plan",
    )
    stretches = spells.from_contracts(
        contracts, snapshot_day=calendar.day_of(simulate.LAST_DAY), after_days=30
    )
    design = people.select(
        "customer_id", **{name: term.cast(pl.Float64) for name, term in simulate.TERMS.items()}
    )
    observed = survival.observed(stretches, design)
    return pl.concat(
        survival.hazard_ratios(observed, list(simulate.TERMS), cause).with_columns(
            planted=pl.col("term").replace_strict(ratios, return_dtype=pl.Float64)
        )
        for cause, ratios in simulate.HAZARD_RATIOS.items()
    ).with_columns(
        covered=pl.col("planted").is_between("ci_lower", "ci_upper"),
        bias=pl.col("hazard_ratio").log() - pl.col("planted").log(),
    )
