"""Snapshot dates as books and commands give them: days, words for days, ranges taken in steps."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import polars as pl

from retention_runner.errors import Refused, nearest
from retention_runner.workbook import Book

STEPS = {"day": "1d", "week": "1w", "month": "1mo", "quarter": "1q", "year": "1y"}
# Days that move with the calendar: the last whole one of its kind before the day of the refresh.
WORDS = {
    "yesterday": "1d",
    "last_week_end": "1w",
    "last_month_end": "1mo",
    "last_quarter_end": "1q",
    "last_year_end": "1y",
}
MOST = 500  # dates of one range: more are a slip of the finger


def of_book(book: Book, today: date) -> list[date]:
    """The snapshot dates of ``book`` itself on the day ``today``, earliest first."""
    return sorted({day if isinstance(day, date) else before(day, today) for day in book.dates})


def chosen(texts: Sequence[str], every: str | None, today: date) -> list[date]:
    """The days that ``texts`` name, earliest first; ``every`` is the step of those with a range.

    Each text is a day, "2025-06-30", a word for one (see `before`), or a range from one to
    another, "2024-01-31..last_month_end" (see `steps`).

    Raises:
        Refused: neither a date nor such a word; a range without a step, backwards or of more than
            500 dates; a step without a range.
    """
    ranges = [text for text in texts if ".." in text]
    if ranges and every not in STEPS:
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
    days = pl.date_range(first, last, STEPS[every], eager=True)
    if every not in ("day", "week") and first in (ends := days.dt.month_end()):
        days = ends
    return days.filter(days <= last).to_list()


def before(word: str, today: date) -> date:
    """The day that one of `WORDS` names: the last of its kind strictly before ``today``.

    A week ends on Sunday. On a Sunday, last_week_end is a week ago: this week is not over.
    """
    not_over_since = pl.Series([today]).dt.truncate(WORDS[word]).item()
    return not_over_since - timedelta(days=1)


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
