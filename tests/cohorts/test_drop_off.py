"""Where in life customers drop off, and which cohort does most."""

import polars as pl
import pytest

from retention.cohorts import drop_off

NAMES = ["cohort_by", "cohort", "age", "n_start", "n_active"]


def shown(rows: list[tuple]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, NAMES, orient="row", infer_schema_length=None)
    return frame.with_columns(
        definition=pl.lit("active since"),
        unit=pl.lit("month"),
        n_active=pl.col("n_active").cast(pl.Int64),
    )


CELLS = shown(
    [
        ("start_month", "2025-01", 0, 100, 100),
        ("start_month", "2025-01", 1, 100, 60),
        ("start_month", "2025-01", 2, 100, None),  # hidden
        ("start_month", "2025-01", 3, 100, 40),
        ("start_month", "2025-02", 0, 200, 200),
        ("start_month", "2025-02", 1, 200, 140),
        ("start_month", "2025-02", 2, 200, 105),
        ("start_month", "2025-02", 3, None, None),  # not reached
        ("plan", "basic", 1, 150, 60),
        ("plan", "pro", 1, 150, 140),
        ("all", "all", 1, 300, 200),
    ]
)


def test_drop_off_is_read_from_months_of_which_both_are_shown():
    found = drop_off.drop_off(CELLS, 10)

    assert found.select("age", "n_at_risk", "n_left", "drop_off").rows() == [
        (1, 300, 100, pytest.approx(1 / 3)),
        (2, 140, 35, pytest.approx(0.25)),
    ]
    assert (found["ci_lower"] < found["drop_off"]).all()
    assert drop_off.steepest(found)["age"] == 1
    assert drop_off.headline(found).startswith("Most are lost before month 1 of life: 33%")
    assert drop_off.drop_off(CELLS, 200)["age"].to_list() == [1]


def test_the_cohort_that_drops_off_most_is_named_with_its_difference():
    found = drop_off.by_cohort(CELLS, [1])

    basic = found.filter(cohort="basic").row(0, named=True)
    assert (basic["gone"], basic["gone_of_others"]) == (0.6, pytest.approx(1 / 15))
    # Newcombe's method 10, by hand: Wilson .5202-.6750 for 90/150 and .0366-.1185 for 10/150
    assert basic["ci_lower"] == pytest.approx(0.4381, abs=5e-4)
    assert basic["ci_upper"] == pytest.approx(0.6141, abs=5e-4)
    assert drop_off.worst(found)["cohort"] == "basic"
    assert drop_off.worst(found)["gone"] == "53.3"
    assert "1 cohorts drop off more than the others, 1 less" in drop_off.compared_headline(found)
    assert set(found["cohort_by"]) == {"start_month", "plan"}
    clearest = drop_off.clearest(found, 2)
    assert clearest["label"].to_list() == ["basic, by month 1", "pro, by month 1"]


def test_equal_cohorts_are_not_blamed():
    same = shown([("plan", "basic", 1, 150, 100), ("plan", "pro", 1, 150, 100)])
    found = drop_off.by_cohort(same, [1])
    assert found["p_value"].to_list() == [1, 1]
    assert "No cohort drops off more" in drop_off.worst(found)["sentence"]
    assert "No cohort" in drop_off.compared_headline(found)


def test_without_cohorts_to_compare_it_says_so():
    none = CELLS.clear()
    assert drop_off.by_cohort(none, [1]).is_empty()
    assert "No cohort is old enough" in drop_off.steepest(drop_off.drop_off(none, 10))["sentence"]
    assert drop_off.headline(drop_off.drop_off(none, 10)) == "No cohort is old enough"
