"""Cox regression against planted hazard ratios, through the workbook's own spells."""

import math
from concurrent.futures import ProcessPoolExecutor

import polars as pl
import pytest

from retention.analysis import survival
from retention.tables import calendar, simulate, spells

CUSTOMERS = 2_000
SEEDS = range(1_000)
COVERED = range(926, 972)  # of 1,000: the exact binomial range of 95 % at .001


def estimates(seed: int) -> pl.DataFrame:
    """Hazard ratios of one simulated world, with the planted ones beside them."""
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


def test_planted_hazard_ratios_are_found_in_one_world():
    found = estimates(seed=1)

    assert found.height == len(simulate.TERMS) * len(simulate.HAZARD_RATIOS)
    assert found["bias"].abs().max() < math.log(2)
    assert found["covered"].sum() >= found.height - 2


@pytest.mark.slow
def test_each_planted_hazard_ratio_is_covered_by_its_95_percent_interval():
    with ProcessPoolExecutor(2) as pool:
        worlds = pl.concat(pool.map(estimates, SEEDS, chunksize=20))

    covered = worlds.group_by("cause", "term", "planted").agg(
        pl.col("covered").sum(), pl.col("bias").mean()
    ).sort("cause", "term")
    print(covered)
    assert all(n in COVERED for n in covered["covered"])
