"""One command at a time works on a book, with a folder of its own."""

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retention_runner.errors import Refused


@contextmanager
def alone(root: Path, name: str, *, wait: bool = False) -> Iterator[None]:
    """Hold the book: two refreshes of one book at once would build in the same place.

    The lock is the system's and ends with its holder, however that ends; the file may stay.

    Raises:
        Refused: another command holds it, and this one is not to ``wait`` for it.
    """
    locks = root / "work" / ".locks"
    locks.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (locks / name).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            words = f"{name}: another refresh of this book is running; wait for it"
            raise Refused(words) from None
        yield


@contextmanager
def private() -> Iterator[Path]:
    """A new folder for one command, gone with it, for what kernels leave beside them.

    Meanwhile it is where this process puts temporary files, such as how to reach a kernel.
    """
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="retention-", ignore_cleanup_errors=True) as folder:
        tempfile.tempdir = folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = before
