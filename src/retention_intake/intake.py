"""What a refresh takes from its source: customer-days and customers, checked, up to a day.

The source is asked once: its promises are counted and its events brought to one row per customer
and day where they lie. What is given is Polars, and small.
"""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import narwhals as nw
import polars as pl

from retention.book import Book
from retention.errors import Refused
from retention.tables import activity, promises, rules, surveys
from retention_intake import sources
from retention_intake.sources import KEPT

LEAVE_OUT = "write them alike in the source, or list only the columns you need as `attributes:`"


@dataclass(frozen=True)
class Intake:
    """The tables "activity", "habits", "baskets" and "intake" (GLOSSARY.md), and the source's
    customers (sorted; from its other tables where it has no such one), contracts and surveys."""

    activity: pl.DataFrame
    habits: pl.DataFrame
    baskets: pl.DataFrame
    customers: pl.DataFrame
    contracts: pl.DataFrame | None
    surveys: pl.DataFrame | None
    counts: pl.DataFrame

    def fingerprint(self) -> str:
        """Hash of all that was taken: equal hashes, equal tables."""
        digest = hashlib.sha256()
        for name, frame in vars(self).items():
            if frame is not None:
                rows = frame.select(sorted(frame.columns))
                rows = rows.sort(rows.columns, nulls_last=True)
                digest.update(name.encode())
                digest.update(rows.write_csv(quote_style="non_numeric").encode())
        return digest.hexdigest()


def take(book: Book, root: Path, snapshot_day: int, aside: Path | None = None) -> Intake:
    """Read, check and aggregate the book's source up to ``snapshot_day``; copies of its files are
    made, where they must be, in a folder in ``aside`` (or in work/) that is gone afterwards.

    Raises:
        Refused: the source cannot be read, or its tables break a promise; every broken rule of
            every table is in the message.
    """
    aside = aside or root / "work"
    aside.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (
        tempfile.TemporaryDirectory(dir=aside, prefix=".spool-") as spool,
        sources.read(book, root, Path(spool)) as source,
    ):
        frames = _up_to(source, snapshot_day)
        kept = _kept(frames)
        misfits = {
            table: rules.misfits(frame.drop(KEPT).collect_schema(), promises.PROMISES[table])
            for table, frame in kept.items()
        }
        _refuse(source, misfits)
        events = kept["events"].drop(KEPT)
        kept_rules = [
            *rules.row_rules(events.collect_schema(), promises.PROMISES["events"]),
            *promises.on_the_clocks(book.timezone),
        ]
        plain = events.select(*promises.PROMISES["events"].columns)
        queries = {
            "breaks": rules.breaks(events, kept_rules),
            "activity": activity.activity(plain),
            "habits": activity.habits(plain),
            "baskets": activity.baskets(plain),
            "distinct events": plain.unique().select(n=nw.len()),
            **{f"all {table}": frame.select(n=nw.len()) for table, frame in frames.items()},
            **{f"kept {table}": frame.select(n=nw.len()) for table, frame in kept.items()},
            **{table: frame.drop(KEPT) for table, frame in kept.items() if table != "events"},
        }
        got = sources.collected(source, queries)
        faults = {table: [] for table in source.tables}
        faults["events"] = rules.named(
            events, promises.PROMISES["events"], kept_rules, got["breaks"].row(0)
        )
    for table in set(got) & {"customers", "contracts", "surveys"}:
        faults[table] = rules.broken(got[table], promises.PROMISES[table])
    _refuse(source, faults)
    customers = _customers(got)
    _refuse(source, _whole_faults(got, customers))
    return Intake(
        got["activity"],
        got["habits"],
        got["baskets"],
        customers.select(pl.exclude(f"^{rules.FAULT}.*$")),
        _plain(got, "contracts"),
        _plain(got, "surveys"),
        _counts(got, source.tables),
    )


def _up_to(source: sources.Source, snapshot_day: int) -> dict[str, nw.LazyFrame]:
    """The tables without what happened later; rows of an unknown day are kept, as faults."""
    frames = dict(source.tables)
    days = {"events": "day", "contracts": "started_day", "surveys": "sent_day"}
    for table in days.keys() & frames.keys():
        frames[table] = activity.until(frames[table], snapshot_day, days[table])
    if "surveys" in frames:
        frames["surveys"] = surveys.known(frames["surveys"], snapshot_day)
    return {name: nw.from_native(frame).lazy() for name, frame in frames.items()}


def _kept(frames: dict[str, nw.LazyFrame]) -> dict[str, nw.LazyFrame]:
    """What `only:` keeps: rows that meet it, of customers who meet it."""
    kept = {name: frame.filter(KEPT) for name, frame in frames.items()}
    if "customers" in frames:
        others = frames["customers"].filter(~nw.col(KEPT)).select("customer_id")
        for name in set(kept) - {"customers"}:
            kept[name] = kept[name].join(others, on="customer_id", how="anti")
    return kept


def _plain(got: dict[str, pl.DataFrame], table: str) -> pl.DataFrame | None:
    """The promised columns of a table that the source may have."""
    return got[table].select(*promises.PROMISES[table].columns) if table in got else None


def _refuse(source: sources.Source, faults: dict[str, list[rules.Broken]]) -> None:
    """Raise one message for all ``faults``, if there are any."""
    lines = [
        rules.report(source.places.get(table, table), found, source.names[table])
        for table, found in faults.items()
        if found
    ]
    if lines:
        raise Refused("\n".join(lines))


def _customers(got: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """The source's customers, or whoever has an event or a contract or was asked; sorted."""
    if "customers" in got:
        return got["customers"].sort("customer_id")
    others = ("activity", "contracts", "surveys")
    ids = [got[name].select("customer_id") for name in others if name in got]
    known = pl.concat(ids).unique().sort("customer_id")
    return known.with_columns(started_day=pl.lit(None, pl.Int64))


def _whole_faults(
    got: dict[str, pl.DataFrame], customers: pl.DataFrame
) -> dict[str, list[rules.Broken]]:
    """Faults that show only when tables are held against each other, or texts against texts."""
    events = got["activity"].rename({"events": "n"})
    faults = {
        "events": [
            *promises.against_customers(events, customers, "day"),
            *promises.one_spelling(got["activity"], ["kind"]),
            *promises.one_spelling(got["habits"], ["channel"]),
            *promises.one_spelling(got["baskets"], ["category"]),
        ]
    }
    people = "customers" if "customers" in got else "events"
    texts = [c.name for c in customers.drop("customer_id") if c.dtype == pl.String]
    faults[people] = [
        *faults.get(people, ()),
        *promises.one_id(customers["customer_id"]),
        *promises.one_spelling(customers, texts, LEAVE_OUT),
    ]
    if "contracts" in got:
        terms = got["contracts"].with_columns(n=pl.lit(1))
        faults["contracts"] = [
            *promises.against_customers(terms, customers, "started_day"),
            *promises.one_spelling(terms, ["cause", "plan"]),
        ]
    if "surveys" in got:
        sent = got["surveys"].with_columns(n=pl.lit(1))
        faults["surveys"] = promises.against_customers(sent, customers, "sent_day")
    return faults


def _counts(got: dict[str, pl.DataFrame], tables) -> pl.DataFrame:
    """The table "intake": rows read, left out by `only:`, and events equal to another."""
    rows = []
    for table in sorted(tables):
        read, kept = got[f"all {table}"].item(), got[f"kept {table}"].item()
        rows += [(table, "rows", read), (table, "left out by only", read - kept)]
    rows.append(("events", "duplicates", got["kept events"].item() - got["distinct events"].item()))
    return pl.DataFrame(
        rows, schema={"table": pl.String, "measure": pl.String, "n": pl.Int64}, orient="row"
    )
