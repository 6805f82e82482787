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
from itertools import product
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

import polars as pl
import psycopg
import pytest
import servers
import yaml
from drawing import save, shop
from inputs import BERLIN, SECRET_ID, place, put
from typer.testing import CliRunner
from workbooks import retention

from retention_app.cli import app

PRIVATE = "Rose Cottage, Lee"  # a value of hers in the customers table
PASSWORD = "hunter2"
CHURN = {"kind": "activity", "activity": ["purchase"], "after_days": 60}
COMMON = {"snapshot_date": date(2024, 12, 31), "churn": CHURN}
HERS = pl.col("customer_id") == SECRET_ID

CSV, PARQUET, DUCKDB = ("csv",), ("parquet",), ("duckdb",)  # kinds of source that can have a fault
FILES, TYPED, ALL = CSV + PARQUET, PARQUET + DUCKDB, CSV + PARQUET + DUCKDB
SERVED = (*ALL, "postgres")
EVERY = (*SERVED, "spark")

Change = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True)
class Bad:
    """One fault: of tables, of what lies in the folder of the data, of the book.

    ``says`` holds parts of the message, divided by " ... "; {events} is the place of that table.
    """

    says: str
    tables: Mapping[str, Change] = field(default_factory=dict)
    arrange: Callable[[Path], object] = lambda data: None
    book: Mapping[str, object] = field(default_factory=dict)


def tables() -> dict[str, pl.DataFrame]:
    """The drawn shop with contracts; its first customer is the person."""
    drawn = {
        name: frame.with_columns(pl.col("customer_id").replace("customer-0", SECRET_ID))
        for name, frame in shop().items()
    }
    people, hers = drawn["customers"].sort("started", "customer_id"), pl.when(HERS)
    contracts = people.with_columns(
        ended=hers.then(pl.lit(date(2024, 3, 1))),
        cause=hers.then(pl.lit("voluntary")),
        plan=pl.lit("basic"),
        amount=pl.lit(19.0),
    )
    people = people.with_columns(town=hers.then(pl.lit(PRIVATE)).otherwise(pl.lit("Lee")))
    return drawn | {"customers": people, "contracts": contracts}


# How a table goes wrong


def cell(column: str, value: object, n: int = 1) -> Change:
    """``value`` in the first ``n`` rows, which are hers; where it is text, all becomes text."""
    as_text = [pl.col(column).cast(pl.String)] if isinstance(value, str) else []
    new = pl.when(pl.int_range(pl.len()) < n).then(pl.lit(value)).otherwise(column).alias(column)
    return lambda frame: frame.with_columns(as_text).with_columns(new)


def every(**columns: object) -> Change:
    """Columns of these values, or expressions, in every row."""
    return lambda frame: frame.with_columns(**columns)


def mostly(column: str, usual: object, odd: object, n: int = 1) -> Change:
    """A column of one value, and another in the first ``n`` rows."""
    return lambda frame: cell(column, odd, n)(every(**{column: pl.lit(usual)})(frame))


def without(*columns: str) -> Change:
    return lambda frame: frame.drop(columns)


def again(n: int) -> Change:
    """The first ``n`` rows a second time."""
    return lambda frame: pl.concat([frame, frame.head(n)])


def wrong(table: str, change: Change, says: str, **further) -> Bad:
    """A table that is changed."""
    return Bad(f"{{{table}}}: {says}", {table: change}, **further)


def broken(where: str, change: Change | object, says: str, **further) -> Bad:
    """A promise that a column breaks, once its table is changed, or its first cell has a value."""
    table, _, column = where.partition(".")
    change = change if callable(change) else cell(column, change)
    return wrong(table, change, f"{column}: promise broken: ... {says}", **further)


def two_ways(where: str) -> Bad:
    """Texts that differ by capitals alone."""
    change = mostly(where.partition(".")[2], "lee", "Lee")
    return broken(where, change, "spelled with the same capitals everywhere', 2 values")


def text(says: str, old: bytes, new: bytes, n: int = -1, **further) -> Bad:
    """A file events.csv in which, ``n`` times at most, something else is written."""
    arrange = partial(harmed, "events.csv", lambda whole: whole.replace(old, new, n))
    return Bad(says, arrange=arrange, **further)


def lies(where: str, says: str, arrange: Callable[[Path], object] = lambda data: None) -> Bad:
    """A book whose events lie there."""
    return Bad(f"{where}: {says}", arrange=arrange, book={"tables": {"events": where}})


def moved(to: str, data: Path) -> None:
    """The file of events under another name."""
    (data / to).parent.mkdir(exist_ok=True)
    next(data.glob("events.*")).rename(data / to)


def harmed(name: str, change: Callable[[bytes], bytes], data: Path) -> None:
    (data / name).write_bytes(change((data / name).read_bytes()))


def beside(name: str, change: Change, data: Path) -> None:
    """Further events, changed, in a file of their own."""
    save(change(tables()["events"]), data / name)


# The faults

DATE = "can be read as a date such as 2025-06-30', "
NUMBER = "can be read as a number such as 12.50', 1 row ... "
AMOUNT = "is an amount (a number below 10,000,000,000,000)', 1 row ... correct it"
NO_HEADER = "events.csv: the first line holds values, not column names; add a header line"
NO_TABLE = "cannot be read: no such table, or no permission"
NO_FILES = "expected .parquet or .csv files, found"
OTHERS = "cannot be read: ... has other columns than ... of the same types"
NO_SCRIPT = "holds no <script> tag', 1 row ... clean"
ZEROS = cell("customer_id", f"00{SECRET_ID}")
SPOILT = SECRET_ID.encode() * 99
SKIPPED, NOON = datetime(2024, 3, 31, 2, 30), datetime(2024, 5, 1, 12)
HEADER = b"customer_id,at,kind,amount\n"
ROW = f"{SECRET_ID},2024-01-01,purchase,5.0\n".encode()  # the first one
ASCII, WIDE = ({"source": {"encoding": name}} for name in ("ascii", "utf-16"))
PRICED = {"only": {"amount": {"at_least": 1}}}

FAULTS: dict[tuple[str, ...], list[Bad]] = {
    EVERY: [
        wrong("events", without("at"), "column 'at' is missing; map 'at' under columns"),
        broken("events.customer_id", cell("customer_id", None, 2), "is known', 2 rows ... fill "),
        broken("events.amount", float("inf"), AMOUNT),
        broken("events.amount", cell("amount", -19.7, 3), "is at least 0', 3 rows ... refunds"),
        broken("events.amount", cell("amount", None, 2), "of a kind that has amounts', 2 rows"),
        broken("events.at", None, "'at is known', 1 row breaks it ... fill the gaps"),
        broken("events.at", mostly("at", NOON, SKIPPED), "exists in Europe/Berlin'", book=BERLIN),
    ],
    SERVED: [
        broken("customers.customer_id", again(1), "is unique', 2 rows ... the duplicates"),
        broken("events.amount", float("nan"), AMOUNT),
        broken("customers.started", date(1900, 1, 1), "at least 1900-01-02', 1 row ... empty"),
        broken("events.at", date(1969, 12, 31), "is at least 1970-01-01', 1 row ... placeholder"),
        broken("events.at", date(2023, 12, 31), "is not before the customer's start', 1 row"),
        two_ways("events.kind"),
    ],
    ALL: [
        broken("events.customer_id", "nobody", "is in the customers table', 1 row ... add them"),
        broken("events.customer_id", f" {SECRET_ID} ", "no space around it ... 1 row ... trim"),
        broken("events.customer_id", f"<Script>{SECRET_ID}", NO_SCRIPT),
        broken("customers.town", f"<SCRIPT src=//{SECRET_ID}>", NO_SCRIPT),
        two_ways("customers.town"),
        wrong(
            "customers",
            lambda frame: pl.concat([frame, ZEROS(frame.head(1))]),
            "customer_id: promise broken: ... leading zeros', 2 values break it ... everywhere",
        ),
        wrong(
            "customers",
            lambda frame: frame.rename({"town": "tenure_days"}),
            "the workbook has its own column 'tenure_days'; rename it",
        ),
        broken("contracts.ended", date(2023, 12, 31), "is not before started', 1 row breaks it"),
        broken("contracts.started", date(1, 1, 1), "at least 1900-01-02', 1 row ... true one"),
        wrong("contracts", again(2), "customer_id, started: ... unique together', 4 rows"),
        Bad("map 'amount' under", book={"columns": {"events": {"amount": "total"}}}),
        Bad("only: ... did you mean 'town'? (the book says 'twon')", book={"only": {"twon": "x"}}),
        Bad("{customers}: only: column 'town' holds text ... numbers", book={"only": {"town": 7}}),
        Bad("no event up to 2024-12-31 ... only:", book={"only": {"town": "Atlantis"}}),
        Bad("no event is of kind 'a'", book={"churn": CHURN | {"activity": ["a"]}}),
    ],
    FILES: [
        broken("events.at", every(at=pl.lit("1719705600000")), f"{DATE} ... 9999999999999"),
        broken("events.at", "soon", f"{DATE}1 row ... aaaa"),
        broken("customers.started", "2024-02-30", f"{DATE}1 row breaks it"),
        broken(
            "events.at",
            mostly("at", "2024-01-01T12:00Z", "2024-01-01 12:00", 2),
            "carries a zone, as other values do', 2 rows break it ... or nowhere",
            book=BERLIN,
        ),
        broken("events.at", every(at=pl.lit("2024-05-01 12:00")), "without a zone ... `timezone:`"),
        broken(
            "events.at", every(at=pl.lit("2024-05-01T12:00Z")), "without a zone ... `timezone:`"
        ),
        wrong("customers", lambda frame: frame.rename({"town": ""}), "a column has no name; name"),
        broken("contracts.customer_id", "nobody-1", "is in the customers table', 1 row ... add"),
        broken("contracts.amount", -19.7, "is at least 0', 1 row breaks it ... credits"),
        broken("contracts.started", date(2023, 3, 1), "not before the customer's start', 1 row"),
        *map(two_ways, ("contracts.cause", "events.channel", "events.category")),
        broken("events.amount", "EUR 3", f"{NUMBER} aaa 9 ... correct"),
        broken("events.amount", "9,5", f"{NUMBER} 9,9 ... are written"),
        Bad("attributes: no table has a column ... 'colour')", book={"attributes": ["colour"]}),
        lies("data/log", f"{NO_FILES} none", lambda data: (data / "log").mkdir()),
        lies("data/log", f"{NO_FILES} .json", partial(moved, "log/events.json")),
    ],
    TYPED: [
        wrong("events", every(amount=True), "column 'amount' holds boolean, not numbers; convert"),
        wrong("customers", every(town=pl.concat_list("town")), "no analysis can use column 'town'"),
        broken("events.customer_id", "", "is not empty', 1 row breaks it ... trim the ids"),
    ],
    (*TYPED, "postgres"): [
        wrong("events", every(at=1_719_705_600_000), "column 'at' holds int64, not dates or times"),
        wrong("events", every(customer_id=0.5), "column 'customer_id' holds float64, not ids"),
        wrong("events", every(at=pl.lit(NOON)), "column 'at' holds times without a zone ... set"),
    ],
    (*DUCKDB, "postgres"): [
        wrong("events", every(at=pl.lit("2024")), "column 'at' holds string, not dates ... view"),
        wrong("events", every(amount=pl.lit("1")), "column 'amount' holds string, not numbers"),
        lies("no_such_orders", NO_TABLE),
        lies("sales.events", NO_TABLE),
    ],
    CSV: [
        text("events.csv: two columns are named 'amount'; rename", b"kind", b"amount"),
        text(NO_HEADER, HEADER, b""),
        text(NO_HEADER, HEADER + ROW, ROW.replace(b",", b";")),
        text("events.csv: line 2 is not utf-8 text; set the right", b"purchase", b"L\xfctt"),
        text("events.csv: line 3 is not ascii", ROW, ROW + "ä".encode(), book=ASCII),
        text("events.csv: line 1 is not utf-16 text; set the right", b"", b"", book=WIDE),
        text("events.csv: holds UTF-16 text; set `encoding: utf-16`", HEADER, b"\xff\xfe"),
        text("events.csv: cannot be read: a quote is not closed", b"purchase", b'"purchase', 1),
        text("found more fields than the header has; put quotes", ROW, ROW[:-1] + b",5\n"),
        text("kind: promise broken: 'kind is known', 1 row breaks it", ROW, ROW[:23] + b"\n"),
        text("events.csv: lines end with a carriage return", b"\n", b"\r"),
        text("column 'customer_id' is missing ... ';' in it: set `delimiter:`", b",", b";"),
        text(
            "only: column 'amount' holds text that is not a number in 1 row",
            ROW,
            ROW[:-4] + b"x\n",
            book=PRICED,
        ),
        Bad(
            "{events}: the file is empty", arrange=partial(harmed, "events.csv", lambda whole: b"")
        ),
        Bad("{events}: no event up to", {"events": pl.DataFrame.clear}),
        lies("data/*", f"{NO_FILES} .csv, .parquet", partial(beside, "more.parquet", every())),
        lies("data/events.parquet", "cannot be read: ", partial(moved, "events.parquet")),
        lies("data/e*.csv", OTHERS, partial(beside, "e2.csv", without("kind"))),
    ],
    PARQUET: [
        lies(
            "data/events.parquet",
            "cannot be read: ",
            partial(harmed, "events.parquet", lambda _: b"PAR1" + SPOILT),
        ),
        lies(
            "data/e*.parquet",
            f"{OTHERS} ... (kind)",
            partial(beside, "e2.parquet", without("kind")),
        ),
        lies(
            "data/e*.parquet", f"{OTHERS} ... (kind)", partial(beside, "e2.parquet", every(kind=1))
        ),
    ],
    DUCKDB: [
        Bad(
            "data/shop.duckdb: cannot be read: ",
            arrange=partial(harmed, "shop.duckdb", lambda _: SPOILT),
        )
    ],
}


# What is said of them, and what is left


MARKS = {"postgres": pytest.mark.postgres, "spark": pytest.mark.spark}


def everywhere() -> Iterator[pytest.param]:
    """Every fault once, and in further sources as a slow proof; but in PostgreSQL and Spark."""
    for able, faults in FAULTS.items():
        for bad, form in product(faults, able):
            marks = [MARKS[form]] if form in MARKS else [pytest.mark.slow] * (form != able[0])
            yield pytest.param(bad, form, id=f"{bad.says[:60]} ({form})", marks=marks)


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
    drawn = tables()
    frames = {name: drawn[name] for name in ("events", "customers")}
    frames |= {name: change(drawn[name]) for name, change in bad.tables.items()}
    settings = COMMON | bad.book
    if form == "postgres":
        settings["source"] = {"url": url.replace(":loopback@", "@"), "password": "env:SHOP"}
    if form == "spark":
        settings["source"] = {"kind": "spark", "url": url}
    book = put(root, {"postgres": url, "spark": "parquet"}.get(form, form), frames, **settings)
    write(root, book.model_dump(exclude_defaults=True) | {"source": book.source.model_dump()})
    bad.arrange(root / "data")


def write(root: Path, book: dict) -> None:
    text = yaml.safe_dump(book, sort_keys=False)
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


def says(line: str, words: str, form: str = "csv") -> None:
    for table in tables():
        words = words.replace(f"{{{table}}}", place("parquet" if form == "spark" else form, table))
    for part in words.split(" ... "):
        assert part.lower() in line.lower(), line


@pytest.fixture(scope="module")
def master(spark_local) -> Iterator[str]:
    """The address of a Spark whose one session all tests share."""
    with servers.spark_session(spark_local):
        yield spark_local


@pytest.fixture
def url(request, form: str) -> str:
    """Where a server is asked."""
    served = {"postgres": "postgres", "spark": "master"}
    return request.getfixturevalue(served[form]) if form in served else ""


@pytest.mark.parametrize(("bad", "form"), [*everywhere()])
def test_a_bad_input_is_refused_with_one_message_and_nothing_is_left(shelf, bad, form, url):
    spoil(shelf, bad, form, url)
    says(message(shelf), bad.says, form)


@pytest.mark.spark
@pytest.mark.parametrize("where", ["orders", "data/orders.parquet"])
def test_a_table_that_spark_does_not_have_is_named(shelf, master, where):
    spoil(shelf, lies(where, "cannot be read: "), "spark", master)
    says(message(shelf), f"{where}: cannot be read: ")


@pytest.mark.postgres
def test_a_date_at_infinity_is_refused_with_a_way_to_fix_it(shelf, postgres):
    spoil(shelf, Bad(""), "postgres", postgres)
    with psycopg.connect(postgres) as database:
        database.execute("update customers set started = 'infinity'")
    says(message(shelf), "customers: cannot be read: ... view that replaces infinite dates")


def test_the_command_as_a_user_runs_it_says_the_same(shelf):
    spoil(shelf, FAULTS[EVERY][0], "csv")

    def run() -> tuple[int, str, str]:
        done = retention(shelf, "refresh", "shop")
        return done.returncode, done.stdout, done.stderr

    says(message(shelf, run), FAULTS[EVERY][0].says)


# Who does not answer


HOST = "postgresql://ann@127.0.0.1:{port}/shop"
HERE = "postgresql://postgres@{server}/postgres"
REJECTED = "source: cannot be read: ... password authentication failed for user"
ABSENT = "the environment variable NO_SUCH is not set"
# The url and password of the book, what a variable ADDRESS holds, what is said of it. {port} is one
# at which nothing listens, {server} the host and port of one that runs.
SERVERS = [
    (HOST, "", "", "source: no answer from 127.0.0.1:{port}"),
    ("postgresql://ann@no-such-host.invalid/x", "", "", "no answer from no-such-host.invalid:5432"),
    ("env:NO_SUCH", "", "", f"source: url: {ABSENT}"),
    (HOST.replace("ann", f"ann:{PASSWORD}"), "", "", "source.url: holds a password; write"),
    (HOST, PASSWORD, "", "source.password: expected env:NAME, the environment variable"),
    ("env:ADDRESS", "", f"postgresql://ann@h:{PASSWORD}/x", "source: ... address is not valid"),
]
CONNECT = [
    ("sc://127.0.0.1:{port}", "", "", "source: no answer from 127.0.0.1:{port}"),
    ("sc://no-such-host.invalid", "", "", "source: no answer from no-such-host.invalid:15002"),
]
LOCKED = [
    (HERE, "env:NO_SUCH", "", f"password: {ABSENT}"),
    (HERE, "env:ADDRESS", PASSWORD, REJECTED),
    ("env:ADDRESS", "", HERE.replace("@", f":{PASSWORD}@"), REJECTED),
    (HERE.replace("}/postgres", "}/nowhere"), "env:SHOP", "", 'database "nowhere" does not exist'),
    (HERE.replace("postgres@", "guest@"), "env:SHOP", "", "events: ... permission denied"),
]


@pytest.mark.parametrize(
    "case",
    [
        *SERVERS,
        *(pytest.param(case, marks=pytest.mark.spark) for case in CONNECT),
        *(pytest.param(case, marks=pytest.mark.postgres) for case in LOCKED),
    ],
)
def test_a_server_that_cannot_be_asked_is_named_soon(shelf, case, monkeypatch, request):
    known = {"port": servers.free_port(), "server": ""}
    if case in LOCKED:
        postgres = request.getfixturevalue("postgres")
        known["server"] = urlsplit(postgres).netloc.partition("@")[2]
        servers.load(postgres, tables())
        with psycopg.connect(postgres) as database:
            database.execute("drop role if exists guest")
            database.execute("create role guest login password 'loopback'")
    url, password, address, words = (part.format(**known) for part in case)
    monkeypatch.setenv("ADDRESS", address)
    source = {"kind": "spark" if case in CONNECT else "postgres", "url": url}
    source |= {"password": password} if password else {}
    write(shelf, {"title": "Shop", "source": source, "tables": {"events": "events"}} | COMMON)
    begun = time.monotonic()
    says(message(shelf), words)
    assert time.monotonic() - begun < 12
