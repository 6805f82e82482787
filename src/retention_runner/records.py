"""What every task of a refresh was made from and has made: `tasks/<task>.json`.

A refresh whose tasks have equal keys need not be made again, nor a single task of it.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path

from retention.tables import promises, workspace
from retention_runner import keys

Record = dict[str, dict]


def read(folder: Path, task: str) -> Record | None:
    """The record of ``task`` in a refresh's ``folder``, or None: not made, or not to its end."""
    try:
        record = json.loads((folder / "tasks" / f"{task}.json").read_text(encoding="utf-8"))
        return record if record["outputs"] is not None else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def names(folder: Path) -> list[str]:
    """Every task that has a record."""
    return sorted(file.stem for file in (folder / "tasks").glob("*.json"))


def begin(folder: Path, task: str, key: keys.Key) -> None:
    """Note what ``task`` is made from, before it starts: its findings compare themselves by it."""
    _write(folder, task, {"key": key, "outputs": None})


def end(folder: Path, task: str, key: keys.Key) -> Record:
    """Note that ``task`` is made, with every file it has written."""
    outputs = {file: sha256(folder / file) for file in files(folder, task)}
    record = {"key": key, "outputs": outputs}
    _write(folder, task, record)
    return record


def files(folder: Path, task: str) -> list[str]:
    """Every file that ``task`` has written: its tables, findings and executed notebook."""
    stem = task.partition("-")[0]
    own = [f"tables/{name}.parquet" for name in written(stem)]
    own += [f"findings/{task}.json", f"notebooks/{task}.ipynb"]
    return [file for file in own if (folder / file).is_file()]


def written(stem: str) -> list[str]:
    """The tables that a task has promised to write."""
    return sorted(name for name, table in promises.PROMISES.items() if table.writer == stem)


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
    pruned, erased = (folder / workspace.PRUNED).is_file(), record.get("erased", {})
    return all(
        sha256(folder / file) in (sha, erased.get(file)) if (folder / file).is_file() else pruned
        for file, sha in record["outputs"].items()
    )


def erased(folder: Path, file: Path) -> None:
    """Note that customers were erased from a table of a refresh, which stands as it is now."""
    inside = file.relative_to(folder).as_posix()
    for task in names(folder):
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
    place = folder / "tasks" / f"{task}.json"
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    workspace.save_text(json.dumps(record, indent=1, sort_keys=True), place)
