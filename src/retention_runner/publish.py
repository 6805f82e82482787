"""Publish a refresh all or nothing: built aside, checked, renamed; then the index."""

import json
import os
import shutil
from pathlib import Path

from retention_runner import lock
from retention_runner.errors import Failed
from retention_runner.places import MANIFEST, Places, newest, save_text
from retention_runner.records import sha256
from retention_runner.workbook import Workbook


def unharmed(published: Path) -> bool:
    """Whether every published file is there as it was published."""
    manifest = _manifest(published)
    return "pages" in manifest and all(
        _is_whole(published, record) for record in manifest["pages"] + manifest["tables"]
    )


def same(pages: Path, published: Path) -> bool:
    """Whether all pages and tables equal the published ones, byte for byte."""
    one, other = (_manifest(folder) for folder in (pages, published))
    return all(one.get(kind) == other.get(kind) for kind in ("pages", "tables"))


def mend(pages: Path, published: Path) -> None:
    """Put back published files that were lost or harmed since, from ``pages``, built the same."""
    for record in _manifest(pages)["pages"] + _manifest(pages)["tables"]:
        if not _is_whole(published, record):
            there = published / record["file"]
            there.parent.mkdir(exist_ok=True)
            (pages / record["file"]).replace(there)


def aggregates(workbook: Workbook, stage: Path, pages: Path) -> list[dict]:
    """Write the tables of ``stage`` that may be published to ``pages``/tables as CSV; one record
    each."""
    import polars as pl

    records = []
    (pages / "tables").mkdir(parents=True, exist_ok=True)
    for file in sorted((stage / "tables").glob("*.parquet")):
        if file.stem in workbook.published:
            table = pl.read_parquet(file)
            workbook.save_csv(table, pages / "tables" / f"{file.stem}.csv")
            records.append({"file": f"tables/{file.stem}.csv", "rows": table.height})
    return records


def write_manifest(pages: Path, about: dict, records: list[dict]) -> None:
    """Write manifest.json: what the refresh is, and every file of it with its sha256."""
    hashed = [record | {"sha256": sha256(pages / record["file"])} for record in records]
    whole = about | {
        "pages": [record for record in hashed if record["file"].endswith(".html")],
        "tables": [record for record in hashed if record["file"].endswith(".csv")],
    }
    text = json.dumps(whole, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    (pages / MANIFEST).write_text(text, encoding="utf-8")


def publish(stage: Path, pages: Path, work: Path, target: Path) -> None:
    """Move a finished refresh to its places, each by one rename: pages first, then its tables.

    Who dies between the two leaves pages that are whole; the next refresh puts the tables there.

    Raises:
        Failed: the pages are there already.
    """
    if target.exists():
        raise Failed(f"{target.name} is published already")
    target.parent.mkdir(parents=True, exist_ok=True)
    for folder in (pages, stage):
        for path in [*folder.rglob("*"), folder]:
            _sync(path)
    pages.rename(target)
    _sync(target.parent)
    replace(stage, work)


def heal(places: Places, done: str) -> None:
    """Put in its place what a command that was killed while it published had left half way.

    A stage that holds the file ``done`` is complete: if its day's pages are published without
    tables in work/, the tables are these.
    """
    for old in places.work.glob(".*.old"):
        there = places.work / old.name[1 : -len(".old")]
        shutil.rmtree(old) if there.exists() else old.rename(there)
    for stage in places.stages.glob("[0-9]*"):
        last = newest(places.published, stage.name)
        if last and not (places.work / last).exists() and (stage / done).is_file():
            replace(stage, places.work / last)


def replace(stage: Path, work: Path) -> None:
    """Put the customer tables built in ``stage`` in their place."""
    work.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    old = work.with_name(f".{work.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if work.exists():
        work.rename(old)
    stage.rename(work)
    shutil.rmtree(old, ignore_errors=True)


def write_index(root: Path, reports: Path) -> None:
    """Write reports/index.html anew, aside and then renamed, if it is not as it should be."""
    from retention_runner import index

    reports.mkdir(parents=True, exist_ok=True)
    with lock.waiting(root, ".index"):
        file, text = reports / "index.html", index.index(reports)
        if not (file.is_file() and file.read_text(encoding="utf-8") == text):
            save_text(text, file)


def _manifest(folder: Path) -> dict:
    try:
        return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # harmed: the next revision is whole
        return {}


def _is_whole(folder: Path, record: dict) -> bool:
    file = folder / record["file"]
    return file.is_file() and sha256(file) == record["sha256"]


def _sync(path: Path) -> None:
    """Make sure that a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
