"""Snapshot dates as commands take them: single days, and ranges taken in steps."""

from calendar import monthrange
from datetime import date, datetime, timedelta

from retention.errors import Refused
from retention.tables import calendar

DAYS = {"day": 1, "week": 7}
MONTHS = {"month": 1, "quarter": 3, "year": 12}
MOST = 500  # dates of one range: more are a slip of the finger


def chosen(texts: list[str], every: str | None) -> list[date]:
    """The days that ``texts`` name, earliest first; ``every`` is the step of those with a range.

    Each text is a day, "2025-06-30", or a range, "2024-01-31..2025-06-30" (see `steps`).

    Raises:
        Refused: not a date; a range without a step, backwards or of more than 500 dates; a step
            without a range.
    """
    ranges = [text for text in texts if ".." in text]
    if ranges and every not in (*DAYS, *MONTHS):
        raise Refused(f"{ranges[0]} is a range: add --every day, week, month, quarter or year")
    if every and not ranges:
        raise Refused(f"--every {every} needs a range: --snapshot-date 2024-01-31..2025-06-30")
    days = {_day(text) for text in texts if text not in ranges}
    for text in ranges:
        found = steps(*map(_day, text.split("..", 1)), every)
        if not 0 < len(found) <= MOST:
            raise Refused(f"{text}: {len(found):,} dates; expected 1 to {MOST}, forwards in time")
        days.update(found)
    return sorted(days)


def steps(first: date, last: date, every: str) -> list[date]:
    """``first`` and the days that follow it every day, week, month, quarter or year, to ``last``.

    Months are counted from ``first`` and keep its day of the month, cut to the month's last day.
    Where ``first`` is the last day of its month, all are: 2024-02-29, 2024-03-31, 2024-04-30.
    """
    if every in DAYS:
        numbers = range(0, (last - first).days + 1, DAYS[every])
        return [first + timedelta(days=number) for number in numbers]
    numbers = range(0, calendar.month_of(last) - calendar.month_of(first) + 1, MONTHS[every])
    return [day for number in numbers if (day := _months_later(first, number)) <= last]


def _months_later(day: date, months: int) -> date:
    year, month = divmod(calendar.month_of(day) + months, 12)
    length = monthrange(year, month + 1)[1]
    ends = day.day == monthrange(day.year, day.month)[1]
    return date(year, month + 1, length if ends else min(day.day, length))


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise Refused(f"{text!r} is not a date; expected one such as 2025-06-30") from None
