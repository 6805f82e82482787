"""The ways a command can end badly."""

import difflib
from collections.abc import Iterable

EXAMPLES = " (such as "  # what follows in a message are examples of the data


def said(error: BaseException) -> str:
    """What may be published of an error: never a value of the data."""
    if not isinstance(error, Refused | Failed | Stopped):
        return getattr(error, "strerror", None) or f"it failed ({type(error).__name__})"
    first = (str(error).splitlines() or [""])[0]
    return getattr(error, "said", "") or first.partition(EXAMPLES)[0]


class Refused(ValueError):
    """What the user can mend: a book, a table, a command. The command ends with exit code 2."""


class Failed(RuntimeError):
    """A task that did not do what it promised. The command ends with exit code 1.

    ``said`` is what may be published of it, where its message may hold values of the data.
    """

    def __init__(self, message: str, said: str = ""):
        super().__init__(message)
        self.said = said


class Stopped(RuntimeError):
    """Somebody, or the system, stopped the command by a signal. It ends with exit code 130."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, or all of them."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(sorted(known))}"
