"""Refreshes of a shop with the tables that a test gives them."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
import yaml
from drawing import SHOP

from retention.book import Book
from retention.refresh import Refresh
from retention.tables import workspace


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Refresh]:
    """Makes a refresh of a day that holds these tables; groups of five customers may be named."""
    for folder in ("params", "notebooks"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    book = Book.model_validate(yaml.safe_load(SHOP) | {"min_cell": 5})

    def make(tables: dict[str, pl.DataFrame], day: int) -> Refresh:
        name = str(date(1970, 1, 1) + timedelta(day))
        folder = tmp_path / "work" / "shop" / name
        (folder / "tables").mkdir(parents=True, exist_ok=True)
        (folder / "book.json").write_text(book.model_dump_json(), encoding="utf-8")
        for table, frame in tables.items():
            workspace.save(frame, folder / "tables" / f"{table}.parquet")
        return Refresh(workspace.Workspace("shop", name, "00_data", folder))

    return make
