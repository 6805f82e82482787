"""One command at a time works on a book; and what a dead command has left is cleared."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from retention_runner.errors import Refused


@contextmanager
def alone(root: Path, name: str) -> Iterator[None]:
    """Hold the book: two refreshes of one book at once would build in the same place.

    The lock is the system's and ends with its holder, however that ends; the file may stay.

    Raises:
        Refused: another command holds it.
    """
    with _opened(root, name) as file:
        if not _locked(file):
            raise Refused(f"{name}: another refresh of this book is running; wait for it")
        yield


@contextmanager
def waiting(root: Path, name: str) -> Iterator[None]:
    """Hold what is changed in an instant, after whoever holds it now."""
    with _opened(root, name) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def private(root: Path) -> Iterator[Path]:
    """A new folder for one command in work/.running, gone with it; those of dead ones go first.

    Meanwhile it is where this process puts temporary files, such as how to reach a kernel.
    """
    place = root / "work" / ".running"
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as held:
        with waiting(root, ".private"):
            for left in place.glob("*/"):
                with (left / "held").open("a") as file:
                    if _locked(file):
                        shutil.rmtree(left, ignore_errors=True)
            own = tempfile.TemporaryDirectory(dir=place, prefix="", ignore_cleanup_errors=True)
            folder = Path(held.enter_context(own))
            _locked(held.enter_context((folder / "held").open("w")))
        before, tempfile.tempdir = tempfile.tempdir, str(folder)
        try:
            yield folder
        finally:
            tempfile.tempdir = before


def _opened(root: Path, name: str) -> TextIO:
    locks = root / "work" / ".locks"
    locks.mkdir(parents=True, exist_ok=True, mode=0o700)
    return (locks / name).open("w")


def _locked(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
