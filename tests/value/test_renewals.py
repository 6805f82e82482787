"""Cohorts under contract by month: by hand, and planted ones of which half is held out."""

import numpy as np
import polars as pl
import pytest

from retention.book import Churn
from retention.value import renewals

CLUB = Churn(kind="contract", after_days=10)
DAY = 1_000


def spells(start: np.ndarray, lasts: np.ndarray) -> pl.DataFrame:
    """First contracts as the table spells has them on `DAY`, ended or still running."""
    until = DAY - CLUB.after_days
    end = start + lasts - 1
    return pl.DataFrame(
        {
            "spell": 1,
            "start_day": start,
            "entry_day": start,
            "duration_days": np.minimum(end, until) - start + 1,
            "event_observed": end <= until,
            "excluded": pl.Series([None] * len(start), dtype=pl.String),
        }
    )


def test_a_month_counts_for_whom_it_had_wholly_passed():
    start = np.array([891, 891, 891, 891, 931, 940])  # 100, 60 and 51 days before the last judged
    lasts = np.array([30, 31, 95, 500, 60, 40])
    months, left = renewals._months(spells(start, lasts), DAY - CLUB.after_days)
    assert months.tolist() == [1, 2, 3, 3, 2, 1]
    assert left.tolist() == [True, True, False, False, True, False]


def test_a_planted_cohort_is_forecast_from_its_first_half():
    rng = np.random.default_rng(8)
    months = rng.geometric(rng.beta(1.2, 6.0, 30_000))
    start = rng.integers(1, DAY - 100, 30_000)

    table = renewals.renewals(spells(start, 30 * months), CLUB, DAY, 50)

    seen, model = (table.filter(group=group) for group in ("as seen", "model"))
    later = (model["survival"] - seen["survival"])[seen.height // 2 :]
    assert len(later) > 10
    assert later.abs().max() < 0.02
    assert seen["ci_lower"].null_count() == 0
    assert renewals._last(table).startswith(f"After {seen['months'][-1]} months ")


def test_there_is_none_in_an_activity_book_or_of_a_few_months():
    shop = Churn(kind="activity", activity=["purchase"], after_days=10)
    some = spells(np.arange(900, 980), np.full(80, 40))
    for table in (
        renewals.renewals(some, shop, DAY, 10),
        renewals.renewals(some, CLUB, DAY, 10),
        renewals.renewals(some.clear(), CLUB, DAY, 10),
    ):
        assert table.is_empty()


@pytest.mark.parametrize("lasts", [35, 5_000])
def test_where_all_leave_at_once_or_none_leaves_nothing_is_forecast(lasts):
    table = renewals.renewals(spells(np.arange(1, 801), np.full(800, lasts)), CLUB, DAY, 10)
    assert table.is_empty()
