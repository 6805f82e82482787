"""Calendar periods of integer days, by integer arithmetic that every engine does alike.

A period is a whole number that counts days, weeks (from Monday) or calendar months.
"""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import narwhals as nw

EPOCH = date(1970, 1, 1)
MONDAY = 719_463  # days before 1970-01-01 a Monday lies, early enough for every day in use


def month(day: str) -> nw.Expr:
    """Months since year 0 of the column ``day`` (days since 1970-01-01); 1970-01 is 23,640.

    Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    Checked against Python's calendar for every day from 1900 to 2100 in
    tests/tables/test_calendar.py.
    """
    shifted = nw.col(day).cast(nw.Int32) + 719_468  # half the width, a quarter of the time
    era = shifted // 146_097
    of_era = shifted - era * 146_097
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    months = (year + era * 400) * 12 + (5 * of_year + 2) // 153 + 2
    return months.cast(nw.Int64)


def month_of(day: date) -> int:
    """The month number, as `month` counts, of a date."""
    return day.year * 12 + day.month - 1


def period(day: str, unit: str) -> nw.Expr:
    """The period in which the column ``day`` lies: "day", "week" (from Monday) or "month".

    Checked against Python's calendar in tests/tables/test_calendar.py.
    """
    if unit == "month":
        return month(day)
    return nw.col(day) if unit == "day" else (nw.col(day) + MONDAY) // 7


def period_of(day: int, unit: str) -> int:
    """The period, as `period` counts, of one day."""
    if unit == "month":
        return month_of(date_of(day))
    return day if unit == "day" else (day + MONDAY) // 7


def last_day(period: int, unit: str) -> int:
    """The last day of a period."""
    if unit == "month":
        return day_of(date((period + 1) // 12, (period + 1) % 12 + 1, 1)) - 1
    return period if unit == "day" else 7 * period - MONDAY + 6


def last_whole(day: int, unit: str) -> int:
    """The newest period that had ended by ``day``."""
    return period_of(day + 1, unit) - 1


def name_of(period: int, unit: str) -> str:
    """A period in print: 2025-06, or the first day of a week."""
    if unit == "month":
        return f"{period // 12}-{period % 12 + 1:02}"
    return str(date_of(period if unit == "day" else 7 * period - MONDAY))


def day_of(day: date) -> int:
    """Days from 1970-01-01 to ``day``."""
    return (day - EPOCH).days


def date_of(day: int) -> date:
    """The date of a day number."""
    return EPOCH + timedelta(days=int(day))


@cache
def skipped_hours(timezone: str) -> list[int]:
    """Hours (since 1970-01-01 00:00, as local clocks count) that the clocks of a zone skip.

    From 1970 to 2069; an hour of which the clocks show any minute is not among them.
    """
    zone, midnight = ZoneInfo(timezone), datetime(1970, 1, 1, 12, tzinfo=UTC)
    noons = [(midnight + timedelta(day)).astimezone(zone).utcoffset() for day in range(36_525)]
    forward = [day for day in range(1, len(noons)) if noons[day] > noons[day - 1]]
    hours = [hour for day in forward for hour in range(24 * day - 12, 24 * day + 24)]
    return [hour for hour in hours if not any(_shown(hour, minute, zone) for minute in (0, 59))]


def _shown(hour: int, minute: int, zone: ZoneInfo) -> bool:
    """Whether a local time exists: a skipped one comes back from UTC as another."""
    local = datetime(1970, 1, 1) + timedelta(hours=hour, minutes=minute)  # noqa: DTZ001
    return local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local
