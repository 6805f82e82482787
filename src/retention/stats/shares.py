"""How customers are spread over groups: counts, shares with their intervals, and who pays."""

from collections.abc import Iterable

import polars as pl

from retention.stats.intervals import share


def shares(
    rows: pl.DataFrame,
    by: str,
    groups: Iterable[str],
    amount: str,
    confidence: float = 0.95,
    **further: pl.Expr,
) -> pl.DataFrame:
    """How ``rows``, one per customer, are spread over the ``groups`` of ``by``, in their order.

    Takes   rows: ``by`` and ``amount``; ``further`` aggregates of a group, by name
    Returns ``by``, n (0 where nobody is in it), share, ci_lower, ci_upper (Wilson), ``further``,
            share_of_amount (null where nobody paid)
    """
    counted = rows.group_by(by).agg(n=pl.len(), paid=pl.col(amount).sum(), **further).sort(by)
    total = pl.lit(rows[amount].sum() or None, pl.Float64)
    return (
        pl.DataFrame({by: list(groups)}, {by: pl.String})
        .join(counted, on=by, how="left", maintain_order="left")
        .with_columns(pl.col("n", "paid").fill_null(0).cast(pl.Int64), n_all=pl.lit(rows.height))
        .with_columns(*share("n", "n_all", confidence), share_of_amount=pl.col("paid") / total)
        .select(by, "n", "share", "ci_lower", "ci_upper", *further, "share_of_amount")
    )
