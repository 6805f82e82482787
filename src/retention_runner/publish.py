"""Publish a refresh all or nothing: built aside, checked, renamed; then the index."""

import hashlib
import json
import os
import shutil
from pathlib import Path

from retention.errors import Failed
from retention.tables import workspace
from retention_runner import lock


def newest(book: Path, day: str) -> str | None:
    """The newest refresh published in ``book`` for a day: 2025-06-30, or its last revision."""
    found = (path.parent.name for path in book.glob(f"{day}*/manifest.json"))
    found = filter(workspace.REFRESH.fullmatch, found)
    return max(found, key=workspace.order, default=None)


def next_name(book: Path, day: str) -> str:
    """The folder of a further refresh of the day: a published refresh is never rewritten."""
    last = newest(book, day)
    number = workspace.order(last)[1] + 1 if last else 1
    while (book / (name := f"{day}-r{number}" if number > 1 else day)).exists():
        number += 1
    return name


def unharmed(published: Path) -> bool:
    """Whether every published file is there as it was published."""
    manifest = _manifest(published)
    return "pages" in manifest and all(
        (published / record["file"]).is_file()
        and _hash(published / record["file"]) == record["sha256"]
        for record in manifest["pages"] + manifest["tables"]
    )


def same(pages: Path, published: Path) -> bool:
    """Whether all pages and tables equal the published ones, byte for byte."""
    one, other = (_manifest(folder) for folder in (pages, published))
    return all(one.get(kind) == other.get(kind) for kind in ("pages", "tables"))


def mend(pages: Path, published: Path) -> None:
    """Put back published files that were lost or harmed since, from ``pages``, built the same."""
    for record in _manifest(pages)["pages"] + _manifest(pages)["tables"]:
        good, there = pages / record["file"], published / record["file"]
        if not there.is_file() or _hash(there) != record["sha256"]:
            there.parent.mkdir(exist_ok=True)
            good.replace(there)


def aggregates(stage: Path, pages: Path) -> list[dict]:
    """Copy the aggregate tables of ``stage`` to ``pages``/tables as CSV; one record each."""
    import polars as pl

    from retention.tables import promises

    records = []
    (pages / "tables").mkdir(parents=True, exist_ok=True)
    for file in sorted((stage / "tables").glob("*.parquet")):
        if promises.PROMISES[file.stem].level == "aggregate":
            table = pl.read_parquet(file)
            table.write_csv(pages / "tables" / f"{file.stem}.csv")
            records.append({"file": f"tables/{file.stem}.csv", "rows": table.height})
    return records


def manifest(pages: Path, about: dict, records: list[dict]) -> None:
    """Write manifest.json: what the refresh is, and every file of it with its sha256."""
    hashed = [record | {"sha256": _hash(pages / record["file"])} for record in records]
    whole = about | {
        "pages": [record for record in hashed if record["file"].endswith(".html")],
        "tables": [record for record in hashed if record["file"].endswith(".csv")],
    }
    text = json.dumps(whole, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    (pages / "manifest.json").write_text(text, encoding="utf-8")


def publish(stage: Path, pages: Path, work: Path, target: Path) -> None:
    """Move a finished refresh to its places, each by one rename: pages first, then its tables.

    Who dies between the two leaves pages that are whole; the next refresh puts the tables there.

    Raises:
        Failed: the pages are there already.
    """
    if target.exists():
        raise Failed(f"{target.name} is published already")
    target.parent.mkdir(parents=True, exist_ok=True)
    _sync(pages)
    _sync(stage)
    pages.rename(target)
    _sync_file(target.parent)
    replace(stage, work)


def heal(stages: Path, work: Path, reports: Path, done: str) -> None:
    """Put in its place what a command that was killed while it published had left half way.

    A stage in ``stages`` that holds the file ``done`` is complete: if its day's pages stand in
    ``reports`` without tables in ``work``, the tables are these.
    """
    for old in work.glob(".*.old"):
        there = work / old.name[1 : -len(".old")]
        shutil.rmtree(old) if there.exists() else old.rename(there)
    for stage in stages.glob("[0-9]*"):
        last = newest(reports, stage.name)
        if last and not (work / last).exists() and (stage / done).is_file():
            replace(stage, work / last)


def replace(stage: Path, work: Path) -> None:
    """Put the customer tables built in ``stage`` in their place."""
    work.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    old = work.with_name(f".{work.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if work.exists():
        work.rename(old)
    stage.rename(work)
    shutil.rmtree(old, ignore_errors=True)


def write_index(reports: Path) -> None:
    """Write reports/index.html anew, aside and then renamed, if it is not as it should be."""
    from retention_runner import index

    reports.mkdir(parents=True, exist_ok=True)
    with lock.waiting(".index"):
        file, text = reports / "index.html", index.index(reports)
        if not (file.is_file() and file.read_text(encoding="utf-8") == text):
            workspace.save_text(text, file)


def _manifest(folder: Path) -> dict:
    try:
        return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # harmed: the next revision is whole
        return {}


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _sync(folder: Path) -> None:
    """Make sure the folder's files are on the disk."""
    for path in [*folder.rglob("*"), folder]:
        _sync_file(path)


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
