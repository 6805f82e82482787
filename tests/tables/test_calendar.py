"""Periods of integer days, against Python's own calendar."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import narwhals as nw
import polars as pl
import pytest

from retention.tables import calendar


def test_1970_01_is_month_23640():
    assert calendar.month_of(date(1970, 1, 31)) == 23_640


def literal_name(day: date, unit: str) -> str:
    if unit == "month":
        return day.isoformat()[:7]
    return str(day - timedelta(days=day.weekday() if unit == "week" else 0))


@pytest.mark.parametrize("unit", ["day", "week", "month"])
def test_every_day_lies_in_its_own_period_until_the_last_day_of_it(unit):
    first = date(1899, 12, 25)
    dates = [first + timedelta(days=n) for n in range(366 * 201)]
    days = pl.LazyFrame({"day": [calendar.day_of(day) for day in dates]})

    periods = nw.from_native(days).select(p=calendar.period("day", unit)).collect()["p"].to_list()

    assert periods == [calendar.period_of(calendar.day_of(day), unit) for day in dates]
    assert [calendar.name_of(p, unit) for p in periods] == [literal_name(d, unit) for d in dates]
    ends = [d for d, here, there in zip(dates, periods, periods[1:], strict=False) if here != there]
    assert [calendar.last_day(p, unit) for p in sorted(set(periods))[: len(ends)]] == [
        calendar.day_of(day) for day in ends
    ]
    for day in (*range(-3, 40), 20_000):
        whole = calendar.last_whole(day, unit)
        assert calendar.last_day(whole, unit) <= day < calendar.last_day(whole + 1, unit)


def test_a_day_number_and_its_date_are_two_names_of_one_day():
    assert calendar.day_of(date(1970, 1, 1)) == 0
    assert calendar.day_of(date(1998, 6, 30)) == 10_407
    assert calendar.date_of(10_407) == date(1998, 6, 30)
    assert calendar.date_of(-1) == date(1969, 12, 31)


def test_hours_that_clocks_skip_are_those_that_they_never_show():
    """Against a literal look at every hour of some years: does any minute of it come back?"""
    zones = {
        "Europe/Berlin": 1,
        "America/New_York": 1,
        "America/Santiago": 1,
        "Australia/Lord_Howe": 0,
        "Asia/Kolkata": 0,
        "UTC": 0,
    }
    for name, per_year in zones.items():
        zone, first = ZoneInfo(name), calendar.day_of(date(2023, 1, 1))
        hours = range(first * 24, (first + 3 * 365) * 24)
        skipped = [hour for hour in hours if not any(shown(hour, m, zone) for m in range(0, 60, 5))]
        known = [hour for hour in calendar.skipped_hours(name) if hour in hours]
        assert known == skipped
        assert len(known) == 3 * per_year


def shown(hour: int, minute: int, zone: ZoneInfo) -> bool:
    naive = datetime(1970, 1, 1) + timedelta(hours=hour, minutes=minute)
    there = naive.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
    return there.replace(tzinfo=None) == naive


def test_a_day_that_a_zone_left_out_is_skipped_whole():
    left_out = calendar.day_of(date(2011, 12, 30))
    skipped = set(calendar.skipped_hours("Pacific/Apia"))
    assert set(range(left_out * 24, (left_out + 1) * 24)) <= skipped
