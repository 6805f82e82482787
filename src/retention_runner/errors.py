"""The ways a command can end badly. Errors of others are known by their ``exit_code``."""

import difflib
from collections.abc import Iterable

EXAMPLES = " (such as "  # what follows in a message are examples of the data


class Refused(ValueError):
    """What the user can fix: a book, a table, a command."""

    exit_code = 2


class Failed(RuntimeError):
    """A task that did not do what it promised.

    ``said`` is what may be published of it, where its message may hold values of the data.
    """

    exit_code = 1

    def __init__(self, message: str, said: str = ""):
        super().__init__(message)
        self.said = said


class Stopped(RuntimeError):
    """Somebody, or the system, stopped the command by a signal."""

    exit_code = 130


def is_known(error: BaseException) -> bool:
    """Whether the error has words of its own for people."""
    return hasattr(error, "exit_code")


def worst(errors: Iterable[BaseException]) -> type[Exception]:
    """The kind of error that ``errors`` come to together; one that is not known is a failure."""
    codes = {getattr(error, "exit_code", Failed.exit_code) for error in errors}
    return next(kind for kind in (Stopped, Failed, Refused) if kind.exit_code in codes)


def message(error: BaseException) -> str:
    """An error in words for the terminal and the analyst."""
    if is_known(error):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or type(error).__name__}: {error.filename or 'no file is named'}"
    return f"{type(error).__name__}: {error}".strip()


def publishable(error: BaseException) -> str:
    """What may be published of an error: never a value of the data."""
    if not is_known(error):
        return getattr(error, "strerror", None) or f"it failed ({type(error).__name__})"
    first_line = str(error).partition("\n")[0]
    return getattr(error, "said", "") or first_line.partition(EXAMPLES)[0]


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, or all of them."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(sorted(known))}"
