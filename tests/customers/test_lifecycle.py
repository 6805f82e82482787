"""Stages of life: the rules in order, on drawn customers."""

import polars as pl
import pytest
from drawing import drawn
from opened import opened

from retention import schema
from retention.book import Book
from retention.customers import lifecycle
from retention.errors import Refused


def book(kind: str = "activity", after_days: int = 90, **rules) -> Book:
    churn = {"kind": kind, "activity": ["purchase"], "after_days": after_days}
    whole = {"title": "Shop", "source": {"kind": "files"}, "snapshot_date": "yesterday"}
    return Book.model_validate(whole | {"churn": churn, "lifecycle": rules})


# since: days since the last activity; 28d, before, days: of the usage ratio; gap: silence ratio
CASES = drawn("""
    |customer_id|spell|here |tenure|since|28d|before|days|total|gap|booked|activity |contract |
    |never      |     |false|      |     |0  |0     |0   |0    |   |      |never    |never    |
    |over       |1    |false|400   |120  |0  |0     |84  |9    |9.0|      |gone     |gone     |
    |fresh      |1    |true |30    |3    |2  |0     |1   |3    |0.5|      |new      |new      |
    |older      |1    |true |31    |3    |2  |0     |2   |3    |0.5|      |active   |active   |
    |quiet_29   |1    |true |200   |29   |0  |2     |84  |9    |2.9|      |active   |active   |
    |quiet_30   |1    |true |200   |30   |0  |2     |84  |9    |2.9|      |active   |dormant  |
    |quiet_45   |1    |true |200   |45   |0  |2     |84  |9    |2.9|      |dormant  |dormant  |
    |long_gap   |1    |true |200   |12   |4  |12    |84  |5    |3.0|      |at risk  |active   |
    |hardly_seen|1    |true |200   |12   |4  |12    |84  |4    |9.0|      |active   |active   |
    |long_dead  |1    |true |200   |60   |0  |12    |84  |9    |9.0|      |dormant  |dormant  |
    |falls      |1    |true |200   |4    |2  |40    |84  |99   |2.0|      |declining|declining|
    |falls_a_bit|1    |true |200   |4    |10 |40    |84  |99   |2.0|      |active   |active   |
    |back       |2    |true |10    |3    |2  |0     |1   |9    |0.5|      |again    |again    |
    |long_back  |2    |true |90    |3    |9  |20    |61  |29   |0.5|      |active   |active   |
    |leaves     |1    |true |20    |3    |9  |0     |1   |9    |0.5|7     |new      |at risk  |
    |did_nothing|1    |true |46    |     |0  |0     |17  |0    |   |      |dormant  |dormant  |
    |not_yet    |1    |true |12    |     |0  |0     |0   |0    |   |      |new      |new      |
    |idle_new   |1    |true |30    |     |0  |0     |1   |0    |   |      |new      |new      |
    |idle_again |2    |true |8     |300  |0  |0     |0   |9    |   |      |again    |again    |
""").with_columns(usage_ratio=pl.lit(None, pl.Float64))
NAMES = {
    "tenure": "tenure_days",
    "since": "days_since_last_activity",
    "28d": "active_days_28d",
    "before": "active_days_before",
    "days": "days_before",
    "total": "active_days_total",
    "gap": "silence_ratio",
    "booked": "booked_end_in_days",
}
RATIO = pl.col("active_days_28d") * pl.col("days_before") / (28 * pl.col("active_days_before"))
SEEN = (pl.col("days_before") >= 28) & (pl.col("active_days_before") > 0)
HERE = pl.when("here").then(pl.lit("current")).otherwise(pl.lit("lapsed")).alias("standing")
CUSTOMERS = CASES.rename(NAMES).with_columns(HERE, usage_ratio=pl.when(SEEN).then(RATIO))


@pytest.mark.parametrize("kind", ["activity", "contract"])
def test_every_customer_stands_in_the_first_stage_that_fits(kind):
    staged = lifecycle.staged(CUSTOMERS, book(kind))

    told = dict(staged.select("customer_id", "lifecycle").rows())
    short = {"never": "never active", "again": "reactivated"}
    expected = CUSTOMERS.select("customer_id", pl.col(kind).replace(short))
    assert told == dict(expected.rows())
    assert set(told.values()) <= set(lifecycle.STAGES)


def test_a_book_may_write_rules_of_its_own_and_the_others_stay():
    late = {"dormant": {"quiet_days": {"at_least": 60}}, "new": {"tenure_days": {"below": 13}}}
    told = lifecycle.staged(CUSTOMERS, book(**late)).rows_by_key("customer_id", named=True)
    stages = {name: rows[0]["lifecycle"] for name, rows in told.items()}

    assert (stages["quiet_45"], stages["long_dead"]) == ("active", "dormant")
    assert (stages["fresh"], stages["not_yet"], stages["back"]) == ("active", "new", "new")
    assert (stages["falls"], stages["over"]) == ("declining", "gone")


def test_an_attribute_may_decide():
    plans = CUSTOMERS.with_columns(plan=pl.lit("trial"))
    staged = lifecycle.staged(plans, book(**{"at risk": {"plan": ["trial", "old"]}}))
    assert set(staged.filter(standing="current")["lifecycle"]) == {"at risk"}


def test_a_rule_that_fits_no_column_is_refused():
    unknown = "lifecycle: dormant: customers have no column 'quiet_day'; did you mean"
    with pytest.raises(Refused, match=unknown):
        lifecycle.staged(CUSTOMERS, book(dormant={"quiet_day": 3}))
    with pytest.raises(Refused, match="lifecycle: dormant: column 'quiet_days' holds numbers, and"):
        lifecycle.staged(CUSTOMERS, book(dormant={"quiet_days": "long"}))


def test_the_page_says_every_rule():
    own = book(dormant={"quiet_days": {"at_least": 60}, "region": ["x", "y"]})
    said = lifecycle.definition(own)
    assert "dormant: quiet days at least 60, region is x or y" in said
    assert "at risk: silence ratio at least 3" in said
    assert "Gone: silent for 90 days" in said
    contract = lifecycle.definition(book("contract"))
    assert "at risk: days to a booked end is known; dormant: quiet days at least 30" in contract
    assert "Gone: out of contract" in contract


def test_the_customer_table_holds_what_its_parts_know():
    staged = lifecycle.staged(CUSTOMERS.sort("customer_id"), book())
    intents = pl.DataFrame({"customer_id": ["falls"], "intent": ["visit"], "other": [1]})
    rest = staged.select("customer_id").with_columns(
        rfm=pl.lit("loyal"), rfm_score=pl.lit("555"), engagement=pl.lit("high")
    )
    silent = staged.select("customer_id", silent_detractor=pl.lit(value=False))

    table = lifecycle.together(staged, rest, intents, silent)

    assert table.columns == list(schema.TABLES["lifecycle"].columns)
    assert table.height == staged.height
    assert table.drop_nulls("intent").select("customer_id", "lifecycle", "intent").rows() == [
        ("falls", "declining", "visit")
    ]


def test_shares_add_up_and_follow_a_life(tmp_path):
    frame = pl.DataFrame(
        {"lifecycle": ["gone", "active", "new", "active"], "amount_cents_365d": [0, 300, 100, 0]}
    )
    shown = lifecycle.stages(opened(tmp_path, "10_customers"), frame)

    assert shown.table.select("lifecycle", "n", "share", "share_of_amount").rows() == [
        ("new", 1, 0.25, 0.25),
        ("active", 2, 0.5, 0.75),
        ("gone", 1, 0.25, 0.0),
    ]
    assert (shown.table["ci_lower"] < shown.table["share"]).all()
    assert (shown.table["ci_upper"] > shown.table["share"]).all()
    assert shown.headline(shown.table) == "Active is the largest stage: 50.0% of all customers"
    (gone,) = shown.findings(shown.table)
    assert (gone.name, gone.value) == ("gone_share", 0.25)
    hidden = shown.table.with_columns(share=pl.lit(None, pl.Float64))
    assert shown.headline(hidden) == "Every stage is too small to be shown"
    assert shown.findings(hidden) == []
