"""What is kept of customers, made less: prune old refreshes, forget one customer."""

import shutil
from functools import partial
from pathlib import Path

import polars as pl

from retention_runner import lock, records
from retention_runner.errors import Refused, nearest
from retention_runner.places import NAME, PRUNED, Places, refreshes
from retention_runner.workbook import Say, Workbook

# Where a book's tables lie, and lists of customers; one in no book's folder may be of any book.
PLACES = ("work/{}/**/*", "work/lab/{}/**/*", "outreach/{}/**/*", "outreach/*")
SCANS = {".parquet": pl.scan_parquet, ".csv": partial(pl.scan_csv, infer_schema=False)}


def prune(workbook: Workbook, name: str, keep: int | None, say: Say) -> None:
    """Prune the book ``name`` down to ``keep`` refreshes, or as many as the book says.

    Raises:
        Refused: there is no such book, or nobody says how many refreshes keep their customers.
    """
    book = workbook.load(name)
    if not (keep := keep or book.keep):
        raise Refused(f"{name}: add --keep N, or keep: N to params/{name}.yaml")
    places = Places(workbook.root, workbook.root / "reports", name)
    with lock.alone(workbook.root, name):
        if not prune_held(workbook, places, keep, say):
            say(f"{name}: nothing to prune")


def prune_held(workbook: Workbook, places: Places, keep: int, say: Say) -> list[str]:
    """Take the customers from all refreshes of a book but the newest ``keep``; gives which had any.

    What stays: aggregate tables, findings, and what the refresh was made from. So it stands, and
    later refreshes compare themselves with it. Whoever calls this holds the book.
    """
    pruned = []
    for refresh in refreshes(places.work)[:-keep]:
        folder = places.work / refresh
        lab = places.root / "work" / "lab" / places.name / refresh
        tables = [file for file in _files(folder / "tables") if file.stem not in workbook.lasting]
        if files := [*tables, *_files(folder / "notebooks"), *_files(lab)]:
            number = sum(file.suffix == ".parquet" for file in files)
            size = sum(file.stat().st_size for file in files)
            (folder / PRUNED).touch()  # first: what is half pruned says so
            for file in files:
                file.unlink()
            shutil.rmtree(lab, ignore_errors=True)
            say(f"{places.name} {refresh}: pruned, {number} tables and {size:,} bytes removed")
            pruned.append(refresh)
    return pruned


def forget(workbook: Workbook, customer_id: str, names: list[str], say: Say) -> None:
    """Erase one customer from all tables and lists of the books ``names``, or of all there are.

    A table is written as if it had never held the customer's rows. Executed notebooks of failed
    refreshes go whole, as a traceback can show a value. Published pages stay: small cells are
    hidden in them. The id is never said.

    Raises:
        Refused: there is no such book, or a table cannot be read; what was erased is.
    """
    root = workbook.root
    known = {path.stem for place in ("params", "work") for path in (root / place).glob("*")}
    known = sorted(filter(NAME.fullmatch, known))
    if unknown := [name for name in names if name not in known]:
        raise Refused(f"no book {unknown[0]!r}{nearest(unknown[0], known)}")
    found = []
    for name in names or known:
        places = Places(root, root / "reports", name)
        with lock.alone(root, name):
            for folder in (places.failed, places.stages):
                if folder.exists():
                    shutil.rmtree(folder)
                    say(f"{name}: what a failed refresh had left was removed")
            rows = [_erase(workbook, customer_id, file) for file in _tables(root, name)]
        rows = list(filter(None, rows))
        if rows:
            say(f"{name}: {sum(rows):,} rows in {len(rows)} tables were removed")
        found += rows
    if not found:
        say("found in no table")
    say("The source is untouched: unless they are erased there too, the next refresh reads them.")


def _tables(root: Path, name: str) -> list[Path]:
    found = (file for place in PLACES for file in root.glob(place.format(name)))
    return [file for file in found if file.suffix in SCANS]


def _erase(workbook: Workbook, customer_id: str, file: Path) -> int:
    """Write a table without the rows of a customer, if it has any; gives how many."""
    theirs = (pl.col("customer_id").cast(pl.String) == customer_id).fill_null(False)
    try:
        table = SCANS[file.suffix](file, glob=False)
        if "customer_id" not in table.collect_schema():
            return 0
        if rows := table.filter(theirs).select(pl.len()).collect().item():
            workbook.save(table.filter(~theirs).collect(), file)
            records.note_erased(file.parent.parent, file)
        return rows
    except pl.exceptions.PolarsError:  # its message may hold values
        raise Refused(f"{file}: cannot be read; delete or mend it, and forget again") from None


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
