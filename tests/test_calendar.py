"""Months of integer days, against Python's own calendar."""

from datetime import date, timedelta

import narwhals as nw
import polars as pl
import pytest

from retention.tables import calendar


def test_the_month_of_every_day_from_1900_to_2100():
    first, last = date(1900, 1, 1), date(2100, 12, 31)
    dates = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    days = pl.LazyFrame({"day": [calendar.day_of(day) for day in dates]})

    months = nw.from_native(days).select(month=calendar.month("day")).collect()["month"]

    assert months.to_list() == [calendar.month_of(day) for day in dates]


def test_1970_01_is_month_23640():
    assert calendar.month_of(date(1970, 1, 31)) == 23_640


@pytest.mark.parametrize(
    ("snapshot_date", "ended"),
    [
        (date(2025, 6, 29), date(2025, 5, 1)),
        (date(2025, 6, 30), date(2025, 6, 1)),
        (date(2024, 2, 28), date(2024, 1, 1)),
        (date(2024, 2, 29), date(2024, 2, 1)),
        (date(2025, 1, 1), date(2024, 12, 1)),
        (date(2024, 12, 31), date(2024, 12, 1)),
    ],
)
def test_a_month_is_whole_once_its_last_day_counts(snapshot_date, ended):
    assert calendar.last_whole_month(snapshot_date) == calendar.month_of(ended)


def test_a_day_number_and_its_date_are_two_names_of_one_day():
    assert calendar.day_of(date(1970, 1, 1)) == 0
    assert calendar.day_of(date(1998, 6, 30)) == 10_407
    assert calendar.date_of(10_407) == date(1998, 6, 30)
    assert calendar.date_of(-1) == date(1969, 12, 31)
