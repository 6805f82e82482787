"""Publish a refresh all or nothing: built aside, checked, renamed; then the index."""

import json
import os
import shutil
from pathlib import Path

from retention_runner import lock
from retention_runner.places import MANIFEST, Places, save_text
from retention_runner.records import sha256
from retention_runner.workbook import Workbook


def unharmed(published: Path) -> bool:
    """Whether every published file is there as it was published."""
    files = _files(published)
    return files is not None and all(
        (published / record["file"]).is_file()
        and sha256(published / record["file"]) == record["sha256"]
        for record in files
    )


def same(pages: Path, published: Path) -> bool:
    """Whether all pages and tables equal the published ones, byte for byte."""
    return _files(pages) == _files(published)


def put_back(pages: Path, published: Path) -> None:
    """Put every file of ``pages`` in the place of the published one, which it is equal to."""
    (published / "tables").mkdir(exist_ok=True)
    for record in _files(pages):
        (pages / record["file"]).replace(published / record["file"])


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

    Who dies between the two leaves pages that are whole; the next refresh of the day makes the
    tables again.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    os.sync()  # what is renamed is on the disk
    pages.rename(target)
    replace(stage, work)


def heal(places: Places) -> None:
    """Put tables back that a command which was killed had just moved aside; see `replace`."""
    for old in places.work.glob(".*.old"):
        there = places.work / old.name[1 : -len(".old")]
        shutil.rmtree(old) if there.exists() else old.rename(there)


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
    """Write reports/index.html anew, aside and then renamed."""
    from retention_runner import index

    reports.mkdir(parents=True, exist_ok=True)
    with lock.alone(root, ".index", wait=True):
        save_text(index.index(reports), reports / "index.html")


def _files(folder: Path) -> list[dict] | None:
    """Published files with their hashes, by a folder's manifest; None where it is harmed."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return manifest["pages"] + manifest["tables"]
    except (OSError, ValueError, KeyError):
        return None
