"""What is hidden before anything is published, by hand and as a rule over whatever is drawn."""

import polars as pl
import pytest
from drawing import drawn
from hypothesis import given
from hypothesis import strategies as st

from retention import disclosure

TABLE = drawn("""
    | cohort | n_start | n_active | retention | ci_lower | ci_upper |
    | large  | 200     | 50       | 0.25      | 0.195    | 0.314    |
    | small  | 9       | 3        | 0.333     | 0.1      | 0.6      |
    | few    | 200     | 9        | 0.045     | 0.02     | 0.08     |
    | nearly | 200     | 195      | 0.975     | 0.94     | 0.99     |
    | nobody | 200     | 0        | 0.0       | 0.0      | 0.02     |
    | all    | 200     | 200      | 1.0       | 0.98     | 1.0      |
""")


def test_small_counts_their_complements_and_what_rests_on_them_are_hidden():
    shown = disclosure.hide(TABLE)

    assert shown.rows()[1:4] == [
        ("small", None, None, None, None, None),
        ("few", 200, None, None, None, None),
        ("nearly", 200, None, None, None, None),
    ]
    assert shown[[0, 4, 5]].equals(TABLE[[0, 4, 5]])
    assert disclosure.hide(shown).equals(shown)


def test_a_share_whose_count_stands_beside_it_tells_its_part():
    table = TABLE.drop("n_active")
    assert disclosure.hide(table)["retention"].null_count() == 3


def test_a_measure_rests_on_the_last_count_before_it_and_keys_on_none():
    table = drawn("""
        | lifecycle | n  | share | ci_lower | ci_upper | share_of_amount | after_days |
        | gone      | 8  | 0.4   | 0.3      | 0.5      | 0.1             | 30         |
        | active    | 12 | 0.6   | 0.5      | 0.7      | 0.9             | 30         |
    """)
    shown = disclosure.hide(table)
    assert shown.row(0) == ("gone", None, None, None, None, None, 30)
    assert shown.row(1) == table.row(1)


def test_of_a_curve_only_small_numbers_of_events_are_hidden():
    curve = drawn("""
        | group | duration_days | at_risk | events | survival | ci_lower | ci_upper |
        | all   | 1             | 100     | 4      | 0.96     | 0.9      | 0.99     |
        | all   | 2             | 96      | 10     | 0.86     | 0.8      | 0.9      |
        | all   | 3             | 9       | 0      | 0.86     | 0.8      | 0.9      |
    """)
    shown = disclosure.hide(curve, "survival_curves")
    assert shown["events"].to_list() == [None, 10, None]
    assert shown["survival"].to_list() == [0.96, 0.86, None]


def test_strict_rounds_counts_computes_shares_from_them_and_steps_in_full_cells():
    shown = disclosure.hide(TABLE.with_columns(n_start=pl.col("n_start") + 2), strict=True)
    assert shown.row(0)[:4] == ("large", 200, 50, 0.25)
    assert shown["ci_lower"][0] == pytest.approx(0.19508, abs=1e-5)
    curve = pl.DataFrame(
        {
            "group": ["a"] * 4 + ["b"] * 2,
            "duration_days": [1, 2, 3, 4, 1, 2],
            "at_risk": [100, 96, 85, 80, 50, 43],
            "events": [4, 11, 5, 6, 7, 8],
            "survival": [0.9612, 0.8534, 0.8, 0.7, 0.86, 0.7],
        }
    )
    shown = disclosure.hide(curve, "survival_curves", strict=True)
    assert shown.rows() == [("a", 2, 95, 15, 0.85), ("a", 4, 80, 10, 0.7), ("b", 2, 45, 15, 0.7)]


def test_strict_shows_amounts_only_where_no_customer_holds_over_half():
    table = pl.DataFrame(
        {
            "segment": ["s1", "s2"],
            "n": [50, 60],
            "amount_cents": [123_456, 654_321],
            "largest_share": [0.6, 0.2],
        }
    )
    strict = disclosure.hide(table, strict=True)
    assert strict.rows() == [("s1", 50, None), ("s2", 60, 654_000)]
    assert disclosure.hide(table).columns == ["segment", "n", "amount_cents"]
    assert disclosure.hide(table.drop("largest_share"), strict=True)["amount_cents"].to_list() == [
        None,
        None,
    ]


@given(
    st.lists(st.tuples(st.integers(0, 60), st.floats(0, 1)), min_size=1, max_size=8), st.booleans()
)
def test_no_small_count_nor_complement_is_ever_shown(rows, strict):
    whole = [n for n, _ in rows]
    part = [round(n * share) for n, share in rows]
    table = pl.DataFrame({"cohort": list(map(str, whole)), "n_start": whole, "n_active": part})
    rate = pl.when(pl.col("n_start") > 0).then(pl.col("n_active") / pl.col("n_start"))
    table = table.with_columns(retention=rate)
    shown = disclosure.hide(table, strict=strict)
    for row, n, active in zip(shown.iter_rows(named=True), whole, part, strict=True):
        tells = any(0 < count < 10 for count in (n, active, n - active))
        assert (row["n_active"] is None) == tells
        assert (row["retention"] is None) == (tells or n == 0)
