"""The ways a function can end badly; a command then ends with the ``exit_code`` of its error."""

import difflib
from collections.abc import Iterable

EXAMPLES = " (such as "  # what follows in a message are examples of the data, never published


class Refused(ValueError):
    """What the user can mend: a book, a table, a command."""

    exit_code = 2


class Failed(RuntimeError):
    """A task that did not do what it promised.

    ``said`` is what may be published of it, where its message may hold values of the data.
    """

    exit_code = 1

    def __init__(self, message: str, said: str = ""):
        super().__init__(message)
        self.said = said


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, or all of them."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(sorted(known))}"
