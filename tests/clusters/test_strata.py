"""Strata: everybody in one, on slow traits, by lines that stay."""

import numpy as np
import polars as pl
import pytest

from retention.clusters import strata
from retention.clusters.previous_segments import kept, lines_of

DAY = 1_000


def shop(n: int = 900, since: int = 500, seed: int = 1, amounts: bool = True) -> pl.LazyFrame:
    """A continuum of customers: rates and amounts spread widely, days drawn up to ``DAY``."""
    rng = np.random.default_rng(seed)
    rate, each = rng.gamma(1.2, 1 / 30, n), rng.lognormal(8, 0.7, n)
    who = np.repeat(np.arange(n), rng.poisson(rate * since) + 1)
    return pl.LazyFrame(
        {
            "customer_id": [f"c{number:04}" for number in who],
            "day": DAY - rng.integers(0, since, len(who)),
            "kind": "purchase",
            "amount_cents": (each[who] * amounts).round().astype(np.int64),
        }
    ).unique(["customer_id", "day"], keep="first", maintain_order=True)


def customers(activity: pl.LazyFrame) -> pl.DataFrame:
    ids = activity.select("customer_id").unique().sort("customer_id").collect()
    n = pl.int_range(pl.len())
    unknown = pl.lit(None, pl.Int64)
    return ids.with_columns(tenure_days=1 + n, price_cents=unknown, active_days_total=n)


def measured(activity: pl.LazyFrame, day: int = DAY) -> pl.DataFrame:
    past = strata.past(activity, ["purchase"], DAY)
    return strata.measured(past, customers(activity), day)


def test_a_year_is_counted_where_it_is_known():
    activity = shop()
    table = measured(activity)

    own = activity.filter(pl.col("day") > DAY - 365).group_by("customer_id")
    expected = own.agg(pl.len().cast(pl.Int64), pl.col("amount_cents").sum()).collect()
    expected = table.select("customer_id").join(
        expected, on="customer_id", how="left", maintain_order="left"
    )
    assert table.columns == ["customer_id", *strata.COUNTED]
    assert table.rows() == expected.fill_null(0).rows()


def test_a_year_is_expected_where_the_data_are_younger():
    table = measured(shop(since=180))
    assert table.columns == ["customer_id", *strata.EXPECTED]
    days = shop(since=180).group_by("customer_id").agg(pl.len()).sort("customer_id").collect()
    rate = table["expected_days_365d"]
    assert np.corrcoef(rate, days["len"])[0, 1] > 0.999
    assert rate.mean() == pytest.approx(365 * 1.2 / 30, rel=0.15)
    assert rate.std() < (days["len"] * 365 / 180).std()  # drawn to everybody's
    assert measured(shop(since=180), DAY - 30).columns == table.columns


def test_without_amounts_tenure_divides_and_without_events_the_price():
    assert measured(shop(amounts=False)).columns[1:] == [strata.COUNTED[0], "tenure_days"]
    nobody = shop().filter(pl.col("kind") == "none")
    people = customers(shop()).with_columns(price_cents=1_000 + pl.col("tenure_days"))
    past = strata.past(nobody, [], DAY)
    assert strata.measured(past, people, DAY).columns[1:] == ["price_cents", "tenure_days"]
    unpriced = strata.measured(past, customers(shop()), DAY)
    assert unpriced.columns == ["customer_id"]
    choice = strata.chosen(unpriced, unpriced)
    assert strata.placed(unpriced, choice.lines).tolist() == [0] * unpriced.height


def test_the_most_strata_that_are_found_again_are_chosen():
    now, then = measured(shop()), measured(shop(), DAY - 30)
    choice = strata.chosen(now, then)
    k = len(choice.lines.centres)

    assert 3 <= k <= 6
    assert choice.jaccard >= strata.LEAST_JACCARD
    assert choice.agreement >= strata.LEAST_AGREEMENT
    assert set(strata.placed(now, choice.lines)) == set(range(k))


def test_lines_stay_where_they_fit_and_are_kept_as_they_are():
    now = measured(shop())
    choice = strata.chosen(now, measured(shop(), DAY - 30))
    table = kept(choice.lines, [f"s{n + 1}" for n in range(len(choice.lines.centres))])
    lines, segments = lines_of(table.sample(fraction=1, shuffle=True, seed=1))

    assert segments == [f"s{n + 1}" for n in range(len(choice.lines.centres))]
    assert (strata.placed(now, lines) == strata.placed(now, choice.lines)).all()
    assert strata.kept(choice, lines)
    assert not strata.kept(choice._replace(agreement=0.6), lines)
    assert not strata.kept(choice, None)
    assert not strata.kept(choice, lines._replace(axes=("price_cents", "tenure_days")))


def test_the_order_of_rows_moves_nobody():
    activity = shop()
    mixed = activity.collect().sample(fraction=1, shuffle=True, seed=3).lazy()
    now = measured(activity)
    assert measured(mixed).equals(now)
    lines = strata.drawn(now, 4)
    order = now.sample(fraction=1, shuffle=True, seed=2)
    again = strata.placed(order, strata.drawn(order, 4))
    placed = dict(zip(now["customer_id"], strata.placed(now, lines), strict=True))
    assert [placed[name] for name in order["customer_id"]] == again.tolist()


def test_who_was_seen_often_is_surer_of_a_place_than_who_was_seen_once():
    activity = shop()
    past, now = strata.past(activity, ["purchase"], DAY), measured(activity)
    sure = strata.confidence(past, now, strata.drawn(now, 4), DAY)

    assert ((sure >= 0) & (sure <= 1)).all()
    often = (now["active_days_365d"] >= 30).to_numpy()
    assert sure[often].mean() > sure[~often].mean() + 0.1
    tenure = measured(shop(amounts=False)).rename({"active_days_365d": "price_cents"})
    assert np.isnan(strata.confidence(past, tenure, strata.drawn(tenure, 3), DAY)).all()
