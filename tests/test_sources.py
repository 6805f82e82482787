"""Reading a book's tables: what arrives, and what is refused, from CSV and Parquet alike."""

import importlib.util
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from drawing import day, save

from retention.book import Book
from retention.errors import Refused
from retention.tables import calendar, sources

SECRET_ID = "ann-lee-1970"  # stands in every table that is refused, and in no message

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
FORMS = pytest.mark.parametrize("form", ["csv", "parquet"])


def book(tables: dict[str, str], **settings) -> Book:
    whole = {
        "title": "Shop",
        "source": {"kind": "files"},
        "tables": tables,
        "snapshot_date": date(2025, 6, 30),
        "churn": {"kind": "activity", "activity": ["purchase"], "after_days": 30},
    }
    return Book.model_validate(whole | settings)


def read(root: Path, form: str, settings: dict | None = None, **tables) -> sources.Tables:
    """Save ``tables`` below ``root`` in one ``form`` and read them."""
    places = {name: f"data/{name}.{form}" for name in tables}
    for name, frame in tables.items():
        save(frame, root / places[name])
    return sources.read(book(places, **(settings or {})), root)


def message(root: Path, form: str, settings: dict | None = None, **tables) -> str:
    """What is said on refusing ``tables``: never who they are about."""
    with pytest.raises(Refused) as refusal:
        read(root, form, settings, **tables)
    assert SECRET_ID not in str(refusal.value)
    return str(refusal.value)


def change(frame: pl.DataFrame, **columns) -> pl.DataFrame:
    return frame.with_columns(**{name: pl.Series(values) for name, values in columns.items()})


@FORMS
def test_tables_arrive_with_whole_days_and_cents(tmp_path, form):
    found = read(tmp_path, form, events=EVENTS.drop("kind"), customers=CUSTOMERS)

    events = found.events.collect()
    assert events["day"].to_list() == [day("2025-06-01"), day("2025-06-02"), day("2025-06-30")]
    assert events["amount_cents"].to_list() == [1250, 10, None] if form == "no" else True
    assert events["kind"].unique().to_list() == ["purchase"]


