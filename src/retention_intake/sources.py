"""Read a book's own tables where they are: columns mapped, days and minor units as integers.

Only this module, `files` (Polars) and `databases` (Ibis) know a source or an engine. They give lazy
frames with the columns of the promises "events", "customers", "contracts" and "surveys", on the
engine of the source.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import narwhals as nw
import polars as pl

from retention import schema
from retention.book import COLUMNS, Book
from retention.errors import Refused, nearest
from retention.tables import conditions
from retention.tables.rules import FAULT
from retention_intake import databases, files

DATES = {"at", "started", "ended", "booked", "observed_until", "sent", "answered"}
NUMBERS = {"amount", "score"}
TEXTS = (nw.String, nw.Categorical, nw.Enum)
SET_ZONE = "set `timezone:` in the book (such as Europe/Berlin)"
OR_LIST = "or list the columns you need as `attributes:`"
KEPT = "kept by only"  # whether `only:` keeps a row
ON_DISK = ("files", "demo")  # kinds of source whose bytes can be hashed without reading a row
MOST = 1e13  # an amount beyond this is a mistake, and could not be added up in whole cents

# Columns that the package makes itself: no attribute of a customer may take their place.
MADE = ("customers_at", "spells", "lifecycle", "clusters", "members")
OURS = {name for table in MADE for name in schema.TABLES[table].columns}
OURS -= {"plan"}  # an attribute of this name stands for the contract's
OURS |= {"started_day", "started", "entry_days", "last_active_day", "quiet_days", "usage"}
OURS |= {"spell_events_90d", "weekend_events_90d"}


@dataclass(frozen=True)
class Source:
    """A book's tables on their engine, by our names; nothing has been read yet.

    Each table has the promised columns, a truth `KEPT` and, where values may be wrong, columns
    named "fault ..." (see `rules`). ``names`` are what the source calls our columns, ``places``
    where the tables lie, ``honest(place)`` turns what the engine says into a refusal of a place.
    """

    tables: dict[str, object]
    places: dict[str, str]
    names: dict[str, dict[str, str]]
    honest: Callable


@contextmanager
def opened(
    book: Book, root: Path, spool: Path, demo: dict[str, object] | None = None, typed: bool = True
) -> Iterator[dict[str, object]]:
    """The tables as they stand, lazy; connections to a database are closed in the end.

    ``spool`` is a folder for copies of files while they are read; ``demo`` are the tables of a demo
    source; unless ``typed``, every column of CSV is text.

    Raises:
        Refused: a source does not answer, or its engine cannot read a table.
    """
    with _honest(book, root)(", ".join(book.tables.values())):
        if book.source.kind == "demo":
            yield demo
        elif book.source.kind == "files":
            yield files.scan(book, root, spool, typed)
        else:
            with databases.opened(book, root) as frames:
                yield frames


def _honest(book: Book, root: Path) -> Callable:
    """What turns the words of the book's engine about a place into a refusal of that place."""
    on_disk = book.source.kind in ON_DISK
    return partial(files.unreadable, root=root) if on_disk else databases.honest


@contextmanager
def read(
    book: Book, root: Path, spool: Path, demo: dict[str, object] | None = None
) -> Iterator[Source]:
    """The book's tables, adapted and lazy; see `opened`.

    Raises:
        Refused: a source does not answer; a table or column is missing, or of a wrong type; times
            carry no zone and the book states none.
    """
    with opened(book, root, spool, demo) as raw:
        named = {table: f"{getattr(book.source, 'data', '')}: {table}" for table in raw}
        places = named if demo else dict(book.tables)
        frames = map(nw.from_native, raw.values())
        _require_known(book, {name for frame in frames for name in frame.collect_schema()})
        engine = files if book.source.kind in ON_DISK else databases
        yield Source(
            {t: _adapted(engine, raw[t], t, book, places[t]) for t in raw},
            places,
            {
                table: {
                    inside(name): " × ".join(_theirs(book, table, name)) for name in sum(ours, ())
                }
                for table, ours in COLUMNS.items()
            },
            _honest(book, root),
        )


def collected(source: Source, queries: dict[str, object]) -> dict[str, pl.DataFrame]:
    """The results of lazy ``queries`` on the tables of ``source``: of files in one pass.

    Raises:
        Refused: the engine could not read a table; what it says never holds a value.
    """
    frames = {name: nw.to_native(query, pass_through=True) for name, query in queries.items()}
    with source.honest(", ".join(source.places.values())), _blamed(source):
        got = _rows(frames.values())
    return dict(zip(frames, got, strict=True))


def _rows(frames: Iterable[object]) -> list[pl.DataFrame]:
    """The results of frames of one engine."""
    if all(isinstance(frame, pl.LazyFrame) for frame in frames):
        return pl.collect_all(frames, engine="streaming")
    return [databases.collected(frame) for frame in frames]


@contextmanager
def _blamed(source: Source):
    """Name the one table that cannot be read, where several were read together."""
    try:
        yield
    except (Exception, pl.exceptions.PanicException):
        for table, frame in source.tables.items():
            with source.honest(source.places[table]):
                _rows([nw.from_native(frame).lazy().select(nw.all().count()).to_native()])
        raise


def fingerprint(book: Book, root: Path, demo: Sequence[Path] = ()) -> str:
    """Hash that changes whenever what `read` would give may change; for sources `ON_DISK`.

    ``demo`` are the files that a demo source reads.
    """
    places = () if book.source.kind == "demo" else book.tables.values()
    found = sorted(file for place in places for file in files.matches(root, place))
    digest = hashlib.sha256(json.dumps(book.source.model_dump(), sort_keys=True).encode())
    for file in (*found, *demo):
        hive = (part for part in file.parts if "=" in part)  # they hold values
        digest.update("/".join([*hive, file.name]).encode())
        with files.unreadable(file.name, root), file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _require_known(book: Book, columns: set[str]) -> None:
    """What `only:` and `attributes:` name is a column of some table."""
    for key, names in (("only", book.only), ("attributes", book.attributes or ())):
        for name in names:
            if name not in columns:
                hint = nearest(name, columns)
                raise Refused(f"{key}: no table has a column{hint} (the book says {name!r})")


def inside(name: str) -> str:
    """What a column of ours is called once its days and cents are whole numbers."""
    day = f"{name}_day" if name in DATES else name
    return {"at": "day", "amount": "amount_cents"}.get(name, day)


def _theirs(book: Book, table: str, name: str) -> list[str]:
    """The source's column, or the two to be multiplied, for our column ``name``."""
    return files.each(book.columns.get(table, {}).get(name, name))


def _adapted(engine, raw, table: str, book: Book, place: str):
    """One table with our columns, made of theirs."""
    schema = nw.from_native(raw).collect_schema()
    here = {name: condition for name, condition in book.only.items() if name in schema}
    for name, condition in here.items():
        if what := conditions.misfit(condition, schema[name]):
            raise Refused(f"{place}: only: column {name!r} {what}; use values that it holds")
    required, optional = COLUMNS[table]
    read, ours, mapped = {}, {KEPT: conditions.holds(here)}, set()
    for name in (*required, *optional):
        theirs = _theirs(book, table, name)
        missing = [column for column in theirs if column not in schema]
        if missing and (name in required or name in book.columns.get(table, {})):
            raise Refused(_missing(missing[0], name, table, list(schema), place))
        mapped |= set(theirs)
        if missing:
            ours[inside(name)] = _absent(name)
            continue
        for column in theirs:
            if what := _misfit(schema[column], name, engine is files, book.timezone):
                raise Refused(f"{place}: column {column!r} holds {what}")
        if name in DATES | NUMBERS:
            reads = engine.day if name in DATES else engine.number
            ours |= _beside(name, {column: reads(raw, column, book) for column in theirs}, read)
        else:
            ours[name] = nw.col(theirs[0]).cast(nw.String)
    if table == "customers":
        ours |= _attributes(schema, mapped, book, place)
    frame = raw.with_columns(**read) if engine is files else raw.mutate(**read)
    return nw.from_native(frame).select(**ours).to_native()


def _missing(column: str, name: str, table: str, columns: list[str], place: str) -> str:
    hint = ""
    if len(columns) == 1 and (found := [mark for mark in ";\t|" if mark in columns[0]]):
        hint = f"; the header is one column with {found[0]!r} in it: set `delimiter:` under source"
    return (
        f"{place}: column {column!r} is missing; map {name!r} under columns: {table} "
        f"(found: {', '.join(columns)}){hint}"
    )


def _absent(name: str) -> nw.Expr:
    """An optional column that the source does not have: null, but every event has a kind."""
    kinds = dict.fromkeys(DATES | {"amount"}, nw.Int64) | {"score": nw.Float64}
    return nw.lit("purchase") if name == "kind" else nw.lit(None, kinds.get(name, nw.String))


def _beside(name: str, found: dict[str, dict], read: dict) -> dict[str, nw.Expr]:
    """Our column ``name`` of what the engine reads from one column or two, and what may be wrong.

    The engine's expressions become columns of ``read``. Two amounts are multiplied, and half a cent
    goes up.
    """
    columns = []
    for column, parts in found.items():
        read |= {f"read {name} {column} {part}": value for part, value in parts.items()}
        columns.append({part: nw.col(f"read {name} {column} {part}") for part in parts})
    value, faults = columns[0]["value"], [one["fault"] for one in columns if "fault" in one]
    if name == "amount":
        amount = value * columns[1]["value"] if columns[1:] else value
        fits = amount.abs() < MOST
        value = nw.when(fits).then((amount * 100 + 0.5).floor().cast(nw.Int64))
        faults.append(nw.when(~fits).then(nw.lit("amount|")))
    ours = {inside(name): value} | ({"second": columns[0]["second"]} if name == "at" else {})
    return ours | ({FAULT + inside(name): nw.coalesce(*faults)} if faults else {})


def _misfit(dtype, name: str, in_files: bool, timezone: str) -> str | None:
    """In words, why a column of ``dtype`` cannot be our column ``name``."""
    timed, text = isinstance(dtype, nw.Datetime), in_files and dtype == nw.String
    if name in DATES and timed and not timezone and not (in_files and dtype.time_zone):
        return f"times without a zone, so days cannot be counted; {SET_ZONE}"
    if name in DATES and not (timed or text or dtype == nw.Date):
        wanted = "dates or times"
    elif name in NUMBERS and not (text or dtype.is_numeric()):
        wanted = "numbers"
    elif name == "customer_id" and not (dtype in TEXTS or dtype.is_integer()):
        wanted = "ids (text or whole numbers)"
    else:
        return None
    return f"{dtype}, not {wanted}; convert it in the source, or in a view"


def _attributes(schema, mapped: set[str], book: Book, place: str) -> dict[str, nw.Expr]:
    """Further columns of the customers table, or those of them that the book names: text, whole
    numbers, numbers and truths."""
    wanted, found = book.attributes, {}
    for name in (n for n in schema if n not in mapped and (wanted is None or n in wanted)):
        dtype = schema[name]
        kinds = {nw.Int64: dtype.is_integer(), nw.Float64: dtype.is_numeric()}
        kinds |= {nw.Boolean: dtype == nw.Boolean, nw.String: dtype in (*TEXTS, nw.Date)}
        kind = next((kind for kind, fits in kinds.items() if fits), None)
        if not name.strip():
            raise Refused(f"{place}: a column has no name; name it, {OR_LIST}")
        if name in OURS:
            raise Refused(f"{place}: the workbook has its own column {name!r}; rename it")
        if kind is None:
            raise Refused(
                f"{place}: no analysis can use column {name!r} ({dtype}); convert it, {OR_LIST}"
            )
        found[name] = nw.col(name).cast(kind)
    return found
