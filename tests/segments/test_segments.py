"""What sets a segment apart: counted by hand on drawn tables."""

from math import sqrt

import numpy as np
import polars as pl
import pytest
from drawing import drawn
from opened import opened
from scipy.stats import norm

from retention import charts
from retention.errors import Refused
from retention.segments import segments
from retention.segments.segments import OTHERS, THIS, TOGETHER

CUSTOMERS = drawn("""
    | customer_id | standing | lifecycle | orders_90d | amount_cents_365d |
    | a           | current  | new       | 8          | 100               |
    | b           | current  | active    | 9          | 300               |
    | c           | current  | active    | 10         | 100               |
    | d           | current  | active    | 2          | 100               |
    | e           | current  | dormant   | 3          | 200               |
    | f           | current  | dormant   | 4          | 200               |
    | gone        | lapsed   | gone      | 9          | 0                 |
""")
HABITS = drawn("""
    | customer_id | channel | weekday | hour | events |
    | a           | web     | 6       | 0    | 3      |
    | a           | shop    | 0       | 5    | 1      |
    | a           |         | 0       | 6    | 4      |
    | d           | web     | 0       | 23   | 2      |
    | gone        | web     | 3       | 12   | 9      |
""")
ACTIVITY = drawn("""
    | customer_id | ago | kind  | events |
    | a           | 90  | visit | 7      |
    | a           | 89  | visit | 2      |
    | a           | 0   | visit | 1      |
    | d           | 0   | call  | 6      |
    | gone        | 0   | visit | 9      |
""")


@pytest.fixture
def r(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tables = {
        "customers_at": CUSTOMERS.drop("lifecycle"),
        "lifecycle": CUSTOMERS.select("customer_id", "lifecycle"),
        "members": pl.DataFrame({"customer_id": ["a", "b", "c"], "segment": ["s1"] * 3}),
        "segments": pl.DataFrame({"segment": ["s1"], "name": ["Families"], "kind": ["cluster"]}),
        "habits": HABITS,
    }
    r = opened(tmp_path, "95_segment", tables)
    acts = ACTIVITY.select(pl.exclude("ago"), day=r.day - pl.col("ago"))
    acts.write_parquet(r.space.folder / "tables" / "activity.parquet")
    object.__setattr__(r.space, "segment", "s1")
    return r


def people(this: int, others: int) -> pl.DataFrame:
    """So many customers in each group, of whom each has paid a cent: customer_id, group."""
    names = pl.Series([THIS] * this + [OTHERS] * others)
    ids = pl.int_range(this + others, eager=True).cast(pl.String)
    return pl.DataFrame({"customer_id": ids, "group": names, "amount_cents_365d": 1})


def test_current_customers_are_in_the_segment_or_among_the_others(r):
    current = segments.compared(r)
    assert current["group"].to_list() == [THIS] * 3 + [OTHERS] * 3
    stages = segments.by_stage(r, current).table
    assert stages["lifecycle"].unique(maintain_order=True).to_list() == ["active", "dormant", "new"]
    assert stages["n"].to_list() == [2, 1, 0, 2, 1, 0]
    assert stages["share"].to_list() == pytest.approx([2 / 3, 1 / 3, 0, 2 / 3, 1 / 3, 0])
    many = people(9, 8).with_columns(lifecycle=pl.Series([str(n % 9) for n in range(17)]))
    assert set(segments.by_stage(r, many).table["lifecycle"]) == set("01234567")


def test_a_segment_that_is_not_there_is_refused_with_those_there_are(r):
    object.__setattr__(r.space, "segment", "s9")
    with pytest.raises(Refused, match=r"there is no segment 's9' .*there are: s1"):
        segments.compared(r)


def test_a_segment_is_counted_with_what_it_pays_unless_it_is_small(r):
    said, note = segments.who_is_counted(r, people(30, 10))
    assert said.sentence.endswith("({ci}), with 75.0% of last year's amount.")
    assert (said.value, said.further["n"], said.further["name"]) == (0.75, 30, "Families")
    assert note.startswith("It is a cluster.")
    assert segments.who_is_counted(r, people(5, 35)) == [note]


def test_traits_are_distances_of_medians_in_spreads_of_all(r):
    current = segments.compared(r).with_columns(same=pl.lit(1.0))
    table = segments.differences(current, ["orders_90d", "same"], min_cell=3)
    spread = 8.75 - 3.25  # the middle half of 2, 3, 4, 8, 9, 10
    assert table.row(0) == (
        "Orders (90 days)",
        3,
        *(pytest.approx(n / spread) for n in (6, 5.5, 6.5)),
    )
    assert table["difference"][1] is None  # what never varies
    assert segments.differences(current, ["orders_90d"], min_cell=4).is_empty()
    medians = segments.medians(current, ["Orders (90 days)"])
    assert medians.rows() == [(THIS, 3, 9.0), (OTHERS, 3, 3.0)]
    said = "Most different from the others: orders (90 days) is high"
    assert segments._farthest(table) == said


def test_kinds_count_ninety_days_for_every_customer_of_the_group(r):
    kinds = segments.by_kind(r, segments.compared(r)).table
    assert kinds.select("kind", "group", "n", "events_per_customer").rows() == [
        ("call", THIS, 0, 0.0),
        ("call", OTHERS, 1, 2.0),
        ("visit", THIS, 1, 1.0),
        ("visit", OTHERS, 0, 0.0),
    ]


NIGHT, MORNING, _, EVENING = segments.NAMES["hours"]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("channel", [("shop", 0.25, 0.0), ("web", 0.75, 1.0)]),
        ("weekday", [("Monday", 0.625, 1.0), ("Sunday", 0.375, 0.0)]),
        ("hours", [(NIGHT, 0.5, 0.0), (MORNING, 0.5, 0.0), (EVENING, 0.0, 1.0)]),
    ],
)
def test_habits_are_shares_of_the_events_of_which_it_is_known(r, by, expected):
    found = segments.by_habit(r, segments.compared(r), by).table
    rows = found.select(by, "share_of_events").rows()
    assert rows == [(label, share) for label, *shares in expected for share in shares]


def test_without_groups_all_current_customers_are_one(r):
    shown = segments.by_habit(r, CUSTOMERS, "channel")
    assert shown.table["group"].to_list() == [TOGETHER] * 2
    assert shown.headline(shown.table) == "Most: web, 83.3%"
    assert segments.by_habit(r, CUSTOMERS.clear(), "hours").table.is_empty()


def test_rates_have_the_limits_of_a_ratio_of_customers_drawn():
    rng = np.random.default_rng(3)
    whole = rng.integers(1, 50, 40)
    part = rng.binomial(whole, rng.beta(2, 3, 40))
    current = people(25, 15).with_columns(whole=pl.Series(whole))
    done = current.select("customer_id", channel=pl.lit("web"), part=pl.Series(part))

    found = segments._rates(segments._cells(done.filter(part > 0), current), "share_of_events", 0.9)

    for group, n, *told in found.drop("channel").iter_rows():
        own = (current["group"] == group).to_numpy()
        x, y = part[own], whole[own]
        rate = x.sum() / y.sum()
        variance = ((x - rate * y) ** 2).sum() / (len(x) - 1) / len(x) / y.mean() ** 2
        half = norm.ppf(0.95) * sqrt(variance)
        assert (n, *told) == pytest.approx(((x > 0).sum(), rate, rate - half, rate + half))


SHARES = drawn("""
    | channel | group        | n  | share_of_events | ci_lower | ci_upper |
    | app     | this segment | 50 | 0.6             | 0.5      | 0.7      |
    | app     | others       | 90 | 0.2             | 0.1      | 0.3      |
    | web     | this segment | 40 | 0.4             | 0.3      | 0.5      |
    | web     | others       |    |                 |          |          |
""")


def test_what_may_be_chance_sets_nobody_apart_and_what_is_hidden_is_a_dash():
    said = "Most different: app, from 20.0% (others) to 60.0% (this segment)"
    assert segments.set_apart(SHARES) == said
    assert segments.set_apart(SHARES.filter(channel="web")) == "No clear difference"
    texts = [text.get_text() for text in charts.comparison(SHARES).axes[0].texts]
    assert texts == ["60.0% (n 50)", "20.0% (n 90)", "40.0% (n 40)", "–"]
