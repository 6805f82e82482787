"""Publish a refresh all or nothing: built aside, checked, renamed; then the index."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import polars as pl

from retention.errors import Failed
from retention.pages import site
from retention.tables import promises, workspace


def newest(book: str, snapshot_date: str, reports: Path) -> str | None:
    """The newest published refresh of ``book`` for a day: 2025-06-30, or its last revision."""
    found = [path.parent.name for path in (reports / book).glob("[0-9]*/manifest.json")]
    same_day = [name for name in found if name[:10] == snapshot_date]
    return max(same_day, key=workspace.order, default=None)


def next_name(snapshot_date: str, last: str | None) -> str:
    """The folder of a further refresh of the day: a published refresh is never rewritten."""
    return f"{snapshot_date}-r{workspace.order(last)[1] + 1}" if last else snapshot_date


def aggregates(stage: Path, pages: Path) -> list[dict]:
    """Copy the aggregate tables from ``stage`` to ``pages``/tables as CSV; one record each."""
    records = []
    (pages / "tables").mkdir(parents=True, exist_ok=True)
    for file in sorted((stage / "tables").glob("*.parquet")):
        if promises.PROMISES[file.stem].level != "aggregate":
            continue
        table = pl.read_parquet(file)
        target = pages / "tables" / f"{file.stem}.csv"
        table.write_csv(target)
        records.append({"file": f"tables/{target.name}", "rows": table.height})
    return records


def manifest(pages: Path, facts: dict, records: list[dict]) -> dict:
    """Everything published, with its sha256; written as manifest.json into ``pages``."""
    hashed = [
        record | {"sha256": hashlib.sha256((pages / record["file"]).read_bytes()).hexdigest()}
        for record in records
    ]
    whole = facts | {
        "pages": [record for record in hashed if record["file"].endswith(".html")],
        "tables": [record for record in hashed if record["file"].endswith(".csv")],
    }
    text = json.dumps(whole, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    (pages / "manifest.json").write_text(text, encoding="utf-8")
    return whole


def same(pages: Path, published: Path) -> bool:
    """Whether all pages and tables equal the published ones, byte for byte."""

    def contents(folder: Path) -> dict[str, str]:
        whole = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return {record["file"]: record["sha256"] for record in whole["pages"] + whole["tables"]}

    return contents(pages) == contents(published)


def publish(stage: Path, pages: Path, work: Path, target: Path) -> None:
    """Move a finished refresh to its places: customer tables first, pages last, each by rename.

    Raises:
        Failed: the pages are there already.
    """
    if target.exists():
        raise Failed(f"{target.name} is published already")
    for folder in (pages, stage):
        _sync(folder)
    work.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(work, ignore_errors=True)
    stage.rename(work)
    pages.rename(target)
    _sync(target.parent)


def write_index(reports: Path) -> None:
    """Write reports/index.html anew, aside and then renamed."""
    aside = reports / ".index.html"
    aside.write_text(site.index(reports), encoding="utf-8")
    aside.replace(reports / "index.html")


def _sync(folder: Path) -> None:
    """Make sure the folder's files are on the disk."""
    for path in [*folder.rglob("*"), folder]:
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
