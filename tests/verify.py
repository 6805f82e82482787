"""`make verify [BOOK=cdnow]`: refresh a book twice in two clean folders and compare every byte of
what is published and of the customer tables. Run from a workbook, it copies its code as well."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from retention.book import load
from retention.errors import Failed, Refused
from retention.tables import workspace

WAYS = {1: ["--jobs", "1"], 2: ["--jobs", "2", "--ordinary-kernels"]}
NEEDED = ("src", "notebooks", "params", "requirements.lock", "pyproject.toml")


def verify(name: str) -> int:
    """Refresh the book ``name`` in two clean copies of the workbook at once, under two hash seeds,
    in one with forked kernels one by one, in the other with ordinary ones side by side; gives the
    number of files that are the same byte for byte.

    Raises:
        Failed: a refresh failed, or a published file or a customer table differs; the message
            names the files.
    """
    root = workspace.root()
    given = load(name, root)
    places = [*given.tables.values(), getattr(given.source, "file", "")]  # a DuckDB file
    own = [place for place in places if place and not Path(place).is_absolute()]
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch) / "first", Path(scratch) / "the-second"]
        for folder in folders:
            _copy(root, folder, own)
        with ThreadPoolExecutor() as pool:
            done = list(pool.map(partial(_run, name), folders, WAYS))
        for seed, run in enumerate(done, start=1):
            if run.returncode:
                raise Failed(f"{name}: run {seed} failed:\n{run.stdout}{run.stderr}")
        first, second = map(_contents, folders)
    different = [file for file in first | second if first.get(file) != second.get(file)]
    if different:
        raise Failed(f"{name}: not the same in both runs: {', '.join(sorted(different))}")
    return len(first)


def _run(name: str, folder: Path, seed: int) -> subprocess.CompletedProcess:
    env = os.environ | {"PYTHONPATH": str(folder / "src"), "PYTHONHASHSEED": str(seed)}
    command = [sys.executable, "-m", "retention_app", "refresh", name, *WAYS[seed]]
    return subprocess.run(command, check=False, cwd=folder, env=env, capture_output=True, text=True)


def _copy(root: Path, folder: Path, places: Iterable[str]) -> None:
    """Copy what a refresh needs: the workbook, and the book's own tables."""
    for place in (*NEEDED, *places):
        for source in root.glob(place):
            target = folder / source.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)


def _contents(folder: Path) -> dict[str, bytes]:
    found = [*folder.glob("reports/**/*"), *folder.glob("work/*/*/tables/*")]
    return {str(one.relative_to(folder)): one.read_bytes() for one in found if one.is_file()}


if __name__ == "__main__":
    for book in sys.argv[1:]:
        try:
            print(f"{book}: {verify(book)} files, the same byte for byte in both runs")
        except (Failed, Refused) as error:
            sys.exit(str(error))
