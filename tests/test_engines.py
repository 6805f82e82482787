"""One definition: the same tables, types included, from Polars, DuckDB, PostgreSQL and Spark."""

from contextlib import nullcontext

import engines
import pytest
import servers
from polars.testing import assert_frame_equal

SMALL = 1_000
LARGE = 50_000
ENGINES = [
    "duckdb",
    pytest.param("postgres", marks=pytest.mark.postgres),
    pytest.param("spark_local", marks=pytest.mark.spark),
    pytest.param("spark_connect", marks=pytest.mark.spark),
]


@pytest.fixture(scope="session")
def expected(tmp_path_factory):
    """What Polars builds of a drawn business of so many customers."""
    known = {}

    def expect(customers: int):
        if customers not in known:
            root, tables = tmp_path_factory.mktemp("polars"), engines.drawn(customers)
            known[customers] = (
                tables,
                list(engines.built(root, engines.book(root, "parquet", "", tables))),
            )
        return known[customers]

    return expect


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("customers", [SMALL, pytest.param(LARGE, marks=pytest.mark.slow)])
def test_every_engine_builds_the_same_tables(request, tmp_path, expected, engine, customers):
    where = "" if engine == "duckdb" else request.getfixturevalue(engine)
    tables, by_polars = expected(customers)
    given = engines.book(tmp_path, engine, where, tables)
    with servers.spark_session(where) if engine.startswith("spark") else nullcontext():
        made = list(engines.built(tmp_path, given))

    assert [name for name, *_ in made] == [name for name, *_ in by_polars]
    for (name, one, quick), (_, other, seconds) in zip(by_polars, made, strict=True):
        print(f"{engine:14} {name:28} {other.height:9,} rows {seconds:7.2f} s (Polars {quick:.2f})")
        assert_frame_equal(one, other, check_exact=True)


def test_the_drawn_business_has_all_that_the_definitions_speak_of(expected):
    tables, by_polars = expected(SMALL)
    made = {name: frame for name, frame, _ in by_polars}
    for kind in engines.KINDS:
        stretches = made[f"spells ({kind})"]
        assert set(stretches["event_observed"].to_list()) == {True, False, None}
        assert stretches["spell"].max() > 1
        assert made[f"returns ({kind})"]["returned"].any()
    by_activity = made["spells (activity)"]
    assert set(by_activity["excluded"].to_list()) == {None, "too_new", "unknown_start"}
    assert (by_activity["entry_day"] > by_activity["start_day"]).any()
    assert made["spells (contract)"]["cause"].n_unique() == 4
    assert made["breaks of events"].row(0) != (0,) * made["breaks of events"].width
    assert (
        tables["contracts"]
        .filter(tables["contracts"]["booked"] < tables["contracts"]["ended"])
        .height
    )
