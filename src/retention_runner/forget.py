"""What is kept of customers, made less: prune old refreshes, forget one customer."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import polars as pl

from retention import book as books
from retention.errors import Refused
from retention.tables import promises, workspace
from retention_runner import lock, notebooks, records

Say = Callable[[str], None]
AGGREGATE = [name for name, table in promises.PROMISES.items() if table.level == "aggregate"]
# Where a book's tables lie, and lists of customers; one in no book's folder may be of any book.
PLACES = ("work/{}/**/*", "work/lab/{}/**/*", "outreach/{}/**/*", "outreach/*")
SCANS = {".parquet": pl.scan_parquet, ".csv": partial(pl.scan_csv, infer_schema=False)}


def prune(name: str, keep: int | None, say: Say) -> None:
    """Prune the book ``name`` down to ``keep`` refreshes, or as many as the book says.

    Raises:
        Refused: there is no such book, or nobody says how many refreshes keep their customers.
    """
    book = books.load(name, workspace.root())
    if not (keep := keep or book.keep):
        raise Refused(f"{name}: add --keep N, or keep: N to params/{name}.yaml")
    with lock.alone(name):
        if not prune_held(name, keep, say):
            say(f"{name}: nothing to prune")


def prune_held(name: str, keep: int, say: Say) -> list[str]:
    """Take the customers from all refreshes of a book but the newest ``keep``; gives which had any.

    What stays: aggregate tables, findings, and what the refresh was made from. So it stands, and
    later refreshes compare themselves with it. Whoever calls this holds the book.
    """
    pruned = []
    for refresh in workspace.refreshes(name)[:-keep]:
        work = workspace.root() / "work"
        folder, lab = work / name / refresh, work / "lab" / name / refresh
        files = [file for file in _files(folder / "tables") if file.stem not in AGGREGATE]
        if files := [*files, *_files(folder / "notebooks"), *_files(lab)]:
            tables = sum(file.suffix == ".parquet" for file in files)
            size = sum(file.stat().st_size for file in files)
            (folder / workspace.PRUNED).touch()  # first: what is half pruned says so
            for file in files:
                file.unlink()
            shutil.rmtree(lab, ignore_errors=True)
            say(f"{name} {refresh}: pruned, {tables} tables and {size:,} bytes removed")
            pruned.append(refresh)
    return pruned


def forget(customer_id: str, names: list[str], say: Say) -> None:
    """Erase one customer from all tables and lists of the books ``names``, or of all there are.

    A table is written as if it had never held the customer's rows. Executed notebooks of failed
    refreshes go whole, as a traceback can show a value. Published pages stay: small cells are
    hidden in them. The id is never said.

    Raises:
        Refused: there is no such book, or a table cannot be read; what was erased is.
    """
    root = workspace.root()
    known = {path.stem for place in ("params", "work") for path in (root / place).glob("*")}
    known = sorted(filter(books.NAME.fullmatch, known))
    if unknown := [name for name in names if name not in known]:
        raise Refused(f"no book {unknown[0]!r}{notebooks.nearest(unknown[0], known)}")
    found = []
    for name in names or known:
        with lock.alone(name):
            for left in (f"failed/{name}", f".building/{name}"):
                for folder in (root / "work").glob(left):
                    shutil.rmtree(folder)
                    say(f"{name}: what a failed refresh had left was removed")
            rows = [rows for file in _tables(name) if (rows := _erase(customer_id, file))]
        if rows:
            say(f"{name}: {sum(rows):,} rows in {len(rows)} tables were removed")
        found += rows
    if not found:
        say("found in no table")
    say("The source is untouched: unless they are erased there too, the next refresh reads them.")


def _tables(name: str) -> list[Path]:
    found = (file for place in PLACES for file in workspace.root().glob(place.format(name)))
    return [file for file in found if file.suffix in SCANS]


def _erase(customer_id: str, file: Path) -> int:
    """Write a table without the rows of a customer, if it has any; gives how many."""
    theirs = (pl.col("customer_id").cast(pl.String) == customer_id).fill_null(False)
    try:
        table = SCANS[file.suffix](file, glob=False)
        if "customer_id" not in table.collect_schema():
            return 0
        if rows := table.filter(theirs).select(pl.len()).collect().item():
            workspace.save(table.filter(~theirs).collect(), file)
            records.erased(file.parent.parent, file)
        return rows
    except pl.exceptions.PolarsError:  # its message may hold values
        raise Refused(f"{file}: cannot be read; delete or mend it, and forget again") from None


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
