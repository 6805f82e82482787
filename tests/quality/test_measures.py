"""What the data hold: measures and coverage, on drawn tables."""

import polars as pl
from drawing import drawn
from quality.test_drift import customers, tables

from retention.quality import measures


def test_a_refresh_is_measured_by_its_risk_set_and_its_nulls(opened):
    at = customers(value=[1.0, 2.0, 9.0, None], other=pl.Series([None] * 4, dtype=pl.Int64))
    at = at.with_columns(standing=pl.Series(["current", "current", "lapsed", "current"]))
    r = opened(tables(at), 42)

    found = measures.measure(r)

    assert found.filter(pl.col("measure") != measures.UNKNOWN).rows() == [
        ("activity", None, "snapshot day", 42.0),
        ("activity", None, "events", 4.0),
        ("customers_at", None, "current customers", 3.0),
        ("customers_at", "value", "median", 1.5),
    ]
    nulls = found.filter(table="customers_at", measure=measures.UNKNOWN)
    shares = {"value": 0.25, "other": 1.0}
    assert {name: nulls.filter(column=name)["value"].item() for name in shares} == shares
    assert r.tables.data_quality.height == found.height
    assert "value" in r.tables.data_profile["column"]


def test_an_empty_table_has_no_nulls(opened):
    none = {name: frame.clear() for name, frame in tables(customers(value=[1.0] * 9)).items()}
    found = measures.measure(opened(none, 42))
    assert found.filter(measure=measures.UNKNOWN)["value"].unique().to_list() == [0.0]


def test_columns_with_unknown_values_stand_beside_what_they_were(opened):
    measures.measure(opened(tables(customers(value=[None, 1.0] * 10, other=[None] * 20)), 42))
    later = opened(tables(customers(value=[None, 1.0, 1.0, 1.0] * 5, plan=["a"] * 20)), 43)
    measures.measure(later)
    assert measures.unknown(later).table.rows() == [
        ("customers_at", "other", None, 1.0),
        ("customers_at", "value", 0.25, 0.5),
    ]


ACTIVITY = drawn("""
    | customer_id | day | kind     | events | orders | amount_cents |
    | ann         | 0   | purchase | 2      | 1      | 150          |
    | ann         | 31  | purchase | 1      | 1      | 50           |
    | bob         | 30  | purchase | 1      | 1      | 1            |
    | bob         | 30  | visit    | 7      | 0      | 0            |
    | ann         | 29  | visit    | 7      | 0      | 0            |
    | cid         | 12  | rare     | 1      | 0      | 0            |
""")


def test_coverage_is_counted_by_kind_and_small_kinds_are_not_named(opened):
    seven = pl.concat([ACTIVITY.with_columns(pl.col("customer_id") + f"{n}") for n in "1234567"])
    one = pl.col("kind") != "rare"
    activity = pl.concat([seven.filter(one), ACTIVITY.filter(~one)])
    at = pl.DataFrame({"customer_id": range(15)})
    r = opened(
        {"activity": activity.sample(fraction=1, shuffle=True, seed=1), "customers_at": at}, 33
    )

    exhibit = measures.coverage(r)

    assert exhibit.table.rows() == [
        ("purchase", 14, 28, 21, 1407, 0, 31),
        ("visit", 14, 98, 0, 0, 29, 30),
    ]
    said = [one.sentence.format(value=one.value, **one.further) for one in exhibit.findings]
    assert said == [
        "The data hold 15 customers and 127 events, from 1970-01-01 to 1970-02-01.",
        "The last event was 2 days before the snapshot date.",
    ]
    assert exhibit.headline == "Events by kind, up to 1970-02-03"
