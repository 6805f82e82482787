"""Tables drawn in tests, and a small shop to run whole books on."""

from datetime import date, timedelta
from pathlib import Path

import polars as pl

DAYS = ("day", "_day", "_days", "_cents")

SHOP = """\
title: Corner Shop
source: {kind: files}
tables:
  events: data/events.csv
  customers: data/customers.csv
snapshot_date: 2024-12-31
churn: {kind: activity, activity: [purchase], after_days: 60}
"""


def drawn(text: str) -> pl.DataFrame:
    """A table as drawn between pipes; blank is null.

    Values make the type: 7 whole, 7.5 real, true truth, 2025-06-30 (in ``*_date``) a date, all
    others text. ``customer_id`` is always text; a column of blanks is whole if named for days or
    cents, else text.
    """
    names, *rows = (
        [cell.strip() or None for cell in line.strip().strip("|").split("|")]
        for line in text.strip().splitlines()
    )
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    return pl.DataFrame([_column(name, values) for name, values in columns.items()])


def _column(name: str, values: list[str | None]) -> pl.Series:
    column, known = pl.Series(name, values, pl.String), [value for value in values if value]
    if name == "customer_id":
        return column
    if not known:
        return column.cast(pl.Int64 if name.endswith(DAYS) else pl.String)
    if name.endswith("_date"):
        return column.str.to_date()
    if set(known) <= {"true", "false"}:
        return column == "true"
    for dtype in (pl.Int64, pl.Float64):
        if column.cast(dtype, strict=False).count() == len(known):
            return column.cast(dtype)
    return column


def day(text: str) -> int:
    """Day number of a date: whole days since 1970-01-01."""
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def shop() -> dict[str, pl.DataFrame]:
    """Sixty customers of a shop in 2024, of whom every third leaves after three purchases."""
    bought = [
        (f"customer-{number}", date(2024, 1, 1) + timedelta(3 * number + 20 * visit))
        for number in range(60)
        for visit in range(3 if number % 3 == 0 else 18)
    ]
    events = pl.DataFrame(bought, schema=["customer_id", "at"], orient="row").with_columns(
        kind=pl.lit("purchase"), amount=pl.Series(5.0 + number % 7 for number in range(len(bought)))
    )
    customers = events.group_by("customer_id").agg(started=pl.col("at").min()).sort("customer_id")
    return {"events": events, "customers": customers}


def save(frame: pl.DataFrame, file: Path) -> Path:
    """Write ``frame`` as CSV or Parquet, whichever ``file`` is called."""
    file.parent.mkdir(parents=True, exist_ok=True)
    (frame.write_csv if file.suffix == ".csv" else frame.write_parquet)(file)
    return file
