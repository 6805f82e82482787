"""What the runner is told of the workbook that it runs; of what it is about it knows nothing."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

Say = Callable[[str], None]  # says a line to people


@dataclass(frozen=True)
class Book:
    """One checked book: whose data are read, how, and when its refreshes are made.

    ``definition`` and ``settings`` are, as JSON, all of it that a task can see: what its customers
    and events are, and the rest. A key of a task holds both.
    """

    name: str
    title: str
    label: str
    dates: tuple[date | str, ...]  # snapshot dates; a word names one that moves (see `dates`)
    timezone: str
    parameters: Mapping[str, Mapping[str, object]]  # by notebook
    keep: int | None  # refreshes that keep their customer tables
    on_done: str  # a command that hears how a refresh ended
    definition: Mapping[str, object]
    settings: Mapping[str, object]
    own: object  # the book as the workbook's other packages know it
    day: date | None = None  # the one snapshot date of a refresh

    @property
    def text(self) -> str:
        """All that a task can see, as JSON."""
        seen = {**self.definition, **self.settings, "snapshot_date": self.day.isoformat()}
        return json.dumps(seen, indent=1, ensure_ascii=False, sort_keys=True)


class Taken(Protocol):
    """What was read from a source, kept in memory."""

    def fingerprint(self) -> str:
        """Hash of all of it."""


@dataclass(frozen=True)
class Workbook:
    """Notebooks, the tasks they are, and how the first task, `tables`, is done."""

    root: Path  # the folder that holds params, notebooks, work and reports
    packages: tuple[str, ...]  # import packages whose modules and templates count in keys
    libraries: tuple[str, ...]  # distributions whose versions count in keys
    warm: tuple[str, ...]  # modules that a forked kernel has imported; none may start a thread
    builders: tuple[str, ...]  # modules that the task `tables` depends on
    always: tuple[str, ...]  # modules that every notebook depends on, imported or not
    needs: Mapping[str, set[str]]  # tasks by task; others need `tables` alone; "*": all others
    per_segment: set[str]  # what a notebook needs that is run once for every segment
    writes: Mapping[str, list[str]]  # tables that a task promises to write
    published: set[str]  # tables that may be published
    lasting: set[str]  # tables that stay when others are pruned: later refreshes compare with them
    front: str  # the notebook whose page is the first of a refresh
    load: Callable[[str], Book]  # refuses what is no good book
    fingerprint: Callable[[Book], str | None]  # hash of the data; None: only who reads can tell
    take: Callable[[Book], Taken]  # reads the data up to the book's day
    build: Callable[[Book, Path, Taken | None], None]  # writes the tables of `tables` in a folder
    segments: Callable[[Path], dict[str, str]]  # names by id, from the folder of a refresh
    save: Callable[[object, Path], None]  # writes a Polars frame as Parquet or CSV, as it stands
    save_csv: Callable[[object, Path], None]  # writes one as a CSV that is published
