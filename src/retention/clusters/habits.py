"""What customers do in what mix: kinds, channels, categories, weekdays and hours, as log-ratios.

A share of few events says little: shares are drawn to those of everybody by as many events as
there are levels, then compared with them on a log scale. How much customers do does not enter.
"""

import polars as pl

from retention.refresh import Refresh

MOST = 10  # levels of a kind of habit, the commonest
LEAST_SHARE = 0.01  # of all events, for a level to count by itself
FAMILIES = ("kind", "channel", "category", "weekday", "part of the day")


def counted(r: Refresh) -> pl.DataFrame:
    """How often each customer did what: customer_id, family, level, n (events; of categories days
    with a purchase)."""
    part = (pl.col("hour") // 6).cast(pl.String)
    habits, activity, baskets = r.tables.habits, r.tables.activity, r.tables.baskets
    sources = {
        "kind": activity.select("customer_id", level="kind", n="events"),
        "channel": habits.select("customer_id", level="channel", n="events"),
        "category": baskets.select("customer_id", level="category", n=pl.lit(1, pl.Int64)),
        "weekday": habits.select(
            "customer_id", level=pl.col("weekday").cast(pl.String), n="events"
        ),
        "part of the day": habits.select("customer_id", level=part, n="events"),
    }
    return pl.concat(
        source.drop_nulls("level")
        .group_by("customer_id", family=pl.lit(family), level="level")
        .agg(pl.col("n").sum())
        for family, source in sources.items()
    ).sort("customer_id", "family", "level")


def mix(counts: pl.DataFrame, customers: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The mix of each of ``customers``, and what one active day more would make of it.

    Takes   counts: customer_id, family, level, n; customers: customer_id, active_days_total
    Returns twice customer_id and a column for each level ("channel: web"): the logarithm of the
            shrunk share over that of everybody; and by how much one active day more would raise
            it. A customer's events count as many as there are active days, however many lines an
            order has. Families with one level, or none, are left out

    Source: Aitchison (1986), The Statistical Analysis of Compositional Data, with a Dirichlet
    prior of one day for each level. Checked in tests/clusters/test_habits.py.
    """
    ids = customers.select("customer_id", days="active_days_total").sort("customer_id")
    n, level = pl.col("n"), pl.col("level")
    own = counts.join(ids, on="customer_id", how="semi")
    values = units = ids.select("customer_id")
    for family in FAMILIES:
        of = own.filter(family=family)
        sizes = of.group_by("level").agg(n.sum()).sort("n", "level", descending=[True, False])
        sizes = sizes.filter(n >= LEAST_SHARE * n.sum()).head(MOST).sort("level")
        if sizes.height < 2:
            continue
        k, usual = sizes.height, sizes.select("level", usual=n / n.sum())
        shares = of.with_columns(n / n.sum().over("customer_id")).select(
            "customer_id", "level", "n"
        )
        grid = ids.join(usual, how="cross").join(shares, on=["customer_id", "level"], how="left")
        known = pl.when(n.fill_null(0).sum().over("customer_id") > 0).then("days").otherwise(0)
        days, prior = n.fill_null(0) * known, k * pl.col("usual")
        made = grid.select(
            "customer_id",
            name=pl.format("{}: {}", pl.lit(family), level),
            value=((days + prior) / (known + k) / pl.col("usual")).log(),
            unit=((days + 1 + prior) / (days + prior)).log(),
        )
        for_each = {"on": "name", "index": "customer_id"}
        values = values.join(made.pivot(values="value", **for_each), on="customer_id")
        units = units.join(made.pivot(values="unit", **for_each), on="customer_id")
    return values, units
