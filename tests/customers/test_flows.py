"""Flows between stages: the identities of a balance, whatever happened in between."""

from datetime import date
from pathlib import Path

import inputs
import polars as pl
import pytest
from drawing import save, shop
from hypothesis import given
from hypothesis import strategies as st

from retention import book as books
from retention.customers import flows, lifecycle
from retention.refresh import Refresh
from retention.tables import workspace

STAGE = st.sampled_from(lifecycle.STAGES)
FLOWS = ("kept", "lost", "new", "returned", "away")
PAIRS = st.lists(st.tuples(STAGE, STAGE), min_size=1, max_size=60)


def two_days(pairs: list[tuple[str, str]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    ids = [f"c{number}" for number in range(len(pairs))]
    days = zip(*pairs, strict=True)
    return tuple(pl.DataFrame({"customer_id": ids, "lifecycle": stages}) for stages in days)


@given(PAIRS)
def test_every_pair_of_stages_is_counted_and_flows_add_up(pairs):
    table = flows.flows(*two_days(pairs))

    for before, now, n, share in table.select("before", "lifecycle", "n", "share").rows():
        assert n == pairs.count((before, now))
        assert share == pytest.approx(n / sum(pair[0] == before for pair in pairs))
    assert set(pairs) <= set(table.select("before", "lifecycle").rows())
    n = {flow: table.filter(flow=flow)["n"].sum() for flow in FLOWS}
    current = [sum(stage not in flows.OUT for stage in side) for side in zip(*pairs, strict=True)]
    assert current == [n["kept"] + n["lost"], n["kept"] + n["new"] + n["returned"]]
    assert sum(n.values()) == len(pairs)


def test_what_became_of_a_customer_has_one_name():
    became = {
        ("active", "dormant"): "kept",
        ("at risk", "gone"): "lost",
        ("gone", "reactivated"): "returned",
        ("never active", "new"): "new",
        ("gone", "gone"): "away",
        ("never active", "gone"): "away",
    }
    then, now = two_days(list(became))
    then = then.filter(pl.col("lifecycle") != "never active")  # not known then: had not begun
    told = flows.flows(then, now).filter(pl.col("n") > 0)
    pairs = told.select("before", "lifecycle").rows()
    assert dict(zip(pairs, told["flow"], strict=True)) == became
    place = {name: number for number, name in enumerate(lifecycle.STAGES)}
    assert pairs == sorted(pairs, key=lambda pair: [place[name] for name in pair])


def test_what_is_said_of_flows_is_left_out_where_a_count_is_hidden():
    counts = pl.DataFrame({"flow": ["kept", "lost"], "n": [50, 30]})
    (said,) = flows._lost(counts, 0)
    assert (said.value, said.further["kept"], said.further["new"]) == (30, 50, 0)
    assert said.further["day"] == "1970-01-01"
    assert flows._lost(counts.with_columns(n=pl.Series([50, None])), 0) == []
    pairs = 30 * [("active", "active")] + 10 * [("active", "gone")] + [("new", "active")]
    table = flows.flows(*two_days(pairs))
    assert flows._stayed(table).startswith("75.0% of the customers who were active then")
    nothing = table.with_columns(share=pl.lit(None, pl.Float64))
    assert flows._stayed(nothing) == "Where customers of each stage are now"


def built(root: Path, snapshot_date: str) -> workspace.Workspace:
    for table, frame in shop().items():
        save(frame, root / "data" / f"{table}.csv")
    here = workspace.Workspace("shop", snapshot_date, "tables", root / "built" / snapshot_date)
    inputs.build(books.at(books.load("shop", root), date.fromisoformat(snapshot_date)), here)
    return here


def test_stages_of_an_earlier_day_are_those_that_were_told_then(workbook):
    """Of the same data: the customers move, the rules do not."""
    then, now = (built(workbook, on) for on in ("2024-08-31", "2024-12-31"))
    book = books.load("shop", workbook).model_copy(update={"min_cell": 5})
    customers = workspace.read_table(now, "customers_at")
    days_ago = now.snapshot_day - then.snapshot_day
    (now.folder / "book.json").write_text(book.model_dump_json(), encoding="utf-8")

    shown = flows.moves(Refresh(now), lifecycle.staged(customers, book), days_ago)

    told = lifecycle.staged(workspace.read_table(then, "customers_at"), book)
    assert told["lifecycle"].n_unique() > 2
    for stage, n in told.group_by("lifecycle").len().rows():
        assert shown.table.filter(before=stage)["n"].sum() == n
    assert shown.table.filter(flow="lost")["n"].sum() > 0
