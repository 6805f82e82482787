"""Surveys of simulated customers: what was planted about who answers, and what, is found."""

from collections.abc import Iterator
from functools import cache

import inputs
import planted
import polars as pl
import pytest
from scipy.stats import binom

from retention.customers import engagement, lifecycle, surveys
from retention.tables import calendar
from retention_demo import behaviours, satisfaction, simulate

WAVE = satisfaction.waves()[-1]
DAY = calendar.day_of(WAVE) + satisfaction.ANSWER_DAYS
PROMOTE, DETRACT = (satisfaction.LEVELS.index(level) for level in ("high", "low"))
NET = {name: 100 * (part[PROMOTE] - part[DETRACT]) for name, part in satisfaction.CONTENT.items()}
ANSWER = {
    name: satisfaction.ANSWERS["declining" if name == "declining" else "steady"] for name in NET
}


def drawn(customers: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All surveys as the workbook knows them, and the planted groups of the last wave."""
    who = simulate.people(customers, seed)
    terms = simulate.terms(who, simulate.lives(who, seed), seed)
    told = known(satisfaction.surveys(who, terms, seed))
    groups = satisfaction.asked(who, terms).filter(sent=WAVE).select("customer_id", "group")
    return told, groups


def known(asked: pl.DataFrame) -> pl.DataFrame:
    """Surveys as the workbook knows them."""
    days = {
        f"{name}_day": pl.col(name).to_physical().cast(pl.Int64) for name in ("sent", "answered")
    }
    return asked.select("customer_id", "kind", pl.col("score").cast(pl.Float64), **days)


def latest(told: pl.DataFrame) -> pl.DataFrame:
    return surveys.asked(told, DAY, satisfaction.WAVE_DAYS, satisfaction.ANSWER_DAYS)


def scores(customers: int, seed: int) -> pl.DataFrame:
    told, groups = drawn(customers, seed)
    return surveys.scores(latest(told), groups, ["group"])


@cache
def large() -> pl.DataFrame:
    return scores(100_000, seed=5)


def of(table: pl.DataFrame, kind: str, group: str) -> dict:
    return table.row(by_predicate=(pl.col("kind") == kind) & (pl.col("group") == group), named=True)


@pytest.mark.parametrize("group", NET)
@pytest.mark.parametrize("kind", satisfaction.ASKED)
def test_every_planted_response_rate_and_score_is_found(kind, group):
    row = of(large(), kind, group)
    shift = satisfaction.CONTENT[group][DETRACT] * 100 if kind == "csat" else 0
    for value, truth, lower, upper in (
        ("share_answered", ANSWER[group], "answered_lower", "answered_upper"),
        ("score", NET[group] + shift, "ci_lower", "ci_upper"),
    ):
        half = (row[upper] - row[lower]) / 2
        assert abs(row[value] - truth) < 2 * half, (value, row[value], truth)


def test_who_is_asked_is_a_share_of_who_is_under_contract():
    told, groups = drawn(20_000, seed=5)
    wave = told.filter(sent_day=calendar.day_of(WAVE))
    for kind, share in satisfaction.ASKED.items():
        n = wave.filter(kind=kind).height
        assert binom.ppf(1e-4, groups.height, share) < n < binom.ppf(1 - 1e-4, groups.height, share)


def test_the_naive_score_is_that_of_who_answers_and_flatters():
    """Who uses less is less content and answers less: nobody's answer is made up for that."""
    row = of(large(), "nps", "all")
    everybody, respondents = (
        sum(of(large(), "nps", name)[n] * net for name, net in NET.items()) / row[n]
        for n in ("n_asked", "n_answered")
    )
    half = (row["ci_upper"] - row["ci_lower"]) / 2

    assert abs(row["score"] - respondents) < 1.5 * half
    assert respondents - everybody > 1
    assert everybody < row["ci_lower"]


def test_answers_come_after_their_question_and_by_the_last_day():
    told, _ = drawn(5_000, seed=3)
    late = (told["answered_day"] - told["sent_day"]).drop_nulls()
    assert set(late) == set(range(satisfaction.ANSWER_DAYS))
    assert told["answered_day"].max() <= calendar.day_of(behaviours.LAST_DAY)
    assert told.filter(pl.col("score").is_null() != pl.col("answered_day").is_null()).is_empty()
    for kind, (low, *_, high) in satisfaction.SCORES.items():
        found = told.filter(kind=kind)["score"]
        assert (found.min(), found.max()) == (low[0], high[1])


@pytest.mark.slow
def test_whose_use_is_seen_to_fall_answers_less():
    """By what the pages can see: the trend of usage, not the planted truth."""
    world = simulate.world(9_000, seed=7)
    book = inputs.book({}, churn={"kind": "contract", "after_days": 30})
    day = calendar.date_of(DAY)
    staged = lifecycle.staged(planted.customers_at(world, day), book)
    judged = engagement.engaged(staged, high_days=8)
    asked = latest(known(world["surveys"]))
    table = surveys.scores(asked, judged, ["usage"])
    falling, steady = (of(table, "nps", name) for name in ("falling", "steady"))

    assert falling["answered_upper"] < steady["answered_lower"]
    assert steady["answered_lower"] < satisfaction.ANSWERS["steady"] < steady["answered_upper"]
    assert satisfaction.ANSWERS["declining"] < falling["answered_upper"]
    quiet = surveys.silent(asked, judged).filter("silent_detractor")
    assert quiet.height > 20


WORLDS = 250


def covered(seeds: range) -> Iterator[tuple[str, str, bool]]:
    for seed in seeds:
        for row in scores(4_000, seed).filter(by="group").iter_rows(named=True):
            rate = ANSWER[row["group"]]
            yield row["group"], "response", row["answered_lower"] <= rate <= row["answered_upper"]
            if row["kind"] == "nps" and row["score"] is not None:
                inside = row["ci_lower"] <= NET[row["group"]] <= row["ci_upper"]
                yield row["group"], "score", inside


@pytest.mark.slow
def test_intervals_cover_what_was_planted_as_often_as_they_should():
    """Over many worlds, non-response and score of every planted group."""
    found = pl.DataFrame([*covered(range(WORLDS))], ["group", "of", "covered"], orient="row")
    told = found.group_by("group", "of").agg(pl.len(), pl.col("covered").mean()).sort("group", "of")
    print(told)
    assert told["covered"].min() > 0.93
    assert told["covered"].max() < 0.985
    assert found["covered"].mean() == pytest.approx(0.95, abs=0.01)
