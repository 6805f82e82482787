"""From a book's source to its customer tables: what ties intake, demo data and tables together."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from retention.book import Book
from retention.tables import activity, task, workspace
from retention_demo import readers
from retention_intake import intake, sources


def take(book: Book, root: Path, snapshot_day: int, aside: Path | None = None) -> intake.Taken:
    """What a refresh takes from the book's source up to a day; see `intake.take`."""
    demo = None
    if book.source.kind == "demo":
        demo = readers.read(book.source, root / "work" / ".simulated")
    return intake.take(book, root, snapshot_day, activity.summaries, demo=demo, aside=aside)


def fingerprint(book: Book, root: Path) -> str:
    """Hash of the data of a source that lies on disk; see `sources.fingerprint`."""
    demo = readers.files(book.source.data) if book.source.kind == "demo" else ()
    return sources.fingerprint(book, root, demo)


def build(
    book: Book, space: workspace.Workspace, taken: Mapping[str, pl.DataFrame] | None = None
) -> None:
    """Write the tables of a refresh from what was ``taken``, or is taken now; see `task.build`."""
    if taken is None:
        taken = take(book, workspace.root(), space.snapshot_day, space.folder)
    task.build(book, space, taken)
