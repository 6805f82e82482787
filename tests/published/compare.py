"""Every published number beside the one that comes out here, and whether they agree."""

import csv
import math
from pathlib import Path
from typing import NamedTuple

import polars as pl

from published import classics, telco

PUBLISHED = Path(__file__).with_name("published.csv")
WORDS = {"not known": math.nan, "not reached": math.inf}


class Row(NamedTuple):
    """A number as it is expected, in the digits printed, and as it came out."""

    data: str
    name: str
    expected: str
    source: str
    got: float = math.nan


def expected() -> list[Row]:
    """The rows of published.csv, in its order."""
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        return [Row(**row) for row in csv.DictReader(file)]


def compare(data: str, customers: pl.DataFrame | None = None) -> list[Row]:
    """What is expected of one data set, with what comes out here.

    Takes   customers: as `telco.read` gives them, for Telco
    """
    found = telco.telco(customers) if data == "telco" else classics.SETS[data]()
    asked = [row for row in expected() if row.data == data]
    return [row._replace(got=_number(found[row.name])) for row in asked]


def tolerance(row: Row) -> float:
    """Half of the last digit printed; 0 for whole numbers and words."""
    decimals = len(row.expected.partition(".")[2])
    return 0.5 * 10.0**-decimals if decimals else 0.0


def agrees(row: Row) -> bool:
    """Whether what came out is, in the digits printed, what is expected."""
    wanted = WORDS.get(row.expected) or float(row.expected)
    if not math.isfinite(wanted):
        return str(row.got) == str(wanted)
    return abs(row.got - wanted) <= tolerance(row) + 1e-12


def written(row: Row) -> str:
    """A line for people: name, expected, got, within what it agrees, and by whom it is expected."""
    verdict = "agrees" if agrees(row) else "DIFFERS"
    figures = f"{row.expected:>14} {row.got:>16.10g} {tolerance(row):>8g}"
    return f"{row.name:62} {figures} {verdict:8} {row.source}"


def _number(found: float | None) -> float:
    return math.nan if found is None else float(found)
