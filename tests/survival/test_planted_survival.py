"""Curves of survival and of causes cover the planted truth as often as they should.

The truth is what is expected of a world's own customers. Who was drawn is no chance there: curves
vary around it with the mean of S (1 - S) over customers, limits allow for all customers alike, with
the larger S (1 - S) of the mean S. 95 % limits thus cover it more often than in 95 % of worlds, but
not more often than WIDEST, of which the second test makes sure.
"""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import planted
import planted_truth
import polars as pl
import pytest
from scipy.integrate import quad
from scipy.stats import binom, norm

from retention.stats import by_group
from retention.survival import incidence, survival
from retention_demo import simulate

CUSTOMERS = 2_000
DAYS = [90, 180, 365]
BY = (None, "plan", "payment_method")
CURVES = ("survival", *simulate.CAUSES)
KEY = ["curve", "by", "group", "duration_days"]
SEEDS = range(400)
WIDEST = 0.955  # coverage if those drawn were always alike in their differences
COVERED = range(int(binom.ppf(0.0005, 400, 0.95)), int(binom.ppf(0.9995, 400, WIDEST)) + 1)


def individuals(people: pl.DataFrame) -> pl.DataFrame:
    """The planted survival and incidence of each customer: one row per customer, curve and day."""
    curves = [planted_truth.survival_of(people, DAYS)]
    curves += [planted_truth.incidence_of(people, cause, DAYS) for cause in simulate.CAUSES]
    wide = people.select("plan", "payment_method", all=pl.lit("all"))
    return pl.concat(
        wide.with_columns(
            curve=pl.lit(curve), duration_days=pl.lit(day, pl.Int64), planted=values[:, place]
        )
        for curve, values in zip(CURVES, curves, strict=True)
        for place, day in enumerate(DAYS)
    )


def truth(people: pl.DataFrame) -> pl.DataFrame:
    """What is expected of ``people``, whole and by group: KEY, planted, variance (among them)."""
    planted = pl.col("planted")
    own = individuals(people)
    return pl.concat(
        own.group_by("curve", pl.col(by or "all").alias("group"), "duration_days").agg(
            planted.mean(), variance=planted.var(), by=pl.lit(by or "all")
        )
        for by in BY
    )


def read(observed: pl.DataFrame, by: str | None) -> pl.DataFrame:
    """The workbook's curves, read at DAYS: KEY, value, ci_lower, ci_upper."""
    stays = by_group.read(survival.kaplan_meier(observed, by), DAYS)
    leaves = by_group.read(incidence.incidence(observed, by), DAYS)
    columns = [*KEY, "value", "ci_lower", "ci_upper"]
    return pl.concat(
        [
            stays.with_columns(curve=pl.lit("survival"), value="survival").select(columns),
            leaves.with_columns(curve="cause", value="incidence").select(columns),
        ]
    )


def observed(customers: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The people of one world whose first spells may be used, and these spells."""
    people = simulate.people(customers, seed)
    terms = simulate.terms(people, simulate.lives(people, seed), seed)
    spells = planted.spells_at(terms, simulate.LAST_DAY)
    seen = survival.observed(spells, people.select("customer_id", "payment_method"))
    return people.join(seen, on="customer_id", how="semi"), seen


def curves(seed: int, customers: int = CUSTOMERS) -> pl.DataFrame:
    """What the workbook says of one simulated world, with the truth beside it."""
    people, seen = observed(customers, seed)
    said = pl.concat(read(seen, by) for by in BY)
    both = said.join(truth(people), on=KEY, validate="1:1")
    assert both.height == said.height == len(CURVES) * len(DAYS) * 7  # all, 3 plans, 3 methods
    return both.with_columns(
        covered=pl.col("planted").is_between("ci_lower", "ci_upper"),
        bias=pl.col("value") - pl.col("planted"),
    )


def test_the_planted_incidence_is_the_integral_of_the_hazard_and_adds_up_with_survival():
    people = simulate.people(20, seed=4)
    stays = planted_truth.survival_of(people, DAYS)
    leaves = [planted_truth.incidence_of(people, cause, DAYS) for cause in simulate.CAUSES]
    risk = np.exp(people.select(map(simulate.log_hazard, simulate.CAUSES)).to_numpy())

    def density(t: float, person: int, cause: int) -> float:
        parts = simulate.BASELINES.values()
        lived = [(t / b["scale_days"]) ** b["shape"] for b in parts] * risk[person]
        own = list(parts)[cause]["shape"] / t
        return own * lived[cause] * np.exp(-lived.sum())

    assert np.allclose(stays + sum(leaves), 1)
    for (person, cause, place), found in np.ndenumerate(np.stack(leaves, axis=1)):
        whole, _ = quad(density, 0, DAYS[place], args=(person, cause))
        assert found == pytest.approx(whole, abs=2e-5)


def test_customers_differ_so_little_that_limits_cannot_be_much_too_wide():
    table = truth(simulate.people(20_000, seed=4))
    common = table["planted"] * (1 - table["planted"])
    wider = (1 - table["variance"] / common) ** -0.5
    coverage = 2 * norm.cdf(norm.ppf(0.975) * wider.to_numpy()) - 1

    assert 0.953 < coverage.max() < WIDEST


def test_days_are_counted_as_planted():
    people, seen = observed(100_000, seed=1)
    days = [1, 2, 3, 7]
    found = by_group.read(survival.kaplan_meier(seen), days)["survival"].to_numpy()
    expected = planted_truth.expected_survival(people, days)
    leaves = by_group.read(incidence.incidence(seen), days)
    error = np.sqrt(expected * (1 - expected) / people.height)

    assert np.all(np.abs(found - expected) < 4 * error)
    for cause in simulate.CAUSES:
        expected = planted_truth.expected_incidence(people, cause, days)
        found = leaves.filter(cause=cause)["incidence"].to_numpy()
        assert np.all(np.abs(found - expected) < 4 * np.sqrt(expected / people.height))


def test_planted_curves_are_covered_in_one_world():
    found = curves(seed=1, customers=20_000)

    assert found["covered"].sum() >= 0.8 * found.height  # groups share customers, days their past
    assert found["bias"].abs().max() < 0.025


@pytest.mark.slow
def test_each_planted_curve_is_covered_by_its_95_percent_limits():
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        worlds = pl.concat(pool.map(curves, SEEDS, chunksize=20))

    found = (
        worlds.group_by(KEY)
        .agg(
            pl.col("covered").sum(),
            off=pl.col("bias").mean() / pl.col("bias").std() * len(SEEDS) ** 0.5,
        )
        .sort(KEY)
    )
    with pl.Config(tbl_rows=-1):
        print(COVERED, found)
    assert all(n in COVERED for n in found["covered"])
    assert found["off"].abs().max() < 4
