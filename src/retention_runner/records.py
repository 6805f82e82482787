"""What is noted of refreshes: how each task stands, what it was made from, which book is stale.

`tasks/<task>.json` in the folder of a refresh says what a task was made from (its key) and what it
has made (a hash by file). A refresh whose tasks have equal keys need not be made again.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel

from retention_runner.places import ERASED, MANIFEST, PRUNED, refreshes, save_text

Record = dict[str, dict]
DAMAGED = (OSError, ValueError, KeyError, TypeError)  # a file that cannot be read as promised
ENDED = ("done", "unchanged", "failed", "refused", "skipped", "stopped")


@dataclass
class Run:
    """One task of one refresh, from waiting to its end.

    ``state`` is one of waiting, running, done, unchanged (made before, from the same), failed,
    refused (what the user can fix), skipped (something it needs was not done), stopped (by a
    signal). ``why`` is for the terminal and the analyst; ``said`` holds no value of the data and
    may be published.
    """

    task: str  # tables, 20_survival, 95_segment-s1
    state: str = "waiting"
    seconds: float | None = None  # from its start to its end
    why: str = ""
    said: str = ""

    @property
    def bad(self) -> bool:
        return self.state in ("failed", "refused", "stopped")


class Stale(BaseModel):
    """What `stale.json` of a published book says: a refresh failed, and what stands is older.

    ``why`` are sentences without any value of the data, as they are published.
    """

    snapshot_date: str  # of the refresh that failed last
    since: AwareDatetime  # the first failure since the last good refresh
    why: list[str]


def read(folder: Path, task: str) -> Record | None:
    """The record of ``task`` in a refresh's ``folder``, or None: not made, or not to its end."""
    try:
        record = json.loads((folder / "tasks" / f"{task}.json").read_text(encoding="utf-8"))
        return record if record["outputs"] is not None else None
    except DAMAGED:
        return None


def begin(folder: Path, task: str, key: dict) -> None:
    """Note what ``task`` is made from, before it starts: its findings compare themselves by it."""
    _write(folder, task, {"key": key, "outputs": None})


def end(folder: Path, task: str, key: dict, tables: Iterable[str] = ()) -> Record:
    """Note that ``task`` is made, with the files that are its own: ``tables``, its findings and
    its executed notebook."""
    own = [f"tables/{name}.parquet" for name in sorted(tables)]
    own += [f"findings/{task}.json", f"notebooks/{task}.ipynb"]
    outputs = {file: sha256(folder / file) for file in own if (folder / file).is_file()}
    record = {"key": key, "outputs": outputs}
    _write(folder, task, record)
    return record


def needed(records: dict[str, Record]) -> dict[str, str]:
    """Hashes of what the tasks of ``records`` hand on: tables and findings, by file."""
    outputs = {file: sha for record in records.values() for file, sha in record["outputs"].items()}
    return {file: sha for file, sha in sorted(outputs.items()) if not file.startswith("notebooks")}


def intact(folder: Path, record: Record) -> bool:
    """Whether every file is there as it was written."""
    return all(
        (folder / file).is_file() and sha256(folder / file) == sha
        for file, sha in record["outputs"].items()
    )


def stands(folder: Path, record: Record) -> bool:
    """Whether every file is as it was written, or pruning or forgetting has changed some."""
    return any((folder / mark).is_file() for mark in (PRUNED, ERASED)) or intact(folder, record)


def take_over(before: Path, folder: Path, task: str, record: Record) -> None:
    """Put what ``task`` made ``before`` into ``folder`` as well, if it can be without a copy."""
    for file in record["outputs"]:
        (folder / file).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            os.link(before / file, folder / file)
        except OSError:  # a file system without such links
            shutil.copy2(before / file, folder / file)
    _write(folder, task, record)


def sha256(file: Path) -> str:
    """Hash of a file's bytes."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _write(folder: Path, task: str, record: Record) -> None:
    file = folder / "tasks" / f"{task}.json"
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    save_text(json.dumps(record, indent=1, sort_keys=True), file)


def stale(published: Path) -> Stale | None:
    """Why a book is stale; None where it is not, or where its mark cannot be read."""
    with suppress(OSError, ValueError):
        return Stale.model_validate_json((published / "stale.json").read_bytes())
    return None


def mark_stale(published: Path, snapshot_date: str, moment: datetime, why: list[str]) -> bool:
    """Note that the refresh at ``snapshot_date`` failed, if what stands should have been newer.

    Says whether it is so. A refresh of an earlier day may fail: what stands is not older for that.
    Since when the book is stale stays, however often it fails again.
    """
    days = [name[:10] for name in refreshes(published, holding=MANIFEST)]
    if not days or "" < snapshot_date < max(days):
        return False
    before = stale(published)
    since = before.since if before else moment
    mark = Stale(snapshot_date=snapshot_date, since=since, why=why)
    save_text(mark.model_dump_json(indent=1) + "\n", published / "stale.json")
    return True


def clear_stale(published: Path, snapshot_date: str) -> str | None:
    """A refresh was good, and the book is no longer stale if that was of the day that had failed
    or a later one; gives since when it was."""
    before = stale(published)
    if before and snapshot_date < before.snapshot_date:
        return None
    (published / "stale.json").unlink(missing_ok=True)
    return before and before.since.isoformat()
