"""What is read off the table "retention"."""

import polars as pl

from retention.book import Churn
from retention.cohorts import readings

SHOP = Churn(kind="activity", activity=["purchase"], after_days=90)
TERMS = Churn(kind="contract", after_days=30)
NAMES = ["definition", "unit", "cohort_by", "cohort", "age", "until_age", "n_start", "retention"]


def table(rows: list[tuple]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, NAMES, orient="row", infer_schema_length=None)
    share = pl.col("retention").cast(pl.Float64)
    return frame.with_columns(share, n_active=pl.lit(9), ci_lower=share, ci_upper=share)


def months(definition: str, by: str, cohort: str, shares: list) -> list[tuple]:
    return [
        (definition, "month", by, cohort, age, age, None if share is None else 50, share)
        for age, share in enumerate(shares)
    ]


TABLE = table(
    [
        *months("bounded", "all", "all", [1.0, 0.5, 0.4]),
        *months("unbounded", "all", "all", [1.0, 0.7, 0.5]),
        *months("bounded", "start_month", "2025-01", [1.0, 0.45, 0.4]),
        *months("bounded", "start_month", "2025-02", [1.0, 0.55, None]),
        *months("bounded", "plan", "basic", [1.0, 0.3, None]),
        *months("bounded", "plan", "pro", [1.0, 0.8, None]),
        *months("bounded", "region", "north", [1.0, None, None]),
        ("bracket", "month", "start_month", "2025-01", 1, 2, 50, 0.6),
        ("bracket", "month", "start_month", "2025-02", 1, 2, 50, 0.7),
    ]
)


def test_curves_pool_all_cohorts_by_every_definition_that_makes_one():
    lines = readings.pooled(TABLE, "month")

    assert lines.select("group", "age", "retention").rows() == [
        ("bounded", 1, 0.5),
        ("bounded", 2, 0.4),
        ("unbounded", 1, 0.7),
        ("unbounded", 2, 0.5),
    ]
    assert readings.headline(lines, [1, 2, 12]) == (
        "40% of customers are active in month 2 after their start"
    )
    assert readings.headline(lines, [12]) == "No cohort is old enough to compare"


def test_cohorts_of_an_attribute_are_those_of_the_first_that_says_something():
    lines = readings.by_level(TABLE, ["start_month", "region", "plan"], "bounded")

    assert set(lines["group"]) == {"basic", "pro"}
    assert readings.level_headline(lines, [1, 12]) == (
        "In month 1, cohorts keep between 30% and 80%"
    )
    assert readings.by_level(TABLE, ["region"], "bounded").is_empty()


def test_a_range_is_not_said_of_an_age_at_which_a_cohort_is_hidden():
    said = readings.spread_headline(TABLE, TABLE, "bounded", [1, 2])
    assert said == "Bounded: in month 1, cohorts keep between 45% and 55%"
    hidden = (pl.col("cohort") == "2025-01") & (pl.col("age") == 1)
    shown = TABLE.with_columns(retention=pl.when(~hidden).then("retention"))
    assert readings.spread_headline(shown, TABLE, "bounded", [1, 2]) == (
        "Bounded: no two cohorts can be compared at the same age yet"
    )
    said = readings.spread_headline(TABLE, TABLE, "bracket", [1])
    assert said == "Bracket: in months 1–2, cohorts keep between 60% and 70%"


def test_a_triangle_holds_the_newest_cohorts_and_the_ages_that_they_reached():
    many = table(
        [
            row
            for n in range(24)
            for row in months(
                "bounded",
                "start_month",
                f"{2023 + n // 12}-{n % 12 + 1:02}",
                [1.0 if age + n < 24 else None for age in range(24)],
            )
        ]
    )

    rows = readings.triangle(many, "bounded")

    assert rows["cohort"].n_unique() == readings.NEWEST
    assert rows["cohort"].min() == "2023-07"
    assert rows["age"].max() == 17
    assert readings.triangle(TABLE, "bracket")["age"].to_list() == ["1–2", "1–2"]


def test_definitions_name_what_counts_in_this_kind_of_book():
    assert "event of kind purchase" in readings.definition("bounded", SHOP, 10)
    assert "silence of 90 days" in readings.definition("active since", SHOP, 10)
    assert "contract in force" in readings.definition("bracket", TERMS, 10, "day")
    assert "break of contract of 30 days" in readings.definition("active since", TERMS, 10)
    whole = readings.definitions(TERMS, 10, "week")
    assert [whole.count(name) for name in ("Bounded:", "Unbounded:", "Active since")] == [1, 1, 1]
    assert "rolling" not in whole
    assert "no mean of their shares" in whole
