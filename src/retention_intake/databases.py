"""Tables in DuckDB, PostgreSQL and Spark, through Ibis: connected, brought to days and cents.

All work stays in the database: what is given are expressions, and only what is asked of them
travels. Sessions run in UTC, so that no setting of a server shows in any number.
"""

import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import polars as pl

from retention.book import Book
from retention.errors import Refused

QUIET = {  # a Spark of our own: no pages, no log, one address
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.sql.shuffle.partitions": "4",
}
ENGINES = ("ibis", "duckdb", "_duckdb", "psycopg", "pyspark", "py4j", "grpc", "polars", "pyarrow")
# Of PostgreSQL, which expects few rows of a window and would join them by loops for minutes.
SESSION = ("TimeZone=UTC", "default_transaction_read_only=on", "enable_nestloop=off")
VALUE = re.compile(r""": "| '|\bvalue "| DETAIL""")  # before what an engine repeats of the data
PLAIN = {  # in place of an engine's own words
    "TableNotFound": "no such table, or no permission to read it",
    "ValueError": "the address is not valid",  # the engine's words may repeat a secret
}
PATIENCE_SECONDS = 10  # for a server to answer


@contextmanager
def opened(book: Book, root: Path) -> Iterator[dict[str, object]]:
    """The book's tables as they stand in the database, as Ibis tables. The connection is closed in
    the end, as an open DuckDB file keeps its writers out; but a session of Spark may be another's.

    Raises:
        Refused: the library is not installed, nobody answers, the password is wrong, or a table
            is missing or may not be read. No message holds a password or an address with one.
    """
    connect = {"duckdb": _duckdb, "postgres": _postgres, "spark": _spark}[book.source.kind]
    kind, tables = book.source.kind, {}
    with honest(book.source.file if kind == "duckdb" else "source", kind):
        connection, find = connect(book, root)
    try:
        for table, place in book.tables.items():
            with honest(place, kind):
                tables[table] = find(place)
        yield tables
    finally:
        if kind != "spark":
            connection.disconnect()


@contextmanager
def honest(place: str, kind: str = ""):
    """Turn what a database or its library says into a refusal of ``place`` in one line."""
    try:
        yield
    except Refused:
        raise
    except ModuleNotFoundError as error:
        how = "make spark" if kind == "spark" else f"pip install 'retention-workbook[{kind}]'"
        raise Refused(f"{place}: {error.name} is not installed: {how}") from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in (*ENGINES, OSError.__module__):
            raise
        name, said = type(error).__name__, str(error).strip().partition("\n")[0]
        plain = VALUE.split(said)[0].strip() or "the database gives no reason"
        what = PLAIN.get(name, plain)
        fix = "; create a view that replaces infinite dates with null" if "infinit" in said else ""
        raise Refused(f"{place}: cannot be read: {what}{fix}") from None


def secret(value: str, key: str) -> str:
    """A value of the book, or of the environment variable that ``env:NAME`` names."""
    name = value.removeprefix("env:")
    if name == value:
        return value
    if name not in os.environ:
        raise Refused(f"source: {key}: the environment variable {name} is not set")
    return os.environ[name]


def _duckdb(book: Book, root: Path) -> tuple[object, Callable[[str], object]]:
    import ibis

    settings = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    connection = ibis.duckdb.connect(root / book.source.file, read_only=True, **settings)
    connection.raw_sql("SET TimeZone = 'UTC'")
    return connection, lambda place: _table(connection, place)


def _postgres(book: Book, root: Path) -> tuple[object, Callable[[str], object]]:
    import ibis

    url = urlsplit(secret(book.source.url, "url"))
    further = dict(parse_qsl(url.query))  # such as sslmode, or host = the folder of a socket
    where = {"host": url.hostname or "localhost", "port": url.port or 5432} | further
    if not str(where["host"]).startswith("/"):
        _answers(where["host"], int(where["port"]))
    connection = ibis.postgres.connect(
        user=unquote(url.username or "") or None,
        password=unquote(url.password or "") or secret(book.source.password, "password") or None,
        database=url.path.strip("/"),
        **where | {"options": " ".join(f"-c {setting}" for setting in SESSION)},
    )
    return connection, lambda place: _table(connection, place)


def _table(connection, place: str):
    schema, _, name = place.rpartition(".")
    table = connection.table(name, database=schema or None)
    return table.cast({name: "string" for name, kind in table.schema().items() if kind.is_uuid()})


def _spark(book: Book, root: Path) -> tuple[object, Callable[[str], object]]:
    import ibis
    from pyspark.sql import SparkSession, functions, types

    url, builder = secret(book.source.url, "url"), SparkSession.builder
    if url.startswith("sc://"):
        server = urlsplit(url.partition(";")[0])
        _answers(server.hostname, server.port or 15002)
        builder = builder.remote(url)
    else:
        builder = builder.master(url).config(map=QUIET)
    session = builder.getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    connection = ibis.pyspark.connect(session)

    def find(place: str):
        frame = session.read.parquet(str(root / place)) if "/" in place else session.table(place)
        for column in frame.schema:
            if isinstance(column.dataType, types.TimestampType) and book.timezone:
                local = functions.from_utc_timestamp(frame[column.name], book.timezone)
                frame = frame.withColumn(column.name, local.cast("timestamp_ntz"))
        view = "".join(letter if letter.isalnum() else "_" for letter in f"retention_{place}")
        frame.createOrReplaceTempView(view)
        return connection.table(view)

    return connection, find


def _answers(host: str, port: int) -> None:
    """Check that something listens there: libraries would wait minutes for a dead server."""
    try:
        socket.create_connection((host, port), PATIENCE_SECONDS).close()
    except OSError:
        raise Refused(f"source: no answer from {host}:{port}; is the server running?") from None


def collected(table) -> pl.DataFrame:
    """The rows of an Ibis table."""
    import ibis

    backend = ibis.get_backend(table)
    if backend.name != "pyspark":
        return table.to_polars()
    rows = backend.raw_sql(backend.compile(table))  # Ibis goes by pandas, which rounds large ones
    return pl.from_arrow(rows.toArrow())


def day(table, theirs: str, book: Book) -> dict[str, object]:
    """Of a column of dates or times: the day in the book's zone as "value", and the "second" of the
    day (null where only dates are known). With typed values nothing can be wrong."""
    import ibis

    value, dtype = table[theirs], table.schema()[theirs]
    if dtype.is_date():
        return {"value": value.epoch_days().cast("int64"), "second": ibis.null("int64")}
    if dtype.timezone:
        value = _in_zone()(book.timezone, value)
    whole = value.second().cast("float64").floor().cast("int64")  # Spark's has a fraction
    second = value.hour().cast("int64") * 3600 + value.minute().cast("int64") * 60 + whole
    return {"value": value.date().epoch_days().cast("int64"), "second": second}


def _in_zone():
    """DuckDB's and PostgreSQL's own function: an instant as the clocks of a zone show it."""
    import ibis
    from ibis.expr import datatypes

    @ibis.udf.scalar.builtin
    def timezone(zone: str, at: datatypes.Timestamp(timezone="UTC")) -> datatypes.timestamp: ...

    return timezone


def number(table, theirs: str, book: Book) -> dict[str, object]:
    """A column of numbers as "value". With typed values nothing can be wrong."""
    return {"value": table[theirs].cast("float64")}
