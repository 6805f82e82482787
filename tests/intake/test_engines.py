"""One definition on all engines: the same tables, to the last bit and type, wherever data lie."""

from functools import cache
from pathlib import Path

import engines
import polars as pl
import pytest

FEW, MANY = 2_000, 50_000
# What is hard for engines; the slow proof asks them for all.
HARD = {"habits", "breaks", "surveys", "customers_at (activity)", "spells (contract)"}
EVERY = [
    *("files", "duckdb"),
    pytest.param("postgres", marks=pytest.mark.postgres),
    pytest.param("spark_connect", marks=pytest.mark.spark),  # another Spark is the same engine
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Makes a world of so many customers, and every table of it as Polars makes it in memory."""

    @cache
    def make(customers: int) -> tuple[dict, dict[str, pl.DataFrame]]:
        tables = engines.world(customers)
        return tables, engines.reference(tables, tmp_path_factory.mktemp("world"))

    return make


@pytest.fixture
def place(engine: str, request) -> str:
    """The address of the engine's server, which runs from now on."""
    served = engine in ("postgres", "spark_connect")
    return request.getfixturevalue(engine) if served else ""


def differences(found: dict[str, pl.DataFrame], expected: dict[str, pl.DataFrame]) -> set[str]:
    """Tables that are not the same in values, types or rows."""
    return {name for name, frame in found.items() if not same(frame, expected[name])}


def same(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    return one.schema == other.schema and one.equals(other)


def of(engine: str, root: Path, place: str, tables: dict, only: set[str] = frozenset()):
    """What the engine makes of ``tables``: the tables, and (table, seconds, rows) of each."""
    found, times = {}, []
    with engines.opened(engine, root, place, tables) as source:
        for name, seconds, frame in engines.timed(source, only):
            found[name] = frame
            times.append((name, round(seconds, 2), frame.height))
    return found, times


def test_the_world_holds_what_makes_engines_differ(made):
    tables, expected = made(FEW)
    events, asked = tables["events"], tables["surveys"]
    for column in ("order_id", "amount", "product", "category", "channel"):
        assert 0 < events[column].null_count() < events.height
    assert 0 < tables["customers"]["started"].null_count() < FEW
    spells, active = expected["spells (contract)"], expected["spells (activity)"]
    assert spells["spell"].max() > 1
    assert set(spells["excluded"]) == {None, "too_new"}
    assert set(active["excluded"]) == {None, "too_new", "unknown_start"}
    assert spells["event_observed"].drop_nulls().n_unique() == 2
    assert expected["breaks"].sum_horizontal().item() == 0
    assert events["at"].dt.date().max() > engines.SNAPSHOT
    assert expected["returns (contract)"]["returned"].n_unique() == 2
    assert active.filter(pl.col("entry_day") > pl.col("start_day")).height > 10
    assert tables["contracts"].filter(pl.col("booked") < pl.col("ended")).height > 10
    late = pl.col("sent") <= engines.SNAPSHOT, pl.col("answered") > engines.SNAPSHOT
    assert asked.filter(*late).height > 5
    assert len(expected) == 13


@pytest.mark.parametrize("engine", EVERY)
def test_hard_tables_are_the_same_on_every_engine(tmp_path, made, engine, place):
    tables, expected = made(FEW)
    found, _ = of(engine, tmp_path, place, tables, HARD)
    assert set(found) == HARD
    assert differences(found, expected) == set()


@pytest.mark.slow
@pytest.mark.parametrize("engine", EVERY)
def test_every_table_of_50_000_customers_is_the_same_on_every_engine(
    tmp_path, made, engine, place, record_property
):
    tables, expected = made(MANY)
    assert tables["customers"].height == MANY
    assert tables["events"].height > 300_000
    found, times = of(engine, tmp_path, place, tables)
    wrong = differences(found, expected)
    record_property("engine", [(engine, *row, row[0] not in wrong) for row in times])
    assert set(found) == set(expected)
    assert wrong == set()
