"""A refresh of tables that a test made, opened as a notebook opens one."""

from pathlib import Path

import inputs
import polars as pl

from retention.refresh import Refresh
from retention.tables import workspace

DAY = "2024-03-31"


def opened(
    folder: Path,
    task: str,
    tables: dict[str, pl.DataFrame] | None = None,
    day: str = DAY,
    **settings,
):
    """The refresh of a ``day`` of a book with ``settings``, which holds ``tables``; as ``task``
    sees it. ``folder`` becomes a workbook: the test must stand in it."""
    for name in ("params", "notebooks"):
        (folder / name).mkdir(exist_ok=True)
    place = folder / "work" / "shop" / day
    (place / "tables").mkdir(parents=True, exist_ok=True)
    book = inputs.book({"events": "events.csv"}, **settings)
    (place / "book.json").write_text(book.model_dump_json(), encoding="utf-8")
    for name, table in (tables or {}).items():
        table.write_parquet(place / "tables" / f"{name}.parquet")
    return Refresh(workspace.Workspace("shop", day, task, place))
