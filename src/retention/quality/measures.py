"""What the data hold and whether they kept their promises, as one tidy table."""

import polars as pl

from retention.tables import promises, rules


def measure(tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Measure tables: the table "data_quality", one row per table, column and measure.

    Takes   tables by their name; each must have a promise
    Returns table, column (null = the whole table), measure, value: "rows"; "broken rules" (how
            many rules of the promise are broken); per column "share of nulls" (0 to 1)
    """
    rows = []
    for name in sorted(tables):
        frame = tables[name]
        faults = rules.broken(frame, promises.PROMISES[name])
        rows.append((name, None, "rows", float(frame.height)))
        rows.append((name, None, "broken rules", float(len(faults))))
        rows += [
            (name, column.name, "share of nulls", _per_cent(column.null_count(), frame.height))
            for column in frame
        ]
    return pl.DataFrame(rows, schema=["table", "column", "measure", "value"], orient="row").cast(
        {"column": pl.String, "value": pl.Float64}
    )


def _per_cent(part: int, whole: int) -> float:
    """A share in whole per cents: exact ones would count single customers."""
    return round(part / max(whole, 1), 2)


def coverage(activity: pl.DataFrame) -> pl.DataFrame:
    """Per kind of event: kind, customers, events, orders, amount (money), first_date, last_date."""
    return (
        activity.group_by("kind")
        .agg(
            pl.col("customer_id").n_unique().cast(pl.Int64).alias("customers"),
            pl.col("events").sum(),
            pl.col("orders").sum(),
            (pl.col("amount_cents").sum() / 100).alias("amount"),
            pl.from_epoch(pl.col("day").min(), time_unit="d").alias("first_date"),
            pl.from_epoch(pl.col("day").max(), time_unit="d").alias("last_date"),
        )
        .sort("kind")
    )
