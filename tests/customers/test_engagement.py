"""Engagement and usage: what customers do, and what the page says of it."""

import polars as pl
from drawing import drawn
from opened import opened

from retention.customers import engagement

STAGED = drawn("""
    | customer_id | standing | days  | trend | trend_lower | trend_upper | paid  |
    | often       | current  | 8     | 1.0   | 0.6         | 1.6         | 600   |
    | seldom      | current  | 7     | 2.0   | 1.1         | 3.5         | 300   |
    | once        | current  | 1     | 0.2   | 0.1         | 0.9         | 100   |
    | never       | current  | 0     |       |             |             | 0     |
    | left        | lapsed   | 0     |       |             |             | 50    |
""").rename({"days": "active_days_28d", "paid": "amount_cents_365d"})


def test_engagement_goes_by_active_days_and_usage_by_the_interval_of_the_trend():
    told = engagement.engaged(STAGED, high_days=8)
    assert told.select("engagement", "usage").rows() == [
        ("high", "steady"),
        ("moderate", "rising"),
        ("moderate", "falling"),
        ("inactive", "not known"),
        (None, "not current"),
    ]


def test_shares_are_of_the_current_customers_and_name_empty_groups(tmp_path):
    everybody = engagement.engaged(STAGED, high_days=9)
    shown = engagement.levels(opened(tmp_path, "10_customers"), everybody, 9)

    assert shown.table.select("by", "group", "n", "share", "share_of_amount").rows() == [
        ("engagement", "high", 0, 0.0, 0.0),
        ("engagement", "moderate", 3, 0.75, 1.0),
        ("engagement", "inactive", 1, 0.25, 0.0),
        ("usage", "falling", 1, 0.25, 0.1),
        ("usage", "steady", 1, 0.25, 0.6),
        ("usage", "rising", 1, 0.25, 0.3),
        ("usage", "not known", 1, 0.25, 0.0),
    ]
    assert shown.headline(shown.table) == "0.0% are highly engaged, 25.0% did nothing in 28 days"
    (falls,) = shown.findings(shown.table)
    assert (falls.name, falls.value) == ("usage_falls", 0.25)
    assert falls.ci[0] < 0.25 < falls.ci[1]
    hidden = shown.table.with_columns(share=pl.lit(None, pl.Float64))
    assert shown.headline(hidden) == "How much current customers do"
    assert shown.findings(hidden) == []


def test_where_nobody_is_current_or_pays_no_share_is_claimed(tmp_path):
    r = opened(tmp_path, "10_customers")
    nobody = engagement.engaged(STAGED.tail(1), 8)
    assert engagement.levels(r, nobody, 8).table["share"].null_count() == 7
    idle = engagement.engaged(STAGED.filter(customer_id="never"), 8)
    assert engagement.levels(r, idle, 8).table["share_of_amount"].null_count() == 7
    said = engagement.who_is_counted(r, STAGED)
    assert (said.value, said.further["all"]) == (4, 5)
