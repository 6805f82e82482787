"""What follows less use: counted by hand, and limits that hold the planted share."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from drawing import drawn
from scipy.stats import binom, binomtest

from retention.book import Book, Churn
from retention.risk import decline
from retention.risk.landmarks import History


def landmarks(n: int, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    ratio = pl.Series(rng.uniform(0, 2, n))
    return pl.DataFrame(
        {
            "customer_id": [f"c{number:05}" for number in range(n)],
            "usage_ratio": ratio,
            "left": rng.random(n) < np.where(ratio <= 0.5, 0.4, 0.1),
        }
    )


def test_who_left_is_counted_by_band_of_the_ratio():
    rows = drawn("""
        | customer_id | usage_ratio | left  |
        | a           | 0.0         | true  |
        | b           | 0.5         | true  |
        | c           | 0.51        | true  |
        | d           | 0.79        | false |
        | e           | 0.8         | false |
        | f           | 1.25        | true  |
        | g           | 1.26        | false |
        | h           |             | true  |
    """)
    book = Book.model_construct(churn=Churn(kind="contract", after_days=30), horizon_days=90)
    r = SimpleNamespace(confidence=0.95, book=book)
    shown = decline.left_by_usage(r, History(rows, rows, 90, 120, 30, 0))
    table = shown.table
    assert table.select("usage", "times", "left", "came_true").rows() == [
        ("fell by half or more", 2, 2, 1.0),
        ("fell", 2, 1, 0.5),
        ("about as before", 2, 1, 0.5),
        ("rose", 1, 0, 0.0),
        ("not known", 1, 1, 1.0),
    ]
    assert shown.headline(table) == (
        "After use fell by half or more 100.0% ended their contract within 90 days, after steady "
        "use 50.0%"
    )
    assert shown.headline(table.filter(pl.col("usage") != "about as before")) == (
        "How use had changed, and how many ended their contract within 90 days"
    )
    assert decline.left(rows.sample(fraction=1, shuffle=True, seed=1)).equals(table)


def test_of_customers_who_stand_at_one_landmark_limits_are_wilsons():
    rows = landmarks(4_000)
    for usage, customers, n, left, share, lower, upper in decline.left(rows).iter_rows():
        expected = tuple(binomtest(left, n).proportion_ci(0.95, "wilson"))
        assert customers == n, usage
        assert share == left / n
        assert (lower, upper) == pytest.approx(expected, rel=1e-3)


def test_the_same_customers_twice_say_no_more_than_once():
    once = landmarks(2_000)
    twice = decline.left(pl.concat([once, once]))
    single = decline.left(once)
    assert twice["times"].to_list() == [2 * n for n in single["times"]]
    for name in ("customers", "came_true"):
        assert twice[name].to_list() == single[name].to_list()
    for name in ("ci_lower", "ci_upper"):
        assert twice[name].to_list() == pytest.approx(single[name].to_list(), rel=1e-9)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_limits_hold_the_truth_though_customers_differ_from_each_other(confidence):
    """Four landmarks each of customers of whom each has a leaning of their own (beta, mean 0.2)."""
    held, runs = 0, 300
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        who = np.repeat(np.arange(400), 4)
        left = rng.random(len(who)) < rng.beta(0.4, 1.6, 400)[who]
        rows = pl.DataFrame({"customer_id": who, "usage_ratio": 1.0, "left": left})
        [(*_, lower, upper)] = decline.left(rows, confidence).rows()
        held += lower <= 0.2 <= upper
    assert binom.ppf(0.001, runs, confidence) <= held <= binom.ppf(0.999, runs, confidence)
