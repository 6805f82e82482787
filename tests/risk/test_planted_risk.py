"""The planted risk of every customer is what happens, and a learnt risk comes near to it."""

from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context

import planted_truth
import polars as pl
import pytest

from retention.book import Churn
from retention.risk import landmarks, risk
from retention.tables import calendar, task
from retention_demo import behaviours, simulate

CUSTOMERS = 20_000
FEWER = 10_000  # where minutes count
HORIZONS = (30, 90)
DAYS = (date(2024, 9, 15), *behaviours.SNAPSHOTS)  # a Sunday long after any move; quarter ends
LEARNT = (1, 2, 3)  # worlds
NEAR = 0.01  # of AUC
FAR = 4  # standard errors
CHURN = Churn(kind="contract", after_days=planted_truth.GRACE_DAYS)
COVARIATES = ["plan", "onboarding", "payment_method", "trial_sessions"]


def off(told: pl.DataFrame, *by: str) -> pl.DataFrame:
    """By how many standard errors more have left than the risks say; sure ends have no error."""
    risk = pl.col("risk")
    more = pl.col("left").sum() - risk.sum()
    error = (risk * (1 - risk)).sum().sqrt()
    return told.group_by("horizon", *by).agg(
        pl.len().alias("n"), off=pl.when(more.abs() > 1e-6).then(more / error).otherwise(0.0)
    )


def tenths(told: pl.DataFrame) -> pl.DataFrame:
    """Those whose end is not known yet, in tenths of their risk."""
    unsure = told.filter(~pl.col("state").is_in([*planted_truth.SURE]))
    place = pl.col("risk").rank("ordinal").over("horizon") - 1
    return unsure.with_columns(tenth=place * 10 // pl.len().over("horizon"))


def derived(world: dict, day: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The workbook's customers_at and spells as of ``day``."""
    frames = (world[name].lazy() for name in ("activity", "customers", "terms"))
    tables = task.derive(*frames, CHURN, day)
    return tuple(tables[name].collect().to_native() for name in ("customers_at", "spells"))


def landmark_rows(seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What a model may learn from in one world, and those whose risk it is to tell."""
    world = planted_truth.risk_world(CUSTOMERS, seed)
    acts, terms, day = world["activity"].lazy(), world["terms"].lazy(), world["snapshot_day"]
    at, spells = derived(world, day)
    horizon = HORIZONS[-1]
    known = horizon + CHURN.after_days
    days = landmarks.days(day - known, spells["entry_day"].min(), 30, known, 0)
    past = landmarks.Past(at, acts, terms)
    rows = landmarks.rows(past, spells, CHURN, days[: landmarks.LEARN_FROM], horizon)
    current = at.filter(standing="current")
    return rows, landmarks.with_signals(current, past, spells, CHURN, day, horizon)


def learnt_and_planted(seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The risks that the workbook learns in one world, and the planted ones of these customers."""
    rows, current = landmark_rows(seed)
    model = risk.fit(rows, risk.signals(rows, [], COVARIATES))
    told = current.select("customer_id", risk=risk.risk(model, current))
    truth = planted_truth.planted_risk(CUSTOMERS, seed).join(told, on="customer_id", how="semi")
    named = pl.format("{} of world {}", "customer_id", pl.lit(seed)).alias("customer_id")
    return told.with_columns(named), truth.with_columns(named)


def test_the_risk_set_and_its_states_are_those_of_the_workbook():
    world = planted_truth.risk_world(2_000, seed=3)
    for day in DAYS:
        at, _ = derived(world, calendar.day_of(day))
        at = at.filter(pl.col("standing").is_in(["current", "ending"])).sort("customer_id")
        seen = planted_truth.planted_risk(2_000, seed=3, day=day)
        booked, ended = (
            at[name].is_not_null() for name in ("booked_end_in_days", "ended_days_ago")
        )

        assert seen["customer_id"].to_list() == at["customer_id"].to_list()
        assert (seen["state"] == "booked").to_list() == booked.to_list()
        assert seen["state"].is_in(["in_grace", "renewing"]).to_list() == ended.to_list()


def test_who_knows_nothing_but_age_and_attributes_has_the_risk_of_survival():
    seen = planted_truth.planted_risk(2_000, seed=3, known=())
    people = simulate.people(2_000, seed=3)
    lives = simulate.lives(people, seed=3).filter(pl.col("started") <= simulate.LAST_DAY)
    life = lives.unique("customer_id", keep="last", maintain_order=True).select(
        "customer_id", age=(pl.lit(simulate.LAST_DAY) - pl.col("started")).dt.total_days()
    )
    for row in seen.join(life, on="customer_id").head(30).rows(named=True):
        person = people.filter(customer_id=row["customer_id"])
        stays, later = planted_truth.survival_of(person, [row["age"] + 1, row["age"] + 91])[0]
        assert row["risk"] == pytest.approx(1 - later / stays)


def test_as_many_leave_as_the_planted_risk_says_in_every_tenth_and_state():
    seen = pl.concat(
        planted_truth.planted_risk(FEWER, 1, DAYS[0], horizon).with_columns(horizon=pl.lit(horizon))
        for horizon in HORIZONS
    )

    assert seen["state"].n_unique() == 4
    assert seen.filter(pl.col("state").is_in([*planted_truth.SURE]))["risk"].min() == 1
    assert off(seen, "state")["off"].abs().max() < FAR
    assert off(tenths(seen), "tenth")["off"].abs().max() < FAR


@pytest.mark.slow
def test_risks_learnt_at_landmarks_come_near_the_planted_ones():
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        worlds = list(pool.map(learnt_and_planted, LEARNT))

    found = planted_truth.held_against_truth(*map(pl.concat, zip(*worlds, strict=True)))

    with pl.Config(tbl_rows=-1):
        print(found)
    assert found["tenths"]["difference"].abs().max() <= 0.02
    assert abs(found["auc"] - found["planted_auc"]) <= NEAR
