"""What segments are like, and what they are called."""

from types import SimpleNamespace

import numpy as np
import polars as pl
from matplotlib.figure import Figure

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


def named(profile: pl.DataFrame, taken: tuple[str, ...] = ()) -> dict[str, str]:
    return dict(personas.named(profile, list(taken)).iter_rows())


def test_a_name_is_the_two_strongest_traits():
    assert named(PROFILE) == {
        "s1": "Large orders, long with us",
        "s2": "Much use, small orders",
        "s10": "Large orders, long with us (s10)",
    }


def test_no_name_is_given_twice():
    two, three = "Much use, small orders", "Much use, small orders, long with us"
    assert named(PROFILE, (two,))["s2"] == three
    assert named(PROFILE, (two, three))["s2"] == f"{two} (s2)"


def test_a_trait_that_is_hardly_there_names_nobody():
    few = PROFILE.filter(segment="s2").with_columns(pl.col("difference") / 2)
    assert named(few) == {"s2": "Much use"}
    assert named(few.with_columns(pl.col("difference") / 9)) == {"s2": "Much use"}


def test_a_feature_without_words_of_its_own_is_called_by_its_name():
    row = pl.DataFrame({"segment": ["s1"], "trait": ["shoe_size"], "difference": [-1.0]})
    assert named(row) == {"s1": "Low shoe size"}


CUSTOMERS = pl.DataFrame(
    {
        "customer_id": list("abcdef"),
        "in_risk_set": [True] * 5 + [False],
        "amount_cents_365d": [10, 30, 60, 0, 100, 500],
        "tenure_days": [1, 3, 50, 8, 9, 7],
        "shoe_size": [40, 40, 46, 41, 42, 43],
    }
)
MEMBERS = pl.DataFrame({"customer_id": list("abca"), "segment": ["s1", "s1", "s10", "vip"]})


NAMES = pl.DataFrame(
    [("s1", "One", "cluster"), ("s10", "Ten", "cluster"), ("vip", "Best", "rule")],
    ["segment", "name", "kind"],
    orient="row",
)


def test_segments_have_size_shares_and_medians():
    table = personas.segment_table(MEMBERS, CUSTOMERS, ["tenure_days"], NAMES)
    poor = CUSTOMERS.with_columns(amount_cents_365d=pl.lit(0))

    assert table.rows() == [
        ("s1", "One", "cluster", 2, 0.4, 0.2, 2.0),
        ("s10", "Ten", "cluster", 1, 0.2, 0.3, 50.0),
        ("vip", "Best", "rule", 1, 0.2, 0.05, 1.0),
    ]
    unpaid = personas.segment_table(MEMBERS, poor, [], NAMES)["share_of_amount"]
    assert unpaid.to_list() == [None] * 3


def test_a_segment_is_shown_by_what_sets_it_apart():
    """Three customers much alike and two others, one of them by a rule of the book as well."""
    found = SimpleNamespace(
        points=np.array([[0.0, 1], [0, 1], [0, 1], [9, 1], [8, 2]]),
        behaviour=CUSTOMERS.select("customer_id", "tenure_days", "shoe_size")[:5],
        table=CUSTOMERS.select("customer_id")[:5],
    )
    rules = {"vip": Rule.model_validate({"for": {"plan": "pro"}, "name": "Best"})}
    tables = SimpleNamespace(
        members=MEMBERS, customers_at=CUSTOMERS, known_segments=NAMES.filter(kind="cluster")
    )
    r = SimpleNamespace(tables=tables, book=SimpleNamespace(segments=rules, names={"s2": "Two"}))
    shown, profiles = personas.segment_map(r, found), personas.profiles(r, found)

    assert shown.headline(shown.table) == "3 segments; the largest: One, 40% of all"
    assert shown.definition.startswith("By rule, overlapping others: Best: plan is pro. No refresh")
    assert isinstance(shown.draw(shown.table), Figure)
    assert profiles.headline(profiles.table) == "Ten (s10) stands out most: high shoe size"
    assert profiles.table["trait"].unique().sort().to_list() == ["Shoe size", "Tenure days"]


def test_the_map_draws_a_seeded_sample_and_counts_everybody():
    points = np.random.default_rng(0).normal(size=(personas.POINTS + 50, 3)) * (5, 1, 0.1)
    segments = pl.Series(["s1", None] * (len(points) // 2))

    drawn = personas.picture(points, segments, NAMES)

    assert drawn.height == personas.POINTS
    assert drawn["n"].unique().to_list() == [len(points) // 2]
    assert drawn["x"].std() > 4 > drawn["y"].std() > 0.8
    assert drawn.equals(personas.picture(points, segments, NAMES))
