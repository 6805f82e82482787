"""Read a book's own tables where they are: columns mapped, days and minor units as integers.

The only module that knows a source's quirks. What it hands on, on any engine: lazy frames with the
columns of the promises "events", "customers" and "contracts".
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from retention.book import COLUMNS, Book
from retention.errors import Refused
from retention.tables import demo, promises

DATES = {"at", "started", "ended", "booked"}
CLOCK = ("%H:%M", "%H:%M:%S%.f")
ISO = ("%Y-%m-%d", *(f"%Y-%m-%d{between}{clock}" for between in " T" for clock in CLOCK))
ISO_ZONED = tuple(f"{form}%#z" for form in ISO[1:])
MOST = 1e13  # an amount beyond this is a fault, and could not be added up in whole cents

# Columns that the package makes itself: no attribute of a customer may take their place.
OURS = {
    *promises.PROMISES["customers_at"].columns,
    *promises.PROMISES["spells"].columns,
    *promises.PROMISES["lifecycle"].columns,
    *promises.PROMISES["clusters"].columns,
    *promises.PROMISES["members"].columns,
    *("started_day", "started", "entry_days", "last_active_day"),
    *("spell_events_90d", "weekend_events_90d"),
} - {"plan"}  # an attribute of this name stands for the contract's


@dataclass(frozen=True)
class Tables:
    """A source's tables, read up to nowhere yet. ``contracts`` is None where there are none."""

    events: pl.LazyFrame
    customers: pl.LazyFrame
    contracts: pl.LazyFrame | None
    places: dict[str, str]


def read(book: Book, root: Path) -> Tables:
    """The book's tables as promised, checked against their promises before they are handed on.

    Raises:
        Refused: a file cannot be read, a column is missing or of the wrong type, a date cannot be
            read or its zone is not stated, or a promise is broken. Nothing is repaired.
    """
    raw, places = _files(book, root) if book.source.kind == "files" else _demo(book, root)
    frames = {table: _collected(frame, table, book, places[table]) for table, frame in raw.items()}
    customers = frames.get("customers")
    if customers is None:
        ids = [frames[name].select("customer_id") for name in frames]
        known = pl.concat(ids).unique().drop_nulls()  # a missing id is the fault of its own table
        customers = known.with_columns(started_day=pl.lit(None, pl.Int64))
    tables = Tables(
        frames["events"], customers.sort("customer_id"), frames.get("contracts"), places
    )
    names = {
        table: {
            _inside(name): book.columns.get(table, {}).get(name, name) for name in required + more
        }
        for table, (required, more) in COLUMNS.items()
    }
    promises.check_inputs(tables.events, tables.customers, tables.contracts, places, names)
    return tables


def fingerprint(book: Book, root: Path) -> str:
    """Hash that changes whenever what `read` would give may change; reads no row."""
    digest = hashlib.sha256(json.dumps(book.source.model_dump(), sort_keys=True).encode())
    for file in _source_files(book, root):
        digest.update(file.name.encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _source_files(book: Book, root: Path) -> list[Path]:
    if book.source.kind == "files":
        return sorted(file for place in book.tables.values() for file in _matches(root, place))
    return demo.files(book.source.data)


def _matches(root: Path, place: str) -> list[Path]:
    """Files of a path, a glob or a folder."""
    found = [Path(place)] if Path(place).is_absolute() else sorted(root.glob(place))
    return [
        file
        for path in found
        for file in (sorted(path.rglob("*.*")) if path.is_dir() else [path])
        if file.is_file()
    ]


def _files(book: Book, root: Path) -> tuple[dict[str, pl.LazyFrame], dict[str, str]]:
    frames = {}
    for table, place in book.tables.items():
        files = _matches(root, place)
        kinds = {file.suffix for file in files}
        if kinds == {".parquet"}:
            frames[table] = pl.scan_parquet(files)
        elif kinds == {".csv"}:
            frames[table] = pl.scan_csv(files, infer_schema=False)
        else:
            found = ", ".join(sorted(kinds)) or "none"
            raise Refused(f"{place}: expected .parquet or .csv files, found {found}")
    return frames, dict(book.tables)


def _collected(frame: pl.LazyFrame, table: str, book: Book, place: str) -> pl.LazyFrame:
    """A table as `adapt` gives it, read once. What an engine says never holds a value."""
    try:
        return adapt(frame, table, book, place).collect().lazy()
    except pl.exceptions.NoDataError:
        raise Refused(f"{place}: the file is empty") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        what = str(error).partition("\n")[0].partition(": [")[0]
        raise Refused(f"{place}: cannot be read: {what}") from None


def adapt(frame: pl.LazyFrame, table: str, book: Book, place: str) -> pl.LazyFrame:
    """Map the user's columns to ours, days and hours and cents as integers."""
    required, optional = COLUMNS[table]
    theirs = book.columns.get(table, {})
    schema = frame.collect_schema()
    source = {name: theirs.get(name, name) for name in (*required, *optional)}
    missing = [name for name in source if source[name] not in schema]
    for name in missing:
        if name in required or name in theirs:
            raise Refused(
                f"{place}: column {source[name]!r} is missing; map {name!r} under "
                f"columns: {table} (found: {', '.join(schema)})"
            )
    columns = []
    for ours, column in source.items():
        if ours in missing:
            columns += _absent(ours)
        else:
            columns += _column(frame, ours, column, book, place)
    mapped = set(source.values())
    extra = [name for name in schema if name not in mapped] if table == "customers" else []
    if taken := sorted(OURS.intersection(extra)):
        raise Refused(f"{place}: column {taken[0]!r} has a name that we use ourselves; rename it")
    return frame.select(*columns, *(_attribute(name, schema[name], place) for name in extra))


def _inside(name: str) -> str:
    """What a column of ours is called once its days and cents are whole numbers."""
    day = f"{name}_day" if name in DATES else name
    return {"at": "day", "amount": "amount_cents"}.get(name, day)


def _absent(name: str) -> list[pl.Expr]:
    """An optional column that the source does not have: null, but every event has a kind."""
    if name == "kind":
        return [pl.lit("purchase").alias("kind")]
    whole = name in DATES or name == "amount"
    return [pl.lit(None, pl.Int64 if whole else pl.String).alias(_inside(name))]


def _column(frame: pl.LazyFrame, name: str, theirs: str, book: Book, place: str) -> list[pl.Expr]:
    """Our column(s) made from one of theirs."""
    dtype = frame.collect_schema()[theirs]
    value = pl.col(theirs)
    if name in DATES:
        return _days(frame, name, theirs, book, place)
    if name == "amount":
        if dtype == pl.String:
            value = _checked(
                frame,
                value.str.strip_chars().cast(pl.Float64, strict=False),
                theirs,
                place,
                "a number such as 12.50",
            )
        elif not dtype.is_numeric():
            raise Refused(f"{place}: column {theirs!r} should hold amounts, is {dtype}")
        real = value.cast(pl.Float64)
        odd = frame.select((~(real.abs() < MOST)).sum()).collect().item()
        if odd:
            raise Refused(
                f"{place}: {odd:,} values of {theirs!r} are no amounts (not a number, or "
                f"{MOST:,.0f} or more); correct them in the source"
            )
        return [(real * 100).round().cast(pl.Int64).alias("amount_cents")]
    text = dtype in (pl.String, pl.Categorical, pl.Enum)
    if name == "customer_id" and not (text or dtype.is_integer()):
        raise Refused(f"{place}: column {theirs!r} should hold ids (text or integers), is {dtype}")
    return [value.cast(pl.String).alias(name)]


def _days(frame: pl.LazyFrame, name: str, theirs: str, book: Book, place: str) -> list[pl.Expr]:
    """Days since 1970-01-01 in the book's time zone; for events the hour too, where known."""
    dtype, value = frame.collect_schema()[theirs], pl.col(theirs)
    text_column = dtype == pl.String
    if text_column:
        text = value.str.strip_chars()
        zoned = frame.select(text.str.contains(r"(Z|[+-]\d\d:?\d\d)$").any()).collect().item()
        dates = not zoned and frame.select((text.str.len_chars() <= 10).all()).collect().item()
        parsed = pl.coalesce(
            text.str.to_datetime(form, time_unit="us", strict=False, time_zone="UTC")
            if zoned
            else text.str.to_datetime(form, time_unit="us", strict=False)
            for form in (ISO_ZONED if zoned else ISO)
        )
        value = _checked(frame, parsed, theirs, place, "a date such as 2025-06-30")
        dtype = pl.Date if dates else pl.Datetime("us", "UTC" if zoned else None)
        value = value.cast(dtype)
    if dtype == pl.Date:
        hour = pl.lit(None, pl.Int64)
    elif isinstance(dtype, pl.Datetime):
        if not book.timezone and (text_column or not dtype.time_zone):
            raise Refused(
                f"{place}: column {theirs!r} holds times without a zone to count days in; "
                "state `timezone:` in the book (such as Europe/Berlin)"
            )
        if dtype.time_zone:
            value = value.dt.convert_time_zone(book.timezone or dtype.time_zone)
        hour = value.dt.hour().cast(pl.Int64)
    else:
        raise Refused(f"{place}: column {theirs!r} should hold dates or times, is {dtype}")
    day = value.dt.date().cast(pl.Int32).cast(pl.Int64).alias(_inside(name))
    return [day, hour.alias("hour")] if name == "at" else [day]


def _checked(frame, parsed, theirs: str, place: str, expected: str) -> pl.Expr:
    """``parsed``, once it is sure that every known value could be read."""
    unread = frame.filter(pl.col(theirs).is_not_null() & parsed.is_null())
    unread = unread.select(value=theirs).collect()
    if unread.height:
        raise Refused(
            f"{place}: {unread.height:,} values of {theirs!r} cannot be read as {expected}, "
            f"the first is {unread['value'][0]!r}"
        )
    return parsed


def _attribute(name: str, dtype: pl.DataType, place: str) -> pl.Expr:
    """A further column of the customers table: text, whole number, number or truth."""
    column = pl.col(name)
    if dtype.is_integer():
        return column.cast(pl.Int64)
    if dtype.is_float() or dtype.is_decimal():
        return column.cast(pl.Float64)
    if dtype == pl.Boolean:
        return column
    if dtype in (pl.String, pl.Categorical, pl.Enum, pl.Date):
        return column.cast(pl.String)
    raise Refused(f"{place}: column {name!r} is {dtype}, which no analysis can use; leave it out")


def _demo(book: Book, root: Path) -> tuple[dict[str, pl.LazyFrame], dict[str, str]]:
    frames = demo.read(book.source, root / "work" / ".simulated")
    return frames, {table: f"{book.source.data}: {table}" for table in frames}
