"""What segments are like, and what they are called."""

import numpy as np
import polars as pl
import pytest

from retention.book import Rule
from retention.clusters import personas

FEATURES = ["events_per_30d", "cents_per_order_90d", "tenure_days"]
PROFILE = pl.DataFrame(
    [
        ("s1", "cents_per_order_90d", 2.0),
        ("s1", "events_per_30d", -0.5),
        ("s1", "tenure_days", 1.0),
        ("s2", "cents_per_order_90d", -0.4),
        ("s2", "events_per_30d", 0.5),
        ("s2", "tenure_days", 0.3),
        ("s10", "cents_per_order_90d", 3.0),
        ("s10", "events_per_30d", 0.0),
        ("s10", "tenure_days", 1.5),
    ],
    ["segment", "trait", "difference"],
    orient="row",
)


def test_differences_are_of_medians_and_in_order_of_segment():
    points = np.array([[0.0, 1, 0], [2, 1, 0], [4, 1, 9], [9, 9, 9]])
    segments = pl.Series(["s10", "s10", "s2", None])

    profile = personas.profile(points, FEATURES, segments)

    assert profile["segment"].to_list() == ["s2"] * 3 + ["s10"] * 3
    assert dict(profile.filter(segment="s10").select("trait", "difference").rows()) == {
        "events_per_30d": 1,
        "cents_per_order_90d": 1,
        "tenure_days": 0,
    }


def test_a_name_is_the_two_strongest_traits():
    assert personas.proposed(PROFILE, []) == {
        "s1": "Large orders, long with us",
        "s2": "Much use, small orders",
        "s10": "Large orders, long with us (s10)",
    }


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        (["Much use, small orders"], "Much use, small orders, long with us"),
        (
            ["Much use, small orders", "Much use, small orders, long with us"],
            "Much use, small orders (s2)",
        ),
    ],
)
def test_no_name_is_given_twice(taken, name):
    assert personas.proposed(PROFILE, taken)["s2"] == name


def test_a_trait_that_is_hardly_there_names_nobody():
    few = PROFILE.filter(segment="s2").with_columns(pl.col("difference") / 2)
    assert personas.proposed(few, []) == {"s2": "Much use"}
    assert personas.proposed(few.with_columns(pl.col("difference") / 9), []) == {"s2": "Much use"}


def test_few_customers_and_their_complement_are_hidden():
    rows = [("s1", 5, 8), ("s2", 12, 15), ("s3", 20, 20), ("s4", 20, 40)]
    table = pl.DataFrame(rows, ["segment", "count", "n"], orient="row").with_columns(share=0.5)
    assert personas.hide_few(table, ["share"], 10).rows() == [
        ("s1", None, None),
        ("s2", 15, None),
        ("s3", 20, 0.5),
        ("s4", 40, 0.5),
    ]


def test_a_feature_without_words_of_its_own_is_called_by_its_name():
    row = pl.DataFrame({"segment": ["s1"], "trait": ["shoe_size"], "difference": [-1.0]})
    assert personas.proposed(row, []) == {"s1": "Low shoe size"}


def test_the_headline_names_what_stands_out_most():
    names = personas.proposed(PROFILE, [])
    said = personas.headline(PROFILE, names)
    assert said == f"{names['s10']} (s10) stands out most: large orders"
    assert personas.headline(PROFILE.clear(), {}) == "No segment to describe"


CUSTOMERS = pl.DataFrame(
    {
        "customer_id": list("abcdef"),
        "in_risk_set": [True] * 5 + [False],
        "amount_cents_365d": [10, 30, 60, 0, 100, 500],
        "tenure_days": [1, 3, 50, 8, 9, 7],
    }
)
MEMBERS = pl.DataFrame({"customer_id": list("abca"), "segment": ["s1", "s1", "s10", "vip"]})


def test_segments_have_size_shares_and_medians_and_rules_are_told_from_clusters():
    names = {"s1": "One", "s10": "Ten", "vip": "Best"}
    table = personas.segments(MEMBERS, CUSTOMERS, ["tenure_days"], names, ["vip"])

    assert table.rows() == [
        ("s1", "One", "cluster", 2, 0.4, 0.2, 2.0),
        ("s10", "Ten", "cluster", 1, 0.2, 0.3, 50.0),
        ("vip", "Best", "rule", 1, 0.2, 0.05, 1.0),
    ]
    assert personas.sizes_headline(table) == "3 segments; the largest: One, 40% of customers"


def test_where_nobody_paid_the_share_of_the_amount_is_unknown():
    poor = CUSTOMERS.with_columns(amount_cents_365d=pl.lit(0))
    names = dict.fromkeys(MEMBERS["segment"], "x")
    table = personas.segments(MEMBERS, poor, [], names, [])
    assert table["share_of_amount"].to_list() == [None] * 3


def test_names_of_rules_stand_beside_those_of_clusters():
    known = pl.DataFrame({"segment": ["s1"], "name": ["One"]})
    rules = {"vip": Rule.model_validate({"for": {"plan": "pro"}, "name": "Best"})}
    assert personas.names(known, rules) == {"s1": "One", "vip": "Best"}


def test_a_favourite_is_what_most_customers_chose_most_often():
    baskets = pl.LazyFrame(
        [("a", "tea"), ("a", "tea"), ("a", "jam"), ("b", "jam"), ("b", "tea"), ("c", None)],
        ["customer_id", "category"],
        orient="row",
    )
    habits = pl.LazyFrame(
        {"customer_id": ["a", "b", "c"], "channel": ["web", "app", "web"], "events": [1, 9, 2]}
    )
    members = pl.DataFrame({"customer_id": list("abc"), "segment": ["s1", "s1", "s2"]})

    found = personas.favourites(baskets, habits, members)

    assert found.select("segment", "what", "favourite", "count", "n", "share").rows() == [
        ("s1", "category", "jam", 1, 2, 0.5),
        ("s1", "channel", "app", 1, 2, 0.5),
        ("s2", "channel", "web", 1, 1, 1.0),
    ]
    assert found["share_of_all"].to_list() == pytest.approx([1 / 2, 1 / 3, 2 / 3])


def test_the_map_draws_a_seeded_sample_and_counts_everybody():
    points = np.random.default_rng(0).normal(size=(personas.POINTS + 50, 3)) * (5, 1, 0.1)
    segments = pl.Series(["s1", None] * (len(points) // 2))

    drawn = personas.picture(points, segments, {"s1": "One"})

    assert drawn.height == personas.POINTS
    assert drawn["n"].unique().to_list() == [len(points) // 2]
    assert drawn["x"].std() > 4 > drawn["y"].std() > 0.8
    assert drawn.equals(personas.picture(points, segments, {"s1": "One"}))
    assert personas.picture(points[:0], segments[:0], {}).is_empty()
