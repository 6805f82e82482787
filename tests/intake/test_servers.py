"""The servers for tests: what is put in comes out, on loopback alone, and nothing keeps running."""

import os
import select
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal

import ibis
import narwhals as nw
import polars as pl
import psutil
import psycopg
import pytest
import servers
from polars import selectors as cs

TIMES = [datetime(2025, 3, 30, 2, 30), None, datetime(1969, 12, 31, 23, 59, 59, 999999)]
TABLE = pl.DataFrame(
    {
        "text": ["", None, 'é, "\\.\n'],
        "whole": pl.Series([-(2**52), None, 7], dtype=pl.Int64),
        "small": pl.Series([-(2**31), None, 7], dtype=pl.Int32),
        "real": [1 / 3, None, float("inf")],
        "truth": [True, None, False],
        "day": [date(1969, 12, 31), None, date(2100, 1, 1)],
        "time": TIMES,
        "instant": pl.Series(TIMES).dt.replace_time_zone("UTC"),
        "money": pl.Series([Decimal("-9999999.99"), None, Decimal("0.10")], dtype=pl.Decimal(9, 2)),
    }
)


def read(table: ibis.Table) -> pl.DataFrame:
    """What a book reads: a table of Ibis, collected by Narwhals."""
    return nw.from_native(table).lazy().collect("polars").to_native()


def listening() -> set[str]:
    """Addresses at which processes that the tests have started accept connections."""
    found = set()
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # short-lived ones end meanwhile
            sockets = process.net_connections("inet")
            found |= {one.laddr.ip for one in sockets if one.status == psutil.CONN_LISTEN}
    return {address.removeprefix("::ffff:") for address in found}


def same(left: pl.DataFrame, right: pl.DataFrame) -> bool:
    return left.schema == right.schema and left.equals(right)


def test_a_duckdb_file_gives_back_what_was_loaded(tmp_path):
    file = tmp_path / "shop.duckdb"
    servers.load(file, {"all": TABLE.head(1), "none": TABLE.clear()})
    servers.load(file, {"all": TABLE})

    database = ibis.duckdb.connect(file, read_only=True)

    assert same(read(database.table("all")), TABLE)
    assert same(read(database.table("none")), TABLE.clear())


@pytest.mark.postgres
def test_postgresql_gives_back_what_was_loaded(postgres):
    servers.load(postgres, {"all": TABLE.head(1), "none": TABLE.clear()})
    servers.load(postgres, {"all": TABLE})

    database = ibis.connect(postgres)

    assert same(read(database.table("all")), TABLE)
    assert same(read(database.table("none")), TABLE.clear())
    database.disconnect()


@pytest.mark.postgres
def test_postgresql_is_here_alone_wants_the_password_and_keeps_another_time(postgres):
    with psycopg.connect(postgres) as database:
        assert database.execute("show timezone").fetchone() == (servers.ZONE,)
    assert listening() == {"127.0.0.1"}
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.replace(":loopback@", ":other@"))


@pytest.mark.spark
@pytest.mark.parametrize("kind", ["spark_connect", "spark_local"])
def test_spark_reads_what_was_loaded(kind, tmp_path, request):
    """One after the other, too. Ibis gives Spark's instants no zone, and all times nanoseconds."""
    servers.load(tmp_path / "shop", {"all": TABLE})
    file = str(tmp_path / "shop" / "all.parquet")

    with servers.spark_session(request.getfixturevalue(kind)) as session:
        assert session.conf.get("spark.sql.session.timeZone") == servers.ZONE
        frame = session.read.parquet(file)
        assert dict(frame.dtypes) == {
            "text": "string",
            "whole": "bigint",
            "small": "int",
            "real": "double",
            "truth": "boolean",
            "day": "date",
            "time": "timestamp_ntz",
            "instant": "timestamp",
            "money": "decimal(9,2)",
        }
        assert listening() == {"127.0.0.1"}
        seen = read(ibis.pyspark.connect(session).read_parquet(file, table_name="loaded"))

    without_zone = TABLE.with_columns(pl.col("instant").dt.replace_time_zone(None))
    assert same(seen, without_zone.with_columns(cs.datetime().dt.cast_time_unit("ns")))


def test_a_server_that_does_not_start_is_shown_with_what_it_said():
    def never() -> bool:
        return False

    with (
        pytest.raises(RuntimeError, match="sh does not serve:\nno such folder"),
        servers._serving(["sh", "-c", "echo no such folder"], never),
    ):
        pass


def test_a_server_ends_with_all_that_it_has_started(tmp_path):
    """Seen at a pipe that each process of the server holds open as long as it lives."""
    here, there = os.pipe()
    ready = tmp_path / "ready"
    command = ["sh", "-c", f"sleep 60 & touch {ready}; sleep 60"]
    with os.fdopen(here, "rb") as pipe:
        with servers._serving(command, ready.exists, pass_fds=[there]):
            os.close(there)
            assert select.select([pipe], [], [], 0)[0] == []
        assert select.select([pipe], [], [], 5)[0] == [pipe]
