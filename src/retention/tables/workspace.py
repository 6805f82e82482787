"""Where the tables of a refresh lie, and the one way to read and write them."""

import os
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import narwhals as nw
import polars as pl
from polars import selectors as cs

from retention import schema
from retention.book import Book, require_name
from retention.errors import Failed, Refused
from retention.tables import calendar, rules

REFRESH = re.compile(r"\d{4}-\d\d-\d\d(-r\d+)?")
PRUNED = "pruned"  # an empty file beside the tables of a refresh that lost its customer tables
FORMULA = r"^[=+\-@\t\r]"  # how text begins that a spreadsheet would run
STAGE = "RETENTION_STAGE"  # set by a running refresh: the folder in which it is being built


@dataclass(frozen=True)
class Workspace:
    """One refresh as one task sees it. ``scratch`` overlays ``folder`` for work in JupyterLab.

    ``segment`` is the one that the task is run for, "" for a task that runs once.
    """

    book: str
    refresh: str
    task: str
    folder: Path
    scratch: Path | None = None
    segment: str = ""

    @property
    def run(self) -> str:
        """The task, with its segment if it has one: "20_survival", "95_segment-s1"."""
        return f"{self.task}-{self.segment}" if self.segment else self.task

    @property
    def snapshot_date(self) -> date:
        return date.fromisoformat(self.refresh[:10])

    @property
    def snapshot_day(self) -> int:
        """Days from 1970-01-01 to the snapshot."""
        return calendar.day_of(self.snapshot_date)


def root() -> Path:
    """The workbook's folder: the nearest one upwards that holds `params` and `notebooks`."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "params").is_dir() and (folder / "notebooks").is_dir():
            return folder
    raise Refused("not inside a workbook: no folder from here upwards holds params/ and notebooks/")


def refreshes(book: str) -> list[str]:
    """Names of the good refreshes of ``book``, oldest first, the last revision of a day last."""
    require_name(book)
    folders = (root() / "work" / book).glob("[0-9]*")
    return sorted((folder.name for folder in folders if REFRESH.fullmatch(folder.name)), key=order)


def order(refresh: str) -> tuple[str, int]:
    """Sorts refreshes: 2025-06-30 before 2025-06-30-r2 before 2025-06-30-r10."""
    return refresh[:10], int(refresh[12:] or 1)


def open(refresh: str, task: str, segment: str = "") -> Workspace:
    """The workspace of ``refresh``: a book ("cdnow": its newest) or "cdnow/1998-06-30".

    A task that is run once per segment says for which ``segment``.

    Inside a running refresh this is the folder being built. In JupyterLab reads prefer what was
    written there before (`work/lab/`), and writes go there: published refreshes never change.

    Raises:
        Refused: there is no such refresh; the message holds the command that makes it.
    """
    book, _, name = refresh.partition("/")
    if stage := os.environ.get(STAGE):
        return Workspace(book, name, task, Path(stage), segment=segment)
    known = refreshes(book)
    if not known or (name and name not in known):
        command = f"make refresh BOOK={book}"
        if name:
            command = f".venv/bin/retention refresh {book} --snapshot-date {name[:10]}"
        raise Refused(
            f"there is no refresh {refresh!r}"
            + (f" (there are: {', '.join(known)})" if known else "")
            + f"; run: {command}"
        )
    name = name or known[-1]
    work = root() / "work"
    return Workspace(book, name, task, work / book / name, work / "lab" / book / name, segment)


def settings(space: Workspace) -> Book:
    """The book as resolved for this refresh."""
    return Book.model_validate_json((space.folder / "book.json").read_text(encoding="utf-8"))


def previous(space: Workspace) -> Path | None:
    """The folder of the previous refresh: the newest good one with an earlier snapshot_date."""
    earlier = [name for name in refreshes(space.book) if name[:10] < space.refresh[:10]]
    return root() / "work" / space.book / earlier[-1] if earlier else None


def path(space: Workspace, table: str) -> Path | None:
    """The file of ``table``, or None when this refresh does not hold it."""
    folders = [space.scratch, space.folder] if space.scratch else [space.folder]
    files = [folder / "tables" / f"{table}.parquet" for folder in folders]
    return next((file for file in files if file.is_file()), None)


def read_table(space: Workspace, table: str) -> pl.DataFrame:
    """The whole ``table`` of this refresh (grain and columns: GLOSSARY.md); see `scan_table`."""
    return scan_table(space, table).collect()


def scan_table(space: Workspace, table: str) -> pl.LazyFrame:
    """The ``table`` of this refresh, of which only what is asked for is read.

    Raises:
        Refused: this refresh does not hold the table; the message names the task that writes it,
            or, where the table was pruned, the command that makes it again.
    """
    if (file := path(space, table)) is None:
        known = schema.TABLES.get(table)
        if known and known.level == "customer" and (space.folder / PRUNED).is_file():
            raise Refused(_pruned(space.book, space.refresh))
        writer = known.writer if known else "no task"
        raise Refused(f"{space.book}/{space.refresh} has no table {table!r}; {writer} writes it")
    return pl.scan_parquet(file)


def read_previous(space: Workspace, table: str) -> pl.DataFrame:
    """The ``table`` of the previous refresh, without rows where there is none or it has none.

    Raises:
        Refused: the previous refresh was pruned; the message holds the command that mends it.
        Failed: the file is spoilt.
    """
    promise, before = schema.TABLES[table], previous(space)
    file = before / "tables" / f"{table}.parquet" if before else None
    if file and file.is_file():
        return read_file(file)
    if before and promise.level == "customer" and (before / PRUNED).is_file():
        raise Refused(_pruned(space.book, before.name))
    return none(table)


def none(table: str) -> pl.DataFrame:
    """A ``table`` without rows."""
    columns = schema.TABLES[table].columns
    return nw.from_dict({name: [] for name in columns}, columns, backend="polars").to_native()


def _pruned(book: str, refresh: str) -> str:
    again = f"refresh {book} --snapshot-date {refresh[:10]} --again"
    return (
        f"{book}/{refresh}: customer tables were pruned; "
        f"new ones of that day: .venv/bin/retention {again}"
    )


def read_file(file: Path) -> pl.DataFrame:
    """A table of an earlier refresh, from its ``file``.

    Raises:
        Failed: it is spoilt; the message holds the command that makes it again.
    """
    try:
        return pl.read_parquet(file)
    except pl.exceptions.PolarsError:
        book, refresh = file.parts[-4], file.parts[-3]
        again = f"retention refresh {book} --snapshot-date {refresh[:10]} --again"
        place = "/".join(file.parts[-5:])
        raise Failed(f"{place} cannot be read; make it again: {again}") from None


def write_table(space: Workspace, table: str, frame: pl.DataFrame) -> None:
    """Write ``frame`` as ``table``: sorted by its grain, typed, equal content as equal bytes.

    Raises:
        Failed: another task writes this table, or the frame breaks the table's promise; every
            broken rule is named with its number of rows.
    """
    promise = schema.TABLES[table]
    if promise.writer != space.task:
        raise Failed(f"table {table!r} is written by {promise.writer}, not by {space.task}")
    if set(promise.columns) <= set(frame.columns):
        further = (name for name in frame.columns if name not in promise.columns)
        frame = frame.select(*promise.columns, *further)
    if broken := rules.broken(frame, promise):
        raise Failed(rules.report(table, broken))
    folder = (space.scratch or space.folder) / "tables"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    save(frame.sort(promise.grain, nulls_last=True), folder / f"{table}.parquet")


def save_text(text: str, file: Path) -> None:
    """Write ``text`` aside and rename it: never half a file, nor anything beside it."""
    aside = file.with_name(f".{file.name}")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.replace(file)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


def save_csv(frame: pl.DataFrame, file: Path) -> None:
    """Write ``frame`` as a CSV that leaves: the one way in which any does.

    Text that a spreadsheet would run gets an apostrophe, in headings too; infinity and null are
    empty.
    """
    texts = cs.string(include_categorical=True) | cs.enum()
    safe = frame.with_columns(
        texts.cast(pl.String).str.replace(FORMULA, "'$0"),
        pl.when(cs.float().is_finite()).then(cs.float()),
    )
    save(safe.rename(lambda name: re.sub(FORMULA, r"'\g<0>", name)), file)


def save(frame: pl.DataFrame, file: Path) -> None:
    """Write ``frame`` aside and rename it: equal frames as equal bytes, and never half a file."""
    aside = file.with_name(f".{file.name}")
    if file.suffix == ".csv":
        frame.write_csv(aside)
    else:
        frame.write_parquet(
            aside, compression="zstd", compression_level=3, row_group_size=100_000, statistics=True
        )
    aside.replace(file)
