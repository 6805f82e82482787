"""Do newer cohorts stay longer? Planted trends are said with their size."""

import polars as pl
import pytest

from retention.cohorts import trends

MONTHS = [f"{2023 + n // 12}-{n % 12 + 1:02}" for n in range(24)]


def table(shares: dict[str, list[float | None]], n: int = 300) -> pl.DataFrame:
    """The table "retention" at month 3, a share for each month of start; null = not reached."""
    rows = [
        (definition, "month", "start_month", month, 3, None if share is None else n, share)
        for definition, values in shares.items()
        for month, share in zip(MONTHS, values, strict=False)
    ]
    names = ["definition", "unit", "cohort_by", "cohort", "age", "n_start", "retention"]
    frame = pl.DataFrame(rows, names, orient="row", infer_schema_length=None)
    return frame.with_columns(
        pl.col("retention").cast(pl.Float64),
        n_active=(pl.col("retention") * pl.col("n_start")).round().cast(pl.Int64),
    )


def test_a_planted_trend_is_said_with_its_size_and_cohorts_that_are_too_young_are_left_out():
    rising = [0.3 + 0.01 * n for n in range(12)] + [None, None]

    found = trends.trends(table({"active since": rising, "bounded": [0.4] * 12}), [3, 9])

    assert found.select("definition", "age", "cohorts", "n").rows() == [
        ("active since", 3, 12, 3600),
        ("bounded", 3, 12, 3600),
    ]
    (said,) = trends._verdict(found, 0.95)
    assert said.sentence.startswith("Newer cohorts stay longer: at {age} months")
    assert said.value == pytest.approx(1.0)
    assert (said.further["cohorts"], said.further["tests"], said.further["age"]) == (12, 2, 3)
    assert trends.headline(found) == "Newer cohorts are retained better where it is clear"
    assert (found["p_adjusted"] >= found["p_value"]).all()


def test_no_trend_and_too_few_cohorts_are_said_as_such():
    flat = trends.trends(table({"bounded": [0.4, 0.41, 0.39, 0.4]}), [3])
    assert trends._verdict(flat, 0.95)[0].sentence.startswith("No steady trend")
    assert "none of the ages" in trends.headline(flat)
    none = trends.trends(table({"bounded": [0.4, 0.5]}), [3])
    assert none.is_empty()
    assert trends._verdict(none, 0.95) == []


def test_a_month_left_out_counts_as_a_longer_step():
    three = table({"bounded": [0.3, 0.4, None, 0.6]})
    assert trends.trends(three, [3])["slope"][0] == pytest.approx(0.1)
