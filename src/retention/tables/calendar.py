"""Calendar months of integer days, by integer arithmetic that every engine does alike."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import narwhals as nw

EPOCH = date(1970, 1, 1)


def month(day: str) -> nw.Expr:
    """Months since year 0 of the column ``day`` (days since 1970-01-01); 1970-01 is 23,640.

    Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    Checked against Python's calendar for every day from 1900 to 2100 in tests/test_calendar.py.
    """
    shifted = nw.col(day) + 719_468
    era = shifted // 146_097
    of_era = shifted - era * 146_097
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    return (year + era * 400) * 12 + (5 * of_year + 2) // 153 + 2


def month_of(day: date) -> int:
    """The month number, as `month` counts, of a date."""
    return day.year * 12 + day.month - 1


def last_whole_month(snapshot_date: date) -> int:
    """The newest month that had ended by the snapshot."""
    ended = (snapshot_date + timedelta(days=1)).day == 1
    return month_of(snapshot_date) - (not ended)


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
    local = datetime(1970, 1, 1) + timedelta(hours=hour, minutes=minute)
    return local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local
