"""Who left after using less: counted by hand, and limits that hold the planted share."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from drawing import drawn
from scipy.stats import binom, binomtest

from retention.risk import decline
from retention.risk.landmarks import History

END = ("ended_days_ago", "booked_end_in_days")


def landmarks(n: int, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    ratio = pl.Series(rng.uniform(0, 2, n))
    return pl.DataFrame(
        {
            "customer_id": [f"c{number:05}" for number in range(n)],
            "usage_ratio": ratio,
            "left": rng.random(n) < np.where(ratio <= 0.5, 0.4, 0.1),
            **dict.fromkeys(END, None),
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
    rows = rows.with_columns(pl.lit(None).alias(name) for name in END)
    shown = decline.left_by_usage(SimpleNamespace(confidence=0.95), History(rows, rows, 90))
    table = shown.table
    assert table.select("usage", "times", "left", "share_left").rows() == [
        ("fell by half or more", 2, 2, 1.0),
        ("fell", 2, 1, 0.5),
        ("about as before", 2, 1, 0.5),
        ("rose", 1, 0, 0.0),
        ("not known", 1, 1, 1.0),
    ]
    assert shown.headline(table) == (
        "100.0% left where usage had fallen by half or more, 50.0% where it was about as before"
    )
    assert shown.headline(table.filter(pl.col("usage") != "about as before")) == (
        "How usage had changed, and who left"
    )
    assert decline.left(rows.sample(fraction=1, shuffle=True, seed=1)).equals(table)


@pytest.mark.parametrize("known", END)
def test_customers_whose_end_was_known_need_no_sign(known):
    rows = landmarks(100).with_columns(pl.when(pl.col("left")).then(3).alias(known))
    assert decline.left(rows)["left"].sum() == 0
    assert decline.left(rows)["times"].sum() == (~rows["left"]).sum()


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
    for name in ("customers", "share_left"):
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
        rows = rows.with_columns(pl.lit(None).alias(name) for name in END)
        [(*_, lower, upper)] = decline.left(rows, confidence).rows()
        held += lower <= 0.2 <= upper
    assert binom.ppf(0.001, runs, confidence) <= held <= binom.ppf(0.999, runs, confidence)
