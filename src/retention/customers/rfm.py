"""Recency, frequency and amount of orders (RFM): scores by fifths, and the usual named groups."""

import polars as pl

from retention.stats.intervals import wilson

ORDERS = ("days_since_last_order", "orders", "amount_cents")
# By the score of recency and of frequency, five being best: the usual names of the usual grid.
NAMES = {
    "champions": ((5,), (4, 5)),
    "loyal customers": ((3, 4), (4, 5)),
    "potential loyalists": ((4, 5), (2, 3)),
    "new customers": ((5,), (1,)),
    "promising": ((4,), (1,)),
    "need attention": ((3,), (3,)),
    "about to sleep": ((3,), (1, 2)),
    "at risk": ((1, 2), (3, 4)),
    "cannot lose them": ((1, 2), (5,)),
    "hibernating": ((1, 2), (1, 2)),
}


def ordered(activity: pl.LazyFrame, snapshot_day: int, rfm_days: int) -> pl.DataFrame:
    """What every customer who ever ordered has ordered of late.

    Takes   activity: customer_id, day, orders, amount_cents, up to the snapshot
    Returns one row per customer, sorted: customer_id, days_since_last_order (0 = on the snapshot),
            orders and amount_cents of the last ``rfm_days`` days, the snapshot among them
    """
    recent = pl.col("day") > snapshot_day - rfm_days
    return (
        activity.filter(pl.col("orders") > 0)
        .group_by("customer_id")
        .agg(
            days_since_last_order=snapshot_day - pl.col("day").max(),
            **{name: pl.col(name).filter(recent).sum() for name in ("orders", "amount_cents")},
        )
        .sort("customer_id")
        .collect()
    )


def scored(ordered: pl.DataFrame) -> pl.DataFrame:
    """``ordered`` with its scores and group.

    Takes   what `ordered` gives
    Returns it with rfm_score (three digits, 5 = best: recency, frequency, amount) and rfm (one of
            `NAMES`, by the first two)

    Fewer days since the last order are better, more orders and a larger amount are. Customers with
    equal values have equal scores, the smallest value always the first fifth: who ordered once is
    never divided from others who did by the order of rows.

    Source: Hughes (1994), Strategic Database Marketing (fifths). Checked in tests/test_rfm.py.
    """
    recency, frequency, amount = 6 - _fifth(ORDERS[0]), _fifth(ORDERS[1]), _fifth(ORDERS[2])
    grid = {
        10 * r + f: name for name, (recent, often) in NAMES.items() for r in recent for f in often
    }
    cell = 10 * recency + frequency
    return ordered.with_columns(
        rfm_score=(10 * cell + amount).cast(pl.String),
        rfm=cell.replace_strict(grid, return_dtype=pl.String),
    )


def _fifth(name: str) -> pl.Expr:
    """In which fifth of the customers a value lies, 1 = the smallest: by how many have less."""
    fewer = pl.col(name).rank("min").cast(pl.Int64) - 1
    return 5 * fewer // pl.len() + 1


def groups(scored: pl.DataFrame, confidence: float = 0.95) -> pl.DataFrame:
    """The table "rfm_groups": how large the named groups are, and their typical customer.

    Takes   what `scored` gives
    Returns in the order of `NAMES`, without empty ones: rfm, n, share, ci_lower, ci_upper (Wilson),
            days_since_last_order, orders (medians), share_of_amount (null where nobody paid)
    """
    total = scored["amount_cents"].sum()
    paid = pl.col("amount_cents").sum() / total if total else pl.lit(None, pl.Float64)
    place = {name: number for number, name in enumerate(NAMES)}
    return (
        scored.group_by("rfm")
        .agg(
            pl.col("days_since_last_order", "orders").median(),
            n=pl.len().cast(pl.Int64),
            share_of_amount=paid,
        )
        .sort(pl.col("rfm").replace_strict(place), "rfm")
        .with_columns(n_all=pl.col("n").sum())
        .with_columns(share=pl.col("n") / pl.col("n_all"))
        .with_columns(*wilson("n", "n_all", confidence))
        .select(
            *("rfm", "n", "share", "ci_lower", "ci_upper"),
            *("days_since_last_order", "orders", "share_of_amount"),
        )
    )


def headline(groups: pl.DataFrame) -> str:
    """The group that pays most of the amount among those shown, in a sentence."""
    known = groups.drop_nulls("share_of_amount").sort("share_of_amount", "rfm")
    if known.is_empty():
        return "How customers are spread over the groups"
    row = known.row(-1, named=True)
    name = row["rfm"].capitalize()
    return f"{name}: {row['share']:.1%} of customers, {row['share_of_amount']:.1%} of the amount"


def definition(rfm_days: int) -> str:
    """The scores and names in words, for the page."""
    named = "; ".join(
        f"{name}: {_among(recent)} and {_among(often)}" for name, (recent, often) in NAMES.items()
    )
    return (
        f"All who ever ordered. Recency: days since the last order, fewer are better. Frequency: "
        f"orders of the last {rfm_days} days; amount: what was paid in them; more are better. Each "
        "is scored by fifths of these customers, five is best, equal values have equal scores. "
        f"Names go by the scores of recency and frequency; {named}."
    )


def _among(scores: tuple[int, ...]) -> str:
    return " or ".join(map(str, scores))
