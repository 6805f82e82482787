"""What sets a segment apart: counted by hand on drawn customers."""

import polars as pl
import pytest
from drawing import drawn
from opened import opened

from retention.errors import Refused
from retention.segments import segments

CUSTOMERS = drawn("""
    | customer_id | in_risk_set | lifecycle | orders_90d | amount_cents_365d |
    | a           | true        | new       | 8          | 100               |
    | b           | true        | active    | 9          | 300               |
    | c           | true        | active    | 10         | 100               |
    | d           | true        | active    | 2          | 100               |
    | e           | true        | dormant   | 3          | 200               |
    | f           | true        | dormant   | 4          | 200               |
    | gone        | false       | gone      | 9          | 0                 |
""")
CURRENT = CUSTOMERS.filter("in_risk_set").with_columns(
    group=pl.when(pl.col("customer_id").is_in(["a", "b", "c"]))
    .then(pl.lit(segments.THIS))
    .otherwise(pl.lit(segments.OTHERS))
)
SHARES = drawn("""
    | channel | group        | n  | share_of_events | ci_lower | ci_upper |
    | app     | this segment | 50 | 0.6             | 0.5      | 0.7      |
    | app     | others       | 90 | 0.2             | 0.1      | 0.3      |
    | web     | this segment | 40 | 0.4             | 0.3      | 0.5      |
    | web     | others       | 80 | 0.5             | 0.45     | 0.55     |
""")


def test_traits_are_distances_of_medians_in_spreads_of_all():
    [row] = segments.differences(CURRENT, ["orders_90d"], min_cell=3).rows(named=True)
    spread = 8.75 - 3.25  # the middle half of 2, 3, 4, 8, 9, 10
    assert row["n"] == 3
    assert row["difference"] == pytest.approx((9 - 3) / spread)
    assert row["lower"] == pytest.approx((8.5 - 3) / spread)


def test_a_feature_known_of_few_is_left_out_and_one_that_never_varies_is_null():
    same = CURRENT.with_columns(same=pl.lit(1.0))
    assert segments.differences(same, ["same"], 3)["difference"].to_list() == [None]
    assert segments.differences(CURRENT, ["orders_90d"], min_cell=4).is_empty()


def test_medians_of_both_groups_are_in_their_own_unit():
    table = segments.medians(CURRENT, ["Orders (90 days)"])
    assert table.rows() == [(segments.THIS, 3, 9.0), (segments.OTHERS, 3, 3.0)]


def test_what_may_be_chance_sets_nobody_apart():
    assert segments.set_apart(SHARES).startswith("Most different: app")
    assert segments.set_apart(SHARES.filter(channel="web")) == "No clear difference"


@pytest.fixture
def r(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tables = {
        "customers_at": CUSTOMERS.drop("lifecycle"),
        "lifecycle": CUSTOMERS.select("customer_id", "lifecycle"),
        "members": pl.DataFrame({"customer_id": ["a", "b", "c"], "segment": ["s1"] * 3}),
        "segments": pl.DataFrame({"segment": ["s1"], "name": ["Families"], "kind": ["cluster"]}),
    }
    return opened(tmp_path, "95_segment", tables, min_cell=5)


def test_current_customers_are_in_the_segment_or_among_the_others(r):
    object.__setattr__(r.space, "segment", "s1")
    current = segments.compared(r)
    assert current.height == 6
    assert current.filter(group=segments.THIS)["customer_id"].to_list() == ["a", "b", "c"]
    stages = segments.by_stage(r, current).table
    new = stages.filter(lifecycle="new", group=segments.THIS)
    assert (new["n"].item(), new["share"].item()) == (1, pytest.approx(1 / 3))


def test_a_segment_that_is_not_there_is_refused_with_those_there_are(r):
    object.__setattr__(r.space, "segment", "s9")
    with pytest.raises(Refused, match=r"there is no segment 's9' .*there are: s1"):
        segments.compared(r)
