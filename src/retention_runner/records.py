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
from datetime import UTC, datetime
from pathlib import Path

from retention_runner.places import MANIFEST, PRUNED, refreshes, save_text

Record = dict[str, dict]
DAMAGED = (OSError, ValueError, KeyError, TypeError)  # a file that cannot be read as promised
ENDED = ("done", "unchanged", "failed", "refused", "skipped", "stopped")


@dataclass
class Run:
    """One task of one refresh, from waiting to its end.

    ``state`` is one of waiting, running, done, unchanged (made before, from the same), failed,
    refused (what the user can mend), skipped (something it needs was not done), stopped (by a
    signal). ``why`` is for the terminal and the analyst; ``said`` holds no value of the data and
    may be published.
    """

    task: str  # tables, 20_survival, 95_segment-s1
    state: str = "waiting"
    seconds: float | None = None  # from its start to its end
    cell_seconds: float | None = None  # of these, in the notebook's cells
    peak_kib: int | None = None  # the largest memory that its kernel held
    kernel: str = ""  # forked or ordinary
    why: str = ""
    said: str = ""

    @property
    def bad(self) -> bool:
        return self.state in ("failed", "refused", "stopped")


def seconds(folder: Path) -> dict[str, float]:
    """What each task took that was run, by a refresh's run.json; none where it cannot be read."""
    try:
        runs = json.loads((folder / "run.json").read_text(encoding="utf-8"))["tasks"]
        return {run["task"]: run["seconds"] for run in runs if run["state"] == "done"}
    except DAMAGED:
        return {}


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
    """Whether every file is as it was written, or as pruning or forgetting has left it."""
    pruned, erased = (folder / PRUNED).is_file(), record.get("erased", {})
    return all(
        sha256(folder / file) in (sha, erased.get(file)) if (folder / file).is_file() else pruned
        for file, sha in record["outputs"].items()
    )


def note_erased(folder: Path, file: Path) -> None:
    """Note that customers were erased from a table of a refresh, which stands as it is now."""
    inside = file.relative_to(folder).as_posix()
    for task in sorted(path.stem for path in (folder / "tasks").glob("*.json")):
        record = read(folder, task)
        if record and inside in record["outputs"]:
            since = record.get("erased", {}) | {inside: sha256(file)}
            _write(folder, task, record | {"erased": since})


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


def mark_stale(published: Path, *, snapshot_date: str, moment: datetime, why: list[str]) -> bool:
    """Write ``published``/stale.json, if what stands there should have been made newer.

    Says whether it is so. A refresh of an earlier day may fail: what stands is not older for that.

    ``snapshot_date`` is that of the refresh that failed at ``moment`` (with its zone); ``why`` are
    sentences without any value of the data, as they will be published. Since when the book is
    stale stays, however often it fails again.
    """
    days = [name[:10] for name in refreshes(published, holding=MANIFEST)]
    if not days or "" < snapshot_date < max(days):
        return False
    attempted = moment.astimezone(UTC).isoformat(timespec="seconds")
    since = stale_since(published) or attempted
    mark = {"snapshot_date": snapshot_date, "since": since, "attempted": attempted, "why": why}
    text = json.dumps(mark, indent=1, ensure_ascii=False)
    save_text(f"{text}\n", published / "stale.json")
    return True


def stale_since(published: Path) -> str | None:
    """The moment of the first failure since the last good refresh; None where nobody knows any."""
    try:
        moment = json.loads((published / "stale.json").read_text(encoding="utf-8"))["since"]
        return datetime.fromisoformat(moment).astimezone(UTC).isoformat(timespec="seconds")
    except DAMAGED:
        return None


def clear_stale(published: Path, snapshot_date: str) -> str | None:
    """A refresh was good, and the book is no longer stale if that was of the day that had failed
    or a later one; gives since when it was."""
    since, file = stale_since(published), published / "stale.json"
    with suppress(*DAMAGED):
        if snapshot_date < json.loads(file.read_text(encoding="utf-8"))["snapshot_date"]:
            return None
    file.unlink(missing_ok=True)
    return since
