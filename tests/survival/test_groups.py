"""What divides customers: attributes, and segments without days on which nobody could leave."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.errors import Refused
from retention.stats import levels
from retention.survival import comparisons, groups, survival
from retention.tables import workspace

DAY = 1_000  # of the previous refresh
SEGMENTS = pl.DataFrame(
    {"segment": ["s1", "s2", "vip"], "name": ["Often", "Seldom", "VIP"]}
).with_columns(kind=pl.Series(["cluster", "cluster", "rule"]))


@pytest.fixture
def space(tmp_path, monkeypatch) -> workspace.Workspace:
    for folder in ("params", "notebooks", "work/shop/2024-01-31/tables"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return workspace.Workspace("shop", "2024-03-31", "20_survival", tmp_path)


def lives(rows: list[tuple[int, int, bool]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Customers by (start_day, last day, left) as observed lives and as spells."""
    table = pl.DataFrame(rows, schema=["start_day", "end_day", "event_observed"], orient="row")
    table = table.with_row_index("customer_id").select(
        pl.format("c{}", pl.col("customer_id").cast(pl.String).str.zfill(5)).alias("customer_id"),
        pl.lit(1).alias("spell"),
        "start_day",
        "event_observed",
        duration_days=pl.col("end_day") - pl.col("start_day") + 1,
        entry_days=pl.lit(0),
    )
    return table.drop("spell", "start_day"), table.select("customer_id", "spell", "start_day")


def of(space, table: pl.DataFrame, names: list[str], spells=None, min_cell: int = 1):
    return groups.divide(space, table, spells, names, min_cell)


def test_an_attribute_divides_and_everybody_comes_first(space):
    table = pl.DataFrame({"plan": ["a"] * 5 + ["b"] * 4 + [None], "vip": [True, False] * 5})

    everybody, plan, vip = of(space, table, ["plan", "vip", "plan"], min_cell=2)

    assert (everybody.by, everybody.lives.equals(table)) == (None, True)
    assert plan.lives["plan"].value_counts(sort=True).rows() == [("a", 5), ("other", 5)]
    assert vip.lives["vip"].unique().sort().to_list() == ["false", "true"]
    assert vip.said == "Compared by vip: 2 groups."
    with pytest.raises(Refused, match="no attribute 'colour' is known at the start"):
        of(space, table, ["colour"])


def test_small_levels_and_too_many_become_other_and_none_is_left_small():
    text = ["big"] * 30 + ["middle"] * 12 + ["small"] * 7 + [None] * 11

    few = levels.collapsed(pl.Series("plan", text), min_cell=10)
    assert dict(few.value_counts().rows()) == {"big": 30, "middle": 12, "other": 18}

    many = pl.Series("city", [f"{number:02}" for number in range(40)] * 20)
    assert levels.collapsed(many, min_cell=10).n_unique() == 12


@given(st.lists(st.sampled_from("aaaabbbccd"), min_size=10, max_size=120))
def test_after_collapsing_no_level_is_small(texts):
    sizes = levels.collapsed(pl.Series("x", texts), min_cell=10).value_counts()["count"]

    assert sizes.min() >= 10 or sizes.len() == 1
    assert sizes.sum() == len(texts)


def test_many_numbers_are_divided_into_quarters_and_few_are_left(space):
    table = pl.DataFrame({"age": range(20, 60), "children": [0, 1, 2, 3] * 10})

    _, age, children = of(space, table, ["age", "children"])

    assert sorted(age.lives["age"].unique()) == [
        "1: up to 29", "2: up to 39", "3: up to 49", "4: above 49",
    ]  # fmt: skip
    assert set(children.lives["children"]) == {"0", "1", "2", "3"}


@given(st.lists(st.one_of(st.none(), st.integers(-5, 50)), min_size=1, max_size=60))
def test_quarters_keep_the_order_of_numbers_and_name_no_largest_one(values):
    column = pl.Series("x", values, pl.Int64)
    if column.drop_nulls().is_empty():
        return
    found = pl.DataFrame({"x": column, "group": levels.quarters(column)}).sort("x")

    assert (found["group"].is_null() == found["x"].is_null()).all()
    assert found.drop_nulls()["group"].is_sorted()
    assert not found["group"].drop_nulls().str.contains(f"up to {column.max()}$").any()


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=60))
def test_quarters_name_no_number_of_one_customer_and_divide_by_what_they_name(values):
    column = pl.Series("x", values)

    for value, group in zip(column, levels.quarters(column), strict=True):
        place, where, bound = group.replace(",", "").split(" ", 2)
        if where == "all":
            continue
        named = float(bound.removeprefix("to "))
        assert named == float(f"{named:.3g}")
        assert value <= named if where == "up" else value > named
        assert place in ("1:", "2:", "3:", "4:")


def test_quarters_round_and_leave_none_empty():
    incomes = pl.Series("income", [41_000.7, 42_001.3, 58_333.1, 99_999.9])
    assert levels.quarters(incomes).to_list() == [
        "1: up to 42,000", "2: up to 58,300", "3: above 58,300", "3: above 58,300",
    ]  # fmt: skip
    near = pl.Series("x", [1_000_001, 1_000_002, 1_000_003])
    assert levels.quarters(near).unique().to_list() == ["1: all alike to three figures"]


def test_segments_are_those_of_the_previous_refresh_or_it_is_said_why_not(space):
    start = workspace.calendar.day_of(date(2024, 1, 1))
    table, spells = lives([(start, start + 60, False)] * 3 + [(start, start + 10, True)])
    members = pl.DataFrame({"customer_id": ["c00000", "c00001"], "segment": ["s1", "vip"]})

    _, unknown = of(space, table, ["segment"], spells)
    assert "are no longer kept" in unknown.said
    assert unknown.lives["segment"].unique().to_list() == ["no segment"]

    for name, frame in {"members": members, "segments": SEGMENTS}.items():
        frame.write_parquet(f"work/shop/2024-01-31/tables/{name}.parquet")
    _, known = of(space, table, ["segment"], spells)
    assert "By segment as of 2024-01-31" in known.said
    assert known.lives.select("customer_id", "segment", "entry_days").rows() == [
        ("c00000", "Often", 31),
        ("c00001", "no segment", 31),
        ("c00002", "no segment", 31),
    ]

    first = workspace.Workspace("shop", "2024-01-31", "20_survival", space.folder)
    assert "there is no earlier refresh" in of(first, table, ["segment"], spells)[1].said
    gone = table.with_columns(duration_days=pl.lit(20))
    assert "nobody can be judged since" in of(space, gone, ["segment"], spells)[1].said


def test_a_segment_of_their_own_makes_an_attribute_and_no_refresh_is_asked(space):
    table = pl.DataFrame({"segment": ["x", "y"]})
    assert of(space, table, ["segment"])[1].said == "Compared by segment: 2 groups."


def test_those_in_a_segment_get_no_days_on_which_they_could_not_leave():
    """Planted: all leave alike, at 1 % a day. Segments are known of who was there on a day; counted
    from the start they would seem to stay, and who has none would seem to leave."""
    rng = np.random.default_rng(3)
    start = rng.integers(DAY - 300, DAY + 100, 6_000)
    end = np.minimum(start + rng.geometric(0.01, 6_000) - 1, DAY + 200)
    rows = list(zip(start.tolist(), end.tolist(), (end < DAY + 200).tolist(), strict=True))
    table, spells = lives(rows)
    there = table.filter(pl.Series((start <= DAY) & (end > DAY)))
    members = there.select("customer_id").with_columns(
        segment=pl.Series(rng.choice(["s1", "s2", "none"], there.height))
    ).filter(pl.col("segment") != "none")  # fmt: skip

    found = groups.by_segment(table, spells, members, SEGMENTS, DAY)

    assert found.height == there.height
    assert comparisons.log_rank(found, "segment")["p_value"][0] > 0.01
    curves = survival.kaplan_meier(found, "segment", least=50)
    for (_,), curve in curves.group_by("group", maintain_order=True):
        begin = curve["duration_days"][0]
        at_150 = survival.survival_at(curve, [begin + 150])["survival"].item()
        assert at_150 == pytest.approx(0.99**150, abs=0.06)
    naive = found.drop("entry_days")
    biased = survival.survival_at(survival.kaplan_meier(naive), [150])["survival"].item()
    assert biased > 0.4  # the trap, sprung: the truth is 0.22
