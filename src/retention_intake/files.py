"""Tables in Parquet and CSV files, by Polars: found, read lazily, brought to days and cents."""

import codecs
import glob
import re
import shutil
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from retention import book as books
from retention.book import Book, Files
from retention.errors import Refused
from retention.tables import conditions

CLOCK = ("%H:%M", "%H:%M:%S%.f")
TIMES = tuple(f"%Y-%m-%d{between}{clock}" for between in " T" for clock in CLOCK)
ZONED = tuple(f"{form}%#z" for form in TIMES)
WHOLE = r"^-?(0|[1-9]\d{0,14})$"
MORE_FIELDS = "than the header has; put quotes around values that contain the delimiter"
COMMA = r"^[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?$"  # a point stands before three digits alone
DOUBLE = re.compile(r"(.*)_duplicated_\d+")  # what Polars makes of a name that occurs twice
VALUE = re.compile(r"[\dTZ.,:/ +-]*\d[\dTZ.,:/ +-]*")  # of a row, not the name of a column


def each(theirs: str | list[str]) -> list[str]:
    """The one or two columns that make one of ours."""
    return theirs if isinstance(theirs, list) else [theirs]


def matches(root: Path, place: str) -> list[Path]:
    """Files of a path, a glob or a folder; what lies in hidden folders and files is passed over."""
    return [
        file
        for path in books.found(root, place)
        for file in (sorted(path.rglob("*.*")) if path.is_dir() else [path])
        if file.is_file() and not _is_hidden(file.relative_to(path.parent))
    ]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(("_", ".")) for part in path.parts[1:] or path.parts)


def scan(book: Book, root: Path, spool: Path, typed: bool = True) -> dict[str, pl.LazyFrame]:
    """The book's tables as they stand in their files; ``spool`` keeps CSV files made UTF-8.

    ``typed``: attributes of customers in CSV whose every value is a number become numbers.

    Raises:
        Refused: no file, files of another or of several kinds, or text in another encoding.
    """
    tables = {}
    for table, place in book.tables.items():
        with unreadable(place, root):
            tables[table] = _scan(book, root, table, spool / table, typed)
            tables[table].collect_schema()
    return tables


@contextmanager
def unreadable(place: str, root: Path):
    """Turn what Polars says of the files at ``place`` into a refusal of one line, no values."""
    try:
        yield
    except pl.exceptions.NoDataError:
        raise Refused(f"{place}: the file is empty") from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        said = getattr(error, "strerror", None) or str(error)
        if "utf-8" in said:
            _require_text(matches(root, place), "utf-8")
        if "schema" in said or "column" in said:
            _require_alike(place, matches(root, place))
        what = said.partition("\n")[0].partition(": [")[0].partition("could not parse `")[0]
        what = what.replace("than defined in 'Schema'", MORE_FIELDS).replace(f"{root}/", "")
        raise Refused(f"{place}: cannot be read: {what or 'a quote is not closed'}") from None


def _require_alike(place: str, files: list[Path]) -> None:
    """Refuse files of one table whose headers, or Parquet columns, differ."""
    for file in files[1:]:
        if differing := _head(files[0]) ^ _head(file):
            names = ", ".join(sorted({name for name, _ in differing if name}))
            raise Refused(
                f"{place}: cannot be read: {file.name} has other columns than {files[0].name}"
                + (f" ({names})" if names else "")
                + "; files of one table need the same columns, of the same types"
            )


def _head(file: Path) -> set[tuple[object, object]]:
    """The header of a CSV file, whatever its letters; the columns and types of a Parquet file."""
    if file.suffix != ".csv":
        return set(pl.read_parquet_schema(file).items())
    with file.open("rb") as stream:
        return {("", stream.readline().strip())}


def _scan(book: Book, root: Path, table: str, spool: Path, typed: bool) -> pl.LazyFrame:
    place = book.tables[table]
    files = matches(root, place)
    kinds = {file.suffix for file in files}
    if kinds == {".parquet"}:
        return _parquet(files, root, place)
    if kinds != {".csv"}:
        found = ", ".join(sorted(kinds)) or "none"
        raise Refused(f"{place}: expected .parquet or .csv files, found {found}")
    texts = [_as_utf8(file, book.source, spool / f"{n}.csv") for n, file in enumerate(files)]
    frame = pl.scan_csv(texts, infer_schema=False, separator=book.source.delimiter)
    names = frame.collect_schema().names()
    if any("\r" in name for name in names):
        raise Refused(f"{place}: lines end with a carriage return only; use line feeds")
    parts = {part for name in names for part in re.split(r"[;\t|]", name)}
    theirs = book.columns.get(table, {}).values()
    wanted = set().union(*map(each, theirs), *books.COLUMNS[table])
    if not parts & wanted and any(map(VALUE.fullmatch, parts)):
        raise Refused(f"{place}: the first line holds values, not column names; add a header line")
    if twice := next((m for name in names if (m := DOUBLE.fullmatch(name))), None):
        raise Refused(f"{place}: two columns are named {twice[1]!r}; rename one of them")
    blank = pl.all_horizontal(pl.all().is_null())
    frame = frame.with_columns(pl.all().replace("", None)).filter(~blank)
    compared = [
        name
        for name in names
        if name in book.only and "numbers" in conditions.kinds(book.only[name])
    ]
    for name in compared:
        number = _number(pl.col(name), book.source.decimal, strict=False)
        text = number.is_null() & pl.col(name).is_not_null()
        if n := frame.select(text.sum()).collect(engine="streaming").item():
            raise Refused(
                f"{place}: only: column {name!r} holds text that is not a number in {n:,} row(s), "
                "but the condition has numbers; fix the text, or put these numbers in quotes"
            )
        frame = frame.with_columns(number)
    if table != "customers" or not typed:
        return frame
    further = set(names) - {"customer_id", "started", *book.columns.get(table, {}).values()}
    return _typed(frame, further - set(compared), book)


def _parquet(files: list[Path], root: Path, place: str) -> pl.LazyFrame:
    """Parquet files as one table; folders below ``place`` named column=value are columns of it."""
    parts = (root / place).parts
    depth = next((n for n, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    below, above = (
        {part.partition("=")[0] for path in files for part in path.parent.parts[cut] if "=" in part}
        for cut in (slice(depth, None), slice(depth))
    )
    frame = pl.scan_parquet(files, hive_partitioning=bool(below), try_parse_hive_dates=True)
    untyped = [name for name, dtype in frame.collect_schema().items() if dtype == pl.Null]
    frame = frame.with_columns(pl.col(untyped).cast(pl.String))  # nothing stands there at all
    return frame.drop(above - below) if below else frame


def _typed(frame: pl.LazyFrame, names: Iterable[str], book: Book) -> pl.LazyFrame:
    """Columns whose every value is written as a number become numbers; 007 is none."""
    patterns = {pl.Int64: WHOLE, pl.Float64: rf"^-?\d+\{book.source.decimal}\d+$|{WHOLE}"}
    for dtype, pattern in patterns.items():
        fit = {name: pl.col(name).str.contains(pattern) for name in sorted(names)}
        fits = frame.select(one.any() & one.all() for one in fit.values()).collect()
        numbers = [name for name in fit if fits[name].item()]
        parsed = (_number(pl.col(name), book.source.decimal).cast(dtype) for name in numbers)
        frame, names = frame.with_columns(parsed), set(names) - set(numbers)
    return frame


def _as_utf8(file: Path, source: Files, spool: Path) -> Path:
    """The file itself, or a copy in UTF-8 where it is in another encoding."""
    if is_utf16(file) and "16" not in source.encoding:
        raise Refused(f"{file.name}: holds UTF-16 text; set `encoding: utf-16` under source")
    if source.encoding == "utf-8":
        return file
    _require_text([file], source.encoding)
    spool.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (
        file.open(encoding=source.encoding, newline="") as text,
        spool.open("w", encoding="utf-8", newline="") as copy,
    ):
        shutil.copyfileobj(text, copy)
    return spool


def is_utf16(file: Path) -> bool:
    """Whether a file begins as text in UTF-16 does."""
    with file.open("rb") as stream:
        return stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def _require_text(files: list[Path], encoding: str) -> None:
    for file in files:
        if line := undecodable(file, encoding):
            raise Refused(
                f"{file.name}: line {line} is not {encoding} text; set the right `encoding:` under "
                "source (such as windows-1252)"
            )


def undecodable(file: Path, encoding: str) -> int:
    """The first line of a file that is no text in ``encoding``; 0 where all are."""
    decoder, lines = codecs.getincrementaldecoder(encoding)(), 1
    with file.open("rb") as stream:
        try:
            while piece := stream.read(1 << 20):
                lines += decoder.decode(piece).count("\n")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            return lines + error.object[: error.start].decode(encoding, "ignore").count("\n")
        except UnicodeError:  # UTF-16 or UTF-32 without the mark that says which
            return 1
    return 0


def day(frame: pl.LazyFrame, theirs: str, book: Book) -> dict[str, pl.Expr]:
    """Of a column of dates or times: the day in the book's zone as "value", the "second" of the day
    (null where only dates are known) and, of text, the "fault" of the value: what was wrong with
    it and how it is written ("reason|shape"), or null."""
    dtype, value = frame.collect_schema()[theirs], pl.col(theirs)
    if dtype == pl.String:
        return _from_text(value.str.strip_chars(), book)
    if dtype == pl.Date:
        return {"value": _day(value), "second": pl.lit(None, pl.Int64)}
    if dtype.time_zone:
        zone = book.timezone or dtype.time_zone
        value = value.dt.convert_time_zone(zone).dt.replace_time_zone(None)
    return {"value": _day(value.dt.date()), "second": _second(value)}


def _from_text(text: pl.Expr, book: Book) -> dict[str, pl.Expr]:
    form = getattr(book.source, "date_format", "")
    dates, times = ["%Y-%m-%d"], list(TIMES)
    if re.search("%[HIT]", form):
        times.insert(0, form)
    elif form:  # a form of days reads times of such days as well
        dates.insert(0, form)
        times = [*(f"{form} {clock}" for clock in CLOCK), *times]
    zoned = pl.coalesce(
        text.str.to_datetime(form, time_unit="us", strict=False, time_zone="UTC") for form in ZONED
    )
    zoned = zoned.dt.convert_time_zone(book.timezone or "UTC").dt.replace_time_zone(None)
    plain = pl.coalesce(text.str.to_datetime(f, time_unit="us", strict=False) for f in times)
    timed = pl.coalesce(zoned, plain)
    date = pl.coalesce(timed.dt.date(), *(text.str.to_date(form, strict=False) for form in dates))
    mixed = zoned.is_not_null().any() & plain.is_not_null()
    wrong = (
        pl.when(text.is_null())
        .then(None)
        .when(date.is_null())
        .then(pl.lit("unread"))
        .when(mixed)
        .then(pl.lit("mixed"))
        .when(timed.is_not_null() & pl.lit(not book.timezone))
        .then(pl.lit("zoneless"))
    )
    fault = pl.concat_str(wrong, _shape(text), separator="|")
    return {"value": _day(date), "second": _second(timed), "fault": fault}


def _day(date: pl.Expr) -> pl.Expr:
    return date.cast(pl.Int32).cast(pl.Int64)


def _second(moment: pl.Expr) -> pl.Expr:
    return (moment - moment.dt.truncate("1d")).dt.total_seconds()


def _shape(text: pl.Expr) -> pl.Expr:
    """How a text is written, without what it says: 9 for a digit, a for a letter."""
    return text.str.slice(0, 25).str.replace_all(r"\d", "9").str.replace_all(r"\p{L}", "a")


def number(frame: pl.LazyFrame, theirs: str, book: Book) -> dict[str, pl.Expr]:
    """Of a column of numbers, or of text: the numbers as "value" and, of text, the "fault"."""
    value = pl.col(theirs)
    if frame.collect_schema()[theirs].is_numeric():
        return {"value": value.cast(pl.Float64)}
    read = _number(value, getattr(book.source, "decimal", "."), strict=False)
    shape = pl.concat_str(pl.lit("unread"), _shape(value), separator="|")
    return {"value": read, "fault": pl.when(value.is_not_null() & read.is_null()).then(shape)}


def _number(text: pl.Expr, decimal: str, strict: bool = True) -> pl.Expr:
    text = text.str.strip_chars()
    if decimal == ",":
        plain = text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
        text = pl.when(text.str.contains(COMMA)).then(plain).otherwise("?" + text)
    return text.cast(pl.Float64, strict=strict)
