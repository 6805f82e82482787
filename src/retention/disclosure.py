"""What may be published: the one place that hides small counts and all that follows from them.

``standard`` hides, row by row, counts of people from 1 to ``min_cell`` - 1, their complements (the
rest of the whole that they are a part of), and every measure that rests on either. It does not stop
anybody from subtracting one published figure from another.

``strict`` besides rounds published counts to the nearest 5, computes every share and its interval
from rounded counts, moves a curve only where ``min_cell`` events have gathered, and prints amounts
with three figures and only where no customer holds over half of them. Its claim: no count below
``min_cell`` follows exactly from any two published figures.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from retention import schema


@dataclass(frozen=True)
class Level:
    """How much is hidden: from how many customers on a count is shown, and whether strictly."""

    min_cell: int = 10
    strict: bool = False
    confidence: float = 0.95


def hide(table: pl.DataFrame, level: Level, name: str = "") -> pl.DataFrame:
    """The ``table`` as it may be published.

    Takes   any tidy table, with columns of the schema; ``name``: which table of the schema it is
    Returns the same rows and columns, null where something is hidden; what is hidden already stays
            so. In the strict level a curve has fewer rows.

    Checked in tests/test_disclosure.py by hand and, with Hypothesis, for every column there is.
    """
    columns = {one: schema.column(one, name) for one in table.columns}
    whole = {one: column.of for one, column in columns.items() if column.of in columns}
    hidden: dict[str, pl.Expr] = {}
    for one, column in columns.items():
        if column.kind == "people":
            small = _small(pl.col(one), level.min_cell)
            if one in whole:
                rest = _small(pl.col(whole[one]) - pl.col(one), level.min_cell)
                small = small | rest | hidden.get(whole[one], pl.lit(False))
            hidden[one] = small
    rests = rests_on(columns.values())
    for one, column in columns.items():
        if one in rests:
            hides = hidden[rests[one]]
            if column.kind == "share" and column.of in columns:
                part = (pl.col(one) * pl.col(column.of)).round().cast(pl.Int64)
                hides = hides | _small(part, level.min_cell)
                hides = hides | _small(pl.col(column.of) - part, level.min_cell)
            hidden[one] = hides
    ends = schema.measures(columns)
    hidden |= {end: hidden[one] for end, one in ends.items() if one in hidden}
    return table.with_columns(
        pl.when(~cell.fill_null(False)).then(one).alias(one) for one, cell in hidden.items()
    )


def rests_on(columns: Iterable[schema.Column]) -> dict[str, str]:
    """Of every measure, the count of people that it rests on: the one it names, or else the last
    before it. Keys and what stands before any count rest on none."""
    columns, found, last = list(columns), {}, ""
    counts = {column.name for column in columns if column.kind == "people"}
    for column in columns:
        if column.kind == "people":
            last = column.name
        elif column.kind not in schema.KEYS and (column.of in counts or last):
            found[column.name] = column.of if column.of in counts else last
    return found


def _small(count: pl.Expr, min_cell: int) -> pl.Expr:
    return count.is_between(1, min_cell - 1).fill_null(False)
