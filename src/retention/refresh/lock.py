"""One command at a time works on a book."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from retention.errors import Refused
from retention.tables import workspace


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Hold the book: two refreshes of one book at once would build in the same place."""
    locks = workspace.root() / "work" / ".locks"
    locks.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (locks / name).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"{name}: another refresh of this book is running; wait for it") from None
        yield
