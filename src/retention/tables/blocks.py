"""Customers in blocks, each with all of its rows: memory stays that of one block."""

from collections.abc import Iterator

import polars as pl

SIZE = 50_000  # customers


def blocks(
    table: pl.LazyFrame, customers: pl.DataFrame, size: int = SIZE
) -> Iterator[pl.DataFrame]:
    """The rows of ``table`` that belong to ``customers``, of ``size`` customers at a time.

    Takes   table: customer_id and what else is wanted of it; sorted by customer_id, or every block
            reads it whole; customers: customer_id, once each, and what is known of them
    Yields  the columns of both; customer_id is a whole number from 0 on in each block
    """
    for block in customers.sort("customer_id").iter_slices(size):
        ids = block["customer_id"]
        theirs = pl.col("customer_id").is_between(pl.lit(ids[0]), pl.lit(ids[-1]))
        yield (
            table.filter(theirs)
            .join(block.lazy().with_row_index("_number"), on="customer_id", how="inner")
            .with_columns(pl.col("_number").cast(pl.Int64).alias("customer_id"))
            .drop("_number")
            .collect()
        )
