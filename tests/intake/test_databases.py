"""What is particular to databases: their types and zones, who answers, and what is never said."""

import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import narwhals as nw
import polars as pl
import pytest
import servers
from drawing import day
from inputs import ALL, BERLIN, CUSTOMERS, SECRET_ID, book, put, read, take

from retention.errors import Refused
from retention_intake import databases, intake, sources

MOMENTS = [datetime(2025, 6, 30, 22, 30, 59, 999_999), datetime(1970, 1, 1), None]
TYPED = pl.DataFrame(
    {
        "customer_id": pl.Series([2**53 + 1, 7, 8], dtype=pl.Int64),
        "at": pl.Series(MOMENTS).dt.replace_time_zone("UTC"),
        "amount": pl.Series([Decimal("9999999999999.99"), Decimal("0.29"), None]).cast(
            pl.Decimal(18, 2)
        ),
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


def test_duckdb_gives_instants_exact_ids_and_exact_decimals(tmp_path):
    events_are_right(read(tmp_path, put(tmp_path, "duckdb", {"events": TYPED}, **BERLIN))["events"])


@pytest.mark.postgres
def test_postgresql_gives_instants_exact_ids_and_exact_decimals(tmp_path, postgres):
    events_are_right(read(tmp_path, put(tmp_path, postgres, {"events": TYPED}, **BERLIN))["events"])


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


@pytest.mark.postgres
def test_postgresql_gives_what_files_give(tmp_path, postgres):
    places = ("parquet", postgres)
    marks = {intake.fingerprint(take(tmp_path, put(tmp_path, at, ALL))) for at in places}
    assert len(marks) == 1


@pytest.mark.postgres
def test_a_table_may_lie_in_a_schema_and_be_a_view(tmp_path, postgres):
    import psycopg

    given = put(tmp_path, postgres, ALL, tables={"events": "Sales.Orders of 2025"})
    with psycopg.connect(postgres) as database:
        database.execute('create schema if not exists "Sales"')
        database.execute('create or replace view "Sales"."Orders of 2025" as select * from events')
    assert read(tmp_path, given)["events"].height == 3


def test_a_table_of_duckdb_may_lie_in_a_schema_and_be_a_view(tmp_path):
    import duckdb

    given = put(tmp_path, "duckdb", ALL, tables={"events": "Sales.Orders of 2025"})
    with duckdb.connect(tmp_path / "data" / "shop.duckdb") as database:
        database.execute('create schema "Sales"')
        database.execute('create view "Sales"."Orders of 2025" as select * from events')
    assert read(tmp_path, given)["events"].height == 3


def test_nothing_is_written_to_the_source_and_it_is_free_again_afterwards(tmp_path):
    given = put(tmp_path, "duckdb", ALL)
    file = tmp_path / "data" / "shop.duckdb"
    before = file.read_bytes()
    take(tmp_path, given)
    assert file.read_bytes() == before
    servers.load(file, ALL)  # would fail while somebody else has it open


def test_only_results_travel(tmp_path):
    with sources.read(put(tmp_path, "duckdb", ALL), tmp_path, tmp_path) as source:
        for frame in source.tables.values():
            assert type(frame).__module__.startswith("ibis.")
            assert isinstance(nw.from_native(frame), nw.LazyFrame)


def test_a_time_at_midnight_is_a_time_and_a_date_is_none(tmp_path):
    log = {"customer_id": ["ann"], "at": [datetime(2025, 6, 30)]}
    events = read(tmp_path, put(tmp_path, "duckdb", {"events": pl.DataFrame(log)}, **BERLIN))
    assert events["events"].select("day", "second").row(0) == (day("2025-06-30"), 0)


# Who does not answer


def database(kind: str = "postgres", **source):
    return book({"events": "events"}, source={"kind": kind} | source)


@pytest.mark.parametrize(
    ("kind", "module", "url", "how"),
    [
        ("postgres", "ibis", "postgresql://localhost/shop", "'retention-workbook[postgres]'"),
        ("spark", "pyspark.sql", "local[2]", "make spark"),
    ],
)
def test_a_library_that_is_not_installed_is_named_with_its_extra(  # noqa: PLR0917
    tmp_path, monkeypatch, kind, module, url, how
):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(databases, "_answers", lambda host, port: None)
    said = refusal(tmp_path, database(kind, url=url))
    assert how in said
    assert module in said


def test_what_a_database_says_is_cut_before_any_value():
    import duckdb

    said = f'invalid input syntax for type date: "{SECRET_ID}"\nDETAIL: {SECRET_ID}'
    with pytest.raises(Refused) as refused, databases.honest("events"):
        raise duckdb.Error(said)
    assert str(refused.value) == "events: cannot be read: invalid input syntax for type date"


@pytest.mark.postgres
@pytest.mark.parametrize(
    "view",
    [
        "select customer_id, cast(customer_id as date) as at from customers",
        "select customer_id, cast(customer_id as integer) as amount, date '2025-06-01' as at "
        "from customers",
        "select customer_id, date '2025-06-01' as at, 1 / (length(customer_id) - 12) as amount "
        "from customers",
    ],
)
def test_a_view_that_fails_over_a_value_does_not_give_it_away(tmp_path, postgres, view):
    import psycopg

    given = put(tmp_path, postgres, {"customers": CUSTOMERS})
    with psycopg.connect(postgres) as server:
        server.execute("drop view if exists broken")
        server.execute(f"create view broken as {view}")
    said = refusal(tmp_path, given.model_copy(update={"tables": {"events": "broken"}}))
    assert said.startswith("broken: cannot be read: ")
    assert len(said.splitlines()) == 1


def test_what_duckdb_says_of_a_value_is_not_repeated(tmp_path):
    import duckdb

    given = put(tmp_path, "duckdb", {"customers": CUSTOMERS}, tables={"events": "broken"})
    with duckdb.connect(tmp_path / "data" / "shop.duckdb") as server:
        view = "select customer_id, cast(customer_id as date) as at from customers"
        server.execute(f"create view broken as {view}")
    assert refusal(tmp_path, given).startswith("broken: cannot be read: ")
