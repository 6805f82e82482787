"""What segments are like, and what they are called."""

from types import SimpleNamespace

import numpy as np
import polars as pl

from retention.book import Rule
from retention.clusters import personas
from retention.clusters.clusters import Behaviour

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
    table = pl.DataFrame(points, FEATURES).select(pl.Series("customer_id", list("abcd")), *FEATURES)
    found = SimpleNamespace(of=Behaviour(table, table, []))

    profile = personas.profile(found, pl.Series(["s10", "s10", "s2", None]))

    assert profile["segment"].to_list() == ["s2"] * 3 + ["s10"] * 3
    far = dict(profile.filter(segment="s10").select("trait", "difference").rows())
    assert far["tenure_days"] == (0 - 4.5) / 9  # medians of both, in interquartile ranges of all
    assert far["events_per_30d"] == (1 - 3) / (5.25 - 1.5)


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
        "standing": ["current"] * 5 + ["lapsed"],
        "lifecycle": ["active"] * 3 + ["new"] * 2 + ["gone"],
        "amount_cents_365d": [10, 30, 60, 0, 100, 500],
        "tenure_days": [1, 3, 50, 8, 9, 7],
        "shoe_size": [40, 40, 46, 41, 42, 43],
    }
)
MEMBERS = pl.DataFrame({"customer_id": list("abca"), "segment": ["s1", "s1", "s10", "vip"]})


NAMES = pl.DataFrame(
    [
        ("s1", "One", "stratum", "strong"),
        ("s10", "Ten", "natural group", "fair"),
        ("vip", "Best", "rule", None),
    ],
    ["segment", "name", "kind", "grade"],
    orient="row",
)


def test_segments_have_size_shares_and_medians():
    table = personas.segment_table(MEMBERS, CUSTOMERS, ["tenure_days"], NAMES)
    poor = CUSTOMERS.with_columns(amount_cents_365d=pl.lit(0))

    assert table.rows() == [
        ("s1", "One", "stratum", "strong", 2, 0.4, 0.2, 2.0),
        ("s10", "Ten", "natural group", "fair", 1, 0.2, 0.3, 50.0),
        ("vip", "Best", "rule", None, 1, 0.2, 0.05, 1.0),
    ]
    unpaid = personas.segment_table(MEMBERS, poor, [], NAMES)["share_of_amount"]
    assert unpaid.to_list() == [None] * 3


def test_a_segment_is_shown_by_what_sets_it_apart():
    """Three customers much alike and two others, one of them by a rule of the book as well."""
    table = CUSTOMERS.select("customer_id", "tenure_days", "shoe_size")[:5]
    found = SimpleNamespace(of=Behaviour(table, table, []), table=table.select("customer_id"))
    rules = {"vip": Rule.model_validate({"for": {"plan": "pro"}, "name": "Best"})}
    own = pl.lit(None, pl.String)
    tables = SimpleNamespace(
        members=MEMBERS,
        customers_at=CUSTOMERS,
        clusters=CUSTOMERS.select("customer_id", nearest_segment=own),
        lifecycle=CUSTOMERS.select("customer_id", "lifecycle"),
        known_segments=NAMES.filter(pl.col("kind") != "rule").drop("grade"),
    )
    r = SimpleNamespace(tables=tables, book=SimpleNamespace(segments=rules))
    shown = personas.segments(r, found, {"s1": "strong", "s10": "fair"})
    profiles, states = personas.profiles(r, found), personas.by_state(r)

    assert shown.headline(shown.table) == "3 segments; the largest: One, 40% of all"
    assert shown.table["grade"].to_list() == ["strong", "fair", None]
    assert shown.definition == "By rule, overlapping others: Best: plan is pro."
    assert profiles.headline(profiles.table) == "Ten (s10) stands out most: long with us"
    assert profiles.table["segment"].unique().to_list() == ["s10"]
    assert states.table.rows() == [("One", "active", 2, 2, 1.0)]
