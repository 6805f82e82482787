"""Revenue of cohorts: literal addition day by day, sums to the cent, and what is not told."""

from importlib import import_module

import numpy as np
import polars as pl
import pytest
from drawing import day, drawn
from hypothesis import given
from hypothesis import strategies as st
from opened import opened

from retention import disclosure, exhibit
from retention.cohorts import cohorts
from retention.errors import Failed

revenue = import_module("retention.cohorts.revenue")  # the package has a function of this name
START = day("2024-01-01")
END = START + 200
DATES = dict.fromkeys(("started_day", "ended_day", "amount_cents"), pl.Int64)
NO_TERMS = pl.LazyFrame(schema={"customer_id": pl.String} | DATES)
NO_EVENTS = NO_TERMS.select("customer_id", "amount_cents", day="started_day")


def grouped(starts: dict[str, int], min_cell: int = 1) -> tuple[pl.DataFrame, pl.DataFrame]:
    known = pl.DataFrame({"customer_id": list(starts), "start_day": list(starts.values())})
    return cohorts.cells(cohorts.divide(known.sort("customer_id"), ["start_month"], min_cell))


def retained(name: str, rows: pl.LazyFrame, starts: dict[str, int], end: int = END):
    members, cells = grouped(starts)
    ledger = revenue.count(name, rows, members, end)
    return ledger, revenue.revenue_retention([ledger], members, cells, end)


EVENTS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(-20, 200), st.integers(0, 50_000)),
    min_size=1,
    max_size=30,
)
STARTS = st.fixed_dictionaries({name: st.integers(0, 70) for name in "abcd"})


@given(EVENTS, STARTS)
def test_revenue_of_events_is_that_of_a_literal_addition(events, starts):
    starts = {name: START + since for name, since in starts.items()}
    dated = [(name, START + on, cents) for name, on, cents in events]
    rows = pl.DataFrame(dated, ["customer_id", "day", "amount_cents"], orient="row")
    paid = {name: {} for name in starts}
    for name, on, cents in rows.iter_rows():
        if on >= starts[name]:
            age = (on - starts[name]) // 30
            paid[name][age] = paid[name].get(age, 0) + cents

    ledger, table = retained("events", rows.lazy(), starts)

    assert ledger.booked_cents == rows["amount_cents"].sum()
    assert_literal(table, paid, starts)


TERMS = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.integers(0, 150),
        st.integers(0, 120) | st.none(),
        st.integers(0, 9_999) | st.none(),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda term: term[:2],
)


@given(TERMS)
def test_revenue_of_contracts_is_that_of_a_literal_addition_day_by_day(terms):
    starts = {}
    for name, on, *_ in terms:
        starts[name] = min(starts.get(name, END), START + on)
    dated = [
        (name, START + on, None if days is None else START + on + days, cents)
        for name, on, days, cents in terms
    ]
    rows = pl.DataFrame(dated, NO_TERMS.collect_schema(), orient="row")
    paid = {name: {} for name in starts}
    for name, first, ended, amount in rows.iter_rows():
        last = END if ended is None else min(ended, END)
        for number, on in enumerate(range(first, last + 1), 1):  # the n-th day of the term
            cents = (amount or 0) * number // 30 - (amount or 0) * (number - 1) // 30
            age = (on - starts[name]) // 30
            paid[name][age] = paid[name].get(age, 0) + cents

    ledger, table = retained("contracts", rows.lazy(), starts)

    assert ledger.booked_cents == sum(sum(months.values()) for months in paid.values())
    assert_literal(table, paid, starts)


def assert_literal(table: pl.DataFrame, paid: dict, starts: dict) -> None:
    """Every number of everybody together, by loops over customers."""
    ends = {name: cohort_end(since) for name, since in starts.items()}
    reach = {name: (END - until + 1) // 30 - 1 for name, until in ends.items()}
    for row in table.filter(cohort_by="all").iter_rows(named=True):
        age = row["age"]
        who = [name for name in starts if reach[name] >= age]
        now = {name: paid[name].get(age, 0) for name in who}
        was = {name: paid[name].get(age - 1, 0) for name in who}
        base = {name: paid[name].get(0, 0) for name in who}
        assert row["n_start"] == len(who)
        assert row["n_paying"] == sum(cents > 0 for cents in now.values())
        assert row["revenue_cents"] == sum(now.values())
        changes = {name: now[name] - was[name] for name in who} if age else {}
        more = {name: by for name, by in changes.items() if by > 0}
        less = {name: -by for name, by in changes.items() if by < 0}
        expected = {
            "reactivation": [by for name, by in more.items() if not was[name]],
            "expansion": [by for name, by in more.items() if was[name]],
            "contraction": [by for name, by in less.items() if now[name]],
            "lost": [by for name, by in less.items() if not now[name]],
        }
        for move, amounts in expected.items():
            assert (row[move], row[f"n_{move}"]) == (sum(amounts), len(amounts))
        if not sum(base.values()):
            assert row["gross"] is None
            assert row["net"] is None
            continue
        kept = sum(min(now[name], base[name]) for name in who)
        assert row["gross"] == pytest.approx(kept / sum(base.values()))
        assert row["net"] == pytest.approx(sum(now.values()) / sum(base.values()))
    whole = table.filter(cohort_by="all").sort("age")
    assert whole.height == max([*reach.values(), -1]) + 1
    months, names = table.filter(cohort_by="start_month"), ["n_start", "n_paying", *revenue.MOVES]
    added = months.group_by("age").agg(pl.col("revenue_cents", *names).sum()).sort("age")
    assert added.equals(whole.select(added.columns))


def cohort_end(on: int) -> int:
    ends = [day(f"2024-{month:02}-01") - 1 for month in range(2, 13)]
    return next(end for end in ends if end >= on)


def test_months_that_do_not_add_up_to_the_ledger_stop_the_refresh(monkeypatch):
    rows = pl.DataFrame({"customer_id": ["a"], "day": [START], "amount_cents": [7]}).lazy()
    members, _ = grouped({"a": START})
    assert revenue.count("events", rows, members, END).booked_cents == 7
    paid = revenue.paid
    monkeypatch.setattr(
        revenue, "paid", lambda events: paid(events).with_columns(pl.col("cents") - 1)
    )
    with pytest.raises(Failed, match="hold 6 cents of 7 booked"):
        revenue.count("events", rows, members, END)


def test_a_cohort_of_which_few_paid_at_first_is_left_out():
    """All its shares would tell what these few paid."""
    table = drawn("""
        | ledger | cohort_by   | cohort  | age | n_paying |
        | events | all         | all     | 0   | 40       |
        | events | all         | all     | 1   | 9        |
        | events | start_month | 2024-01 | 0   | 9        |
        | events | start_month | 2024-01 | 1   | 16       |
        | events | start_month | 2024-02 | 0   | 0        |
    """)

    assert revenue.enough(table, 10).select("cohort", "age").rows() == [
        ("all", 0),
        ("all", 1),
        ("2024-02", 0),
    ]


def test_the_page_shows_what_is_kept_and_what_changed(tmp_path, monkeypatch):
    """Everybody pays 10 at first; in month 1 half of them twice as much, in month 2 five do."""
    monkeypatch.chdir(tmp_path)
    ids = [f"c{n:02}" for n in range(40)]
    paid = [(who, 0, 10_00) for who in ids] + [(who, 30, 20_00) for who in ids[:20]]
    rows = [(who, START + on, cents) for who, on, cents in paid + [(n, 60, 1) for n in ids[:5]]]
    activity = pl.DataFrame(rows, ["customer_id", "day", "amount_cents"], orient="row")
    tables = {"activity": activity, "terms": NO_TERMS.collect()}
    r = opened(tmp_path, "40_cohorts", tables)
    everybody = pl.DataFrame({"customer_id": ids, "start_day": [START] * 40, "cohort": "all"})
    divided = {"all": everybody.with_columns(until_day="start_day")}
    members = cohorts.Members(*cohorts.cells(divided), divided, 0)

    found = revenue.revenue(r, members)
    kept = revenue.revenue_curves(r, found, [1, 2])

    rows = kept.table.select("group", "age", "revenue_kept").rows()
    assert rows == [("gross", 1, 0.5), ("net", 1, 1.0)]  # nothing of month 2, in which five paid
    said = "Of the first month's revenue 100% comes in month of life 1, 50% gross"
    assert exhibit.of(kept.headline, kept.table) == said
    (finding,) = exhibit.of(kept.findings, kept.table)
    assert (finding.name, finding.value) == ("net_revenue_retention_1", 1.0)
    changes = revenue.revenue_changes(r, found, [1, 2])
    moves = changes.behind(r.hide(changes.table))
    assert moves.columns == ["age", "ledger", *sorted(revenue.MOVES)]
    assert moves.rows() == [(1, "events", 0, 200_00, 200_00, 0), (2, "events", None, 0, 300_00, 0)]
    triangle = revenue.revenue_triangle(r, found, [1, 2])
    assert triangle.table.is_empty()  # no cohorts by month
    r.show(kept, changes, triangle)


def test_strictly_no_amount_is_told_where_one_customer_holds_over_half():
    """In the first month forty pay 10, in the second twenty 12; in each, one of them far more."""
    names = [f"c{number:02}" for number in range(40)]
    rows = [(who, START, 10_00) for who in names] + [(who, START + 30, 12_00) for who in names[:20]]
    rows += [("c03", START, 300_00), ("c04", START + 30, 300_00)]
    events = pl.DataFrame(rows, ["customer_id", "day", "amount_cents"], orient="row")
    _, table = retained("events", events.lazy(), dict.fromkeys(names, START))
    table = table.filter(pl.col("cohort_by") == "all", pl.col("age") < 2)

    assert table["largest_share"].to_list() == pytest.approx([310 / 700, 312 / 540])
    written = table.select(revenue.COLUMNS)
    shown = disclosure.hide(written, "revenue_retention", strict=True)
    assert shown["revenue_cents"].to_list() == [700_00, None]
    assert disclosure.hide(written).equals(written.drop("largest_share"))
    moves = disclosure.hide(revenue.moves(table), strict=True).select("move", "n", "cents").rows()
    assert moves == [
        ("contraction", None, None),  # c03 alone pays less
        ("expansion", 20, None),  # c04 pays 302 of 340 more
        ("lost", 20, 200_00),
        ("reactivation", 0, 0),
    ]


@pytest.mark.slow
def test_limits_of_net_cover_the_planted_share_as_often_as_they_say():
    """Everybody pays 100 at first, and later with chance .6 some amount of mean 100."""
    covered = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        again = np.flatnonzero(rng.random(300) < 0.6)
        ids = [f"c{n:03}" for n in range(300)]
        rows = {
            "customer_id": ids + [ids[n] for n in again],
            "day": [START] * 300 + [START + 40] * len(again),
            "amount_cents": [10_000] * 300 + rng.integers(0, 20_001, len(again)).tolist(),
        }
        _, table = retained("events", pl.DataFrame(rows).lazy(), dict.fromkeys(ids, START))
        row = table.filter(cohort="all", age=1).row(0, named=True)
        covered += row["ci_lower_net"] <= 0.6 <= row["ci_upper_net"]
    assert 52 <= covered <= 60


def test_a_book_without_amounts_says_so():
    members, cells = grouped({"a": START, "b": START})
    found = revenue.ledgers(NO_EVENTS, NO_TERMS, members, END)

    assert [ledger.name for ledger in found] == ["events"]
    table = revenue.revenue_retention(found, members, cells, END)
    assert table["gross"].null_count() == table.height
