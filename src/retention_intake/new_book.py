"""A book for tables that nobody has described yet: columns found, read once, written with reasons.

Nothing is written unless the proposed book reads all its tables and finds something to analyse.
"""

import tempfile
import textwrap
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import polars as pl
import yaml
from pydantic import ValidationError

from retention import book as books
from retention.book import COLUMNS, Book
from retention.errors import Refused
from retention.tables import calendar
from retention_intake import databases, files, guess, intake, sources

Notes = dict[tuple[str, ...], str]  # what is to be said of a key of the book, by its place
WIDTH = 100
Window = Callable[[pl.DataFrame, list[str], int], tuple[int, str, bool]]
NONE_HOLDS = "no window of silence holds in these data: read gone as quiet"
GRACE_DAYS = 30  # in which a contract may be renewed


def new_book(
    name: str,
    root: Path,
    tables: dict[str, str],
    *,
    source: str,
    columns: list[str],
    take: Callable[[Book, Path, int], intake.Taken],
    derive: Callable[[Book, intake.Taken], intake.Taken],
    window: Window,
    horizon: Callable[[Book, intake.Taken], tuple[int, str]],
    **given,
) -> str:
    """Write ``params/<name>.yaml`` below ``root`` for ``tables`` (events, perhaps customers,
    contracts and surveys); returns what to tell the user.

    ``source``: files, duckdb:FILE, env:NAME, postgresql://..., sc://... or local[n]; ``columns``:
    ours=theirs or table.ours=theirs; ``take`` and ``derive``: how a refresh takes what a source
    holds, and makes the customer tables of it; ``window``: after how many
    days of silence a customer is gone, why, and whether that holds; ``horizon``: how far ahead the
    risk of these may look, and why; ``given``: what is known of the book (timezone,
    currency, after_days, and how CSV is written).

    Raises:
        Refused: there is such a book, a required column is not found, values can be read in
            several ways, or a refresh of the proposed book would be refused.
    """
    books.require_name(name)
    file = root / "params" / f"{name}.yaml"
    if file.exists():
        raise Refused(f"params/{name}.yaml already exists; choose another name, or delete it")
    origin = _source(source, root) | {key: given.pop(key) for key in guess.CSV if key in given}
    if origin["kind"] == "files":
        tables = {table: _place(place, root) for table, place in tables.items()}
    churn = {"kind": "contract" if "contracts" in tables else "activity", "activity": ["purchase"]}
    book = {
        "title": name.replace("-", " ").replace("_", " ").capitalize(),
        "label": "",
        "source": origin,
        "tables": tables,
        "columns": {},
        "only": {},
        "attributes": None,
        "timezone": given.get("timezone", ""),
        "currency": given.get("currency", "EUR"),
        "snapshot_date": date.max,
        "churn": churn | {"after_days": given.get("after_days", GRACE_DAYS)},
        "horizon_days": 90,
        "covariates": [],
        "parameters": {},
    }
    work = root / "work"
    work.mkdir(exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=work, prefix=".spool-") as spool:
        notes = _map_tables(book, columns, root, Path(spool))
    taken = _take(_checked(book), root, take)
    read = _settle(book, given, taken, notes, window)
    derived = derive(_checked(book), taken)
    book["horizon_days"], notes["horizon_days",] = horizon(_checked(book), derived)
    book["covariates"] = guess.covariates(_checked(book), derived["customers_at"])
    notes["covariates",] = "known of everybody, with few levels: what may go with leaving"
    book["parameters"] = guess.parameters(_checked(book), derived["spells"])
    notes[("parameters",)] = "where the notebooks' defaults would say little about this book"
    book = {key: value for key, value in book.items() if value not in ("", {}, [], None)}
    head = f"# Proposed by `retention new-book {name}` from the data alone: read and correct it.\n"
    text = head + "".join(f"{line}\n" for line in _lines(book, notes))
    with file.open("x", encoding="utf-8") as new:
        new.write(text)
    try:
        if books.load(name, root) != _checked(book):
            raise Refused("the saved book is not the one that was checked: please report this")
    except Refused:
        file.unlink()
        raise
    return (
        f"{text}\n{read}\nSaved as params/{name}.yaml. Read it through, then\n"
        f"  make refresh BOOK={name}\n"
        f"  open reports/{name}/{book['snapshot_date']}/index.html"
    )


def _source(words: str, root: Path) -> dict[str, str]:
    """The book's source from the option's words; a secret is refused, and never repeated."""
    kind, _, rest = words.partition(":")
    if words == "files":
        return {"kind": "files"}
    if kind == "duckdb" and rest:
        return {"kind": "duckdb", "file": _place(rest, root)}
    url = databases.secret(words, "url")
    try:
        split = urlsplit(url)
        split.port  # noqa: B018 (a password with a / in it would stand there: ValueError)
        hidden = split.password or ";" in url or "password" in parse_qs(split.query)
    except ValueError:
        raise Refused("--source: the address cannot be read") from None
    if kind != "env" and hidden:
        raise Refused(
            "--source holds a secret: put the address into an environment variable, "
            "and give its name: --source env:NAME"
        )
    if url.startswith(("postgresql://", "postgres://")):
        return {"kind": "postgres", "url": words}
    if url.startswith(("sc://", "local")):
        return {"kind": "spark", "url": words}
    raise Refused(
        "--source: expected duckdb:FILE, env:NAME (of a variable with an address), "
        "postgresql://user@host/database, sc://host:port or local[2]"
    )


def _place(words: str, root: Path) -> str:
    """A path or glob as the book says it: from the workbook's folder where it lies inside."""
    place = Path.cwd() / words
    return str(place.relative_to(root) if place.is_relative_to(root) else place)


def _checked(book: dict) -> Book:
    try:
        return Book.model_validate(book)
    except ValidationError as error:
        faults = [(".".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors()]
        raise Refused("\n".join(f"{place}: {words}" for place, words in faults)) from None


def _map_tables(book: dict, said: list[str], root: Path, spool: Path) -> Notes:
    """Complete how ``book`` reads its tables, from their values; what is to be said of it."""
    notes: Notes = {}
    if book["source"]["kind"] == "files":
        paths = [path for place in book["tables"].values() for path in files.matches(root, place)]
        if texts := [path for path in paths if path.suffix == ".csv"]:
            guessed = guess.dialect(texts, book["source"])
            if guessed.get("encoding", "utf-8") != book["source"].get("encoding", "utf-8"):
                notes[("source", "encoding")] = "a guess: check accented letters"
            book["source"] |= guessed
    with sources.opened(_checked(book), root, spool, typed=False) as frames:
        _map(book, said, frames, notes)
    only = _promised(book["columns"])
    with sources.opened(_checked(book | {"only": only}), root, spool) as frames:
        _leave_out(book, only, frames, notes)
        if "customers" in frames:
            ours, names = book["columns"]["customers"].values(), guess.names(frames["customers"])
            kept, out = guess.attributes(frames["customers"], [n for n in names if n not in ours])
            book["attributes"], notes[("attributes",)] = kept, out
    return notes


def _settle(book: dict, given: dict, taken: intake.Taken, notes: Notes, window: Window) -> str:
    """Complete churn and snapshot_date from what was ``taken``; what was read, in words."""
    acts, churn, at = taken["activity"], book["churn"], ("churn", "after_days")
    if churn["kind"] == "activity":
        kinds = ", ".join(acts["kind"].unique().sort())
        churn["activity"] = guess.bought(acts)
        named = "kind" in book["columns"]["events"]
        notes[("churn", "activity")] = f"of {kinds}" if named else "every row counts as one"
        last = acts["day"].max()
        churn["after_days"], notes[at], holds = window(acts, churn["activity"], last)
        book["label"] = "" if holds or "after_days" in given else NONE_HOLDS
    else:
        del churn["activity"]
        notes[at] = "days after the end in which a renewal still counts: a default"
    if "after_days" in given:
        churn["after_days"], notes[at] = given["after_days"], ""
    book["snapshot_date"] = calendar.date_of(acts["day"].max())
    notes[("snapshot_date",)] = "the last day with events; if it is incomplete, use the day before"
    notes[("currency",)] = "" if "currency" in given else "change it if you use another"
    more = ""
    if (asked := taken.get("surveys")) is not None:
        more = f" Surveys: {asked.height:,}, answered: {asked['answered_day'].count():,}."
    return (
        f"Read: {acts['events'].sum():,} events of {acts['customer_id'].n_unique():,} customers, "
        f"{calendar.date_of(acts['day'].min())} to {book['snapshot_date']}, amounts of "
        f"{acts['amount_cents'].sum() / 100:,.2f} {book['currency']} in all.{more}"
    )


def _map(book: dict, said: list[str], frames: dict[str, object], notes: Notes) -> None:
    """Find the columns of every table, then the one form of all dates and of all decimals."""
    stated = guess.stated(said, {table: guess.names(frame) for table, frame in frames.items()})
    ways, draft = {"date_format": {}, "decimal": {}}, _checked(book)
    for table, frame in frames.items():
        seen = guess.columns(table, frame, stated[table], draft)
        found, doubts = guess.mapping(table, seen, stated[table], book["tables"][table])
        book["columns"][table] = found
        notes |= {("columns", table, ours): doubts[ours] for ours in doubts if ours in found}
        notes[("columns", table)] = "; ".join(doubts[ours] for ours in doubts if ours not in found)
        for ours, name in ((o, name) for o, theirs in found.items() for name in files.each(theirs)):
            if ours in sources.DATES:
                ways["date_format"][name] = seen[name].forms
            elif ours in sources.NUMBERS:
                ways["decimal"][name] = seen[name].decimals
    for key, fits in ways.items():
        if key not in book["source"] and (way := guess.agreed(fits, key)) != guess.CSV[key]:
            book["source"][key] = way


def _promised(theirs: dict[str, dict]) -> dict[str, dict]:
    """Conditions that rows meet which keep the promises: ids and days are known, no refunds."""
    needed = [given[ours] for table, given in theirs.items() for ours in COLUMNS[table][0]]
    amounts = files.each(theirs["events"].get("amount", []))
    only: dict = {name: {"known": True} for name in needed}
    return only | {name: {"at_least": 0} for name in amounts}


def _leave_out(book: dict, only: dict, frames: dict[str, object], notes: Notes) -> None:
    """Of the conditions ``only``, and on kinds, those that leave out rows, each with how many."""
    theirs, gone = book["columns"], {}
    amounts, kind = files.each(theirs["events"].get("amount", [])), theirs["events"].get("kind")
    if amounts and kind:
        gone["events", kind], all_have = guess.refunds(frames["events"], kind, amounts)
        only = {name: how for name, how in only.items() if all_have or name not in amounts}
    if "surveys" in frames:
        asked = theirs["surveys"]["kind"]
        gone["surveys", asked] = guess.other_surveys(frames["surveys"], asked)
    for name in (name for (_, name), out in gone.items() if out):
        held = [(t, v) for t, frame in frames.items() for v in guess.values(frame, name)]
        kept = dict.fromkeys(v for t, v in held if v not in gone.get((t, name), ()))
        only |= {name: list(kept)} if kept else {}
    conditions, counts = _checked(book | {"only": only}).only, dict.fromkeys(only, 0)
    for frame in frames.values():
        counts |= {n: counts[n] + out for n, out in guess.left_out(frame, conditions).items()}
    book["only"], more = {name: how for name, how in only.items() if counts[name]}, ""
    for name in book["only"]:
        notes[("only", name)] = f"leaves out {counts[name]:,}{more} rows"
        more = " more"


def _take(book: Book, root: Path, take: Callable) -> intake.Taken:
    """All that the proposed book reads: the first check."""
    try:
        taken = take(book, root, calendar.day_of(book.snapshot_date))
    except Refused as error:
        if "without a zone" in str(error) and not book.timezone:
            raise Refused(
                "times have no zone, so days cannot be counted: say which time zone they are in, "
                "such as --timezone Europe/Berlin"
            ) from None
        raise Refused(f"{error}\nnothing was written") from None
    if taken["activity"].is_empty():
        raise Refused("events: no event is left to analyse; nothing was written")
    return taken


def _lines(values: dict, notes: Notes, place: tuple[str, ...] = ()) -> Iterator[str]:
    """A book as YAML, with notes as comments: behind their key, or above it where they are long."""
    for key, value in values.items():
        here, indent = (*place, key), "  " * len(place)
        start, words = f"{indent}{_flow(key)}:", notes.get(here, "")
        note = f"  # {''.join(c if c.isprintable() else '?' for c in words)}" if words else ""
        deep = isinstance(value, dict) and (
            len(f"{start} {_flow(value)}") > WIDTH
            or any(isinstance(part, dict) for part in value.values())
            or any(other[:-1] == here and notes[other] for other in notes)
        )
        start += "" if deep else f" {_flow(value)}"
        if len(start + note) > WIDTH:
            yield from textwrap.wrap(
                note.strip(), WIDTH, initial_indent=indent, subsequent_indent=f"{indent}# "
            )
            note = ""
        yield start + note
        if deep:
            yield from _lines(value, notes, here)


def _flow(value: object) -> str:
    """A value on one line of YAML, quoted where it must be."""
    text = yaml.safe_dump(
        [value], default_flow_style=True, sort_keys=False, allow_unicode=True, width=float("inf")
    )
    return text.strip()[1:-1]
