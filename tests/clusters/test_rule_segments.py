"""Segments by a rule of the book."""

import polars as pl
import pytest

from retention.book import Rule
from retention.clusters import rule_segments
from retention.errors import Refused

CUSTOMERS = pl.DataFrame(
    [
        ("a", "current", "pro", 3, 100),
        ("b", "current", "basic", 3, 900),
        ("c", "current", "pro", None, 900),
        ("d", "lapsed", "pro", 9, 900),
    ],
    ["customer_id", "standing", "plan", "orders_90d", "amount_cents_365d"],
    orient="row",
)


def rule(name: str = "Some", **conditions) -> Rule:
    return Rule.model_validate({"for": conditions, "name": name})


def test_current_customers_who_meet_all_conditions_belong_and_rules_overlap():
    rules = {
        "vip": rule(amount_cents_365d={"at_least": 500}),
        "pro": rule(plan="pro", orders_90d={"at_least": 1, "below": 9}),
        "any": rule(plan=["pro", "basic"]),
    }
    found = rule_segments.members(CUSTOMERS, rules)

    assert found.rows() == [
        ("a", "any"),
        ("a", "pro"),
        ("b", "any"),
        ("b", "vip"),
        ("c", "any"),
        ("c", "vip"),
    ]
    shown = rule_segments.large(found, 3, 3)
    assert shown["segment"].unique().to_list() == ["any"]
    assert rule_segments.large(found, 4, 3).is_empty()
    assert rule_segments.definition(rules, shown).endswith("the rule: Some, Some.")


def test_without_rules_nobody_belongs():
    empty = rule_segments.members(CUSTOMERS, {})
    assert empty.schema == {"customer_id": pl.String, "segment": pl.String}
    assert empty.is_empty()
    assert rule_segments.definition({}, empty) == ""


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ({"orders_90": 1}, "vip: customers have no column 'orders_90'; did you mean 'orders_90d'"),
        ({"plan": 3}, "vip: column 'plan' holds text, and the condition speaks of numbers"),
    ],
)
def test_what_cannot_be_asked_is_refused(conditions, words):
    with pytest.raises(Refused, match=words):
        rule_segments.members(CUSTOMERS, {"vip": rule(**conditions)})


def test_rules_are_said_in_words():
    rules = {
        "vip": rule("Best", amount_cents_365d={"at_least": 500}, plan="pro"),
        "new": rule("New", tenure_days={"below": 30}, region=["north", "east"]),
    }
    members = pl.DataFrame({"segment": ["vip", "new"]})
    assert rule_segments.definition(rules, members) == (
        "By rule, overlapping others: Best: amount (365 days) at least 5.00, plan is pro; "
        "New: tenure days below 30, region is north or east."
    )
