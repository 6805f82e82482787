"""RFM: fifths counted literally, a grid without gaps, and customers drawn by hand."""

import polars as pl
import pytest
from drawing import drawn
from hypothesis import given
from hypothesis import strategies as st
from opened import opened

from retention.customers import rfm

ACTIVITY = drawn("""
    | customer_id | day | kind     | orders | amount_cents |
    | ann         | 100 | purchase | 2      | 500          |
    | ann         | 90  | purchase | 1      | 300          |
    | ann         | 99  | visit    | 0      | 0            |
    | bob         | 10  | purchase | 1      | 900          |
    | carl        | 91  | call     | 1      | 40           |
    | carl        | 100 | visit    | 0      | 0            |
    | dora        | 100 | visit    | 0      | 0            |
""")


def test_orders_are_those_of_the_window_and_the_last_one_is_whenever_it_was():
    assert rfm.ordered(ACTIVITY.lazy(), 100, 10).rows() == [
        ("ann", 0, 2, 500),
        ("bob", 90, 0, 0),
        ("carl", 9, 1, 40),
    ]
    assert rfm.ordered(ACTIVITY.lazy(), 100, 11)["orders"].to_list() == [3, 0, 1]


def customers(days: list[int], orders: list[int], amounts: list[int]) -> pl.DataFrame:
    ids = pl.Series([f"c{number:03}" for number in range(len(days))])
    columns = dict(zip(rfm.ORDERS, (days, orders, amounts), strict=True))
    return pl.DataFrame({"customer_id": ids} | columns)


ORDERS = st.lists(st.tuples(*[st.integers(0, 6)] * 3), min_size=1, max_size=40)


@given(ORDERS)
def test_scores_are_fifths_counted_one_by_one(rows):
    """By how many customers have less; equal values are never told apart."""
    days, orders, amounts = (list(values) for values in zip(*rows, strict=True))
    told = rfm.scored(customers(days, orders, amounts))

    def fifth(value, values):
        return 1 + 5 * sum(other < value for other in values) // len(values)

    for score, (last, often, paid) in zip(told["rfm_score"], rows, strict=True):
        expected = (6 - fifth(last, days), fifth(often, orders), fifth(paid, amounts))
        assert tuple(map(int, score)) == expected


def test_every_pair_of_scores_has_one_name():
    cells = [
        (recency, frequency)
        for recent, often in rfm.NAMES.values()
        for recency in recent
        for frequency in often
    ]
    assert sorted(cells) == [(r, f) for r in range(1, 6) for f in range(1, 6)]


def test_groups_follow_the_names_and_add_up(tmp_path):
    told = rfm.scored(customers([*range(20)], [*range(20)][::-1], [100] * 20))
    shown = rfm.rfm_groups(opened(tmp_path, "10_customers"), told, 365)
    groups = shown.table

    for name in ("share", "share_of_amount"):
        assert groups[name].sum() == pytest.approx(1)
    assert groups["rfm"].to_list() == [name for name in rfm.NAMES if name in set(told["rfm"])]
    best = groups.select("rfm", "n", "days_since_last_order", "orders").row(0)
    assert best == ("champions", 4, 1.5, 17.5)
    assert shown.headline(groups) == "Hibernating: 40.0% of customers, 40.0% of the amount"
    assert "Frequency: orders of the last 365 days" in shown.definition
    assert all(f"{name}: " in shown.definition for name in rfm.NAMES)


def test_where_nobody_ordered_there_are_no_groups(tmp_path):
    r = opened(tmp_path, "10_customers", {"activity": ACTIVITY.filter(pl.col("orders") == 0)})
    assert rfm.rfm_groups(r, rfm.orders(r, 10), 10).table.is_empty()
