"""A horizon for a new book: the longest that can be tested."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from retention.book import Book
from retention.risk import horizon
from retention.tables import task

LAST = date(2024, 12, 31)


def shop(days: int, rate: float, n: int = 1_500) -> tuple[Book, dict[str, pl.DataFrame]]:
    """Customers who buy at a steady ``rate`` a day, seen for ``days`` days."""
    rng = np.random.default_rng(1)
    last = (LAST - date(1970, 1, 1)).days
    bought = rng.random((n, days)) < rate * rng.gamma(2, 0.5, (n, 1))
    bought[:, 0] = True
    who, on = np.nonzero(bought)
    activity = pl.DataFrame({"customer_id": who, "day": last - days + 1 + on}).select(
        pl.format("c{}", "customer_id").alias("customer_id"),
        "day",
        kind=pl.lit("purchase"),
        events=pl.lit(1, pl.Int64),
        orders=pl.lit(1, pl.Int64),
        amount_cents=pl.lit(1_000, pl.Int64),
    )
    people = activity.select("customer_id").unique().sort("customer_id")
    people = people.with_columns(started_day=pl.lit(None, pl.Int64))
    churn = {"kind": "activity", "activity": ["purchase"], "after_days": 60}
    book = Book.model_validate(
        {"title": "Shop", "source": {"kind": "files"}, "snapshot_date": LAST, "churn": churn}
    )
    derived = task.derive(activity.lazy(), people.lazy(), None, book.churn, last)
    made = {name: frame.collect().to_native() for name, frame in derived.items()}
    return book, made | {"activity": activity, "terms": task.none("terms")}


@pytest.mark.parametrize(
    ("days", "rate", "expected"),
    [
        (400, 0.01, 90),  # many are quiet for three months, and the past is long enough
        (400, 0.08, 60),  # hardly anybody is quiet for three months
        (260, 0.01, 60),  # three test dates need 60 + 2 x 90 + 60 days
        (100, 0.01, 90),  # none can be tested: all are as near
    ],
)
def test_the_longest_horizon_that_can_be_tested_is_chosen(days, rate, expected):
    found, why = horizon.chosen(*shop(days, rate))
    assert found == expected
    if days > 100:
        assert "the longest of 90, 60 and 30 that can be tested" in why
    else:
        first = LAST - timedelta(days=days - 1)
        assert why.endswith(f"from about {first + timedelta(days=60 + 180 + 60)} on")
