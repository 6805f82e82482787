"""Moves between segments: who moved, and where the definition did."""

from types import SimpleNamespace

import polars as pl
import pytest
from drawing import drawn
from hypothesis import given
from hypothesis import strategies as st

from retention import disclosure
from retention.clusters import migrations
from retention.clusters.previous_segments import Previous
from retention.errors import Failed

# One customer each: in which segment then and now, and where the groups of then would place them.
PEOPLE = drawn("""
    | customer_id | then | now  | placed | moved_by   |
    | a           | s1   | s1   | s1     | stayed     |
    | b           | s1   | s1   | s2     | stayed     |
    | c           | s1   | s2   | s2     | customer   |
    | d           | s1   | s2   | s1     | definition |
    | e           | s1   | s2   | none   | customer   |
    | f           | s1   | none | none   | customer   |
    | g           | s1   | none | s1     | definition |
    | h           | none | s2   | s2     | customer   |
    | i           | none | s2   | none   | definition |
    | j           | none | none | s1     | stayed     |
    | k           |      | s2   | s2     | entered    |
    | l           |      | none |        | entered    |
    | m           | s1   |      |        | left       |
    | n           | none |      |        | left       |
""")


def tables(people: pl.DataFrame) -> tuple[pl.DataFrame, ...]:
    """Members and compared now, what was known then, and where the old model places everybody."""
    found = []
    for column in ("now", "then"):
        compared = people.drop_nulls(column).select("customer_id", segment=column)
        members = compared.filter(pl.col("segment") != "none")
        found += [members, compared.select("customer_id")]
    placed = people.drop_nulls("placed").select(
        "customer_id", segment=pl.col("placed").replace("none", None)
    )
    before = Previous("", *found[2:], pl.DataFrame(), pl.DataFrame())
    return *found[:2], before, placed


def test_every_way_to_move_is_counted_under_its_cause():
    table = migrations.migrations(*tables(PEOPLE))

    columns = ["then", "now", "moved_by"]
    expected = PEOPLE.group_by(columns).len().sort(columns, nulls_last=True)
    assert table.select("previous_segment", "segment", "moved_by", "n").rows() == expected.rows()
    assert set(table["moved_by"]) == set(migrations.MOVED_BY)


def test_at_the_first_refresh_there_are_no_moves():
    people = PEOPLE.with_columns(then=pl.lit(None, pl.String), placed=pl.lit(None, pl.String))

    table = migrations.migrations(*tables(people))

    assert table.is_empty()
    assert table.columns == ["previous_segment", "segment", "n", "moved_by"]


def test_whoever_changed_segment_needs_a_place_under_the_old_model():
    *rest, placed = tables(PEOPLE)
    with pytest.raises(Failed, match="1 customers who changed segment lack"):
        migrations.migrations(*rest, placed.slice(3))


def test_the_moved_are_counted_with_the_share_by_definition():
    row = migrations.causes(migrations.migrations(*tables(PEOPLE)), 0.95).row(0, named=True)

    assert (row["n"], row["n_moved"], row["n_redrawn"]) == (10, 7, 3)
    assert row["share_redrawn"] == pytest.approx(3 / 7)
    # scipy.stats.binomtest(3, 7).proportion_ci(0.95, "wilson")
    assert (row["ci_lower"], row["ci_upper"]) == pytest.approx((0.158215, 0.749539), abs=1e-5)


@pytest.mark.parametrize(
    ("customer", "definition", "headline", "share"),
    [
        (40, 10, "50 of 950 customers changed segment", 0.2),
        (40, 9, "49 of 949 customers changed segment", None),  # few were drawn anew
        (9, 40, "49 of 949 customers changed segment", None),  # all but few were
        (4, 5, "Who is in which segment, then and now", None),
        (0, 0, "None of 900 customers changed segment", None),
    ],
)
def test_small_counts_of_either_cause_are_not_said(customer, definition, headline, share):
    table = pl.DataFrame(
        {
            "previous_segment": ["s1", "s1", "s1"],
            "segment": ["s1", "s2", "s2"],
            "n": [900, customer, definition],
            "moved_by": ["stayed", "customer", "definition"],
            "kind": "stratum",
        }
    )
    shown = migrations.moves(SimpleNamespace(hide=disclosure.hide, confidence=0.95), table)

    assert shown.headline == headline
    assert [finding.value for finding in shown.findings] == ([share] if share else [])


def test_shares_of_where_those_of_a_stratum_are_now_rest_on_what_is_shown():
    table = drawn("""
        | previous_segment | segment | n  | moved_by   | kind    |
        | s10              | s2      |    | customer   | stratum |
        | s10              | s10     | 30 | stayed     | stratum |
        | s2               | s10     | 20 | definition | stratum |
        | s2               | s10     | 10 | customer   | stratum |
        | s2               | s2      | 60 | stayed     | stratum |
        | s2               |         | 10 | left       | stratum |
        |                  | s2      | 12 | entered    | stratum |
        | s1               | s3      | 50 | customer   | other   |
    """)
    assert migrations.places(table).rows() == [
        ("s2", "s2", 0.6),
        ("s2", "s10", 0.3),
        ("s2", "left", 0.1),
        ("s10", "s2", None),
        ("s10", "s10", 1.0),
        ("s10", "left", None),
        ("entered", "s2", 1.0),
        ("entered", "s10", None),
        ("entered", "left", None),
    ]


PLACES = st.sampled_from(["s1", "s2", "none"])
LIVES = st.lists(st.tuples(st.none() | PLACES, st.none() | PLACES, PLACES), max_size=40)


@given(LIVES, st.integers(0, 3))
def test_rows_sum_to_those_of_then_and_columns_to_those_of_now(lives, seed):
    schema = {"then": pl.String, "now": pl.String, "placed": pl.String}
    people = pl.DataFrame(lives, schema=schema, orient="row").with_row_index("customer_id")
    people = people.with_columns(pl.col("customer_id").cast(pl.String))
    args = tables(people)

    table = migrations.migrations(*args)

    other = tables(people.sample(fraction=1, shuffle=True, seed=seed))
    assert migrations.migrations(*other).equals(table)
    if not args[2].compared.is_empty():
        for column, source in (("previous_segment", "then"), ("segment", "now")):
            sums = table.drop_nulls(column).group_by(column).agg(pl.col("n").sum())
            sizes = people.drop_nulls(source).group_by(source).len()
            assert dict(sums.iter_rows()) == dict(sizes.iter_rows())
        by = dict(table.group_by("moved_by").agg(pl.col("n").sum()).iter_rows())
        today = sum(n for moved_by, n in by.items() if moved_by != "left")
        assert today == args[1].height
        assert today - by.get("entered", 0) + by.get("left", 0) == args[2].compared.height
