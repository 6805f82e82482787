"""What the page of cohorts shows, read off drawn tables."""

import polars as pl
import pytest
from opened import opened

from retention import cohorts, exhibit
from retention.cohorts.retention import NEWEST, spread
from retention.refresh import Refresh

NAMES = ["definition", "unit", "cohort_by", "cohort", "age", "until_age", "n_start", "n_active"]
AGES = [1, 2, 12]


@pytest.fixture
def r(tmp_path, monkeypatch) -> Refresh:
    monkeypatch.chdir(tmp_path)
    return opened(tmp_path, "40_cohorts")


def table(rows: list[tuple]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, NAMES, orient="row", infer_schema_length=None)
    share = pl.col("n_active") / pl.col("n_start")
    return frame.with_columns(retention=share, ci_lower=share, ci_upper=share)


def months(definition: str, by: str, cohort: str, active: list[int | None]) -> list[tuple]:
    return [
        (definition, "month", by, cohort, age, age, None if n is None else 100, n)
        for age, n in enumerate(active)
    ]


TABLE = table(
    [
        *months("bounded", "all", "all", [100, 50, 40]),
        *months("unbounded", "all", "all", [100, 70, 50]),
        *months("bounded", "start_month", "2025-01", [100, 45, 40]),
        *months("bounded", "start_month", "2025-02", [100, 55, None]),
        *months("bounded", "plan", "basic", [100, 30, None]),
        *months("bounded", "plan", "pro", [100, 80, None]),
        *months("bounded", "region", "north", [100, None, None]),
        ("bracket", "month", "start_month", "2025-01", 1, 2, 100, 60),
        ("bracket", "month", "start_month", "2025-02", 1, 2, 100, 70),
    ]
)


def headline(shown: exhibit.Exhibit) -> str:
    return exhibit.of(shown.headline, shown.table)


def test_curves_pool_all_cohorts_by_every_definition_that_makes_one(r):
    shown = cohorts.curves(r, TABLE, AGES)

    assert shown.table["group"].to_list() == ["bounded"] * 2 + ["unbounded"] * 2
    assert shown.table.select("age", "retention").rows() == [(1, 0.5), (2, 0.4), (1, 0.7), (2, 0.5)]
    assert headline(shown) == "40% of customers are active in month 2 after their start"
    (found,) = exhibit.of(shown.findings, shown.table)
    assert (found.name, found.value) == ("retention_month_1", 0.5)
    assert headline(cohorts.curves(r, TABLE, [12])) == "No cohort is old enough to compare"
    assert "event of kind purchase" in shown.definition
    r.show(shown)


def test_cohorts_of_an_attribute_are_those_of_the_first_that_says_something(r):
    shown = cohorts.by_attribute(r, TABLE, ["start_month", "region", "plan"], AGES)

    assert set(shown.table["group"]) == {"basic", "pro"}
    assert headline(shown) == "In month 1, cohorts keep between 30% and 80%"
    assert cohorts.by_attribute(r, TABLE, ["region"], AGES).table.is_empty()


def test_a_range_is_not_said_of_an_age_at_which_a_cohort_is_hidden(r):
    shown = cohorts.triangle(r, TABLE, "bounded", AGES)
    assert headline(shown) == "Bounded: in month 1, cohorts keep between 45% and 55%"
    hidden = (pl.col("cohort") == "2025-01") & (pl.col("age") == 1)
    part = shown.table.with_columns(retention=pl.when(~hidden).then("retention"))
    assert exhibit.of(shown.headline, part).startswith("Bounded: no two cohorts can be compared")
    ranges = cohorts.triangle(r, TABLE, "bracket", AGES)
    assert ranges.table["age"].to_list() == ["1–2", "1–2"]
    assert headline(ranges) == "Bracket: in months 1–2, cohorts keep between 60% and 70%"
    lines = TABLE.filter(cohort_by="plan", age=1).select("cohort", "age", "n_start", "retention")
    assert spread(lines, "retention", together=True) == (1, 0.3, 0.8)
    r.show(shown, ranges)


def test_a_triangle_holds_the_newest_cohorts_and_the_ages_that_they_reached(r):
    rows = []
    for n in range(24):
        month, reached = f"{2023 + n // 12}-{n % 12 + 1:02}", [100] * (24 - n) + [None] * n
        rows += months("bounded", "start_month", month, reached)
    many = table(rows)

    rows = cohorts.triangle(r, many, "bounded", AGES).table

    assert (rows["cohort"].n_unique(), rows["cohort"].min()) == (NEWEST, "2023-07")
    assert rows["age"].max() == 17
