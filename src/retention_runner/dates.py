"""Snapshot dates as books and commands give them: days, words for days, ranges taken in steps."""

from calendar import monthrange
from datetime import date, datetime, timedelta

from retention_runner.errors import Refused, nearest
from retention_runner.workbook import Book

# Days that move with the calendar: the last whole one of its kind before the day of the refresh.
WORDS = ("yesterday", "last_week_end", "last_month_end", "last_quarter_end", "last_year_end")
DAYS = {"day": 1, "week": 7}
MONTHS = {"month": 1, "quarter": 3, "year": 12}
MOST = 500  # dates of one range: more are a slip of the finger


def of_book(book: Book, today: date) -> list[date]:
    """The snapshot dates of ``book`` itself on the day ``today``, earliest first."""
    return sorted({day if isinstance(day, date) else before(day, today) for day in book.dates})


def chosen(texts: list[str], every: str | None, today: date) -> list[date]:
    """The days that ``texts`` name, earliest first; ``every`` is the step of those with a range.

    Each text is a day, "2025-06-30", a word for one (see `before`), or a range from one to
    another, "2024-01-31..last_month_end" (see `steps`).

    Raises:
        Refused: neither a date nor such a word; a range without a step, backwards or of more than
            500 dates; a step without a range.
    """
    ranges = [text for text in texts if ".." in text]
    if ranges and every not in (*DAYS, *MONTHS):
        raise Refused(f"{ranges[0]} is a range: add --every day, week, month, quarter or year")
    if every and not ranges:
        raise Refused(f"--every {every} needs a range: --snapshot-date 2024-01-31..2025-06-30")
    days = {_day(text, today) for text in texts if text not in ranges}
    for text in ranges:
        first, last = (_day(end, today) for end in text.split("..", 1))
        found = steps(first, last, every)
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
    numbers = range(0, _month_of(last) - _month_of(first) + 1, MONTHS[every])
    return [day for number in numbers if (day := _months_later(first, number)) <= last]


def _months_later(day: date, months: int) -> date:
    year, month = divmod(_month_of(day) + months, 12)
    length = monthrange(year, month + 1)[1]
    ends = day.day == monthrange(day.year, day.month)[1]
    return date(year, month + 1, length if ends else min(day.day, length))


def _month_of(day: date) -> int:
    return day.year * 12 + day.month - 1


def before(word: str, today: date) -> date:
    """The day that one of `WORDS` names: the last of its kind strictly before ``today``.

    A week ends on Sunday. On a Sunday, last_week_end is a week ago: this week is not over.
    """
    month = today.replace(day=1)
    begun = {  # first day of the day, week, month, quarter or year that is not over
        "yesterday": today,
        "last_week_end": today - timedelta(days=today.weekday()),
        "last_month_end": month,
        "last_quarter_end": month.replace(month=today.month - (today.month - 1) % 3),
        "last_year_end": month.replace(month=1),
    }
    return begun[word] - timedelta(days=1)


def _day(text: str, today: date) -> date:
    if text in WORDS:
        return before(text, today)
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        hint = nearest(text, WORDS)
        raise Refused(
            f"{text!r} is not a date; expected one such as 2025-06-30, or a word for one{hint}"
        ) from None
