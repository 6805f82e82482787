"""What time it is: the machine's, or the one that SOURCE_DATE_EPOCH holds still."""

from datetime import UTC, date, datetime, timedelta

import pytest

from retention_runner import clock
from retention_runner.errors import Refused


def test_now_is_this_moment_in_utc_and_whole_seconds(monkeypatch):
    monkeypatch.delenv(clock.EPOCH, raising=False)
    before = datetime.now(UTC).replace(microsecond=0)

    now = clock.now()

    assert before <= now <= datetime.now(UTC)
    assert (now.utcoffset(), now.microsecond) == (timedelta(0), 0)


def test_a_moment_that_is_given_stands_still(monkeypatch):
    monkeypatch.setenv(clock.EPOCH, "1735687800")
    assert clock.now() == datetime(2024, 12, 31, 23, 30, tzinfo=UTC)


LARGE = ["9" * number for number in (15, 30)]  # each another error of Python's


@pytest.mark.parametrize("given", ["", "soon", "-1", *LARGE])
def test_a_moment_that_is_none_is_refused(monkeypatch, given):
    monkeypatch.setenv(clock.EPOCH, given)
    with pytest.raises(Refused, match=r"^SOURCE_DATE_EPOCH is .*; expected whole seconds since"):
        clock.now()


@pytest.mark.parametrize(
    ("timezone", "day"), [("", date(2024, 12, 31)), ("Europe/Berlin", date(2025, 1, 1))]
)
def test_the_day_is_that_of_the_time_zone(monkeypatch, timezone, day):
    monkeypatch.setenv(clock.EPOCH, "1735687800")  # 2024-12-31 23:30 UTC
    assert clock.today(timezone) == day
