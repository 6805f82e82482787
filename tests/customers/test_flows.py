"""Flows between stages: the identities of a balance, whatever happened in between."""

from datetime import date
from pathlib import Path

import inputs
import polars as pl
import pytest
from drawing import day, save, shop
from hypothesis import given
from hypothesis import strategies as st

from retention import book as books
from retention.customers import flows, lifecycle
from retention.tables import task, workspace

STAGE = st.sampled_from(lifecycle.STAGES)
PAIRS = st.lists(st.tuples(STAGE, STAGE), min_size=1, max_size=60)


def two_days(pairs: list[tuple[str, str]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    ids = [f"c{number}" for number in range(len(pairs))]
    return tuple(
        pl.DataFrame({"customer_id": ids, "lifecycle": [pair[place] for pair in pairs]})
        for place in (0, 1)
    )


@given(PAIRS)
def test_current_now_is_new_kept_and_returned_and_current_before_is_kept_and_lost(pairs):
    then, now = two_days(pairs)
    table = flows.flows(then, now, lifecycle.STAGES)
    n = dict(flows.balance(table, min_cell=1).rows())

    current = [sum(stage not in flows.OUT for stage in side) for side in zip(*pairs, strict=True)]
    assert (n["current before"], n["current now"]) == tuple(current)
    assert n["current now"] == n["new since"] + n["kept"] + n["returned since"]
    assert n["current before"] == n["kept"] + n["lost since"]
    assert table["n"].sum() == len(pairs)


@given(PAIRS)
def test_every_pair_of_stages_is_counted(pairs):
    table = flows.flows(*two_days(pairs), lifecycle.STAGES)

    for before, now, n, share in table.select("before", "lifecycle", "n", "share").rows():
        assert n == pairs.count((before, now))
        assert share == pytest.approx(n / sum(pair[0] == before for pair in pairs))
    assert set(pairs) <= set(table.select("before", "lifecycle").rows())


def test_what_became_of_a_customer_has_one_name():
    pairs = [
        ("active", "dormant"),
        ("at risk", "gone"),
        ("gone", "reactivated"),
        ("never active", "new"),
        ("gone", "gone"),
        ("never active", "gone"),
    ]
    told = flows.flows(*two_days(pairs), lifecycle.STAGES).filter(pl.col("n") > 0)
    assert dict(zip(told.select("before", "lifecycle").rows(), told["flow"], strict=True)) == dict(
        zip(pairs, ("kept", "lost", "returned", "new", "away", "away"), strict=True)
    )


def test_who_was_not_known_then_had_not_begun():
    then = pl.DataFrame({"customer_id": ["a"], "lifecycle": ["active"]})
    now = pl.DataFrame({"customer_id": ["a", "b"], "lifecycle": ["gone", "new"]})
    told = flows.flows(then, now, lifecycle.STAGES).filter(pl.col("n") > 0)
    assert told.select("before", "lifecycle", "flow").rows() == [
        ("active", "gone", "lost"),
        ("never active", "new", "new"),
    ]


def test_one_small_count_hides_the_whole_balance_and_zero_hides_nothing():
    pairs = 50 * [("active", "active")] + 9 * [("active", "gone")]
    table = flows.flows(*two_days(pairs), lifecycle.STAGES)
    assert flows.balance(table, min_cell=10)["n"].null_count() == len(flows.BALANCE)
    assert flows.balance(table, min_cell=9)["n"].null_count() == 0
    assert "too few customers" in flows.headline(flows.balance(table, 10), 0)
    assert flows.headline(flows.balance(table, 9), 0) == (
        "Since 1970-01-01 9 customers were lost, 0 are new or came back"
    )


def test_the_headline_says_where_the_active_went():
    pairs = 30 * [("active", "active")] + 10 * [("active", "gone")] + [("new", "active")]
    table = flows.flows(*two_days(pairs), lifecycle.STAGES)
    assert flows.stayed(table) == (
        "Of the customers who were active then 75.0% are active now and 25.0% are gone now"
    )
    nothing = table.with_columns(share=pl.lit(None, pl.Float64))
    assert flows.stayed(nothing) == "Where customers of each stage are now"


def test_the_day_to_compare_with_is_that_of_the_previous_refresh():
    assert flows.since(Path("work/shop/2025-03-31-r2"), day("2025-06-30"), 90) == day("2025-03-31")
    assert flows.since(None, day("2025-06-30"), 90) == day("2025-04-01")


def built(root: Path, snapshot_date: str) -> workspace.Workspace:
    for table, frame in shop().items():
        save(frame, root / "data" / f"{table}.csv")
    here = workspace.Workspace("shop", snapshot_date, "tables", root / "built" / snapshot_date)
    inputs.build(books.at(books.load("shop", root), date.fromisoformat(snapshot_date)), here)
    return here


def test_stages_of_an_earlier_day_are_those_that_were_told_then(workbook):
    """Of the same data: the customers move, the rules do not."""
    then, now = (built(workbook, on) for on in ("2024-08-31", "2024-12-31"))
    book = books.load("shop", workbook)
    customers = workspace.read_table(now, "customers_at")
    acts, terms = (workspace.scan_table(now, name) for name in ("activity", "terms"))

    again, _ = task.as_of(customers, acts, terms, book.churn, then.snapshot_day)

    told = lifecycle.staged(workspace.read_table(then, "customers_at"), book)
    said = lifecycle.staged(again, book).join(told.select("customer_id"), on="customer_id")
    assert said.select(told.columns).equals(told.sort("customer_id"))
    assert told["lifecycle"].n_unique() > 2
    table = flows.flows(told, lifecycle.staged(customers, book), lifecycle.STAGES)
    n = dict(flows.balance(table, 1).rows())
    assert (n["current before"], n["current now"]) == (
        told["in_risk_set"].sum(),
        customers["in_risk_set"].sum(),
    )
    assert n["lost since"] > 0
