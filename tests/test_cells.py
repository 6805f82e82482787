"""What is hidden in a table of moves cannot be worked out from what is shown and its totals."""

import numpy as np
import polars as pl
from drawing import drawn
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from retention import cells

TOTALS = ["then", "now", "by"]


def hidden(table: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    return cells.hide_crossed(table, "n", min_cell, totals=TOTALS)


def test_a_small_cell_takes_along_what_would_tell_it_and_no_more():
    table = drawn("""
        | then | now | by     | n   |
        | s1   | s1  | stayed | 900 |
        | s1   | s2  | moved  | 4   |
        | s1   | s3  | moved  | 30  |
        | s2   | s1  | moved  | 20  |
        | s2   | s2  | stayed | 800 |
        | s2   | s3  | moved  | 25  |
        | s3   | s1  | moved  | 40  |
        | s3   | s2  | moved  | 50  |
        | s3   | s3  | stayed | 700 |
    """)

    shown = hidden(table, 10)["n"].to_list()

    assert shown == [900, None, None, None, 800, None, None, None, 700]


def test_nothing_is_hidden_where_all_are_large_or_nobody():
    table = drawn("""
        | then | now | by     | n  |
        | s1   | s1  | stayed | 10 |
        | s1   |     | left   | 0  |
        |      | s1  | came   | 99 |
    """)

    assert hidden(table, 10).equals(table)
    assert hidden(table.clear(), 10).equals(table.clear())


def test_a_cell_that_is_its_total_hides_no_other():
    table = drawn("""
        | then | now | by     | n  |
        | s1   | s1  | stayed | 9  |
        | s2   | s2  | stayed | 90 |
    """)

    assert hidden(table, 10)["n"].to_list() == [None, 90]


def test_further_columns_go_with_the_count():
    table = drawn("""
        | then | now | by     | n  | share |
        | s1   | s1  | stayed | 9  | 1     |
        | s2   | s2  | stayed | 90 | 2     |
    """)
    shown = cells.hide_crossed(table, "n", 10, totals=TOTALS, columns=["n", "share"])
    assert shown.select("n", "share").rows() == [(None, None), (90, 2)]


MOVES = drawn("""
    | previous_segment | segment | n   | moved_by   |
    | s1               | s1      | 900 | stayed     |
    | s1               | s2      | 40  | customer   |
    | s1               | s2      | 7   | definition |
    | s2               | s1      | 30  | customer   |
    | s2               | s2      | 800 | stayed     |
    |                  | s1      | 90  | entered    |
    |                  | s2      | 80  | entered    |
    | s1               |         | 70  | left       |
    | s2               |         | 60  | left       |
""")


SAME = drawn("""
    | previous_segment | segment |
    | s1               | s1      |
    | s2               | s2      |
    | s3               |         |
""")


def test_moves_of_a_cause_that_is_not_told_hide_little():
    shown = cells.hide_moves(MOVES, SAME, 10)

    gone = shown.filter(pl.col("n").is_null())
    assert gone.select("previous_segment", "segment", "moved_by").rows() == [
        ("s1", "s2", "customer"),
        ("s1", "s2", "definition"),
    ]
    assert shown.drop("n").equals(MOVES.drop("n"))


def test_moves_of_a_cause_that_is_told_are_hidden_with_others():
    more = pl.concat(
        [MOVES, MOVES[3].with_columns(moved_by=pl.lit("definition"), n=pl.lit(20, pl.Int64))]
    )

    shown = cells.hide_moves(more, SAME, 10)

    causes = shown.filter(pl.col("moved_by").is_in(["customer", "definition"]))
    assert causes["n"].to_list() == [None] * 4
    assert shown["n"].null_count() == 4
    assert cells.hide_moves(MOVES.clear(), SAME.clear(), 10).is_empty()


def test_a_further_known_sum_takes_a_cell_out_of_play():
    table = pl.DataFrame({"of": ["a"] * 4, "n": [4, 20, 30, 40]})

    freely = cells.hide_crossed(table, "n", 10, totals=["of"])
    known = cells.hide_crossed(table, "n", 10, totals=["of"], sums=[pl.col("n") != 20])

    assert freely["n"].to_list() == [None, None, 30, 40]
    assert known["n"].to_list() == [None, 20, None, 40]


def test_moves_are_hidden_knowing_what_is_published_of_changes():
    few = pl.when(moved_by="left", previous_segment="s1").then(4).otherwise("n").alias("n")
    moves = MOVES.filter(pl.col("moved_by") != "definition").with_columns(few)

    shown = cells.hide_moves(moves, SAME, 10)

    stayed, gone = shown.filter(moved_by="stayed"), pl.col("moved_by").is_in(["left", "entered"])
    assert stayed["n"].to_list() == [900, 800]
    assert shown.filter(gone)["n"].null_count() == 4


TABLES = st.dictionaries(
    st.tuples(*(st.sampled_from(names) for names in (["a", "b", "c", None],) * 2)),
    st.tuples(st.integers(0, 40), st.integers(0, 40)),
    min_size=1,
)


@given(TABLES, st.integers(2, 12))
def test_no_hidden_cell_follows_from_what_is_shown(moves, min_cell):
    rows = [
        (*pair, by, n) for pair, both in moves.items() for by, n in zip("cd", both, strict=True)
    ]
    schema = {"then": pl.String, "now": pl.String, "by": pl.String, "n": pl.Int64}
    table = pl.DataFrame(rows, schema=schema, orient="row")

    shown = hidden(table, min_cell)

    assert shown.drop("n").equals(table.drop("n"))
    seen, true = shown["n"], table["n"].to_numpy()
    assert all(n == 0 or n >= min_cell for n in seen.drop_nulls())
    assert bool(seen.null_count()) == any(0 < n < min_cell for n in true)
    if seen.null_count():
        low, high = _bounds(table, seen.is_null().to_numpy(), true)
        least, most = _bounds(table, true > 0, true)
        bound_to_be_told = (most - least < 1e-6)[seen.is_null().to_numpy()[true > 0]]
        assert ((high - low > 1e-6) | bound_to_be_told).all()


def _bounds(table, gone, true):
    """The least and most that each hidden cell can be, for all that a reader knows."""
    places = np.flatnonzero(gone)
    lines = [
        table.select(pl.col(name).eq_missing(value)).to_series().to_numpy()[places]
        for name in TOTALS
        for value in table[name].unique(maintain_order=True)
    ]
    sums = [line @ true[places] for line in lines]
    found = []
    for place in range(len(places)):
        for sign in (1, -1):
            cost = np.zeros(len(places))
            cost[place] = sign
            found.append(linprog(cost, A_eq=np.array(lines), b_eq=sums).fun * sign)
    return np.array(found[::2]), np.array(found[1::2])
