"""Every segment that a book ever had: ids and names that last."""

import polars as pl
import pytest
from drawing import drawn
from hypothesis import given
from hypothesis import strategies as st

from retention.clusters import segment_names
from retention.errors import Refused

EMPTY = pl.DataFrame(
    schema={
        "segment": pl.String,
        "name": pl.String,
        "kind": pl.String,
        "first_seen_day": pl.Int64,
        "last_seen_day": pl.Int64,
    }
)
BEFORE = drawn("""
    | segment | name     | kind    | first_seen_day | last_seen_day |
    | s2      | Weekend  | stratum | 100            | 200           |
    | s9      |          | stratum | 100            | 100           |
    | s10     | Families | stratum | 150            | 200           |
""")


def today(**names: str | None) -> pl.DataFrame:
    schema = {"segment": pl.String, "name": pl.String}
    table = pl.DataFrame(list(names.items()), schema=schema, orient="row")
    return table.with_columns(kind=pl.lit("stratum"))


def named(table: pl.DataFrame) -> dict:
    return dict(table.select("segment", "name").iter_rows())


def test_a_name_lasts_until_the_book_gives_another():
    again = segment_names.carried(BEFORE, today(s2="Proposed", s10=None), {"s2": "Sundays"}, 300)
    later = segment_names.carried(again, today(s2="Proposed again"), {}, 400)

    assert named(again)["s2"] == named(later)["s2"] == "Sundays"
    assert named(later)["s10"] == "Families"


def test_a_name_that_another_has_is_given_with_the_id():
    table = segment_names.carried(BEFORE, today(s11="Weekend", s12="Night", s13="Night"), {}, 300)

    assert list(named(table).values()) == [
        *("Weekend", None, "Families", "Weekend (s11)", "Night", "Night (s13)")
    ]


@pytest.mark.parametrize("wrong", ["S2", "s02", "s", "vip", "s2 "])
def test_what_can_be_no_id_is_refused_with_a_hint(wrong):
    with pytest.raises(
        Refused, match=rf"no segment '{wrong}'; (did you mean 's[29]'|known: s10, s2)"
    ):
        segment_names.carried(BEFORE, today(s2=None), {wrong: "x"}, 300)


def test_two_of_one_name_are_refused():
    with pytest.raises(Refused, match="s2 and s10 would both be called 'Sundays'"):
        segment_names.carried(BEFORE, today(), {"s2": "Sundays", "s10": "Sundays"}, 300)
    with pytest.raises(Refused, match="both be called 'Families'"):
        segment_names.carried(BEFORE, today(), {"s2": "Families"}, 300)


def test_a_name_for_an_id_that_is_yet_to_come_waits():
    table = segment_names.carried(EMPTY, today(s1=None), {"s10": "Later", "s3": "Soon"}, 300)

    assert named(table) == {"s1": None}
    assert named(segment_names.carried(table, today(s3="x"), {"s3": "Soon"}, 400))["s3"] == "Soon"


@given(
    st.lists(
        st.dictionaries(
            st.integers(1, 12).map("s{}".format), st.sampled_from([None, "a", "b", "c"]), max_size=5
        ),
        max_size=6,
    )
)
def test_nothing_once_known_is_lost_renamed_or_shared(refreshes):
    table = EMPTY
    for day, names in enumerate(refreshes):
        before, table = table, segment_names.carried(table, today(**names), {}, day)
        kept = {segment: name for segment, name in named(before).items() if name}
        assert named(table) | kept == named(table)
        assert set(named(table)) == set(named(before)) | set(names)
        assert table["name"].drop_nulls().is_unique().all()
        assert (table["first_seen_day"] <= table["last_seen_day"]).all()
        assert set(table.filter(last_seen_day=day)["segment"]) == set(names)
        numbers = table["segment"].str.slice(1).cast(pl.Int64)
        assert numbers.is_sorted()
