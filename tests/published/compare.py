"""Every published number beside the one that comes out here, and whether they agree."""

import csv
import math
import sys
from pathlib import Path
from typing import NamedTuple

import polars as pl
from rich.console import Console
from rich.table import Table

from published import classics, telco
from retention.errors import Failed, Refused

PUBLISHED = Path(__file__).with_name("published.csv")
WORDS = {"not known": math.nan, "not reached": math.inf}


class Row(NamedTuple):
    """A number as it is expected, in the digits printed, and as it came out (None: skipped)."""

    data: str
    name: str
    expected: str
    source: str
    got: float | None = None


def say(folder: Path | None) -> None:
    """Print every number of published.csv beside the one that comes out here.

    Takes   folder: where telco/Telco-Customer-Churn.csv lies; without it Telco is skipped

    Raises:
        Refused: the folder does not hold that file as it was published.
        Failed: numbers differ; all are named.
    """
    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    customers = None if folder is None else telco.read(folder)
    asked = []
    for data in dict.fromkeys(row.data for row in expected()):
        rows = compare(data, customers)
        if rows[0].got is None:
            where = f"{telco.FILE}, in a folder that --data DIR names, from {telco.ORIGIN}"
            console.print(f"[bold]{data}[/]: {len(rows)} numbers are skipped; they need {where}\n")
        else:
            asked += rows
            console.print(_table(rows), "")
    if differing := [f"{row.data}: {row.name}" for row in asked if not agrees(row)]:
        raise Failed(f"{len(differing)} of {len(asked)} numbers differ: {'; '.join(differing)}")
    console.print(f"All {len(asked)} numbers agree in the digits that are printed.")


def expected() -> list[Row]:
    """The rows of published.csv, in its order."""
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        return [Row(**row) for row in csv.DictReader(file)]


def compare(data: str, customers: pl.DataFrame | None = None) -> list[Row]:
    """What is expected of one data set, with what comes out here.

    Takes   customers: as `telco.read` gives them; without them Telco is skipped

    Raises:
        Failed: an estimator of ours refuses the data.
    """
    rows = [row for row in expected() if row.data == data]
    if data == "telco" and customers is None:
        return rows
    try:
        found = telco.telco(customers) if data == "telco" else classics.SETS[data]()
    except Refused as error:
        raise Failed(f"nothing can be computed of {data}: {error}") from error
    return [row._replace(got=_number(found[row.name])) for row in rows]


def tolerance(row: Row) -> float:
    """Half of the last digit printed; 0 for whole numbers and words."""
    decimals = _decimals(row)
    return 0.5 * 10.0**-decimals if decimals else 0.0


def agrees(row: Row) -> bool:
    """Whether what came out is, in the digits printed, what is expected."""
    wanted = WORDS.get(row.expected) or float(row.expected)
    if not math.isfinite(wanted):
        return str(row.got) == str(wanted)
    return abs(row.got - wanted) <= tolerance(row) + 1e-12


def _table(rows: list[Row]) -> Table:
    """Of one data set, and whose results are expected."""
    sources = "; ".join(dict.fromkeys(row.source for row in rows))
    table = Table(title=rows[0].data, caption=f"expected by: {sources}", box=None, pad_edge=False)
    table.title_style, table.caption_style = "bold", "dim"
    table.title_justify = table.caption_justify = "left"
    table.add_column("", overflow="fold")
    for name in ("expected", "got", "within", ""):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        good = agrees(row)
        words = (row.name, row.expected, _written(row), f"{tolerance(row):g}")
        table.add_row(*words, "agrees" if good else "DIFFERS", style="" if good else "bold red")
    return table


def _written(row: Row) -> str:
    """What came out, with two digits more than are printed."""
    words = {str(value): word for word, value in WORDS.items()}
    return words.get(str(row.got), f"{row.got:.{_decimals(row) and _decimals(row) + 2}f}")


def _number(found: float | None) -> float:
    return math.nan if found is None else float(found)


def _decimals(row: Row) -> int:
    return len(row.expected.partition(".")[2])
