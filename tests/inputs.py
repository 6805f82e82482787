"""Small tables as users have them, in every kind of source, and what is given or said of them."""

from datetime import date
from pathlib import Path

import narwhals as nw
import polars as pl
import pytest
import servers
from drawing import save

from retention.book import Book
from retention.errors import Refused
from retention.tables import calendar, task, workspace
from retention_app import workbook
from retention_demo import readers
from retention_intake import intake, sources

SECRET_ID = "ann-lee-1970"  # stands in every table that is refused, and in no message
SNAPSHOT = date(2025, 6, 30)
BERLIN = {"timezone": "Europe/Berlin"}

EVENTS = pl.DataFrame(
    {
        "customer_id": [SECRET_ID, "bob", "bob"],
        "at": [date(2025, 6, 1), date(2025, 6, 2), date(2025, 6, 30)],
        "kind": ["purchase", "purchase", "visit"],
        "amount": [12.5, 0.1, None],
    }
)
CUSTOMERS = pl.DataFrame(
    {
        "customer_id": [SECRET_ID, "bob"],
        "started": [date(2025, 6, 1), date(2025, 5, 1)],
        "region": ["north", "south"],
    }
)
CONTRACTS = pl.DataFrame(
    {
        "customer_id": [SECRET_ID, "bob"],
        "started": [date(2025, 6, 1), date(2025, 5, 1)],
        "ended": [None, date(2025, 6, 10)],
        "cause": [None, "voluntary"],
        "amount": [19.0, 39.0],
    }
)
SURVEYS = pl.DataFrame(
    {
        "customer_id": [SECRET_ID, "bob", "bob"],
        "sent": [date(2025, 6, 1), date(2025, 6, 2), date(2025, 6, 2)],
        "answered": [date(2025, 6, 5), None, date(2025, 6, 2)],
        "kind": ["nps", "nps", "csat"],
        "score": [9, None, 1],
    }
)
ALL = {"events": EVENTS, "customers": CUSTOMERS, "contracts": CONTRACTS, "surveys": SURVEYS}
DUCKDB = pytest.param("duckdb", marks=pytest.mark.slow)  # test_engines and test_bad_inputs ask it
FORMS = pytest.mark.parametrize("form", ["csv", "parquet", DUCKDB])
TYPED = pytest.mark.parametrize("form", ["parquet", "duckdb"])


def book(tables: dict[str, str], **settings) -> Book:
    whole = {
        "title": "Shop",
        "source": {"kind": "files"},
        "tables": tables,
        "snapshot_date": SNAPSHOT,
        "churn": {"kind": "activity", "activity": ["purchase"], "after_days": 30},
    }
    return Book.model_validate(whole | settings)


def place(form: str, table: str) -> str:
    """What a book that `put` made calls the place of ``table``."""
    return f"data/{table}.{form}" if form in ("csv", "parquet") else table


def put(root: Path, form: str, frames: dict[str, pl.DataFrame], **settings) -> Book:
    """A book of ``frames``, saved below ``root`` as csv, parquet or duckdb, or in PostgreSQL."""
    source = {"kind": "files"}
    if form in ("csv", "parquet"):
        for name, frame in frames.items():
            save(frame, root / place(form, name))
    elif form == "duckdb":
        (root / "data").mkdir(parents=True, exist_ok=True)
        servers.load(root / "data" / "shop.duckdb", frames)
        source = {"kind": "duckdb", "file": "data/shop.duckdb"}
    else:
        servers.load(form, frames)
        source = {"kind": "postgres", "url": form}
    places = settings.pop("tables", {name: place(form, name) for name in frames})
    return book(places, **{"source": source | settings.pop("source", {})}, **settings)


def read(root: Path, given: Book) -> dict[str, pl.DataFrame]:
    """Every table of a book as it is handed on, collected; rows in the order of the source."""
    demo = readers.read(given.source, root) if given.source.kind == "demo" else None
    with sources.read(given, root, root / "spool", demo) as source:
        lazy = {name: nw.from_native(frame).lazy() for name, frame in source.tables.items()}
        return sources.collected(source, lazy)


def take(root: Path, given: Book, snapshot_date: date = SNAPSHOT) -> intake.Taken:
    return workbook.take(given, root, calendar.day_of(snapshot_date))


def build(given: Book, space: workspace.Workspace) -> None:
    """Write the tables of a refresh of a book, in the workbook that the test stands in."""
    taken = workbook.take(given, workspace.root(), space.snapshot_day, space.folder)
    task.build(given, space, taken)


def arrived(root: Path, form: str, settings: dict | None = None, **tables):
    """Every table as it is handed on, once saved in one ``form``."""
    return read(root, put(root, form, tables, **(settings or {})))


def message(root: Path, form: str, settings: dict | None = None, **tables) -> str:
    """What is said on refusing ``tables``: never who they are about. Nothing is left behind."""
    given = put(root, form, tables, **(settings or {}))
    with pytest.raises(Refused) as refusal:
        take(root, given)
    assert SECRET_ID not in str(refusal.value)
    assert list((root / "work").iterdir()) == []
    return str(refusal.value)


def change(frame: pl.DataFrame, **columns) -> pl.DataFrame:
    return frame.with_columns(**{name: pl.Series(values) for name, values in columns.items()})
