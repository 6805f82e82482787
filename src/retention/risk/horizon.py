"""How far ahead the risk of a new book may look: the longest horizon that its past can test."""

from collections.abc import Mapping

import polars as pl

from retention import words
from retention.book import Book
from retention.risk import backtest, landmarks
from retention.tables import calendar

HORIZONS = (90, 60, 30)  # days, the longest first
RATES = (0.05, 0.95)  # shares with the outcome between which both sides can be learned
STEP_DAYS, TESTED, MOST = 30, 6, 20_000  # as `50_risk` has them


def chosen(book: Book, tables: Mapping[str, pl.DataFrame]) -> tuple[int, str]:
    """The days ahead for ``horizon_days``, and why in words.

    Takes   the book; its tables customers_at, activity, terms and spells at the snapshot
    Returns the longest horizon of which three test dates are known, with a share of outcomes
            between 5 and 95 %; where there is none, the one that comes nearest

    Checked in tests/risk/test_horizon.py.
    """
    churn, day = book.churn, calendar.day_of(book.snapshot_date)
    spells, first = tables["spells"], tables["spells"]["entry_day"].min()
    some = landmarks.sampled(tables["customers_at"], MOST, seed=1)
    past = landmarks.Past(some, tables["activity"].lazy(), tables["terms"].lazy())
    tried = []
    for horizon in HORIZONS:
        known_after = landmarks.days_until_known(churn, horizon)
        days = landmarks.days(day - known_after, first + 1, STEP_DAYS, known_after, TESTED)
        rows = landmarks.rows(past, spells, churn, days, horizon)
        ripe = first + churn.after_days
        tested = backtest.testable(rows, known_after, TESTED, ripe)
        rate = rows.filter(pl.col("landmark_day").is_in(tested))["left"].mean()
        off = 0.0 if rate is None else max(RATES[0] - rate, rate - RATES[1], 0.0)
        last = backtest.from_when(ripe, known_after, STEP_DAYS)
        tried.append((len(tested) < backtest.LEAST_DATES, off, -horizon, rate, last))
        if not off and len(tested) >= backtest.LEAST_DATES:
            break
    untested, _, horizon, rate, last = min(tried, key=lambda one: one[:3])
    if untested:
        return -horizon, f"the risk can be tested from about {words.printed(last, 'day')} on"
    why = (
        f"at past dates {rate:.0%} of current customers were quiet, or left, within as many days: "
    )
    return -horizon, f"{why}the longest of 90, 60 and 30 that can be tested"
