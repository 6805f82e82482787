"""What divisions say about the time after, on planted outcomes."""

import numpy as np
import polars as pl

from retention.clusters import usefulness


def planted(noise: float) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    n = 3_000
    days, cents = rng.poisson(rng.gamma(1, 8, n)) + 1, rng.lognormal(9, 1, n)
    recency = rng.integers(0, 90, n)
    table = pl.DataFrame({"customer_id": range(n), "days": days, "cents": cents})
    numbers = np.digitize(days, [3, 6, 12])
    later = np.log1p(rng.poisson(days / 4) + noise * rng.normal(size=n) ** 2)
    return usefulness.compared(table, numbers, recency, [later, later > 0.5, later * 2])


def test_all_divisions_are_judged_on_the_same_outcomes():
    table = planted(0.1)
    assert table["division"].to_list() == [
        usefulness.OURS,
        usefulness.WITH_RECENCY,
        usefulness.RFM,
        usefulness.NAMED,
        usefulness.KMEANS,
    ]
    groups = dict(table.select("division", "groups").rows())
    assert (groups[usefulness.OURS], groups[usefulness.WITH_RECENCY]) == (4, 12)
    assert groups[usefulness.NAMED] == 10
    assert table["r2_active"].is_between(0.1, 0.9).all()
    assert usefulness.useful(table)


def test_strata_are_of_use_where_they_say_nearly_as_much_as_kmeans_on_two_outcomes():
    rows = [(usefulness.OURS, 4, 0.3, 0.1, 0.3), (usefulness.KMEANS, 4, 0.3, 0.2, 0.3)]
    table = pl.DataFrame(rows, ["division", "groups", *usefulness.OUTCOMES], orient="row")
    assert usefulness.useful(table)
    assert not usefulness.useful(table.with_columns(r2_amount=pl.Series([0.2, 0.3])))
    assert not usefulness.useful(pl.DataFrame())
