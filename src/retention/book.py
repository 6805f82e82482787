"""A book: one business in one file, `params/<book>.yaml`, read and checked whole."""

import codecs
import glob
import re
import shlex
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from retention.errors import Refused, nearest

NAME = re.compile(r"(?!(lab|failed)$)[a-z0-9][a-z0-9_-]*")  # work/ has folders of these names

CLUSTER = re.compile(r"s[1-9]\d*")  # ids of segments that are clusters

# What a table of the user's holds: required and optional columns, in our words.
COLUMNS = {
    "events": (
        ("customer_id", "at"),
        ("kind", "order_id", "amount", "product", "category", "channel"),
    ),
    "customers": (("customer_id",), ("started",)),
    "contracts": (
        ("customer_id", "started"),
        ("ended", "booked", "observed_until", "cause", "plan", "amount"),
    ),
    "surveys": (("customer_id", "sent", "kind"), ("answered", "score")),
}
Table = Literal["events", "customers", "contracts", "surveys"]
# Stages of life that go by rules, the most pressing first; a book may write rules of its own.
RULED = ("at risk", "dormant", "declining", "new", "reactivated")

# Days that move with the calendar: the last whole one of its kind before the day of the refresh.
WORDS = ("yesterday", "last_week_end", "last_month_end", "last_quarter_end", "last_year_end")


CONDITION = "a value, a list of values, {at_least: x, below: y} or {known: true}"
URL = "env:NAME, postgresql://user@host:port/database, sc://host:port or local[2]"
EXPECTED = {  # whatever is wrong at one of these places, or deeper: what is expected there
    ("snapshot_date",): "a date such as 2025-06-30, without quotes, or a word for one "
    f"({', '.join(WORDS)}), or a list of these",
    ("on_done",): "a command, with every quotation closed",
    ("only", "*"): CONDITION,
    ("segments", "*", "for", "*"): CONDITION,
    ("lifecycle", "*", "*"): CONDITION,
    ("columns", "*", "*"): "the name of a column, or for an amount the names of two in [ ]",
    ("source", "date_format"): "a format with a year, such as %d.%m.%Y",
    ("source", "password"): "env:NAME, the environment variable that holds the password",
    ("source", "url"): URL,
}


def named(look_up: Callable[[str], str], what: str) -> AfterValidator:
    """A validator of names that ``look_up`` knows, which gives them as they are usually written."""

    def known(name: str) -> str:
        try:
            return name and look_up(name)
        except (LookupError, ValueError, OSError):
            raise ValueError(f"not {what}") from None

    return AfterValidator(known)


ENCODING = named(lambda name: codecs.lookup(name).name, "an encoding; expected one such as cp1252")
ZONE = named(lambda name: ZoneInfo(name).key, "a time zone; expected a name such as Europe/Berlin")
COMMAND = AfterValidator(lambda line: line if shlex.split(line) else "")


class Part(BaseModel):
    """A part of a book: every key is known, every type is strict, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Files(Part):
    """Tables in Parquet or CSV files; `tables` holds their paths, folders or globs.

    The other keys are about CSV: how its columns, letters, decimals and dates are written.
    """

    kind: Literal["files"]
    delimiter: str = Field(",", min_length=1, max_length=1)
    encoding: Annotated[str, ENCODING] = "utf-8"
    decimal: Literal[".", ","] = "."
    date_format: str = Field("", pattern="^(.*%[Yy].*)?$")


class DuckDB(Part):
    """Tables in a DuckDB file; `tables` holds their names."""

    kind: Literal["duckdb"]
    file: str = Field(min_length=1)


class Postgres(Part):
    """Tables in a PostgreSQL database. The password is `env:NAME`, never in the book."""

    kind: Literal["postgres"]
    url: str = Field(pattern="^(env:|postgres(ql)?://)")
    password: str = Field("", pattern="^(env:.+)?$")


class Spark(Part):
    """Tables that Spark knows by name, or Parquet folders: `local[2]`, or `sc://host:port`."""

    kind: Literal["spark"]
    url: str = Field(pattern="^(env:|sc://|local)")


class Demo(Part):
    """Data that comes with an installed package, or is simulated with planted truth."""

    kind: Literal["demo"]
    data: Literal["cdnow", "complete-journey", "simulated"]
    customers: int = Field(5_000, ge=1_000, le=10_000_000)
    seed: int = 1
    setting: Literal["separate", "overlap"] = "separate"


SOURCES = {"files": Files, "duckdb": DuckDB, "postgres": Postgres, "spark": Spark, "demo": Demo}


class Range(Part):
    """Values from ``at_least`` up to but not with ``below``; ``known``: any value but none."""

    at_least: float | date | None = None
    below: float | date | None = None
    known: Literal[True] | None = None


Value = bool | int | float | str | date
Conditions = dict[str, Value | Annotated[list[Value], Field(min_length=1)] | Range]
PAIR = Field(min_length=2, max_length=2)  # amount: [quantity, unit_price] are multiplied


class Churn(Part):
    """When a customer is gone (GLOSSARY: churn)."""

    kind: Literal["activity", "contract"]
    activity: list[str] = []
    after_days: int = Field(ge=1, le=3650)


class Rule(Part):
    """A segment by rule: everybody current who meets all conditions, under a name."""

    model_config = ConfigDict(serialize_by_alias=True)

    conditions: Conditions = Field(alias="for", min_length=1)
    name: str = Field(min_length=1)


Day = date | Literal[WORDS]
ParameterFaults = Callable[[Path, dict[str, dict]], Iterable[tuple[tuple[str, ...], str]]]


class Book(Part):
    """A business: its source, its definition of churn, its settings."""

    title: str = Field(min_length=1)
    label: str = ""
    source: Annotated[Files | DuckDB | Postgres | Spark | Demo, Field(discriminator="kind")]
    tables: dict[Table, str] = {}
    columns: dict[Table, dict[str, str | Annotated[list[str], PAIR]]] = {}
    attributes: list[str] | None = None
    only: Conditions = {}
    timezone: Annotated[str, ZONE] = ""
    currency: str = Field("EUR", pattern="^[A-Z]{3}$")
    snapshot_date: Day | Annotated[list[Day], Field(min_length=1)]
    churn: Churn
    horizon_days: int = Field(90, ge=7, le=365)  # days ahead of which the risk speaks
    covariates: list[str] = []  # known at the start, may be linked to leaving
    lifecycle: dict[Literal[RULED], Annotated[Conditions, Field(min_length=1)]] = {}
    segments: dict[str, Rule] = {}
    names: dict[str, Annotated[str, Field(min_length=1)]] = {}  # of clusters' segments
    min_cell: int = Field(10, ge=5)  # customers; smaller counts are not published
    disclosure: Literal["standard", "strict"] = "standard"
    confidence: float = Field(0.95, gt=0.5, lt=1)  # two-sided level of every interval
    keep: int | None = Field(None, ge=1)
    on_done: Annotated[str, COMMAND] = ""  # a command that is told how a refresh ended
    parameters: dict[str, dict[str, object]] = {}


def at(book: Book, snapshot_date: date) -> Book:
    """The book resolved for one snapshot date."""
    return book.model_copy(update={"snapshot_date": snapshot_date})


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a date that no calendar has is an error with its line."""

    def construct_object(self, node, deep=False):
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise yaml.MarkedYAMLError(
                problem=f"{node.value}: {error}", problem_mark=node.start_mark
            ) from None


def require_name(name: str) -> None:
    """Names of books are parts of paths.

    Raises:
        Refused: this can be none.
    """
    if not NAME.fullmatch(name):
        raise Refused(f"{name!r} is not a book's name: use small letters, digits, - and _")


def load(name: str, root: Path, parameter_faults: ParameterFaults = lambda *_: ()) -> Book:
    """Read and check ``params/<name>.yaml`` under ``root`` whole, before anything runs.

    ``parameter_faults`` says what is wrong with parameters, by notebook, as (place, words): who
    runs the notebooks knows what they declare.

    Raises:
        Refused: no such book; not YAML; unknown key, wrong type or missing key; a parameter that
            no notebook declares; a file that does not exist. Every fault is in one message, with
            file, line, key, what was expected and the nearest known name.
    """
    require_name(name)
    path = root / "params" / f"{name}.yaml"
    if not path.is_file():
        known = [file.stem for file in (root / "params").glob("*.yaml")]
        raise Refused(f"no book params/{name}.yaml{nearest(name, known)}")
    try:
        text = path.read_text(encoding="utf-8")
        values = yaml.load(text, _Loader) or {}
        lines = _lines(yaml.compose(text, _Loader))
    except UnicodeDecodeError as error:
        raise Refused(f"params/{name}.yaml: not UTF-8 text: {error}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Refused(f"params/{name}.yaml:{line}: not YAML: {error.problem}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Refused(f"params/{name}.yaml:{line}: not YAML: {error.reason}") from None
    try:
        book = Book.model_validate(values)
    except ValidationError as error:
        faults = dict(map(_fault, error.errors())).items()
    else:
        wrong = parameter_faults(root, book.parameters)
        faults = [*_column_faults(book), *((("parameters", *place), what) for place, what in wrong)]
        faults += [*_segment_faults(book), *_table_faults(book, root)]
    if faults:
        raise Refused(
            "\n".join(
                f"params/{name}.yaml:{_line(lines, place)}: {'.'.join(place) or 'book'}: {what}"
                for place, what in faults
            )
        )
    return book


def _lines(node, place: tuple[str, ...] = ()) -> dict[tuple[str, ...], int]:
    """Line of every key in the file, by its place; a key given twice is an error."""
    lines = {place: node.start_mark.line + 1} if node else {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            own = (*place, key.value)
            if own in lines:
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value}: given twice", problem_mark=key.start_mark
                )
            lines |= _lines(value, own) | {own: key.start_mark.line + 1}
    return lines


def _line(lines: dict[tuple[str, ...], int], place: tuple[str, ...]) -> int:
    """Line of the longest known part of ``place``."""
    return next((lines[place[:n]] for n in range(len(place), -1, -1) if place[:n] in lines), 1)


def _fault(fault) -> tuple[tuple[str, ...], str]:
    """One of pydantic's faults as (place, words), without a value that may hold a secret."""
    place = tuple(str(part) for part in fault["loc"] if part not in (*SOURCES, "[key]"))
    kind, given, context = fault["type"], fault["input"], fault.get("ctx", {})
    for form, words in EXPECTED.items():
        within = all(part in ("*", own) for part, own in zip(form, place, strict=False))
        misplaced = kind in ("missing", "extra_forbidden") and len(place) == len(form)
        if within and len(place) >= len(form) and not misplaced:
            return place[: len(form)], f"expected {words}"
    if kind.startswith("union_tag"):
        place = (*place, "kind")
    if kind in ("missing", "union_tag_not_found"):
        return place, "missing; this key is needed"
    if kind == "union_tag_invalid":
        tag = context["tag"]
        return place, f"no such kind of source, {tag!r}{nearest(tag, SOURCES)}"
    if kind == "extra_forbidden" or (kind == "literal_error" and "[key]" in fault["loc"]):
        source = next((SOURCES[tag] for tag in fault["loc"] if tag in SOURCES), Rule)
        known = {(): Book, ("churn",): Churn}.get(place[:-1], source).model_fields
        names = [field.alias or name for name, field in known.items()]
        names = re.findall("'(.+?)'", context["expected"]) if context else names
        return place, f"unknown key{nearest(place[-1], names)}"
    words = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        words = "should hold keys and their values"
    shown = repr(given) if isinstance(given, str | int | float | date) else type(given).__name__
    shown = "" if place[:1] == ("source",) else f", got {shown}"
    return place, f"{words[0].lower()}{words[1:]}{shown}"


def _column_faults(book: Book):
    """Columns that are mapped to none of ours."""
    for table, theirs in book.columns.items():
        ours = [name for names in COLUMNS[table] for name in names]
        for name, column in theirs.items():
            if name not in ours:
                what = f"not one of our columns{nearest(name, ours)}"
                yield ("columns", table, name), what
            elif isinstance(column, list) and name != "amount":
                what = "expected one column; only an amount may be the product of two"
                yield ("columns", table, name), what


def _segment_faults(book: Book):
    """Ids that segments by rule cannot have, and names for what is no segment of clusters."""
    for key in book.segments:
        if CLUSTER.fullmatch(key) or not NAME.fullmatch(key):
            what = "no id for a rule: small letters, digits, - and _; s1, s2, ... are of clusters"
            yield ("segments", key), what
    for key in book.names:
        if not CLUSTER.fullmatch(key):
            hint = ": a rule has its name beside it" if key in book.segments else ""
            yield ("names", key), f"names are for segments of clusters, s1, s2, ...{hint}"


def _table_faults(book: Book, root: Path):
    """Tables that a book of this kind needs, and files that are not there."""
    if book.churn.kind == "activity" and not book.churn.activity:
        yield (("churn", "activity"), "an activity book names the kinds of event that count")
    if book.source.kind == "demo":
        for key in ("tables", "columns", "only", "attributes"):
            if getattr(book, key):
                yield ((key,), "a demo source brings its own tables; leave this key out")
        return
    needed = {"events"} | ({"contracts"} if book.churn.kind == "contract" else set())
    for table in sorted(needed - set(book.tables)):
        yield ("tables", table), "missing; this key is needed"
    places = {("tables", table): place for table, place in book.tables.items()}
    if book.source.kind == "duckdb":
        places = {("source", "file"): book.source.file}
    if book.source.kind in ("files", "duckdb"):
        for key, place in places.items():
            if not (place and found(root, place)):
                yield key, f"no such file: {place}"
    if book.source.kind == "postgres" and urlsplit(book.source.url).password:
        yield ("source", "url"), "holds a password; write password: env:NAME instead"


def found(root: Path, place: str) -> list[Path]:
    """What lies at a path or a glob, relative to ``root`` or absolute; in order."""
    if glob.has_magic(place):
        return sorted(Path(path) for path in glob.glob(str(root / place), recursive=True))
    return [root / place] if (root / place).exists() else []
