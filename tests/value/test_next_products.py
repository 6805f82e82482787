"""What is bought next: against a literal count, a planted pair, and limits by drawing anew."""

import numpy as np
import polars as pl
import pytest

from retention import schema
from retention.tables import rules
from retention.value import next_products

SPAN = next_products.Span("product", 200, 60, 40)
ITEMS = [f"item {number}" for number in range(6)]


def drawn(customers: int, seed: int, planted: float = 0.0) -> pl.DataFrame:
    """Baskets of customers who buy at random; who had item 0 buys item 1 later with ``planted``."""
    rng, rows = np.random.default_rng(seed), []
    for number in range(customers):
        before = rng.random(6) < 0.3
        after = rng.random(6) < 0.2
        after[1] |= bool(before[0] and rng.random() < planted)
        for item in range(6):
            rows += [(f"c{number:04}", 120, ITEMS[item])] * int(before[item])
            rows += [(f"c{number:04}", 180, ITEMS[item])] * int(after[item])
        rows.append((f"c{number:04}", 90, ITEMS[0]))  # too long ago to count
    baskets = pl.DataFrame(rows, ["customer_id", "day", "product"], orient="row")
    return baskets.with_columns(category=pl.lit("all"), amount_cents=100).sample(
        fraction=1, shuffle=True, seed=seed
    )


SEGMENTS = pl.DataFrame({"segment": ["s1"], "name": ["One"]})


def found(baskets: pl.DataFrame) -> pl.DataFrame:
    """The pairs of customers of whom nobody is in a segment."""
    nobody = pl.DataFrame(schema={"customer_id": pl.String, "segment": pl.String})
    return next_products.next_products(baskets.lazy(), nobody, SPAN, 10)


def literal(baskets: pl.DataFrame, who: set[str], bought: str, then: str) -> tuple[int, ...]:
    """n, n_next, and of all who had not bought ``then``: how many, and how many bought it."""
    had, later = {}, {}
    for customer, day, item, *_ in baskets.iter_rows():
        if customer in who and 100 < day <= 160:
            had.setdefault(customer, set()).add(item)
        if customer in who and 160 < day <= 200:
            later.setdefault(customer, set()).add(item)
    lacking = [customer for customer in had if then not in had[customer]]
    own = [customer for customer in lacking if bought in had[customer]]
    came = [sum(then in later.get(c, ()) for c in group) for group in (own, lacking)]
    return len(own), came[0], len(lacking), came[1]


def test_counts_are_those_of_a_literal_count():
    baskets = drawn(400, seed=1)
    names = baskets["customer_id"].unique().sort()
    members = pl.DataFrame({"customer_id": names.head(250), "segment": "s1"})

    table = next_products.next_products(baskets.lazy(), members, SPAN, 3)

    groups = {"s1": set(names.head(250)), next_products.NONE: set(names.tail(150))}
    assert set(table["segment"]) == set(groups)
    assert len(table) == 2 * next_products.MOST_ROWS
    for row in table.iter_rows(named=True):
        n, came, lacking, all_came = literal(
            baskets, groups[row["segment"]], row["bought"], row["next"]
        )
        assert (row["n"], row["n_next"]) == (n, came)
        assert row["share"] == pytest.approx(came / n)
        assert row["lift"] == pytest.approx(came / n / (all_came / lacking))
        assert all_came - came == 0 or all_came - came >= 3
        assert row["lift_lower"] < row["lift"] < row["lift_upper"]
    assert rules.broken(table, schema.TABLES["next_products"]) == []


def test_a_planted_pair_is_clear_and_chance_is_not():
    best = next_products.clearest(found(drawn(900, 2, planted=0.4)), SEGMENTS)

    assert best.select("bought", "next").rows() == [("item 0", "item 1")]
    assert best["lift"].item() > 1.3
    said = "Customers who had bought item 0 then bought item 1 1."
    assert next_products._headline(best).startswith(said)
    assert next_products._labelled(best)["pair"].to_list() == ["in no segment: item 0 → item 1"]
    false = [found(drawn(300, seed))["clear"].any() for seed in range(10, 22)]
    assert sum(false) <= 2  # one in twenty, of twelve


def test_limits_of_the_lift_are_those_of_drawing_customers_anew():
    rng = np.random.default_rng(5)
    had, bought = rng.random(1_500) < 0.3, rng.random(1_500) < 0.2
    bought |= had & (rng.random(1_500) < 0.15)
    counts = {"n": [had.sum()], "n_next": (had & bought).sum(), "n_came": bought.sum()}
    pair = pl.DataFrame(counts | {"n_all": 1_500, "n_lacking": 1_500, "n_pairs": 30})
    pair = pair.with_columns(segment=pl.lit("s"), bought=pl.lit("a"), next=pl.lit("b"))
    row = next_products._scored(pair, 0.95).row(0, named=True)

    rows = rng.integers(1_500, size=(3_000, 1_500))
    shares = (had & bought)[rows].sum(axis=1) / had[rows].sum(axis=1)
    logs = np.log(shares / bought[rows].mean(axis=1))
    assert np.log(row["lift_upper"] / row["lift"]) == pytest.approx(1.96 * logs.std(), rel=0.1)


def test_a_book_without_products_or_of_few_customers_has_no_pairs():
    for baskets in (drawn(20, 1).clear(), drawn(9, 1), drawn(50, 1).with_columns(product=None)):
        table = found(baskets.cast({"product": pl.String}))
        assert table.is_empty()
        assert next_products.clearest(table, SEGMENTS).is_empty()
