"""Read a book's own tables where they are: columns mapped, days and minor units as integers.

With `files` (Polars) and `databases` (Ibis) the only code that knows a source or an engine: what
is handed on are lazy frames with the columns of the promises "events", "customers",
"contracts" and "surveys", on the engine of the source.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import narwhals as nw
import polars as pl

from retention.book import COLUMNS, Book
from retention.errors import Refused, nearest
from retention.tables import conditions, promises
from retention.tables.rules import FAULT
from retention_demo import readers
from retention_intake import databases, files

DATES = {"at", "started", "ended", "booked", "sent", "answered"}
KEPT = "kept by only"  # whether `only:` keeps a row
ON_DISK = ("files", "demo")  # kinds of source whose bytes can be hashed without reading a row

# Columns that the package makes itself: no attribute of a customer may take their place.
OURS = {
    *promises.PROMISES["customers_at"].columns,
    *promises.PROMISES["spells"].columns,
    *promises.PROMISES["lifecycle"].columns,
    *promises.PROMISES["clusters"].columns,
    *promises.PROMISES["members"].columns,
    *("started_day", "started", "entry_days", "last_active_day"),
    *("spell_events_90d", "weekend_events_90d", "quiet_days", "usage"),
} - {"plan"}  # an attribute of this name stands for the contract's


@dataclass(frozen=True)
class Source:
    """A book's tables on their engine, by our names; nothing has been read yet.

    Each has the promised columns, a truth `KEPT` and, where
    values may be wrong, columns named "fault ..." (see `rules`). ``names`` are what columns are
    called there, ``places`` where the tables lie.
    """

    tables: dict[str, object]
    places: dict[str, str]
    names: dict[str, dict[str, str]]
    root: Path


@contextmanager
def read(book: Book, root: Path, spool: Path) -> Iterator[Source]:
    """The book's tables, adapted and lazy; ``spool`` is a folder for copies while they are read.

    In the end connections to a database are closed.

    Raises:
        Refused: a source does not answer; a table or column is missing, or of a wrong type; times
            carry no zone and the book states none.
    """
    places, kind = dict(book.tables), book.source.kind
    engine = files if kind in ON_DISK else databases
    if kind == "demo":
        raw = readers.read(book.source, root / "work" / ".simulated")
        places = {table: f"{book.source.data}: {table}" for table in raw}
    elif kind == "files":
        raw = files.scan(book, root, spool)
    else:
        raw = databases.scan(book, root)
    try:
        yield Source(*_ours(book, engine, raw, places), root)
    finally:
        if engine is databases:
            databases.close(raw.values())


def _ours(book: Book, engine, raw: dict[str, object], places: dict[str, str]) -> tuple[dict, ...]:
    """Tables, places and names of a `Source`."""
    given = {table: engine.columns(frame) for table, frame in raw.items()}
    _require_known(book, {name for columns in given.values() for name in columns})
    tables = {table: _adapted(engine, raw[table], table, book, places[table]) for table in raw}
    names = {
        table: {
            inside(name): " × ".join(_theirs(book, table, name)) for name in required + optional
        }
        for table, (required, optional) in COLUMNS.items()
    }
    return tables, places, names


def collected(source: Source, queries: dict[str, object]) -> dict[str, pl.DataFrame]:
    """The results of lazy ``queries`` on the tables of ``source``: of files in one pass.

    Raises:
        Refused: the engine could not read a table; what it says never holds a value.
    """
    frames = {name: nw.to_native(query, pass_through=True) for name, query in queries.items()}
    on_disk = all(isinstance(frame, pl.LazyFrame) for frame in frames.values())
    honest = partial(files.unreadable, root=source.root) if on_disk else databases.honest
    with honest(", ".join(source.places.values())), _blamed(source, honest):
        got = _rows(frames.values())
    return dict(zip(frames, got, strict=True))


def _rows(frames: Iterable[object]) -> list[pl.DataFrame]:
    """The results of frames of one engine."""
    if all(isinstance(frame, pl.LazyFrame) for frame in frames):
        return pl.collect_all(frames, engine="streaming")
    return [databases.collected(frame) for frame in frames]


def fingerprint(book: Book, root: Path) -> str:
    """Hash that changes whenever what `read` would give may change; for sources `ON_DISK`."""
    digest = hashlib.sha256(json.dumps(book.source.model_dump(), sort_keys=True).encode())
    for file in _source_files(book, root):
        hive = (part for part in file.parts if "=" in part)  # they hold values
        digest.update("/".join([*hive, file.name]).encode())
        with files.unreadable(file.name, root), file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _source_files(book: Book, root: Path) -> list[Path]:
    if book.source.kind == "files":
        return sorted(file for place in book.tables.values() for file in files.matches(root, place))
    return readers.files(book.source.data)


@contextmanager
def _blamed(source: Source, honest: Callable):
    """What cannot be read of several tables, as a refusal of the one that is to blame."""
    try:
        yield
    except (Exception, pl.exceptions.PanicException):
        for table, frame in source.tables.items():
            with honest(source.places[table]):
                _rows([nw.from_native(frame).lazy().select(nw.all().count()).to_native()])
        raise


def _require_known(book: Book, columns: set[str]) -> None:
    """What `only:` and `attributes:` name is a column of some table."""
    for key, names in (("only", book.only), ("attributes", book.attributes or ())):
        for name in names:
            if name not in columns:
                hint = nearest(name, columns)
                raise Refused(f"{key}: no table has a column{hint} (the book says {name!r})")


def _theirs(book: Book, table: str, name: str) -> list[str]:
    """The source's column, or the two to be multiplied, for our column ``name``."""
    theirs = book.columns.get(table, {}).get(name, name)
    return theirs if isinstance(theirs, list) else [theirs]


def _adapted(engine, frame, table: str, book: Book, place: str):
    """One table with our columns, made of theirs by the functions of its ``engine``."""
    required, optional = COLUMNS[table]
    columns, ours, mapped = engine.columns(frame), {}, set()
    here = {name: condition for name, condition in book.only.items() if name in columns}
    frame = nw.from_native(frame)
    for name, condition in here.items():
        if what := conditions.misfit(condition, frame.collect_schema()[name]):
            raise Refused(f"{place}: only: column {name!r} {what}; write what stands there")
    frame = frame.with_columns(conditions.holds(here).alias(KEPT)).to_native()
    for name in (*required, *optional):
        theirs = _theirs(book, table, name)
        missing = [column for column in theirs if column not in columns]
        if missing and (name in required or name in book.columns.get(table, {})):
            raise Refused(_missing(missing[0], name, table, columns, place))
        if missing:
            ours |= _absent(engine, name)
        else:
            ours |= _column(engine, frame, name, theirs, book=book, place=place)
            mapped |= set(theirs)
    if table == "customers":
        for name in _attributes(columns, mapped, book, place):
            ours[name] = engine.attribute(frame, name, place)
    return frame.select(**ours, **{KEPT: engine.column(frame, KEPT)})


def _missing(column: str, name: str, table: str, columns: list[str], place: str) -> str:
    hint = ""
    if len(columns) == 1 and (found := [mark for mark in ";\t|" if mark in columns[0]]):
        hint = f"; the header has one column that holds {found[0]!r}: state source: delimiter:"
    return (
        f"{place}: column {column!r} is missing; map {name!r} under columns: {table} "
        f"(found: {', '.join(columns)}){hint}"
    )


def inside(name: str) -> str:
    """What a column of ours is called once its days and cents are whole numbers."""
    day = f"{name}_day" if name in DATES else name
    return {"at": "day", "amount": "amount_cents"}.get(name, day)


def _absent(engine, name: str) -> dict[str, object]:
    """An optional column that the source does not have: null, but every event has a kind."""
    if name == "kind":
        return {"kind": engine.constant("purchase")}
    kind = int if name in DATES or name == "amount" else float if name == "score" else str
    return {inside(name): engine.nothing(kind)}


def _column(engine, frame, name: str, theirs: list[str], *, book: Book, place: str) -> dict:
    """Our columns made from theirs."""
    if name in DATES:
        day, second, wrong = engine.day(frame, theirs[0], book, place)
        ours = {inside(name): day} | ({"second": second} if name == "at" else {})
    elif name == "amount":
        whole, wrong = engine.cents(frame, theirs, book, place)
        ours = {inside(name): whole}
    elif name == "score":
        number, wrong = engine.number(frame, theirs[0], book, place)
        ours = {name: number}
    else:
        return {name: engine.text(frame, theirs[0], name, place)}
    return ours if wrong is None else ours | {FAULT + inside(name): wrong}


def _attributes(columns: list[str], mapped: set[str], book: Book, place: str) -> list[str]:
    """Further columns of the customers table, or those of them that the book names."""
    wanted = book.attributes
    names = [c for c in columns if c not in mapped and (wanted is None or c in wanted)]
    for name in names:
        if not name.strip():
            raise Refused(f"{place}: a column has no name; name it, or list `attributes:`")
        if name in OURS:
            raise Refused(f"{place}: column {name!r} has a name that we use ourselves; rename it")
    return names
