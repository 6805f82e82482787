"""What may be published: the one place that hides small counts and all that rests on them.

``standard`` hides, row by row, counts of people from 1 to ``min_cell`` - 1, their complements (the
rest of the whole that they are a part of), and every measure that rests on either. It does not stop
anybody from subtracting one published figure from another.

``strict`` besides rounds published counts to the nearest 5, computes shares and their intervals
from rounded counts and gives other measures with two figures, lets a curve step only where
``min_cell`` events have gathered, and gives amounts with three figures, only where no customer
holds over half.
Its claim: no count below ``min_cell`` follows exactly from any two published figures.
"""

import polars as pl

from retention import schema
from retention.schema import Column
from retention.stats.intervals import wilson

STEP = 5  # customers: published counts of the strict level are multiples of it
LARGEST = "largest_share"  # a column that tells what share of an amount one customer holds at most


def hide(
    table: pl.DataFrame, name: str = "", min_cell: int = 10, strict: bool = False, confidence=0.95
) -> pl.DataFrame:
    """The ``table`` as it may be published.

    Takes   any tidy table with columns of the schema; ``name``: which of its tables it is, if any;
            ``min_cell``: customers; smaller counts are hidden
    Returns the same rows and columns, null where something is hidden; what was hidden before stays
            so. If ``strict``, a curve has fewer rows. A column ``largest_share`` is taken off.

    Checked in tests/test_disclosure.py, by hand and for every table of a refresh.
    """
    columns = [schema.column(one, name) for one in table.columns if one != LARGEST]
    if strict:
        table = _in_steps(table, columns, min_cell)
    hidden = _hidden(columns, min_cell)
    if strict:
        alone = pl.col(LARGEST) > 0.5 if LARGEST in table.columns else pl.lit(True)
        hidden |= {one: hidden.get(one, False) | alone for one in _of_kind(columns, *MONEY)}
    shown = table.with_columns(
        pl.when(~cell.fill_null(False)).then(one).alias(one) for one, cell in hidden.items()
    ).drop(LARGEST, strict=False)
    return _rounded(shown, columns, confidence) if strict else shown


MONEY = ("money", "mean_money")


def _hidden(columns: list[Column], min_cell: int) -> dict[str, pl.Expr]:
    """Where each count and each measure is to be hidden."""
    hidden: dict[str, pl.Expr] = {}
    for column in columns:
        if column.kind == "people":
            hidden[column.name] = _few(pl.col(column.name), min_cell)
            if column.of in hidden:
                rest = pl.col(column.of) - pl.col(column.name)
                hidden[column.name] |= hidden[column.of] | _few(rest, min_cell)
    for measure, count in _rests_on(columns).items():
        hidden[measure] = hidden[count]
    for share, whole in _shares(columns).items():
        part = _part(share, whole)
        rest = pl.col(whole) - part
        hidden[share] = hidden[whole] | _few(part, min_cell) | _few(rest, min_cell)
    ends = schema.measures(column.name for column in columns)
    return hidden | {end: hidden[one] for end, one in ends.items() if one in hidden}


def _rests_on(columns: list[Column]) -> dict[str, str]:
    """Of every measure the count that it rests on: the one it names, or else the last before it."""
    counts, found, last = _of_kind(columns, "people"), {}, ""
    for column in columns:
        last = column.name if column.name in counts else last
        rests = column.of if column.of in counts else last
        if rests and column.kind not in ("people", *schema.KEYS):
            found[column.name] = rests
    return found


def _shares(columns: list[Column]) -> dict[str, str]:
    """Of every share whose whole stands beside it, that whole."""
    counts = _of_kind(columns, "people")
    return {one.name: one.of for one in columns if one.kind == "share" and one.of in counts}


def _of_kind(columns: list[Column], *kinds: str) -> list[str]:
    return [column.name for column in columns if column.kind in kinds]


def _few(count: pl.Expr, min_cell: int) -> pl.Expr:
    return count.is_between(1, min_cell - 1).fill_null(False)


def _part(share: str, whole: str) -> pl.Expr:
    return (pl.col(share) * pl.col(whole)).round().cast(pl.Int64, strict=False)


def _in_steps(table: pl.DataFrame, columns: list[Column], min_cell: int) -> pl.DataFrame:
    """Of a curve the rows at which ``min_cell`` events have gathered since the one before."""
    if not {"at_risk", "events"} <= {*table.columns}:
        return table
    keys, kept, gathered, last = _of_kind(columns, "text"), [], 0, None
    for row in table.iter_rows(named=True):
        key = [row[name] for name in keys]
        gathered = row["events"] + (gathered if key == last else 0)
        last = key
        if gathered >= min_cell:
            kept.append(row | {"events": gathered})
            gathered = 0
    return pl.DataFrame(kept, table.schema)


def _rounded(table: pl.DataFrame, columns: list[Column], confidence: float) -> pl.DataFrame:
    """Counts to the nearest 5; shares of these; three figures of amounts, two of all else."""
    shares, rests = _shares(columns), _rests_on(columns)
    parts = {f"{share} part": _part(share, whole) for share, whole in shares.items()}
    counts = [*_of_kind(columns, "people"), *parts]
    table = table.with_columns(**parts).with_columns(
        ((pl.col(one) / STEP).round() * STEP).cast(pl.Int64).alias(one) for one in counts
    )
    ends = schema.measures(column.name for column in columns)
    found = {}
    for share, whole in shares.items():
        limits = wilson(f"{share} part", whole, confidence)
        own = [end for end, measure in ends.items() if measure == share]
        found[share] = pl.col(f"{share} part") / pl.col(whole)
        found |= dict(zip(own, limits, strict=False))
    money = _of_kind(columns, *MONEY)
    for one in {*rests, *money} - {*found, *_of_kind(columns, "", *schema.KEYS)}:
        found[one] = pl.col(one).round_sig_figs(3 if one in money else 2)
    return table.with_columns(**found).drop(parts)
