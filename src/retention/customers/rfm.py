"""Recency, frequency and amount of orders (RFM): scores by fifths, and the usual named groups."""

import polars as pl

from retention import charts
from retention.exhibit import Exhibit
from retention.refresh import Refresh
from retention.stats.rfm import NAMES, NAMES_OF
from retention.stats.shares import shares

ORDERS = ("days_since_last_order", "orders", "amount_cents")


def orders(r: Refresh, rfm_days: int) -> pl.DataFrame:
    """What every customer who ever ordered has ordered of late, with scores and group."""
    return scored(ordered(r.tables.activity.lazy(), r.day, rfm_days))


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

    Source: Hughes (1994), Strategic Database Marketing (fifths). Checked in
    tests/customers/test_rfm.py.
    """
    recency, frequency, amount = 6 - _fifth(ORDERS[0]), _fifth(ORDERS[1]), _fifth(ORDERS[2])
    grid = {10 * recent + often: name for (recent, often), name in NAMES_OF.items()}
    cell = 10 * recency + frequency
    return ordered.with_columns(
        rfm_score=(10 * cell + amount).cast(pl.String),
        rfm=cell.replace_strict(grid, return_dtype=pl.String),
    )


def _fifth(name: str) -> pl.Expr:
    """In which fifth of the customers a value lies, 1 = the smallest: by how many have less."""
    fewer = pl.col(name).rank("min").cast(pl.Int64) - 1
    return 5 * fewer // pl.len() + 1


def rfm_groups(r: Refresh, orders: pl.DataFrame, rfm_days: int) -> Exhibit:
    """How large the named groups are, and their typical customer: the table "rfm_groups".

    Takes   what `scored` gives. In the order of `NAMES`, without empty ones; a share of the amount
    is null where nobody paid
    """
    typical = {name: pl.col(name).median() for name in ORDERS[:2]}
    table = shares(orders, "rfm", NAMES, "amount_cents", r.confidence, **typical)
    named = "; ".join(
        f"{name}: {_among(recent)} and {_among(often)}" for name, (recent, often) in NAMES.items()
    )
    return Exhibit(
        table.filter(pl.col("n") > 0),
        _headline,
        draw=lambda table: charts.bars(table, "rfm", "share", n="n"),
        definition="All customers who ever ordered. Recency: days since the last order, fewer are "
        f"better. Frequency: orders of the last {rfm_days} days; amount: what was paid in them; "
        "more are better. Each is scored by fifths of these customers, five is best, equal values "
        f"have equal scores. Names go by the scores of recency and frequency; {named}. Orders and "
        "days since the last one are medians.",
        empty="Nobody has ordered anything.",
        name="rfm_groups",
    )


def _headline(groups: pl.DataFrame) -> str:
    """The group that pays most among those shown."""
    known = groups.drop_nulls("share_of_amount").sort("share_of_amount", "rfm")
    if known.is_empty():
        return "How customers are spread over the groups"
    row = known.row(-1, named=True)
    name = row["rfm"].capitalize()
    return f"{name}: {row['share']:.1%} of customers, {row['share_of_amount']:.1%} of the amount"


def _among(scores: tuple[int, ...]) -> str:
    return " or ".join(map(str, scores))
