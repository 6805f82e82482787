"""What divides customers: attributes, and segments without days on which nobody could leave."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from lives import lives as drawn
from opened import opened

from retention.errors import Refused
from retention.refresh import Refresh
from retention.stats import by_group
from retention.survival import comparisons, groups, survival
from retention.tables import workspace

DAY = 1_000  # of the previous refresh
SEGMENTS = pl.DataFrame(
    {"segment": ["s1", "s2", "vip"], "name": ["Often", "Seldom", "VIP"]}
).with_columns(kind=pl.Series(["stratum", "stratum", "rule"]))


@pytest.fixture
def r(tmp_path, monkeypatch) -> Refresh:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work/shop/2024-01-31/tables").mkdir(parents=True)
    return opened(tmp_path, "20_survival", min_cell=5)


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


def known(**attributes: list) -> pl.DataFrame:
    """Customers who stay, with ``attributes``."""
    return drawn(" ".join(["9+"] * len(next(iter(attributes.values())))), **attributes, cause=None)


def test_an_attribute_divides_and_everybody_comes_first(r):
    table = known(plan=["a"] * 5 + ["b"] * 4 + [None], vip=[True, False] * 5)

    everybody, plan, vip = groups.divide(r, table, ["plan", "vip", "plan"])

    assert (everybody.by, everybody.lives.equals(table)) == (None, True)
    assert plan.lives["plan"].value_counts(sort=True).rows() == [("a", 5), ("other", 5)]
    assert vip.lives["vip"].unique().sort().to_list() == ["false", "true"]
    assert vip.said == "Compared by vip: 2 groups."
    with pytest.raises(Refused, match="no attribute 'colour' is known at the start"):
        groups.divide(r, table, ["colour"])
    own = groups.divide(r, known(segment=["x", "y"] * 5), ["segment"])[1]
    assert own.said == "Compared by segment: 2 groups."  # an attribute: no refresh is asked


def test_many_numbers_are_divided_into_quarters_and_few_are_left(r):
    table = known(age=list(range(20, 60)), children=[0, 1, 2, 3] * 10)

    _, age, children = groups.divide(r, table, ["age", "children"])

    assert sorted(age.lives["age"].unique()) == [
        "1: up to 29", "2: up to 39", "3: up to 49", "4: above 49",
    ]  # fmt: skip
    assert set(children.lives["children"]) == {"0", "1", "2", "3"}


def test_segments_are_those_of_the_previous_refresh_or_it_is_said_why_not(r):
    start = workspace.calendar.day_of(date(2024, 1, 1))
    table, spells = lives([(start, start + 60, False)] * 6 + [(start, start + 10, True)])
    table = table.with_columns(cause=pl.lit(None, pl.String))
    spells.write_parquet(r.space.folder / "tables" / "spells.parquet")
    members = pl.DataFrame({"customer_id": ["c00000", "c00001"], "segment": ["s1", "s2"]})

    _, unknown = groups.divide(r, table, ["segment"])
    assert "no earlier refresh is there" in unknown.said
    assert unknown.lives["segment"].unique().to_list() == ["no segment"]

    for name, frame in {"members": members, "segments": SEGMENTS}.items():
        frame.write_parquet(f"work/shop/2024-01-31/tables/{name}.parquet")
    before = workspace.previous(r.space)
    found, said = groups._by_previous(table, spells, before)
    assert "By segment as of 2024-01-31" in said
    assert found.select("customer_id", "segment", "entry_days").rows() == [
        ("c00000", "Often", 31),
        ("c00001", "Seldom", 31),
        *((f"c0000{number}", "no segment", 31) for number in range(2, 6)),
    ]
    assert groups.divide(r, table, ["segment"])[1].said == said
    gone = table.with_columns(duration_days=pl.lit(20))
    assert "nobody can be judged since" in groups.divide(r, gone, ["segment"])[1].said


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
        at_150 = by_group.read(curve, [begin + 150])["survival"].item()
        assert at_150 == pytest.approx(0.99**150, abs=0.06)
    naive = found.drop("entry_days")
    biased = by_group.read(survival.kaplan_meier(naive), [150])["survival"].item()
    assert biased > 0.4  # the trap, sprung: the truth is 0.22
