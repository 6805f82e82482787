"""Where the refreshes of a book lie, where they are built, and how they are called."""

import re
from dataclasses import dataclass
from pathlib import Path

from retention_runner.errors import Refused

NAME = re.compile(r"(?!(lab|failed)$)[a-z0-9][a-z0-9_-]*")  # work/ has folders of these names
REFRESH = re.compile(r"\d{4}-\d\d-\d\d(-r\d+)?")
PRUNED = "pruned"  # an empty file beside the tables of a refresh that lost its customer tables
ERASED = "erased"  # likewise, where a customer was erased from some
STAGE = "RETENTION_STAGE"  # tells a kernel in which folder its refresh is being built
TASK = "RETENTION_TASK"  # and which notebook it runs
MANIFEST = "manifest.json"  # a folder of pages that holds it was published


@dataclass(frozen=True)
class Places:
    """The folders of the book ``name``.

    Raises:
        Refused: this can be no part of a path.
    """

    root: Path
    reports: Path
    name: str

    def __post_init__(self):
        if not NAME.fullmatch(self.name):
            raise Refused(f"{self.name!r} is not a book's name: use small letters, digits, - and _")

    @property
    def work(self) -> Path:
        """Customer tables, executed notebooks and records of its published refreshes."""
        return self.root / "work" / self.name

    @property
    def published(self) -> Path:
        """Pages and aggregate tables of its published refreshes."""
        return self.reports / self.name

    @property
    def failed(self) -> Path:
        """The page for the analyst when its last refresh failed."""
        return self.root / "work" / "failed" / self.name

    @property
    def stages(self) -> Path:
        """Tables and executed notebooks of refreshes that are being built."""
        return self.root / "work" / ".building" / self.name

    @property
    def pages(self) -> Path:
        """Pages of refreshes that are being built."""
        return self.reports / ".building" / self.name


def order(refresh: str) -> tuple[str, int]:
    """Sorts refreshes: 2025-06-30 before 2025-06-30-r2 before 2025-06-30-r10."""
    return refresh[:10], int(refresh[12:] or 1)


def refreshes(folder: Path, day: str = "", holding: str = "") -> list[str]:
    """Names of the refreshes in ``folder``, oldest first; of those of one ``day``, of those that
    hold a file, where these are given."""
    found = (path.name for path in folder.glob(f"{day}*") if (path / holding).exists())
    return sorted(filter(REFRESH.fullmatch, found), key=order)


def newest(published: Path, day: str) -> str | None:
    """The newest published refresh of a day: 2025-06-30, or its last revision."""
    return next(reversed(refreshes(published, day, MANIFEST)), None)


def next_name(published: Path, day: str) -> str:
    """The folder of a further refresh of the day: a published refresh is never rewritten."""
    names = refreshes(published, day)
    number = order(names[-1])[1] + 1 if names else 1
    return f"{day}-r{number}" if number > 1 else day


def save_text(text: str, file: Path) -> None:
    """Write ``text`` aside and rename it: never half a file, nor anything beside it."""
    aside = file.with_name(f".{file.name}")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.replace(file)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
