"""Bad inputs of every kind through the real command: one message, exit code 2, nothing published.

Each is the drawn shop with one fault. A person and what is known of her alone stand in every
table; neither they nor a password may stand in a message.
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

import polars as pl
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import servers
import yaml
from drawing import day, save, shop
from inputs import BERLIN, SECRET_ID, place, put, take
from typer.testing import CliRunner
from workbooks import retention

from retention.book import Book
from retention.tables.spells import from_contracts
from retention_app.cli import app

PRIVATE = "Rose Cottage, Lee"  # a value of hers in the customers table
PASSWORD = "hunter2"
YEAR_END = date(2024, 12, 31)
CHURN = {"kind": "activity", "activity": ["purchase"], "after_days": 60}
HERS = pl.col("customer_id") == SECRET_ID

CSV, PARQUET, DUCKDB, POSTGRES = ("csv",), ("parquet",), ("duckdb",), ("postgres",)
FILES, TYPED = CSV + PARQUET, PARQUET + DUCKDB
ALL = CSV + TYPED
EVERY = (*ALL, "postgres", "spark")

Change = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True)
class Bad:
    """One fault: of tables, of the text of their CSV files, of what lies in a folder, of the book.

    ``says`` are parts of the message; {events} stands for the place of that table. ``forms`` are
    the kinds of source that can have this fault.
    """

    name: str
    says: tuple[str, ...]
    tables: Mapping[str, Change] = field(default_factory=dict)
    text: Mapping[str, Callable[[bytes], bytes]] = field(default_factory=dict)
    arrange: Callable[[Path], object] = lambda root: None
    book: Mapping[str, object] = field(default_factory=dict)
    forms: tuple[str, ...] = ALL


def tables() -> dict[str, pl.DataFrame]:
    """The drawn shop with contracts; its first customer is the person."""
    drawn = {
        name: frame.with_columns(pl.col("customer_id").replace("customer-0", SECRET_ID))
        for name, frame in shop().items()
    }
    people = drawn["customers"].sort("started", "customer_id")
    number = pl.int_range(pl.len())
    contracts = people.select(
        "customer_id",
        "started",
        ended=pl.when(number % 3 == 0).then(pl.col("started") + pl.duration(days=60)),
        cause=pl.when(number % 3 == 0).then(pl.lit("voluntary")),
        plan=pl.lit("basic"),
        amount=pl.lit(19.0),
    )
    town = pl.when(number == 0).then(pl.lit(PRIVATE)).otherwise(pl.lit("Lee"))
    return drawn | {"customers": people.with_columns(town=town), "contracts": contracts}


# How a table goes wrong


def cell(column: str, value: object, n: int = 1) -> Change:
    """``value`` in the first ``n`` rows, which are hers; where it is text, all becomes text."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        if column not in frame.columns:
            frame = frame.with_columns(pl.lit(None, pl.String).alias(column))
        if isinstance(value, str):
            frame = frame.with_columns(pl.col(column).cast(pl.String))
        first = pl.int_range(pl.len()) < n
        return frame.with_columns(
            pl.when(first).then(pl.lit(value)).otherwise(column).alias(column)
        )

    return change


def every(**columns: object) -> Change:
    """Columns of these values in every row."""
    made = {
        name: value if isinstance(value, pl.Expr) else pl.lit(value)
        for name, value in columns.items()
    }
    return lambda frame: frame.with_columns(**made)


def without(*columns: str) -> Change:
    return lambda frame: frame.drop(columns)


def called(**names: str) -> Change:
    """Columns with other names: ours=theirs."""
    return lambda frame: frame.rename(names)


def two_ways(column: str) -> Change:
    """A word written with a capital in the first row and without in all others."""
    return lambda frame: cell(column, "Lee-word")(every(**{column: "lee-word"})(frame))


def again(n: int) -> Change:
    """The first ``n`` rows a second time."""
    return lambda frame: pl.concat([frame, frame.head(n)])


def only(condition: pl.Expr) -> Change:
    return lambda frame: frame.filter(condition)


def at(moment: datetime) -> Change:
    """Every event at one moment, as a typed time; as text without its zone in CSV."""
    return every(at=pl.lit(moment))


# The faults

COLUMNS = [
    Bad(
        "a column is missing",
        ("{events}: column 'at' is missing; map 'at' under columns: events (found: customer_id, ",),
        {"events": without("at")},
        forms=EVERY,
    ),
    Bad(
        "a column of a further table is missing",
        ("{contracts}: column 'started' is missing; map 'started' under columns: contracts",),
        {"contracts": without("started")},
    ),
    Bad(
        "a mapped column is missing",
        ("{events}: column 'total' is missing; map 'amount' under columns: events (found: ",),
        book={"columns": {"events": {"amount": "total"}}},
    ),
    Bad(
        "times are whole numbers",
        ("{events}: column 'at' should hold dates or times, is ", "int64"),
        {"events": every(at=1_719_705_600_000)},
        forms=TYPED + POSTGRES,
    ),
    Bad(
        "times are whole numbers, and text in CSV",
        (
            "{events}: at: promise broken: 'at can be read as a date such as 2025-06-30', ",
            "9999999999999",
            "state how they are written",
        ),
        {"events": every(at="1719705600000")},
        forms=FILES,
    ),
    Bad(
        "amounts are truths",
        ("{events}: column 'amount' should hold amounts, is boolean",),
        {"events": every(amount=True)},
        forms=TYPED,
    ),
    Bad(
        "dates are text in a database",
        (
            "{events}: column 'at' should hold dates or times, is string",
            "make a view that casts it",
        ),
        {"events": every(at=pl.col("at").cast(pl.String))},
        forms=DUCKDB + POSTGRES,
    ),
    Bad(
        "amounts are text in a database",
        ("{events}: column 'amount' should hold amounts, is string", "make a view that casts it"),
        {"events": every(amount=pl.col("amount").cast(pl.String))},
        forms=DUCKDB + POSTGRES,
    ),
    Bad(
        "an attribute is a list",
        ("{customers}: column 'town' is ", "which no analysis can use; leave it out"),
        {"customers": every(town=pl.concat_list("town"))},
        forms=TYPED,
    ),
    Bad(
        "an attribute is called like a column of ours",
        ("{customers}: column 'tenure_days' has a name that we use ourselves; rename it",),
        {"customers": called(town="tenure_days")},
    ),
    Bad(
        "an attribute has no name",
        ("{customers}: a column has no name; name it, or list `attributes:`",),
        {"customers": called(town="")},
        forms=FILES,
    ),
    Bad(
        "two columns have one name",
        ("{events}: the column 'amount' occurs twice; rename one of them",),
        text={"events": lambda text: text.replace(b"kind", b"amount", 1)},
        forms=CSV,
    ),
    Bad(
        "two columns of a Parquet file have one name",
        ("{events}: ", "amount"),
        arrange=lambda root: twice_named(root / "data" / "events.parquet"),
        forms=PARQUET,
    ),
    Bad(
        "the header is missing",
        ("{events}: the first line holds values; write the columns' names above it",),
        text={"events": lambda text: text.partition(b"\n")[2]},
        forms=CSV,
    ),
    Bad(
        "the header is missing, and semicolons stand between fields",
        ("{events}: the first line holds values; write the columns' names above it",),
        text={"events": lambda text: text.partition(b"\n")[2].replace(b",", b";")},
        forms=CSV,
    ),
]

IDS = [
    Bad(
        "an id is missing",
        ("{events}: customer_id: promise broken: 'customer_id is known', 2 rows break it", "fill "),
        {"events": cell("customer_id", None, 2)},
        forms=EVERY,
    ),
    Bad(
        "an id is empty",
        ("{events}: customer_id: ", "is not empty', 1 row breaks it", "trim the ids"),
        {"events": cell("customer_id", "")},
        forms=TYPED,
    ),
    Bad(
        "an id has spaces around it",
        ("{events}: customer_id: ", "has no space around it", "3 rows break it", "trim the ids"),
        {"events": cell("customer_id", f" {SECRET_ID} ", 3)},
    ),
    Bad(
        "ids are floating-point numbers",
        ("{events}: column 'customer_id' should hold ids (text or integers), is float64",),
        {"events": every(customer_id=pl.lit(2.0**53 + 1))},
        forms=TYPED + POSTGRES,
    ),
    Bad(
        "ids differ by leading zeros",
        ("customer_id: promise broken: ", "more than leading zeros', 2 values break it", "one way"),
        {
            "customers": lambda frame: pl.concat(
                [frame, cell("customer_id", f"00{SECRET_ID}")(frame.head(1))]
            )
        },
    ),
    Bad(
        "a customer occurs twice",
        (
            "{customers}: customer_id: promise broken: 'customer_id is unique', 2 rows break it",
            "remove the duplicates",
        ),
        {"customers": again(1)},
        forms=ALL + POSTGRES,
    ),
    Bad(
        "events are of an unknown customer",
        ("{events}: customer_id: ", "is in the customers table', 3 rows break it", "add them to"),
        {"customers": only(~HERS)},
        forms=ALL + POSTGRES,
    ),
    Bad(
        "a contract is of an unknown customer",
        ("{contracts}: customer_id: ", "is in the customers table', 1 row breaks it", "add them"),
        {"contracts": cell("customer_id", "nobody-1")},
        forms=FILES,
    ),
    Bad(
        "a script stands in an id",
        ("customer_id: ", "holds no <script> tag', 1 row breaks it", "clean these values"),
        {"events": cell("customer_id", f"<Script>{SECRET_ID}")},
    ),
]

AMOUNTS = [
    Bad(
        "an amount is below zero",
        ("{events}: amount: promise broken: 'amount is at least 0', 3 rows break it", "refunds"),
        {"events": cell("amount", -19.7, 3)},
        forms=ALL + POSTGRES,
    ),
    Bad(
        "a contract costs less than nothing",
        ("{contracts}: amount: promise broken: 'amount is at least 0', 1 row breaks it", "credits"),
        {"contracts": cell("amount", -19.7)},
        forms=FILES,
    ),
    Bad(
        "an amount is missing where its kind has amounts",
        ("{events}: amount: ", "of a kind that has amounts', 2 rows break it", "give the missing"),
        {"events": cell("amount", None, 2)},
        forms=ALL + POSTGRES,
    ),
    *(
        Bad(
            f"an amount is {value}",
            (
                "{events}: amount: ",
                "is an amount (a number below 10,000,000,000,000)', 1 row ",
                "correct it in the source",
            ),
            {"events": cell("amount", value)},
            forms=EVERY if value == float("inf") else ALL + POSTGRES,
        )
        for value in (float("nan"), float("inf"), 1e15)
    ),
    Bad(
        "an amount is text",
        ("{events}: amount: ", "can be read as a number such as 12.50', 1 row", "aaa 9", "correct"),
        {"events": cell("amount", "EUR 3")},
        forms=FILES,
    ),
    Bad(
        "decimal commas are not stated",
        ("{events}: amount: ", "can be read as a number such as 12.50', ", "9,9", "are written"),
        {
            "events": every(
                amount=pl.col("amount").cast(pl.String).str.replace(".", ",", literal=True)
            )
        },
        forms=FILES,
    ),
]

TIMES = [
    Bad(
        "a date cannot be read",
        (
            "{events}: at: promise broken: 'at can be read as a date such as 2025-06-30', 1 row",
            "aaaa",
        ),
        {"events": cell("at", "soon")},
        forms=FILES,
    ),
    Bad(
        "dates begin with the day, and this is not stated",
        ("{events}: at: ", "can be read as a date", "99.99.9999", "state how they are written"),
        {"events": every(at=pl.col("at").dt.strftime("%d.%m.%Y"))},
        forms=FILES,
    ),
    Bad(
        "a date is on no calendar",
        ("{customers}: started: ", "can be read as a date such as 2025-06-30', 1 row breaks it"),
        {"customers": cell("started", "2024-02-30")},
        forms=FILES,
    ),
    Bad(
        "some times carry a zone",
        ("{events}: at: ", "carries a zone, as other values do', 2 rows break it", "or nowhere"),
        {
            "events": lambda frame: cell("at", "2024-01-01 12:00", 2)(
                every(at="2024-01-01T12:00Z")(frame)
            )
        },
        book=BERLIN,
        forms=FILES,
    ),
    Bad(
        "times are text without a zone, and none is stated",
        (
            "{events}: at: ",
            "holds no times without a zone to count days in', ",
            "state `timezone:`",
        ),
        {"events": every(at="2024-05-01 12:00:00")},
        forms=FILES,
    ),
    Bad(
        "times are without a zone, and none is stated",
        ("{events}: column 'at' holds times without a zone to count days in", "state `timezone:`"),
        {"events": at(datetime(2024, 5, 1, 12))},
        forms=TYPED + POSTGRES,
    ),
    Bad(
        "a time is of an hour that the clocks skip",
        (
            "{events}: at: ",
            "is a time that the clocks of Europe/Berlin show', 1 row breaks it",
            "state",
        ),
        {
            "events": lambda frame: cell("at", datetime(2024, 3, 31, 2, 30))(
                at(datetime(2024, 5, 1, 12))(frame)
            )
        },
        book=BERLIN,
        forms=EVERY,
    ),
    Bad(
        "a start is a placeholder",
        (
            "{customers}: started: promise broken: 'started is at least 1900-01-02', 1 row",
            "leave it empty",
        ),
        {"customers": cell("started", date(1900, 1, 1))},
        forms=ALL + POSTGRES,
    ),
    Bad(
        "a contract's start is a placeholder",
        (
            "{contracts}: started: promise broken: 'started is at least 1900-01-02', 1 row",
            "true one",
        ),
        {"contracts": cell("started", date(1, 1, 1)), "customers": without("started")},
    ),
    Bad(
        "an event is a placeholder",
        (
            "{events}: at: promise broken: 'at is at least 1970-01-01', 1 row breaks it",
            "placeholder",
        ),
        {"events": cell("at", date(1969, 12, 31)), "customers": without("started")},
        forms=ALL + POSTGRES,
    ),
    Bad(
        "a date is missing",
        ("{events}: at: promise broken: 'at is known', 1 row breaks it", "fill the gaps"),
        {"events": cell("at", None)},
        forms=ALL + POSTGRES,
    ),
    Bad(
        "events are before the customer's start",
        (
            "{events}: at: ",
            "is not before the customer's start', 3 rows break it",
            "correct `started`",
        ),
        {"customers": cell("started", date(2024, 3, 1))},
        forms=ALL + POSTGRES,
    ),
    Bad(
        "a contract is before the customer's start",
        (
            "{contracts}: started: ",
            "is not before the customer's start', 1 row",
            "correct `started`",
        ),
        {"contracts": cell("started", date(2023, 3, 1))},
        forms=FILES,
    ),
    Bad(
        "a contract ends before it starts",
        ("{contracts}: ended: promise broken: 'ended is not before started', 1 row breaks it",),
        {"contracts": cell("ended", date(2023, 12, 31))},
    ),
    Bad(
        "a contract occurs twice",
        ("{contracts}: customer_id, started: ", "are unique together', 4 rows", "the duplicates"),
        {"contracts": again(2)},
    ),
]

WORDS = [
    *(
        Bad(
            f"{column} differ by capitals",
            (
                f"{{{table}}}: {column}: promise broken: '{column} is written one way, ",
                "2 values break it; write them alike in the source",
            ),
            {table: two_ways(column)},
            forms=ALL + POSTGRES if column in ("kind", "town") else FILES,
        )
        for table, column in [
            ("events", "kind"),
            ("events", "channel"),
            ("events", "category"),
            ("contracts", "cause"),
            ("contracts", "plan"),
            ("customers", "town"),
        ]
    ),
    *(
        Bad(
            f"a script stands in {column}",
            (f"{{{table}}}: {column}: ", "holds no <script> tag', 1 row breaks it", "clean these"),
            {table: cell(column, f"<SCRIPT src=//{SECRET_ID}>")},
            forms=ALL if column == "town" else FILES,
        )
        for table, column in [("events", "product"), ("customers", "town"), ("contracts", "plan")]
    ),
]

SETTINGS = [
    Bad(
        "only names an unknown column",
        ("only: ", "no table has a column", "did you mean 'town'? (the book says 'twon')"),
        book={"only": {"twon": "Lee"}},
    ),
    Bad(
        "only compares text with a number",
        ("{customers}: only: column 'town' holds text", "the condition speaks of numbers"),
        book={"only": {"town": 7}},
    ),
    Bad(
        "only leaves nobody",
        ("no event up to 2024-12-31", "only:"),
        book={"only": {"town": "Atlantis"}},
    ),
    Bad(
        "attributes name an unknown column",
        ("attributes: no table has a column", "(the book says 'colour')"),
        book={"attributes": ["colour"]},
        forms=FILES,
    ),
    Bad(
        "no event is of the kind that counts",
        ("churn: activity: no event is of kind 'order' (found: purchase)",),
        book={"churn": {"kind": "activity", "activity": ["order"], "after_days": 60}},
    ),
    Bad(
        "kinds are ids by mistake",
        ("churn: activity: no event is of kind 'purchase' (found: none of 10 customers or more)",),
        book={"columns": {"events": {"kind": "customer_id"}}},
    ),
    Bad(
        "a contract book has no contracts",
        ("params/shop.yaml:", "tables.contracts: missing; this key is needed"),
        book={"churn": {"kind": "contract", "after_days": 60}},
        forms=FILES,
    ),
    Bad(
        "no contract has started",
        ("10 are needed",),
        {"contracts": every(started=date(2025, 1, 1))},
        book={"churn": {"kind": "contract", "after_days": 60}},
        forms=FILES,
    ),
    Bad(
        "there is no event up to the snapshot",
        ("no event up to 2023-12-31",),
        book={"snapshot_date": date(2023, 12, 31)},
        forms=FILES,
    ),
    Bad(
        "there is one customer",
        ("1 customer(s) with a spell: at least 10 are needed", "person by person"),
        {"events": only(HERS), "customers": only(HERS)},
        forms=FILES,
    ),
    Bad(
        "nobody is gone",
        (
            "nobody has left by 2024-09-30",
            "choose a later snapshot_date or a smaller churn: after_days",
        ),
        {"events": only(pl.len().over("customer_id") > 3)},
        book={"snapshot_date": date(2024, 9, 30)},
        forms=FILES,
    ),
    Bad(
        "everybody is gone",
        ("everybody has left by 2026-12-31", "choose an earlier snapshot_date or a larger churn"),
        book={"snapshot_date": date(2026, 12, 31)},
        forms=FILES,
    ),
    Bad(
        "there is one cohort",
        ("all customers started in one month", "read data of a longer time"),
        {
            "events": only(pl.col("at").min().over("customer_id") < date(2024, 2, 1)),
            "customers": only(pl.col("started") < date(2024, 2, 1)),
        },
        forms=FILES,
    ),
]

TEXTS = [
    Bad(
        "a line is Latin-1",
        ("customers.csv: line 61 is not UTF-8 text; state `encoding:` under source",),
        text={"customers": lambda text: text.removesuffix(b"Lee\n") + b"L\xfctt\n"},
        forms=CSV,
    ),
    Bad(
        "a file holds two encodings",
        ("customers.csv: line 61 is not UTF-8 text; state `encoding:` under source",),
        text={
            "customers": lambda text: (
                text.replace(b",Lee\n", ",Lütt\n".encode(), 9).removesuffix(b"Lee\n") + b"L\xfctt\n"
            )
        },
        forms=CSV,
    ),
    Bad(
        "UTF-16 is not told",
        ("events.csv: holds UTF-16 text; state `encoding: utf-16` under source",),
        text={"events": lambda text: text.decode().encode("utf-16")},
        forms=CSV,
    ),
    Bad(
        "another encoding is told",
        ("customers.csv: line 61 is not ascii text; state the right `encoding:` under source",),
        text={"customers": lambda text: text.removesuffix(b"Lee\n") + "Lütt\n".encode()},
        book={"source": {"encoding": "ascii"}},
        forms=CSV,
    ),
    Bad(
        "UTF-16 is told of UTF-8",
        ("events.csv: line 1 is not utf-16 text; state the right `encoding:` under source",),
        book={"source": {"encoding": "utf-16"}},
        forms=CSV,
    ),
    Bad(
        "a quote is not closed",
        ("{events}: cannot be read: ", "quote"),
        text={"events": lambda text: text.replace(b"purchase", b'"purchase', 1)},
        forms=CSV,
    ),
    Bad(
        "a line has more fields than the header",
        ("{events}: cannot be read: found more fields than the header has; quote values that",),
        text={"events": lambda text: text.replace(b"5.0\n", b"5.0,5.0\n", 1)},
        forms=CSV,
    ),
    Bad(
        "lines have fewer fields than the header",
        ("{events}: kind: promise broken: 'kind is known', 1 row breaks it", "fill the gaps"),
        text={"events": lambda text: text.replace(b",purchase,5.0\n", b"\n", 1)},
        forms=CSV,
    ),
    Bad(
        "lines end in a carriage return alone",
        ("{events}: lines end in a carriage return alone; end them in a line feed",),
        text={"events": lambda text: text.replace(b"\n", b"\r")},
        forms=CSV,
    ),
    Bad(
        "semicolons are not stated",
        ("{events}: column 'customer_id' is missing", "that holds ';': state source: delimiter:"),
        text={"events": lambda text: text.replace(b",", b";")},
        forms=CSV,
    ),
    Bad(
        "a file is empty",
        ("{events}: the file is empty",),
        text={"events": lambda text: b""},
        forms=CSV,
    ),
    Bad(
        "a file is a header alone",
        ("{events}: no event up to 2024-12-31",),
        text={"events": lambda text: text.partition(b"\n")[0] + b"\n"},
        forms=CSV,
    ),
    Bad(
        "a number that only speaks of is text in one line",
        ("{events}: only: column 'amount' holds text that is no number in 1 row(s)", "correct"),
        text={"events": lambda text: text.replace(b"5.0\n", SECRET_ID.encode() + b"\n", 1)},
        book={"only": {"amount": {"at_least": 1}}},
        forms=CSV,
    ),
]

PLACES = [
    Bad(
        "a folder is empty",
        ("data/log: expected .parquet or .csv files, found none",),
        arrange=lambda root: (root / "data" / "log").mkdir(),
        book={"tables": {"events": "data/log"}},
        forms=FILES,
    ),
    Bad(
        "a folder holds files of another kind",
        ("data/log: expected .parquet or .csv files, found .json",),
        arrange=lambda root: moved(root / "data", "events", "log/events.json"),
        book={"tables": {"events": "data/log"}},
        forms=FILES,
    ),
    Bad(
        "a file is not there",
        ("params/shop.yaml:", "tables.events: no such file: data/orders.csv"),
        book={"tables": {"events": "data/orders.csv"}},
        forms=FILES,
    ),
    Bad(
        "a pattern matches nothing",
        ("params/shop.yaml:", "tables.events: no such file: data/orders/*.csv"),
        book={"tables": {"events": "data/orders/*.csv"}},
        forms=FILES,
    ),
    Bad(
        "CSV and Parquet lie together",
        ("data/*: expected .parquet or .csv files, found .csv, .parquet",),
        arrange=lambda root: save(tables()["events"], root / "data" / "more.parquet"),
        book={"tables": {"events": "data/*"}},
        forms=CSV,
    ),
    Bad(
        "a file is a workbook of Excel",
        ("data/events.xlsx: expected .parquet or .csv files, found .xlsx",),
        arrange=lambda root: moved(root / "data", "events", "events.xlsx"),
        book={"tables": {"events": "data/events.xlsx"}},
        forms=FILES,
    ),
    Bad(
        "a Parquet file is text",
        ("data/events.parquet: cannot be read: ",),
        arrange=lambda root: moved(root / "data", "events", "events.parquet"),
        book={"tables": {"events": "data/events.parquet"}},
        forms=CSV,
    ),
    Bad(
        "a Parquet file is cut off",
        ("{events}: cannot be read: ",),
        arrange=lambda root: harmed(root / "data" / "events.parquet", lambda old: old[:-100]),
        forms=PARQUET,
    ),
    Bad(
        "a Parquet file is harmed",
        ("{events}: cannot be read: ",),
        arrange=lambda root: harmed(
            root / "data" / "events.parquet", lambda old: old[:4] + b"\xff" * 400 + old[404:]
        ),
        forms=PARQUET,
    ),
    Bad(
        "Parquet files of one table have other columns",
        ("data/events*.parquet: cannot be read: events.parquet has other columns than", "(amount)"),
        arrange=lambda root: save(
            tables()["events"].drop("amount"), root / "data" / "events-2.parquet"
        ),
        book={"tables": {"events": "data/events*.parquet"}},
        forms=PARQUET,
    ),
    Bad(
        "Parquet files of one table have other types",
        ("cannot be read: events.parquet has other columns than events-2.parquet (customer_id);",),
        arrange=lambda root: save(
            tables()["events"].with_columns(customer_id=pl.lit(7)), root / "data/events-2.parquet"
        ),
        book={"tables": {"events": "data/events*.parquet"}},
        forms=PARQUET,
    ),
    Bad(
        "a further CSV file has no header",
        ("data/events*.csv: cannot be read: events.csv has other columns than events-2.csv",),
        text={"events": lambda text: text.partition(b"\n")[2]},
        arrange=lambda root: save(tables()["events"], root / "data" / "events-2.csv"),
        book={"tables": {"events": "data/events*.csv"}},
        forms=CSV,
    ),
    Bad(
        "CSV files of one table have other columns",
        ("data/events*.csv: cannot be read: events.csv has other columns than events-2.csv",),
        arrange=lambda root: save(
            tables()["events"].select("at", "customer_id"), root / "data/events-2.csv"
        ),
        book={"tables": {"events": "data/events*.csv"}},
        forms=CSV,
    ),
    Bad(
        "a DuckDB file is not there",
        ("params/shop.yaml:", "source.file: no such file: data/orders.duckdb"),
        book={"source": {"file": "data/orders.duckdb"}},
        forms=DUCKDB,
    ),
    Bad(
        "a DuckDB file is text",
        ("data/shop.duckdb: cannot be read: ",),
        arrange=lambda root: harmed(
            root / "data" / "shop.duckdb", lambda old: f"customer_id\n{SECRET_ID}\n".encode() * 99
        ),
        forms=DUCKDB,
    ),
    Bad(
        "a table of the database is not there",
        ("orders: cannot be read: there is no such table, or no right to see it",),
        book={"tables": {"events": "orders"}},
        forms=DUCKDB + POSTGRES,
    ),
    Bad(
        "a schema of the database is not there",
        ("sales.events: cannot be read: there is no such table, or no right to see it",),
        book={"tables": {"events": "sales.events"}},
        forms=DUCKDB + POSTGRES,
    ),
]


def moved(folder: Path, table: str, to: str) -> None:
    """A table's file under another name."""
    (folder / to).parent.mkdir(exist_ok=True)
    next(folder.glob(f"{table}.*")).rename(folder / to)


def harmed(file: Path, change: Callable[[bytes], bytes]) -> None:
    file.write_bytes(change(file.read_bytes()))


def twice_named(file: Path) -> None:
    """The Parquet file with the column `kind` called `amount`, as one is already."""
    table = pq.read_table(file)
    names = ["amount" if name == "kind" else name for name in table.column_names]
    pq.write_table(pa.Table.from_arrays(table.columns, names=names), file)


# What is said of them, and what is left

REFUSED = [*COLUMNS, *IDS, *AMOUNTS, *TIMES, *WORDS, *SETTINGS, *TEXTS, *PLACES]


def of(*forms: str) -> pytest.MarkDecorator:
    """Every fault in each of ``forms`` that can have it."""
    pairs = [(bad, form) for bad in REFUSED for form in forms if form in bad.forms]
    names = [f"{bad.name} ({form})" for bad, form in pairs]
    return pytest.mark.parametrize(("bad", "form"), pairs, ids=names)


@pytest.fixture
def shelf(make_workbook, monkeypatch) -> Path:
    """A workbook that has published before; the test stands inside it."""
    root = make_workbook()
    save(pl.DataFrame({"n": [1]}), root / "reports" / "shop" / "2024-11-30" / "table.csv")
    (root / "reports" / "index.html").write_text("<h1>Before</h1>", encoding="utf-8")
    monkeypatch.chdir(root)
    monkeypatch.delenv("RETENTION_STAGE", raising=False)
    monkeypatch.setenv("SHOP", "loopback")
    return root


def spoil(root: Path, bad: Bad, form: str, url: str = "") -> None:
    """Write the shop with one fault, and its book; ``url`` is where a server is asked."""
    given = {name: change(tables()[name]) for name, change in bad.tables.items()}
    frames = {name: tables()[name] for name in ("events", "customers")} | given
    settings: dict[str, object] = {"snapshot_date": YEAR_END, "churn": CHURN, **bad.book}
    if form == "postgres":
        settings["source"] = {"url": url.replace(":loopback@", "@"), "password": "env:SHOP"}
    if form == "spark":
        settings["source"] = {"kind": "spark", "url": url}
    stored = {"postgres": url, "spark": "parquet"}.get(form, form)
    write(root, put(root, stored, frames, **settings))
    for name, change in bad.text.items():
        harmed(root / "data" / f"{name}.csv", change)
    bad.arrange(root)


def write(root: Path, book: Book) -> None:
    settings = book.model_dump(exclude_defaults=True) | {"source": book.source.model_dump()}
    text = yaml.safe_dump(settings, sort_keys=False)
    (root / "params" / "shop.yaml").write_text(text, encoding="utf-8")


def refresh() -> tuple[int, str, str]:
    """`retention refresh shop` in this process, and its environment as it was."""
    with mock.patch.dict(os.environ):
        done = CliRunner().invoke(app, ["refresh", "shop"])
    return done.exit_code, done.stdout, done.stderr


def message(root: Path, run: Callable[[], tuple[int, str, str]] = refresh) -> str:
    """The one message of a refresh that is refused and leaves nothing."""
    before = left(root)
    code, said, wrong = run()
    assert code == 2, wrong
    assert re.fullmatch(r"(shop \S+: (tables refused after \S+ s|\d+ skipped)\n)*", said), said
    assert left(root) == before
    line = wrong.removesuffix("\n")
    assert len(line.splitlines()) == 1, line
    assert len(line) < 500
    assert line.startswith(("shop 20", "params/shop.yaml:"))
    for word in ("Traceback", SECRET_ID, PRIVATE, PASSWORD, "loopback"):
        assert word not in line
    return line


def left(root: Path) -> dict[str, bytes | None]:
    """Every file below ``root`` with its content and every folder, but for those that stay empty
    between refreshes and the files that keep two from one place."""
    known = {"reports/.building", "work", "work/.building", "work/.running", "work/.locks"}
    known |= {f"work/.locks/{name}" for name in ("shop", ".index", ".private")}
    paths = {str(path.relative_to(root)): path for path in root.rglob("*")}
    return {
        name: path.read_bytes() if path.is_file() else None
        for name, path in paths.items()
        if name not in known
    }


def says(line: str, bad: Bad, form: str) -> None:
    for part in bad.says:
        for table in tables():
            where = place("parquet" if form == "spark" else form, table)
            part = part.replace(f"{{{table}}}", where)  # noqa: PLW2901
        assert part.lower() in line.lower(), line


@of("csv", "parquet", "duckdb")
def test_a_bad_input_is_refused_with_one_message_and_nothing_is_left(shelf, bad, form):
    spoil(shelf, bad, form)
    says(message(shelf), bad, form)


@pytest.mark.postgres
@of("postgres")
def test_a_bad_table_of_postgresql_is_refused_likewise(shelf, bad, form, postgres):
    spoil(shelf, bad, form, postgres)
    says(message(shelf), bad, form)


@pytest.fixture(scope="module")
def master(spark_local) -> Iterator[str]:
    """The address of a Spark whose one session all tests share."""
    with servers.spark_session(spark_local):
        yield spark_local


@pytest.mark.spark
@of("spark")
def test_a_bad_table_of_spark_is_refused_likewise(shelf, bad, form, master):
    spoil(shelf, bad, form, master)
    says(message(shelf), bad, form)


@pytest.mark.spark
@pytest.mark.parametrize("where", ["orders", "data/orders.parquet"])
def test_a_table_that_spark_does_not_have_is_named(shelf, master, where):
    absent = Bad("", (f"{where}: cannot be read: ",), book={"tables": {"events": where}})
    spoil(shelf, absent, "spark", master)
    says(message(shelf), absent, "spark")


# Who does not answer


@dataclass(frozen=True)
class Server:
    """A server that cannot be asked: how the book names it, and what must be said of it.

    {port} is one at which nothing listens, {server} the host and port of one that runs.
    """

    name: str
    says: tuple[str, ...]
    url: str
    password: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return "spark" if self.url.startswith("sc:") else "postgres"


SERVERS = [
    Server(
        "PostgreSQL does not run",
        ("source: nobody answers at 127.0.0.1:{port}; is the server running?",),
        "postgresql://ann@127.0.0.1:{port}/shop",
    ),
    Server(
        "the host of PostgreSQL is unknown",
        ("source: nobody answers at no-such-host.invalid:5432; is the server running?",),
        "postgresql://ann@no-such-host.invalid/shop",
    ),
    Server(
        "Spark Connect does not run",
        ("source: nobody answers at 127.0.0.1:{port}; is the server running?",),
        "sc://127.0.0.1:{port}",
    ),
    Server(
        "the host of Spark Connect is unknown",
        ("source: nobody answers at no-such-host.invalid:15002; is the server running?",),
        "sc://no-such-host.invalid",
    ),
    Server(
        "the variable of the address is not set",
        ("source: url: the environment variable NO_SUCH_VARIABLE is not set",),
        "env:NO_SUCH_VARIABLE",
    ),
    Server(
        "a password stands in the book",
        ("params/shop.yaml:", "source.url: holds a password; write password: env:NAME instead"),
        f"postgresql://ann:{PASSWORD}@127.0.0.1:{{port}}/shop",
    ),
    Server(
        "a password stands in the book, as the password",
        ("params/shop.yaml:", "source.password: expected env:NAME, the environment variable"),
        "postgresql://ann@127.0.0.1:{port}/shop",
        PASSWORD,
    ),
    Server(
        "the address has letters for a port",
        ("source: cannot be read: the address is not written as one",),
        "env:ADDRESS",
        variables={"ADDRESS": f"postgresql://ann@127.0.0.1:{PASSWORD}/shop"},
    ),
]
LOCKED = [
    Server(
        "the variable of the password is not set",
        ("source: password: the environment variable NO_SUCH_VARIABLE is not set",),
        "postgresql://postgres@{server}/postgres",
        "env:NO_SUCH_VARIABLE",
    ),
    Server(
        "the password is wrong",
        ("source: cannot be read: ", "password authentication failed for user"),
        "postgresql://postgres@{server}/postgres",
        "env:WRONG",
        {"WRONG": PASSWORD},
    ),
    Server(
        "the password in a variable of the address is wrong",
        ("source: cannot be read: ", "password authentication failed for user"),
        "env:ADDRESS",
        variables={"ADDRESS": f"postgresql://postgres:{PASSWORD}@{{server}}/postgres"},
    ),
    Server(
        "there is no such database",
        ("source: cannot be read: ", 'database "nowhere" does not exist'),
        "postgresql://postgres@{server}/nowhere",
        "env:SHOP",
    ),
    Server(
        "the user has no right to the tables",
        ("events: cannot be read: ", "permission denied for table events"),
        "postgresql://guest@{server}/postgres",
        "env:SHOP",
    ),
]


def named(cases: list) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "case",
        [
            pytest.param(case, id=case.name, marks=[pytest.mark.spark] * (case.kind == "spark"))
            for case in cases
        ],
    )


def ask(root: Path, asked: Server, monkeypatch, **known: object) -> str:
    """What a refresh says of a book whose tables such a server should have."""
    for name, value in asked.variables.items():
        monkeypatch.setenv(name, value.format(**known))
    source = {"kind": asked.kind, "url": asked.url.format(**known)}
    source |= {"password": asked.password} if asked.password else {}
    settings = {
        "title": "Shop",
        "source": source,
        "tables": {"events": "events"},
        "snapshot_date": YEAR_END,
        "churn": CHURN,
    }
    (root / "params" / "shop.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    begun = time.monotonic()
    line = message(root)
    assert time.monotonic() - begun < 12
    for part in asked.says:
        assert part.format(**known) in line
    return line


@named(SERVERS)
def test_a_server_that_cannot_be_asked_is_named_soon(shelf, case, monkeypatch):
    ask(shelf, case, monkeypatch, port=servers.free_port())


@pytest.mark.postgres
@named(LOCKED)
def test_postgresql_that_lets_nobody_in_is_named_without_a_password(
    shelf, case, postgres, monkeypatch
):
    servers.load(postgres, tables())
    with psycopg.connect(postgres) as database:
        database.execute("drop role if exists guest")
        database.execute("create role guest login password 'loopback'")
    ask(shelf, case, monkeypatch, server=urlsplit(postgres).netloc.partition("@")[2])


@pytest.mark.postgres
@pytest.mark.parametrize("when", ["infinity", "-infinity"])
def test_a_date_at_infinity_is_refused_with_a_way_to_mend_it(shelf, postgres, when):
    endless = Bad("", ("customers: cannot be read: ", "make a view that writes null for infinite"))
    spoil(shelf, endless, "postgres", postgres)
    with psycopg.connect(postgres) as database:
        database.execute("update customers set started = %s", [when])
    says(message(shelf), endless, "postgres")


# As a user runs it


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("the header is missing", "csv"),
        ("an id is missing", "parquet"),
        ("a DuckDB file is text", "duckdb"),
        ("a contract book has no contracts", "csv"),
        pytest.param("an amount is below zero", "postgres", marks=pytest.mark.postgres),
    ],
)
def test_the_command_as_a_user_runs_it_says_the_same(shelf, request, name, form):
    bad = next(bad for bad in REFUSED if bad.name == name)
    spoil(shelf, bad, form, request.getfixturevalue("postgres") if form == "postgres" else "")

    def run() -> tuple[int, str, str]:
        done = retention(shelf, "refresh", "shop")
        return done.returncode, done.stdout, done.stderr

    says(message(shelf, run), bad, form)


# Read right, not refused

HEAD = b"customer_id,at,amount\n"
READ = [  # text of events, what the book says, rows of "activity": customer, day, cents
    (
        "a mark at the start, Windows' line ends and blank lines",
        b"\xef\xbb\xbf" + HEAD.replace(b"\n", b"\r\n") + b"\r\nann,2024-05-01,5\r\n\r\n\r\n",
        {},
        [("ann", "2024-05-01", 500)],
    ),
    (
        "delimiters, quotes and line ends in ids",
        HEAD + b'"lee, ann",2024-05-01,5\n"ann ""x"" lee",2024-05-01,6\n"ann\nlee",2024-05-01,7\n',
        {},
        [
            ("ann\nlee", "2024-05-01", 700),
            ('ann "x" lee', "2024-05-01", 600),
            ("lee, ann", "2024-05-01", 500),
        ],
    ),
    (
        "ids with zeros in front, and written as numbers are not",
        HEAD + b"007,2024-05-01,5\n1e3,2024-05-01,5\n9007199254740993,2024-05-01,5\n",
        {},
        [(name, "2024-05-01", 500) for name in ("007", "1e3", "9007199254740993")],
    ),
    (
        "times across midnight",
        HEAD + b"ann,2024-04-30T22:30:00Z,5\nbob,2024-05-01T00:30+05:00,5\n",
        BERLIN,
        [("ann", "2024-05-01", 500), ("bob", "2024-04-30", 500)],
    ),
    (
        "Windows-1252, semicolons, decimal commas and days first, as stated",
        "kunde;wann;betrag\nJürgen;01.05.2024;1.234,56\n".encode("windows-1252"),
        {
            "source": {
                "delimiter": ";",
                "decimal": ",",
                "encoding": "windows-1252",
                "date_format": "%d.%m.%Y",
            },
            "columns": {"events": {"customer_id": "kunde", "at": "wann", "amount": "betrag"}},
        },
        [("Jürgen", "2024-05-01", 123_456)],
    ),
    (
        "columns in capitals, and an amount as a product",
        b"ID,ORDER DATE,QTY,PRICE\nann,2024-05-01,3,0.1\nann,2024-05-01,7,1.15\n",
        {
            "columns": {
                "events": {"customer_id": "ID", "at": "ORDER DATE", "amount": ["QTY", "PRICE"]}
            }
        },
        [("ann", "2024-05-01", 835)],
    ),
]


@pytest.mark.parametrize(
    ("text", "settings", "rows"), [case[1:] for case in READ], ids=[case[0] for case in READ]
)
def test_a_strange_text_is_read_right(tmp_path, text, settings, rows):
    given = put(tmp_path, "csv", {"events": tables()["events"]}, **settings)
    (tmp_path / "data" / "events.csv").write_bytes(text)
    found = take(tmp_path, given).activity.sort("customer_id")
    expected = [(name, day(date), cents) for name, date, cents in rows]
    assert found.select("customer_id", "day", "amount_cents").rows() == expected


@pytest.mark.parametrize(
    "form", ["parquet", "duckdb", pytest.param("postgres", marks=pytest.mark.postgres)]
)
def test_strange_values_are_taken_right_from_typed_tables(tmp_path, request, form):
    ids = [2**53 + 1, 2**53]
    money = pl.Series(["9999999999999.99", "0.29"]).cast(pl.Decimal(18, 2))
    events = pl.DataFrame(
        {"customer_id": ids, "at": [datetime(2024, 4, 30, 22, 30, tzinfo=UTC)] * 2}
    )
    people = pl.DataFrame({"customer_id": ids, "class": ["x", "y"], "None": [1, 2]})
    people = people.with_columns(pl.Series("two words", ["a", "b"]), pl.Series("lambda", [0.5, 1]))
    started = date(2024, 5, 1)
    contracts = pl.DataFrame({"customer_id": ids, "started": started, "ended": date(9999, 12, 31)})
    frames = {
        "events": events.with_columns(amount=money),
        "customers": people,
        "contracts": contracts,
    }
    url = request.getfixturevalue("postgres") if form == "postgres" else form
    taken = take(tmp_path, put(tmp_path, url, frames, **BERLIN))

    exact, plain = "9007199254740993", "9007199254740992"
    assert taken.activity.select("customer_id", "day", "amount_cents").sort(
        "amount_cents"
    ).rows() == [(plain, day("2024-05-01"), 29), (exact, day("2024-05-01"), 999_999_999_999_999)]
    assert taken.customers.select("customer_id", "class", "None", "two words", "lambda").rows() == [
        (plain, "y", 2, "b", 1.0),
        (exact, "x", 1, "a", 0.5),
    ]
    assert taken.contracts["ended_day"].to_list() == [day("9999-12-31")] * 2
    spells = from_contracts(taken.contracts.lazy(), snapshot_day=day("2024-12-31"), after_days=30)
    assert not spells.collect()["event_observed"].any()


def test_a_folder_may_say_the_kind(tmp_path):
    for kind in ("purchase", "visit"):
        events = tables()["events"].drop("kind").head(2)
        save(events, tmp_path / "data" / "log" / f"kind={kind}" / "part.parquet")
    given = put(tmp_path, "parquet", {}, tables={"events": "data/log"})
    assert take(tmp_path, given).activity["kind"].value_counts().sort("kind").rows() == [
        ("purchase", 2),
        ("visit", 2),
    ]


def test_the_list_of_bad_inputs_is_long():
    names = [case.name for case in (*REFUSED, *SERVERS, *LOCKED)]
    assert len(names) == len(set(names))
    assert len(names) >= 60
    forms = set(chain.from_iterable(bad.forms for bad in REFUSED))
    assert forms == set(EVERY)
