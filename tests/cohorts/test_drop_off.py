"""Where in life customers drop off."""

import polars as pl
import pytest

from retention.cohorts.drop_off import _headline, _steepest, by_age

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
    found = by_age(CELLS, 10)

    assert found.select("age", "n_at_risk", "n_left", "drop_off").rows() == [
        (1, 300, 100, pytest.approx(1 / 3)),
        (2, 140, 35, pytest.approx(0.25)),
    ]
    assert (found["ci_lower"] < found["drop_off"]).all()
    (said,) = _steepest(found)
    assert (said.value, said.further["before"]) == (pytest.approx(1 / 3), 0)
    assert _headline(found).startswith("Most are lost before month 1 of life: 33%")
    assert by_age(CELLS, 200)["age"].to_list() == [1]
    assert _steepest(by_age(CELLS.clear(), 10)) == []
