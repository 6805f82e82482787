"""Refreshes of a shop with the tables that a test gives them."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import opened as others
import polars as pl
import pytest

from retention.refresh import Refresh


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Refresh]:
    """Makes a refresh of a day that holds these tables; groups of five customers may be named."""
    monkeypatch.chdir(tmp_path)

    def make(tables: dict[str, pl.DataFrame], day: int) -> Refresh:
        name = str(date(1970, 1, 1) + timedelta(day))
        return others.opened(tmp_path, "00_data", tables, name, min_cell=5)

    return make
