"""What a refresh takes from its source: customer-days and customers, checked, up to a day.

The source is asked once: its promises are counted, and its events brought to one row per customer
and day, where they lie. What comes back is Polars, and small.
"""

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import narwhals as nw
import polars as pl

from retention import schema
from retention.book import Book
from retention.errors import Refused
from retention.tables import rules
from retention_intake import checks, sources
from retention_intake.sources import KEPT

SINCE = {"events": "day", "contracts": "started_day", "surveys": "sent_day"}
ANSWER = ("answered_day", "score", f"{rules.FAULT}score")


class Taken(dict[str, pl.DataFrame]):
    """The tables that were taken from a source, by name."""

    def fingerprint(self) -> str:
        """Hash of all that was taken: equal hashes, equal tables."""
        digest = hashlib.sha256()
        for name, frame in self.items():
            rows = frame.select(sorted(frame.columns))
            rows = rows.sort(rows.columns, nulls_last=True)
            digest.update(name.encode())
            digest.update(rows.write_csv(quote_style="non_numeric").encode())
        return digest.hexdigest()


def take(
    book: Book,
    root: Path,
    snapshot_day: int,
    summaries: Callable[[object], dict[str, object]],
    *,
    demo: dict[str, object] | None = None,
    aside: Path | None = None,
) -> Taken:
    """Read, check and aggregate the book's source up to ``snapshot_day``.

    Takes   summaries: what is made of the events where they lie, as lazy frames by name (the tables
            "activity", "habits" and "baskets"); demo: the tables of a demo source; aside: a folder
            for copies of files, which are gone afterwards (work/ where none is given)
    Returns the tables of ``summaries`` and "intake" (GLOSSARY.md), and the promised customers
            (sorted, with attributes; from the other tables where the source has none) and, where
            the source has them, contracts and surveys

    Raises:
        Refused: the source cannot be read, or its tables break a promise; every broken rule of
            every table is in the message.
    """
    aside = aside or root / "work"
    aside.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (
        tempfile.TemporaryDirectory(dir=aside, prefix=".spool-") as spool,
        sources.read(book, root, Path(spool), demo) as source,
    ):
        frames = known(source.tables, snapshot_day)
        kept = _kept(frames)
        events = kept.pop("events").drop(KEPT)
        promise = schema.TABLES["events"]
        kept_rules = rules.row_rules(events.collect_schema(), promise)
        kept_rules += checks.on_the_clocks(book.timezone)
        plain = events.select(*promise.columns)
        made, count = summaries(plain), nw.len().alias("n")
        queries = {
            "breaks": rules.breaks(events, kept_rules),
            **made,
            **{table: frame.drop(KEPT) for table, frame in kept.items()},
            "distinct events": plain.unique().select(count),
            "kept events": events.select(count),
            **{f"all {table}": frame.select(count) for table, frame in frames.items()},
        }
        got = sources.collected(source, queries)
        faults = {table: [] for table in source.tables}
        faults["events"] = rules.named(events, promise, kept_rules, got["breaks"].row(0))
    for table in kept:
        faults[table] = rules.broken(got[table], schema.TABLES[table])
    _refuse(source, faults)
    customers, owner = _customers(got), "customers" if "customers" in got else "events"
    _refuse(source, checks.across(got, customers, owner))
    others = {
        table: got[table].select(*schema.TABLES[table].columns)
        for table in ("contracts", "surveys")
        if table in got
    }
    customers = customers.select(pl.exclude(f"^{rules.FAULT}.*$"))
    made = {name: got[name] for name in made}
    counts = _counts(got, sorted(frames))
    return Taken(made | {"customers": customers, **others, "intake": counts})


def known(tables: Mapping[str, object], day: int) -> dict[str, nw.LazyFrame]:
    """The source's tables as they were known on a ``day``: without later rows, and without answers
    that came later. Rows of an unknown day stay, so that they are counted as faults.
    """
    frames = {name: nw.from_native(frame).lazy() for name, frame in tables.items()}
    for table in SINCE.keys() & frames.keys():
        since = nw.col(SINCE[table])
        frames[table] = frames[table].filter(since.is_null() | (since <= day))
    if "surveys" in frames:
        later = (nw.col("answered_day") > day).fill_null(False)
        names = [name for name in frames["surveys"].collect_schema() if name in ANSWER]
        answers = (nw.when(~later).then(name).alias(name) for name in names)
        frames["surveys"] = frames["surveys"].with_columns(*answers)
    return frames


def _kept(frames: dict[str, nw.LazyFrame]) -> dict[str, nw.LazyFrame]:
    """What `only:` keeps: rows that meet it, of customers who meet it."""
    kept = {name: frame.filter(KEPT) for name, frame in frames.items()}
    if "customers" in frames:
        others = frames["customers"].filter(~nw.col(KEPT)).select("customer_id")
        for name in set(kept) - {"customers"}:
            kept[name] = kept[name].join(others, on="customer_id", how="anti")
    return kept


def _refuse(source: sources.Source, faults: dict[str, list[rules.Broken]]) -> None:
    """Raise one message for all ``faults``, if there are any."""
    lines = [
        rules.report(source.places.get(table, table), found, source.names[table])
        for table, found in faults.items()
        if found
    ]
    if lines:
        raise Refused("\n".join(lines))


def _customers(got: Taken) -> pl.DataFrame:
    """The source's customers, or whoever has an event or a contract or was asked; sorted."""
    if "customers" in got:
        return got["customers"].sort("customer_id")
    others = ("activity", "contracts", "surveys")
    ids = [got[name].select("customer_id") for name in others if name in got]
    return (
        pl.concat(ids).unique().sort("customer_id").with_columns(started_day=pl.lit(None, pl.Int64))
    )


def _counts(got: Taken, tables: list[str]) -> pl.DataFrame:
    """The table "intake": rows read, left out by `only:`, and events equal to another."""
    rows = []
    for table in tables:
        read = got[f"all {table}"].item()
        kept = got["kept events"].item() if table == "events" else got[table].height
        rows += [(table, "rows", read), (table, "left out by only", read - kept)]
    rows.append(("events", "duplicates", got["kept events"].item() - got["distinct events"].item()))
    return pl.DataFrame(rows, ["table", "measure", "n"], orient="row")
