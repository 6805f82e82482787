"""What is particular to databases: their types and zones, who answers, and what is never said."""

import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
import servers
from drawing import day
from inputs import ALL, BERLIN, CUSTOMERS, SECRET_ID, book, put, read, take

from retention.errors import Refused
from retention_intake import databases

MOMENTS = [datetime(2025, 6, 30, 22, 30, 59, 999_999), datetime(1970, 1, 1), None]
CENTS = pl.Series([Decimal("9999999999999.99"), Decimal("0.29"), None]).cast(pl.Decimal(18, 2))
TYPED = pl.DataFrame(
    {
        "customer_id": pl.Series([2**53 + 1, 7, 8], dtype=pl.Int64),
        "at": pl.Series(MOMENTS).dt.replace_time_zone("UTC"),
        "amount": CENTS,
        "category": ["Käse", "", None],
    }
)


def refusal(root: Path, given) -> str:
    with pytest.raises(Refused) as refused:
        take(root, given)
    assert SECRET_ID not in str(refused.value)
    assert list((root / "work").iterdir()) == []
    return str(refused.value)


def events_are_right(events: pl.DataFrame) -> None:
    events = events.sort("customer_id")
    assert events["customer_id"].to_list() == ["7", "8", "9007199254740993"]
    assert events["day"].to_list() == [0, None, day("2025-07-01")]
    assert events["second"].to_list() == [3600, None, 1859]
    assert events["amount_cents"].to_list() == [29, None, 999_999_999_999_999]
    assert events["category"].to_list() == ["", None, "Käse"]
    assert events["fault amount_cents"].null_count() == 3


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def at(request) -> str:
    """The form of a source for `put`: a DuckDB file, or the address of a PostgreSQL."""
    return "duckdb" if request.param == "duckdb" else request.getfixturevalue("postgres")


def run(root: Path, at: str, *commands: str) -> None:
    """Run SQL where `put` has put tables."""
    import duckdb
    import psycopg

    here = root / "data" / "shop.duckdb"
    with duckdb.connect(here) if at == "duckdb" else psycopg.connect(at) as database:
        for command in commands:
            database.execute(command)


def test_instants_ids_and_decimals_are_exact(tmp_path, at):
    events_are_right(read(tmp_path, put(tmp_path, at, {"events": TYPED}, **BERLIN))["events"])


@pytest.mark.spark
@pytest.mark.parametrize("kind", ["spark_connect", "spark_local"])
def test_spark_gives_instants_exact_ids_and_exact_decimals(tmp_path, request, kind):
    master = request.getfixturevalue(kind)
    naive = TYPED.with_columns(
        at=TYPED["at"].dt.convert_time_zone("Europe/Berlin").dt.replace_time_zone(None)
    )
    servers.load(tmp_path / "data", {"events": TYPED, "naive": naive})
    with servers.spark_session(master):
        for place in ("data/events.parquet", "data/naive.parquet"):
            given = book({"events": place}, source={"kind": "spark", "url": master}, **BERLIN)
            events_are_right(read(tmp_path, given)["events"])


def test_a_database_gives_what_files_give(tmp_path, at):
    taken = [take(tmp_path, put(tmp_path, form, ALL)) for form in ("parquet", at)]
    assert taken[0].fingerprint() == taken[1].fingerprint()


def test_a_table_may_lie_in_a_schema_and_be_a_view_and_its_ids_uuids(tmp_path, at):
    given = put(tmp_path, at, ALL, tables={"events": "Sales.Orders of 2025"})
    number, columns = "00000000-0000-0000-0000-00000000000a", '"at", kind, amount'
    view = f"select cast('{number}' as uuid) as customer_id, {columns} from events"
    run(
        tmp_path,
        at,
        'create schema if not exists "Sales"',
        f'create or replace view "Sales"."Orders of 2025" as {view}',
    )
    assert read(tmp_path, given)["events"]["customer_id"].to_list() == [number] * 3


def test_nothing_is_written_to_the_source_and_it_is_free_again_afterwards(tmp_path):
    given = put(tmp_path, "duckdb", ALL)
    file = tmp_path / "data" / "shop.duckdb"
    before = file.read_bytes()
    take(tmp_path, given)
    assert file.read_bytes() == before
    servers.load(file, ALL)  # would fail while somebody else has it open


# Who does not answer


SPARK = {"kind": "spark", "url": "local[2]"}
POSTGRES = {"kind": "postgres", "url": "postgresql://localhost/shop"}


@pytest.mark.parametrize(
    ("source", "module", "how"),
    [(POSTGRES, "ibis", "'retention-workbook[postgres]'"), (SPARK, "pyspark.sql", "make spark")],
)
def test_a_library_that_is_not_installed_is_named_with_its_extra(
    tmp_path, monkeypatch, source, module, how
):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(databases, "_answers", lambda host, port: None)
    said = refusal(tmp_path, book({"events": "events"}, source=source))
    assert f"{module} is not installed: " in said
    assert how in said


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (f'invalid syntax for type date: "{SECRET_ID}"', "invalid syntax for type date"),
        (f"Could not convert string '{SECRET_ID}' to INT32", "Could not convert string"),
        (f'value "{SECRET_ID}" is out of range', "the database gives no reason"),
        ('database "nowhere" does not exist', 'database "nowhere" does not exist'),
    ],
)
def test_what_a_database_says_is_cut_before_any_value(said, kept):
    import duckdb

    with pytest.raises(Refused) as refused, databases.honest("events"):
        raise duckdb.Error(f"{said}\nDETAIL: {SECRET_ID}")
    assert str(refused.value) == f"events: cannot be read: {kept}"


@pytest.mark.parametrize(
    "columns",
    [
        "cast(customer_id as date) as at",
        "cast(customer_id as integer) as amount, date '2025-06-01' as at",
        "date '2025-06-01' as at, cast(customer_id || '.5' as double precision) as amount",
    ],
)
def test_a_view_that_fails_over_a_value_does_not_give_it_away(tmp_path, at, columns):
    given = put(tmp_path, at, {"customers": CUSTOMERS}, tables={"events": "broken"})
    view = f"create view broken as select customer_id, {columns} from customers"
    run(tmp_path, at, "drop view if exists broken", view)
    said = refusal(tmp_path, given)
    assert said.startswith("broken: cannot be read: ")
    assert len(said.splitlines()) == 1
