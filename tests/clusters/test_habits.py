"""The mix of habits: log-ratios by hand, and how much does not enter."""

from math import log
from types import SimpleNamespace

import polars as pl
import pytest
from drawing import drawn

from retention.clusters import habits

COUNTS = drawn("""
    | customer_id | family  | level | n  |
    | a           | channel | web   | 30 |
    | a           | channel | shop  | 10 |
    | b           | channel | shop  | 60 |
    | a           | kind    | visit | 40 |
    | b           | kind    | visit | 60 |
    | gone        | channel | fax   | 99 |
""")
CUSTOMERS = pl.DataFrame({"customer_id": ["b", "a", "c"], "active_days_total": [6, 8, 5]})


def test_a_mix_is_the_shrunk_share_over_that_of_everybody():
    values, units = habits.mix(COUNTS, CUSTOMERS)

    assert values.columns == ["customer_id", "channel: shop", "channel: web"]  # one kind: no mix
    web = 30 / 100
    of = dict(values.select("customer_id", "channel: web").rows())
    assert of["a"] == pytest.approx(log((0.75 * 8 + 2 * web) / (8 + 2) / web))
    assert of["b"] == pytest.approx(log((2 * web) / (6 + 2) / web))
    assert of["c"] == pytest.approx(0)  # nothing known: as everybody
    more = dict(units.select("customer_id", "channel: web").rows())
    assert more["a"] == pytest.approx(log((0.75 * 8 + 1 + 2 * web) / (0.75 * 8 + 2 * web)))


def test_how_much_is_done_does_not_enter_and_rare_levels_do_not_count():
    tenfold = COUNTS.with_columns(pl.col("n") * 10)
    assert habits.mix(tenfold, CUSTOMERS)[0].equals(habits.mix(COUNTS, CUSTOMERS)[0])
    rare = pl.DataFrame({"customer_id": "a", "family": "channel", "level": "tv", "n": [0]})
    mixed = pl.concat([COUNTS, rare.cast(COUNTS.schema)]).sample(fraction=1, shuffle=True, seed=1)
    assert habits.mix(mixed, CUSTOMERS)[0].equals(habits.mix(COUNTS, CUSTOMERS)[0])


def test_every_source_of_habits_is_counted():
    tables = SimpleNamespace(
        activity=drawn("""
            | customer_id | kind  | events |
            | a           | visit | 3      |
            | a           | visit | 2      |
        """),
        habits=drawn("""
            | customer_id | channel | weekday | hour | events |
            | a           | web     | 6       | 23   | 4      |
            | a           |         | 0       |      | 1      |
        """),
        baskets=drawn("""
            | customer_id | category |
            | a           | tea      |
            | a           | tea      |
            | a           |          |
        """),
    )
    found = habits.counted(SimpleNamespace(tables=tables))
    assert found.rows() == [
        ("a", "category", "tea", 2),
        ("a", "channel", "web", 4),
        ("a", "kind", "visit", 5),
        ("a", "part of the day", "3", 4),
        ("a", "weekday", "0", 1),
        ("a", "weekday", "6", 4),
    ]
