"""Bad inputs of every kind through the real command: one message, exit code 2, nothing published.

Each is the drawn shop with one fault. A person and what is known of her alone stand in every
table; neither they nor a password may stand in a message.
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
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
from drawing import save, shop
from inputs import BERLIN, SECRET_ID, place, put
from typer.testing import CliRunner
from workbooks import retention

from retention.book import Book
from retention_app.cli import app

PRIVATE = "Rose Cottage, Lee"  # a value of hers in the customers table
PASSWORD = "hunter2"
YEAR_END = date(2024, 12, 31)
CHURN = {"kind": "activity", "activity": ["purchase"], "after_days": 60}
HERS = pl.col("customer_id") == SECRET_ID

ENDING = {"kind": "contract", "after_days": 60}
CSV, PARQUET, DUCKDB = ("csv",), ("parquet",), ("duckdb",)  # kinds of source that can have a fault
FILES, TYPED, ALL = CSV + PARQUET, PARQUET + DUCKDB, CSV + PARQUET + DUCKDB
EVERY = (*ALL, "postgres", "spark")

Change = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True)
class Bad:
    """One fault: of tables, of the text of their CSV files, of what lies in a folder, of the book.

    ``says`` holds parts of the message, divided by " ... "; {events} is the place of that table.
    """

    says: str
    tables: Mapping[str, Change] = field(default_factory=dict)
    text: Callable[[bytes], bytes] | None = None  # of events.csv
    arrange: Callable[[Path], object] = lambda data: None  # given the folder with the data
    book: Mapping[str, object] = field(default_factory=dict)


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
    """Columns of these values, or expressions, in every row."""
    return lambda frame: frame.with_columns(**columns)


def mostly(column: str, usual: object, odd: object, n: int = 1) -> Change:
    """A column of one value, and another in the first ``n`` rows."""
    return lambda frame: cell(column, odd, n)(every(**{column: pl.lit(usual)})(frame))


def without(*columns: str) -> Change:
    return lambda frame: frame.drop(columns)


def called(**names: str) -> Change:
    """Columns with other names: ours=theirs."""
    return lambda frame: frame.rename(names)


def again(n: int) -> Change:
    """The first ``n`` rows a second time."""
    return lambda frame: pl.concat([frame, frame.head(n)])


def only(condition: pl.Expr) -> Change:
    return lambda frame: frame.filter(condition)


def broken(where: str, change: Change | object, says: str, **further) -> Bad:
    """A promise that a column breaks, once its table is changed, or its first cell has a value."""
    table, _, column = where.partition(".")
    change = change if callable(change) else cell(column, change)
    return Bad(f"{{{table}}}: {column}: promise broken: ... {says}", {table: change}, **further)


def moved(data: Path, to: str) -> None:
    """The file of events under another name."""
    (data / to).parent.mkdir(exist_ok=True)
    next(data.glob("events.*")).rename(data / to)


def harmed(name: str, change: Callable[[bytes], bytes], data: Path) -> None:
    (data / name).write_bytes(change((data / name).read_bytes()))


def saved_as(name: str, change: Change, data: Path) -> None:
    """Further events, changed, in a file of their own."""
    save(change(tables()["events"]), data / name)


def twice_named(file: Path) -> None:
    """The Parquet file with the column `kind` called `amount`, as one is already."""
    table = pq.read_table(file)
    names = ["amount" if name == "kind" else name for name in table.column_names]
    pq.write_table(pa.Table.from_arrays(table.columns, names=names), file)


# The faults

READ_AS = "can be read as a date such as 2025-06-30', "
AMOUNT = "is an amount (a number below 10,000,000,000,000)', 1 row ... correct it in the source"
OURS_TWICE = "{events}: the column 'amount' occurs twice; rename one of them"
NO_HEADER = "{events}: the first line holds values; write the columns' names above it"
NO_TABLE = "cannot be read: there is no such table, or no right to see it"
TOTAL = {"columns": {"events": {"amount": "total"}}}
ZEROS = ("customer_id", "x", f"00{SECRET_ID}")
NO_FILES = "expected .parquet or .csv files, found"
OTHERS = "cannot be read: ... has other columns than ... of the same types"
SKIPPED, NOON = datetime(2024, 3, 31, 2, 30), datetime(2024, 5, 1, 12)

FAULTS: dict[tuple[str, ...], list[Bad]] = {
    EVERY: [
        Bad("{events}: column 'at' is missing; map 'at' under", {"events": without("at")}),
        broken("events.customer_id", cell("customer_id", None, 2), "is known', 2 rows ... fill "),
        broken("events.amount", float("inf"), AMOUNT),
        broken(
            "events.at",
            mostly("at", NOON, SKIPPED),
            "is a time that the clocks of Europe/Berlin show', 1 row breaks it ... state",
            book=BERLIN,
        ),
    ],
    (*ALL, "postgres"): [
        broken("customers.customer_id", again(1), "is unique', 2 rows break it ... the duplicates"),
        Bad(
            "{events}: customer_id: ... is in the customers table', 3 rows break it ... add them",
            {"customers": only(~HERS)},
        ),
        broken("events.amount", cell("amount", -19.7, 3), "is at least 0', 3 rows ... refunds"),
        broken("events.amount", cell("amount", None, 2), "of a kind that has amounts', 2 rows"),
        broken("events.amount", float("nan"), AMOUNT),
        broken("events.amount", 1e15, AMOUNT),
        broken("customers.started", date(1900, 1, 1), "at least 1900-01-02', 1 row ... empty"),
        broken("events.at", None, "'at is known', 1 row breaks it ... fill the gaps"),
        Bad(
            "{events}: at: ... is at least 1970-01-01', 1 row breaks it ... placeholder",
            {"events": cell("at", date(1969, 12, 31)), "customers": without("started")},
        ),
        Bad(
            "{events}: at: ... is not before the customer's start', 3 rows ... correct `started`",
            {"customers": cell("started", date(2024, 3, 1))},
        ),
        broken("events.kind", mostly("kind", "lee", "Lee"), "one way, ... 2 values ... alike"),
        broken("customers.town", mostly("town", "lee", "Lee"), "one way, ... 2 values ... alike"),
    ],
    ALL: [
        Bad("{events}: column 'total' is missing; map 'amount' under columns", book=TOTAL),
        Bad(
            "{customers}: column 'tenure_days' has a name that we use ourselves; rename it",
            {"customers": called(town="tenure_days")},
        ),
        broken("events.customer_id", f" {SECRET_ID} ", "no space around it ... 1 row ... trim"),
        broken("events.customer_id", f"<Script>{SECRET_ID}", "<script> tag', 1 row ... clean"),
        broken("customers.town", f"<SCRIPT src=//{SECRET_ID}>", "<script> tag', 1 row ... clean"),
        Bad(
            "customer_id: promise broken: ... leading zeros', 2 values break it ... one way",
            {"customers": lambda all_: pl.concat([all_, mostly(*ZEROS)(all_.head(1))])},
        ),
        Bad(
            "{contracts}: started: ... at least 1900-01-02', 1 row ... true one",
            {"contracts": cell("started", date(1, 1, 1)), "customers": without("started")},
        ),
        broken("contracts.ended", date(2023, 12, 31), "is not before started', 1 row breaks it"),
        Bad(
            "{contracts}: customer_id, started: ... are unique together', 4 rows ... duplicates",
            {"contracts": again(2)},
        ),
        Bad("only: ... did you mean 'town'? (the book says 'twon')", book={"only": {"twon": "x"}}),
        Bad(
            "{customers}: only: column 'town' holds text ... the condition speaks of numbers",
            book={"only": {"town": 7}},
        ),
        Bad("no event up to 2024-12-31 ... only:", book={"only": {"town": "Atlantis"}}),
        Bad(
            "churn: activity: no event is of kind 'order' (found: purchase)",
            book={"churn": CHURN | {"activity": ["order"]}},
        ),
        Bad(
            "no event is of kind 'purchase' (found: none of 10 customers or more)",
            book={"columns": {"events": {"kind": "customer_id"}}},
        ),
    ],
    FILES: [
        broken("events.at", every(at=pl.lit("1719705600000")), f"{READ_AS} ... 9999999999999"),
        broken("events.at", "soon", f"{READ_AS}1 row ... aaaa"),
        broken(
            "events.at", every(at=pl.col("at").dt.strftime("%d.%m.%Y")), "99.99.9999 ... state how"
        ),
        broken("customers.started", "2024-02-30", f"{READ_AS}1 row breaks it"),
        broken(
            "events.at",
            mostly("at", "2024-01-01T12:00Z", "2024-01-01 12:00", 2),
            "carries a zone, as other values do', 2 rows break it ... or nowhere",
            book=BERLIN,
        ),
        *(
            broken("events.at", every(at=pl.lit(at)), "without a zone to ... state `timezone:`")
            for at in ("2024-05-01 12:00:00", "2024-05-01T12:00Z")
        ),
        Bad("{customers}: a column has no name; name it", {"customers": called(town="")}),
        broken("contracts.customer_id", "nobody-1", "is in the customers table', 1 row ... add"),
        broken("contracts.amount", -19.7, "is at least 0', 1 row breaks it ... credits"),
        broken("contracts.started", date(2023, 3, 1), "not before the customer's start', 1 row"),
        broken("events.amount", "EUR 3", "as a number such as 12.50', 1 row ... aaa 9 ... correct"),
        broken("events.amount", "9,5", "as a number such as 12.50', 1 row ... 9,9 ... are written"),
        *(
            broken(f"{table}.{name}", mostly(name, "lee", "Lee"), "one way, ... 2 values ... alike")
            for table, names in (("events", ("channel", "category")), ("contracts", ("cause",)))
            for name in names
        ),
        broken("contracts.plan", f"<SCRIPT src=//{SECRET_ID}>", "<script> tag', 1 row ... clean"),
        Bad("attributes: no table has a column ... 'colour')", book={"attributes": ["colour"]}),
        Bad(
            "params/shop.yaml: ... tables.contracts: missing; this key is needed",
            book={"churn": ENDING},
        ),
        Bad(
            "10 are needed",
            {"contracts": every(started=pl.lit(date(2025, 1, 1)))},
            book={"churn": ENDING},
        ),
        Bad("no event up to 2023-12-31", book={"snapshot_date": date(2023, 12, 31)}),
        Bad(
            "1 customer(s) with a spell: at least 10 are needed ... person by person",
            {"events": only(HERS), "customers": only(HERS)},
        ),
        Bad(
            "nobody has left by 2024-09-30 ... a later snapshot_date or a smaller churn",
            {"events": only(pl.len().over("customer_id") > 3)},
            book={"snapshot_date": date(2024, 9, 30)},
        ),
        Bad(
            "everybody has left by 2026-12-31 ... an earlier snapshot_date or a larger churn",
            book={"snapshot_date": date(2026, 12, 31)},
        ),
        Bad(
            "all customers started in one month ... read data of a longer time",
            {
                "events": only(pl.col("at").min().over("customer_id") < date(2024, 2, 1)),
                "customers": only(pl.col("started") < date(2024, 2, 1)),
            },
        ),
        Bad(
            f"data/log: {NO_FILES} none",
            arrange=lambda data: (data / "log").mkdir(),
            book={"tables": {"events": "data/log"}},
        ),
        Bad(
            f"data/log: {NO_FILES} .json",
            arrange=lambda data: moved(data, "log/events.json"),
            book={"tables": {"events": "data/log"}},
        ),
        Bad(
            f"data/events.xlsx: {NO_FILES} .xlsx",
            arrange=lambda data: moved(data, "events.xlsx"),
            book={"tables": {"events": "data/events.xlsx"}},
        ),
        *(
            Bad(
                f"params/shop.yaml: ... tables.events: no such file: {place}",
                book={"tables": {"events": place}},
            )
            for place in ("data/orders.csv", "data/orders/*.csv")
        ),
    ],
    TYPED: [
        Bad("'amount' should hold numbers, is boolean", {"events": every(amount=True)}),
        Bad(
            "{customers}: column 'town' is ... which no analysis can use; leave it out",
            {"customers": every(town=pl.concat_list("town"))},
        ),
        broken("events.customer_id", "", "is not empty', 1 row breaks it ... trim the ids"),
    ],
    (*TYPED, "postgres"): [
        Bad("'at' should hold dates or times, is int64", {"events": every(at=1_719_705_600_000)}),
        Bad(
            "{events}: column 'customer_id' should hold ids (text or integers), is float64",
            {"events": every(customer_id=pl.lit(2.0**53 + 1))},
        ),
        Bad(
            "{events}: column 'at' holds times without a zone ... state `timezone:`",
            {"events": every(at=pl.lit(NOON))},
        ),
    ],
    (*DUCKDB, "postgres"): [
        *(
            Bad(
                f"{{events}}: column {name!r} should hold {what}, is string ... make a view",
                {"events": every(**{name: pl.col(name).cast(pl.String)})},
            )
            for name, what in (("at", "dates or times"), ("amount", "numbers"))
        ),
        Bad(f"orders: {NO_TABLE}", book={"tables": {"events": "orders"}}),
        Bad(f"sales.events: {NO_TABLE}", book={"tables": {"events": "sales.events"}}),
    ],
    CSV: [
        Bad(OURS_TWICE, text=lambda text: text.replace(b"kind", b"amount", 1)),
        Bad(NO_HEADER, text=lambda text: text.partition(b"\n")[2]),
        Bad(NO_HEADER, text=lambda text: text.partition(b"\n")[2].replace(b",", b";")),
        Bad(
            "events.csv: line 2 is not UTF-8 text; state `encoding:` under source",
            text=lambda text: text.replace(b"purchase", b"L\xfctt", 1),
        ),
        Bad(
            "events.csv: line 3 is not UTF-8 text; state `encoding:` under source",
            text=lambda text: text.replace(b"purchase", "Lütt".encode(), 1).replace(
                b"purchase", b"L\xfctt", 1
            ),
        ),
        Bad(
            "events.csv: holds UTF-16 text; state `encoding: utf-16` under source",
            text=lambda text: text.decode().encode("utf-16"),
        ),
        Bad(
            "events.csv: line 2 is not ascii text; state the right `encoding:` under source",
            text=lambda text: text.replace(b"purchase", "Lütt".encode(), 1),
            book={"source": {"encoding": "ascii"}},
        ),
        Bad(
            "events.csv: line 1 is not utf-16 text; state the right `encoding:` under source",
            book={"source": {"encoding": "utf-16"}},
        ),
        Bad(
            "{events}: cannot be read: ... quote",
            text=lambda text: text.replace(b"purchase", b'"purchase', 1),
        ),
        Bad(
            "{events}: cannot be read: found more fields than the header has; quote values that",
            text=lambda text: text.replace(b"5.0\n", b"5.0,5.0\n", 1),
        ),
        Bad(
            "{events}: kind: promise broken: 'kind is known', 1 row breaks it ... fill the gaps",
            text=lambda text: text.replace(b",purchase,5.0\n", b"\n", 1),
        ),
        Bad(
            "{events}: lines end in a carriage return alone; end them in a line feed",
            text=lambda text: text.replace(b"\n", b"\r"),
        ),
        Bad(
            "{events}: column 'customer_id' is missing ... holds ';': state source: delimiter:",
            text=lambda text: text.replace(b",", b";"),
        ),
        Bad("{events}: the file is empty", text=lambda text: b""),
        Bad("{events}: no event up to", text=lambda text: text.partition(b"\n")[0] + b"\n"),
        Bad(
            "{events}: only: column 'amount' holds text that is no number in 1 row(s) ... correct",
            text=lambda text: text.replace(b"5.0\n", SECRET_ID.encode() + b"\n", 1),
            book={"only": {"amount": {"at_least": 1}}},
        ),
        Bad(
            f"data/*: {NO_FILES} .csv, .parquet",
            arrange=lambda data: save(tables()["events"], data / "more.parquet"),
            book={"tables": {"events": "data/*"}},
        ),
        Bad(
            "data/events.parquet: cannot be read: ",
            arrange=lambda data: moved(data, "events.parquet"),
            book={"tables": {"events": "data/events.parquet"}},
        ),
        Bad(
            f"data/events*.csv: {OTHERS}",
            text=lambda text: text.partition(b"\n")[2],
            arrange=lambda data: save(tables()["events"], data / "events-2.csv"),
            book={"tables": {"events": "data/events*.csv"}},
        ),
        Bad(
            f"data/events*.csv: {OTHERS}",
            arrange=lambda data: save(tables()["events"].drop("kind"), data / "events-2.csv"),
            book={"tables": {"events": "data/events*.csv"}},
        ),
    ],
    PARQUET: [
        Bad("{events}: ... amount", arrange=lambda data: twice_named(data / "events.parquet")),
        *(
            Bad("{events}: cannot be read: ", arrange=partial(harmed, "events.parquet", change))
            for change in (lambda old: old[:-100], lambda old: old[:4] + b"\xff" * 400 + old[404:])
        ),
        *(
            Bad(
                f"data/events*.parquet: {OTHERS} ... ({column})",
                arrange=partial(saved_as, "events-2.parquet", change),
                book={"tables": {"events": "data/events*.parquet"}},
            )
            for column, change in (
                ("amount", without("amount")),
                ("customer_id", every(customer_id=pl.lit(7))),
            )
        ),
    ],
    DUCKDB: [
        Bad(
            "params/shop.yaml: ... source.file: no such file: data/orders.duckdb",
            book={"source": {"file": "data/orders.duckdb"}},
        ),
        Bad(
            "data/shop.duckdb: cannot be read: ",
            arrange=partial(harmed, "shop.duckdb", lambda old: SECRET_ID.encode() * 99),
        ),
    ],
}


# What is said of them, and what is left


def of(*forms: str) -> pytest.MarkDecorator:
    """Every fault in each of ``forms`` that can have it."""
    pairs = [
        pytest.param(bad, form, id=f"{bad.says[:60]} ({form})")
        for able, faults in FAULTS.items()
        for bad in faults
        for form in forms
        if form in able
    ]
    return pytest.mark.parametrize(("bad", "form"), pairs)


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
    if bad.text:
        harmed("events.csv", bad.text, root / "data")
    bad.arrange(root / "data")


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
    for part in bad.says.split(" ... "):
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
    absent = Bad(f"{where}: cannot be read: ", book={"tables": {"events": where}})
    spoil(shelf, absent, "spark", master)
    says(message(shelf), absent, "spark")


# Who does not answer


ANN = "postgresql://ann@127.0.0.1:{port}/shop"
NOBODY = "source: nobody answers at {}; is the server running?"
# What the book says of the source, what a variable ADDRESS or WRONG holds, what is said of it.
# {port} is one at which nothing listens, {server} the host and port of one that runs.
SERVERS = [
    ({"url": ANN}, "", NOBODY.format("127.0.0.1:{port}")),
    (
        {"url": "postgresql://ann@no-such-host.invalid/shop"},
        "",
        NOBODY.format("no-such-host.invalid:5432"),
    ),
    ({"url": "env:NO_SUCH"}, "", "source: url: the environment variable NO_SUCH is not set"),
    (
        {"url": ANN.replace("ann", f"ann:{PASSWORD}")},
        "",
        "source.url: holds a password; write password: env:NAME instead",
    ),
    (
        {"url": ANN, "password": PASSWORD},
        "",
        "source.password: expected env:NAME, the environment variable",
    ),
    (
        {"url": "env:ADDRESS"},
        f"postgresql://ann@127.0.0.1:{PASSWORD}/shop",
        "source: cannot be read: the address is not written as one",
    ),
]
CONNECT = [
    ({"url": "sc://127.0.0.1:{port}"}, "", NOBODY.format("127.0.0.1:{port}")),
    ({"url": "sc://no-such-host.invalid"}, "", NOBODY.format("no-such-host.invalid:15002")),
]
HERE = "postgresql://postgres@{server}/postgres"
WRONG = "source: cannot be read: ... password authentication failed for user"
LOCKED = [
    ({"url": HERE, "password": "env:NO_SUCH"}, "", "password: the environment variable NO_SUCH is"),
    ({"url": HERE, "password": "env:ADDRESS"}, PASSWORD, WRONG),
    ({"url": "env:ADDRESS"}, HERE.replace("@", f":{PASSWORD}@"), WRONG),
    (
        {"url": "postgresql://postgres@{server}/nowhere", "password": "env:SHOP"},
        "",
        'source: cannot be read: ... database "nowhere" does not exist',
    ),
    (
        {"url": HERE.replace("postgres@", "guest@"), "password": "env:SHOP"},
        "",
        "events: cannot be read: ... permission denied for table events",
    ),
]


def ask(root: Path, case: tuple[dict, str, str], monkeypatch, **known: object) -> None:
    """A refresh says at once what is wrong with a server that should have its tables."""
    source, address, words = case
    monkeypatch.setenv("ADDRESS", address.format(**known))
    given = {key: value.format(**known) for key, value in source.items()}
    given["kind"] = "spark" if source["url"].startswith("sc:") else "postgres"
    settings = {
        "title": "Shop",
        "source": given,
        "tables": {"events": "events"},
        "snapshot_date": YEAR_END,
        "churn": CHURN,
    }
    (root / "params" / "shop.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    begun = time.monotonic()
    line = message(root)
    assert time.monotonic() - begun < 12
    for part in words.format(**known).split(" ... "):
        assert part in line


@pytest.mark.parametrize("case", SERVERS)
def test_a_server_that_cannot_be_asked_is_named_soon(shelf, case, monkeypatch):
    ask(shelf, case, monkeypatch, port=servers.free_port())


@pytest.mark.spark
@pytest.mark.usefixtures("spark_environment")
@pytest.mark.parametrize("case", CONNECT)
def test_a_spark_that_cannot_be_asked_is_named_soon(shelf, case, monkeypatch):
    ask(shelf, case, monkeypatch, port=servers.free_port())


@pytest.mark.postgres
@pytest.mark.parametrize("case", LOCKED)
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
    endless = Bad("customers: cannot be read: ... make a view that writes null for infinite")
    spoil(shelf, endless, "postgres", postgres)
    with psycopg.connect(postgres) as database:
        database.execute("update customers set started = %s", [when])
    says(message(shelf), endless, "postgres")


# As a user runs it


@pytest.mark.parametrize("form", [*ALL, pytest.param("postgres", marks=pytest.mark.postgres)])
def test_the_command_as_a_user_runs_it_says_the_same(shelf, request, form):
    bad = next(bad for able, faults in FAULTS.items() for bad in faults[1:] if form in able)
    spoil(shelf, bad, form, request.getfixturevalue("postgres") if form == "postgres" else "")

    def run() -> tuple[int, str, str]:
        done = retention(shelf, "refresh", "shop")
        return done.returncode, done.stdout, done.stderr

    says(message(shelf, run), bad, form)
