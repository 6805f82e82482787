"""Who brings the revenue: by hand, limits by drawing customers anew, and nothing given away."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from retention import disclosure, schema
from retention.tables import rules
from retention.value import concentration

NONE = pl.DataFrame(schema=dict.fromkeys(("customer_id", "segment", "name"), pl.String))


def ids(*names: str) -> pl.DataFrame:
    return pl.DataFrame({"customer_id": list(names)}, {"customer_id": pl.String})


def everybody() -> pl.DataFrame:
    paid = ids("a", "b", "gone", "stranger").with_columns(amount_cents=pl.Series([60, 30, 10, 0]))
    value = ids("a", "b", "new").with_columns(value_cents=pl.Series([100, 40, None]))
    risks = ids("a", "b", "new").with_columns(risk=pl.Series([0.5, None, 0.9]))
    return concentration.customers(paid, value, risks, ids("a", "b", "new"))


def test_everybody_who_paid_is_worth_something_or_is_current_stands_once():
    assert everybody().rows() == [
        ("a", True, 60, 100, True, 50),
        ("b", True, 30, 40, False, 0),
        ("gone", False, 10, 0, False, 0),
        ("new", True, 0, 0, False, 0),
        ("stranger", False, 0, 0, False, 0),
    ]


def test_segments_overlap_and_all_others_are_told_apart():
    members = ids("a", "a", "b", "gone").with_columns(segment=pl.Series(["s1", "vip", "vip", "s1"]))
    segments = pl.DataFrame({"segment": ["s1", "vip"], "name": ["One", "Best"]})

    table = concentration.carried(everybody(), members, segments)

    columns = ("name", "n", "share_of_customers", "amount_cents", "share_of_amount", "value_cents")
    assert table.select(*columns, "n_judged", "value_at_risk_cents").rows() == [
        ("One", 2, 0.4, 70, 0.7, 100, 1, 50),
        ("Best", 2, 0.4, 90, 0.9, 140, 1, 50),
        ("in no segment", 1, 0.2, 0, 0.0, 0, 0, 0),
        ("no longer a customer", 1, 0.2, 0, 0.0, 0, 0, 0),
    ]
    written = disclosure.hide(table, "revenue_by_segment", 1)
    assert rules.broken(written, schema.TABLES["revenue_by_segment"]) == []
    assert concentration._foremost(table) == (
        "Most of last year's amount, 90%, was paid by 40% of customers: Best"
    )
    shown = concentration._beside(table)
    assert shown["of"].to_list() == ["customers", concentration.AMOUNT, concentration.VALUE] * 4
    assert shown.filter(of="customers")["ci_lower"].null_count() == 4


def test_those_who_bring_most_come_first_and_a_part_of_a_customer_is_one():
    amounts = [100, 50, 30, 10, 5, 3, 1, 1, 0, 0]
    people = pl.DataFrame(
        {"customer_id": [f"c{n}" for n in range(10)], "amount_cents": amounts, "value_cents": 1}
    )
    table = concentration.tops(people)

    last = table.filter(of=concentration.AMOUNT)
    assert last.select("top_percent", "n").rows() == [(1, 1), (5, 1), (10, 1), (20, 2), (50, 4)]
    assert last["share"].to_list() == [0.5, 0.5, 0.5, 0.75, 0.95]
    assert table.filter(of=concentration.VALUE, top_percent=50)["share"].item() == 0.5
    shown = concentration.most_valuable(SimpleNamespace(confidence=0.95), people)
    assert shown.headline(table) == "The 20% of customers who pay most bring 75% of the amount"
    [finding] = shown.findings(table)
    assert (finding.value, finding.further["n"]) == (0.75, 2)
    hidden = disclosure.hide(table, "concentration")
    assert hidden["share"].null_count() == hidden.height
    assert shown.findings(hidden) == []
    assert shown.headline(hidden).startswith("Too few")
    assert rules.broken(table, schema.TABLES["concentration"]) == []


def test_where_nobody_paid_no_share_is_claimed():
    nobody = everybody().with_columns(pl.lit(0, pl.Int64).alias("amount_cents"), value_cents=0)
    table = concentration.carried(nobody, NONE, NONE)

    assert table["share_of_amount"].null_count() == table.height == 2
    assert concentration._foremost(table) == "Nobody paid anything within the last year"
    assert concentration.tops(nobody).is_empty()
    assert rules.broken(concentration.tops(nobody), schema.TABLES["concentration"]) == []


def test_limits_are_those_of_drawing_customers_anew():
    rng = np.random.default_rng(3)
    cents = np.round(rng.lognormal(7, 1, 800)).astype(int)
    inside = rng.random(800) < 0.3
    names = [f"c{number:03}" for number in range(800)]
    people = pl.DataFrame({"customer_id": names, "amount_cents": cents}).with_columns(
        current=True, value_cents=pl.col("amount_cents"), judged=True, at_risk_cents=0
    )
    own = people.filter(pl.Series(inside)).select("customer_id", segment=pl.lit("s1"))
    row = concentration.carried(people, own, pl.DataFrame({"segment": ["s1"], "name": ["One"]}))
    row = row.row(0, named=True)

    draws = rng.integers(800, size=(2_000, 800))
    shares = (cents * inside)[draws].sum(axis=1) / cents[draws].sum(axis=1)
    assert row["ci_upper"] - row["ci_lower"] == pytest.approx(2 * 1.96 * shares.std(), rel=0.1)


@pytest.mark.parametrize("measure", ["amount_cents", "value_cents", "at_risk_cents"])
def test_strictly_no_amount_is_told_where_one_customer_holds_over_half_of_any(measure):
    """Of twenty customers of each segment everybody has 1,000 of each amount; one of s1 20,000."""
    names = [f"c{number:02}" for number in range(40)]
    people = pl.DataFrame({"customer_id": names, "current": True, "judged": True}).with_columns(
        amount_cents=1_000, value_cents=1_000, at_risk_cents=1_000
    )
    planted = pl.when(customer_id=pl.lit("c07")).then(20_000).otherwise(measure).alias(measure)
    segment = pl.Series("segment", ["s1"] * 20 + ["s2"] * 20)
    segments = pl.DataFrame({"segment": ["s1", "s2"], "name": ["One", "Two"]})
    table = concentration.carried(
        people.with_columns(planted), people.select("customer_id", segment), segments
    )

    assert table["largest_share"].to_list() == pytest.approx([20 / 39, 1 / 20])
    names = ["amount_cents", "value_cents", "value_at_risk_cents"]
    strict = disclosure.hide(table, "revenue_by_segment", strict=True)
    assert strict.select(names).rows() == [(None,) * 3, (20_000,) * 3]
    standard = disclosure.hide(table, "revenue_by_segment")
    assert standard.equals(table.drop("largest_share"))


@pytest.mark.parametrize("verdict", concentration.GATE)
def test_value_at_risk_says_what_it_rests_on(verdict):
    gate = pl.DataFrame({"verdict": [verdict]})
    tables = SimpleNamespace(members=NONE, segments=NONE, risk_gate=gate)
    r = SimpleNamespace(tables=tables, book=SimpleNamespace(currency="EUR"), confidence=0.95)

    money = everybody().with_columns(pl.col("at_risk_cents") * 100)
    [finding] = concentration.by_segment(r, money).findings

    assert finding.value == 50
    assert finding.sentence.endswith(concentration.GATE[verdict])
    assert concentration.by_segment(r, money.with_columns(at_risk_cents=0)).findings == []
