"""Words for days and ranges of days, against walks over every day; and what is neither."""

from calendar import monthrange
from datetime import date, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workbooks import retention

from retention_runner import dates
from retention_runner.errors import Refused

TODAY = date(2025, 3, 5)  # a Wednesday
DAYS = st.dates(date(1999, 1, 1), date(2032, 12, 31))
LENGTHS = st.integers(0, 1_500)
EVERY = pytest.mark.parametrize("every", ["day", "week", "month", "quarter", "year"])


def ends_its_month(day: date) -> bool:
    return day.day == monthrange(day.year, day.month)[1]


ENDS = {  # whether a day ends one of its kind
    "yesterday": lambda day: True,
    "last_week_end": lambda day: day.isoweekday() == 7,
    "last_month_end": ends_its_month,
    "last_quarter_end": lambda day: f"{day:%m-%d}" in ("03-31", "06-30", "09-30", "12-31"),
    "last_year_end": lambda day: f"{day:%m-%d}" == "12-31",
}


def due(day: date, first: date, every: str) -> bool:
    """Whether a step ends on ``day``, said of this day alone."""
    if every in ("day", "week"):
        return (day - first).days % {"day": 1, "week": 7}[every] == 0
    months = (day.year - first.year) * 12 + day.month - first.month
    if ends_its_month(first):
        fits = ends_its_month(day)
    else:
        fits = day.day == first.day or (ends_its_month(day) and day.day < first.day)
    return fits and months % {"month": 1, "quarter": 3, "year": 12}[every] == 0


def texts(days: list[date]) -> str:
    return " ".join(day.isoformat() for day in days)


@pytest.mark.parametrize("word", dates.WORDS)
@given(today=DAYS)
def test_a_word_names_the_last_of_its_days_before_today(word, today):
    walked = (today - timedelta(days=number) for number in range(1, 400))
    expected = next(day for day in walked if ENDS[word](day))
    assert dates.before(word, today) == expected
    assert dates.chosen([word], None, today) == [expected]


def test_the_dates_of_a_book_come_in_order_each_day_once():
    own = ["yesterday", date(2024, 12, 31), "last_year_end", date(2024, 6, 30)]
    expected = "2024-06-30 2024-12-31 2025-03-04"
    assert texts(dates.of_book(SimpleNamespace(dates=own), TODAY)) == expected


@pytest.mark.parametrize(
    ("text", "every", "expected"),
    [
        ("2024-01-31..2024-04-30", "month", "2024-01-31 2024-02-29 2024-03-31 2024-04-30"),
        ("2025-01-30..2025-04-30", "month", "2025-01-30 2025-02-28 2025-03-30 2025-04-30"),
        ("2024-11-30..2025-05-31", "quarter", "2024-11-30 2025-02-28 2025-05-31"),
        ("9999-11-30..9999-12-31", "month", "9999-11-30 9999-12-31"),
        ("last_week_end..yesterday", "day", "2025-03-02 2025-03-03 2025-03-04"),
    ],
)
def test_a_range_is_its_first_day_and_every_step_up_to_its_last(text, every, expected):
    assert texts(dates.chosen([text], every, TODAY)) == expected


@EVERY
@given(DAYS, LENGTHS)
def test_a_range_holds_the_days_that_a_walk_finds_due(every, first, length):
    walked = [first + timedelta(days=number) for number in range(length + 1)]

    found = dates.steps(first, walked[-1], every)

    assert found == [day for day in walked if due(day, first, every)]


def test_days_and_ranges_are_put_in_order_each_day_once():
    given_texts = ["2025-03-15", "2025-01-31..2025-03-31", "2025-02-28", "2024-12-31"]
    expected = "2024-12-31 2025-01-31 2025-02-28 2025-03-15 2025-03-31"
    assert texts(dates.chosen(given_texts, "month", TODAY)) == expected
    assert dates.chosen([], None, TODAY) == []


@pytest.mark.parametrize(
    ("given_texts", "every", "words"),
    [
        (["2024-01-31..2025-06-30"], None, "is a range: add --every day, week, month, quarter"),
        (["2024-01-31..2025-06-30"], "monthly", "is a range: add --every day"),
        (["2025-06-30"], "month", "--every month needs a range: --snapshot-date 2024-01-31.."),
        (["2025-06-30..2025-06-29"], "month", "0 dates; expected 1 to 500, forwards in time"),
        (["2024-01-01..2025-05-15"], "day", "501 dates; expected 1 to 500"),
        (["2025-02-30"], None, "'2025-02-30' is not a date; expected one such as 2025-06-30"),
        (["last_mont_end"], None, "or a word for one; did you mean 'last_month_end'?"),
        (["soon"], None, "2025-06-30, or a word for one; known: " + ", ".join(sorted(dates.WORDS))),
        (["2025-01-31.."], "month", "'' is not a date"),
    ],
)
def test_what_is_no_date_and_no_range_is_refused(given_texts, every, words):
    with pytest.raises(Refused) as refusal:
        dates.chosen(given_texts, every, TODAY)
    assert words in str(refusal.value)


def test_the_command_refuses_a_range_before_it_builds_anything(workbook):
    done = retention(workbook, "refresh", "shop", "--snapshot-date", "2024-01-31..2024-12-31")

    assert (done.returncode, done.stdout) == (2, "")
    assert "add --every" in done.stderr
    assert not (workbook / "work").exists()
