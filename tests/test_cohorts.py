"""Cohort retention against CDNOW's published tables and a literal count."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention.analysis import cohorts
from retention.book import Churn
from retention.tables import activity, calendar, demo, spells

PURCHASES = Churn(kind="activity", activity=["purchase"], after_days=180)
SNAPSHOT = date(1998, 6, 30)


def cdnow_retention(file: str) -> pl.DataFrame:
    at = pl.col("at").cast(pl.Int32).cast(pl.Int64)
    raw = demo.cdnow(file)
    events = raw["events"].select(
        "customer_id", "kind", day=at, order_id=pl.lit(None, pl.String), amount_cents=pl.lit(0)
    )
    started = pl.col("started").cast(pl.Int32).cast(pl.Int64)
    customers = raw["customers"].select("customer_id", started_day=started).collect()
    days = activity.activity(events).collect()
    stretches = spells.from_activity(
        days, customers, kinds=["purchase"], snapshot_day=calendar.day_of(SNAPSHOT), after_days=180
    )
    starts = cohorts.starts(stretches)
    months = cohorts.months(days, stretches, PURCHASES, calendar.day_of(SNAPSHOT))
    return cohorts.retention(starts, cohorts.active_counts(starts, months), SNAPSHOT)


def counts(table: pl.DataFrame, ages: list[int]) -> dict[str, list[int]]:
    return {
        cohort: rows.filter(pl.col("age").is_in(ages)).sort("age")["n_active"].to_list()
        for (cohort,), rows in table.filter(pl.col("cohort") != "all")
        .sort("cohort")
        .group_by("cohort", maintain_order=True)
    }


def test_cdnow_cohorts_are_the_published_ones():
    assert counts(cdnow_retention("CDNOW_master.txt"), [0, 1, 2, 3, 6, 12]) == {
        "1997-01": [7846, 1157, 964, 810, 720, 528],
        "1997-02": [8476, 1312, 980, 783, 626, 568],
        "1997-03": [7248, 1032, 752, 756, 561, 678],
    }


def test_cdnow_sample_cohorts_are_the_published_ones():
    assert counts(cdnow_retention("CDNOW_sample.txt"), [0, 1, 2, 3, 4, 12]) == {
        "1997-01": [781, 124, 95, 70, 65, 45],
        "1997-02": [857, 134, 110, 75, 77, 59],
        "1997-03": [719, 87, 84, 78, 63, 78],
    }


def test_what_cannot_have_been_observed_is_null_and_never_zero():
    table = cdnow_retention("CDNOW_master.txt")

    march = table.filter(pl.col("cohort") == "1997-03")
    assert march.sort("age")["n_active"].is_null().to_list() == [False] * 16 + [True] * 2
    pooled = table.filter(pl.col("cohort") == "all").sort("age")
    assert pooled["n_start"].to_list() == [23570] * 16 + [7846 + 8476, 7846]


def day(text: str) -> int:
    return calendar.day_of(date.fromisoformat(text))


def test_a_month_that_has_not_wholly_passed_is_not_observed():
    starts = pl.DataFrame({"customer_id": ["a"], "cohort": [calendar.month_of(date(2025, 1, 9))]})
    active = pl.DataFrame({"cohort": starts["cohort"], "age": [0], "n_active": [1]})

    before, on_time = (
        cohorts.retention(starts, active, snapshot)["n_active"].null_count()
        for snapshot in (date(2025, 1, 30), date(2025, 1, 31))
    )
    assert (before, on_time) == (1, 0)


def test_a_contract_counts_in_every_month_it_touches():
    stretches = pl.DataFrame(
        {
            "customer_id": ["left", "open"],
            "start_day": [day("2025-01-31"), day("2025-02-10")],
            "end_day": [day("2025-03-01"), None],
        }
    )
    contract = Churn(kind="contract", after_days=30)

    months = cohorts.months(pl.DataFrame(), stretches, contract, day("2025-04-30"))

    first = calendar.month_of(date(2025, 1, 1))
    assert sorted(months.rows()) == [
        *(("left", first + n) for n in (0, 1, 2)),
        *(("open", first + n) for n in (1, 2, 3)),
    ]


events = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(0, 400)), min_size=1, max_size=60
)


@settings(deadline=None, max_examples=60)
@given(events, st.integers(0, 60))
def test_retention_equals_a_literal_count(log, wait):
    snapshot = date(2024, 1, 1) + timedelta(days=max(d for _, d in log) + wait)
    start = day("2024-01-01")
    days = pl.DataFrame(
        {"customer_id": [c for c, _ in log], "day": [start + d for _, d in log]}
    ).with_columns(kind=pl.lit("purchase"))

    def month(d: int) -> tuple[int, int]:
        on = date(2024, 1, 1) + timedelta(days=d)
        return on.year, on.month

    def age(first: tuple[int, int], later: tuple[int, int]) -> int:
        return (later[0] - first[0]) * 12 + later[1] - first[1]

    started = {c: min(d for other, d in log if other == c) for c, _ in log}
    literal = {}
    for customer, d in log:
        first = month(started[customer])
        literal.setdefault((first, age(first, month(d))), set()).add(customer)

    starts = pl.DataFrame(
        {"customer_id": list(started), "d": [start + d for d in started.values()]}
    ).select(
        "customer_id",
        cohort=pl.from_epoch("d", time_unit="d").dt.year().cast(pl.Int64) * 12
        + pl.from_epoch("d", time_unit="d").dt.month().cast(pl.Int64)
        - 1,
    )
    months = cohorts.months(days, pl.DataFrame(), PURCHASES, calendar.day_of(snapshot))
    table = cohorts.retention(starts, cohorts.active_counts(starts, months), snapshot)

    for row in table.filter(pl.col("cohort") != "all").iter_rows(named=True):
        first = tuple(int(part) for part in row["cohort"].split("-"))
        month_number = first[0] * 12 + first[1] - 1 + row["age"]
        ends = date(month_number // 12 + month_number % 12 // 11, (month_number + 1) % 12 + 1, 1)
        if ends - timedelta(days=1) > snapshot:
            assert row["n_active"] is None
        else:
            assert row["n_active"] == len(literal.get((first, row["age"]), ()))
            assert row["retention"] == pytest.approx(row["n_active"] / row["n_start"])
    assert (table.filter(pl.col("age") == 0)["retention"].drop_nulls() == 1).all()


def test_headlines_say_the_oldest_age_that_can_be_compared():
    table = cdnow_retention("CDNOW_master.txt")
    cells, pooled = (table.filter((pl.col("cohort") == "all") == whole) for whole in (False, True))

    assert (
        cohorts.headline(pooled, [1, 12])
        == "8% of customers are active 12 months after their start"
    )
    assert (
        cohorts.spread_headline(cells, cells, [1, 12])
        == "At 12 months, cohorts keep between 7% and 9%"
    )
    assert cohorts.spread_headline(cells.head(1), cells, [1]) == (
        "No two cohorts can be compared at the same age yet"
    )
    ends = cohorts.first_and_last(cells, [12])
    assert ends["cohort"].to_list() == ["1997-01", "1997-03"]


def test_a_range_is_not_said_of_an_age_at_which_a_cohort_is_hidden():
    table = cdnow_retention("CDNOW_master.txt").filter(pl.col("cohort") != "all")
    hidden = (pl.col("cohort") == "1997-01") & (pl.col("age") == 12)
    shown = table.with_columns(retention=pl.when(~hidden).then("retention"))

    assert cohorts.spread_headline(shown, table, [1, 12]).startswith("At 1 months")


def test_small_cohorts_are_in_no_sum():
    starts = pl.DataFrame({"customer_id": list("abcdefg"), "cohort": [1, 1, 1, 2, 2, 2, 2]})

    assert cohorts.large(starts, 4)["cohort"].unique().to_list() == [2]


def test_who_started_before_the_data_is_in_no_cohort():
    stretches = pl.DataFrame(
        {
            "customer_id": ["late", "within"],
            "spell": [1, 1],
            "entry_day": [100, 120],
            "start_day": [40, 120],
            "excluded": pl.Series([None, None], dtype=pl.String),
        }
    )

    assert cohorts.starts(stretches)["customer_id"].to_list() == ["within"]
