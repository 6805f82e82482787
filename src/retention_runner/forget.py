"""What is kept of customers, made less: prune old refreshes, forget one customer."""

import shutil
from functools import partial
from pathlib import Path

import polars as pl

from retention_runner import lock
from retention_runner.errors import Refused, nearest
from retention_runner.places import ERASED, NAME, PRUNED, Places, refreshes
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
        prune_held(workbook, places, keep, say)


def prune_held(workbook: Workbook, places: Places, keep: int, say: Say) -> None:
    """Take the customers from all refreshes of a book but the newest ``keep``.

    What stays: aggregate tables, findings, and what the refresh was made from. So it stands, and
    later refreshes compare themselves with it. Whoever calls this holds the book.
    """
    for refresh in refreshes(places.work)[:-keep]:
        folder = places.work / refresh
        lab = places.root / "work" / "lab" / places.name / refresh
        tables = [file for file in _files(folder / "tables") if file.stem not in workbook.lasting]
        if files := [*tables, *_files(folder / "notebooks"), *_files(lab)]:
            (folder / PRUNED).touch()  # first: what is half pruned says so
            for file in files:
                file.unlink()
            shutil.rmtree(lab, ignore_errors=True)
            say(f"{places.name} {refresh}: pruned, {len(files)} files with customers removed")


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
    for name in names or known:
        places = Places(root, root / "reports", name)
        with lock.alone(root, name):
            for folder in (places.failed, places.stages):
                shutil.rmtree(folder, ignore_errors=True)
            files = [file for place in PLACES for file in root.glob(place.format(name))]
            found = [_erase(workbook, customer_id, file) for file in files if file.suffix in SCANS]
        say(f"{name}: {sum(found):,} rows in {sum(map(bool, found))} tables were removed")
    say("The source is untouched: unless they are erased there too, the next refresh reads them.")


def _erase(workbook: Workbook, customer_id: str, file: Path) -> int:
    """Write a table without the rows of a customer, if it has any; gives how many."""
    theirs = (pl.col("customer_id").cast(pl.String) == customer_id).fill_null(False)
    try:
        table = SCANS[file.suffix](file, glob=False)
        if "customer_id" not in table.collect_schema():
            return 0
        if rows := table.filter(theirs).select(pl.len()).collect().item():
            workbook.save(table.filter(~theirs).collect(), file)
            if (folder := file.parent.parent).name in refreshes(folder.parent):
                (folder / ERASED).touch()
        return rows
    except pl.exceptions.PolarsError:  # its message may hold values
        raise Refused(f"{file}: cannot be read; delete or fix it, and forget again") from None


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
