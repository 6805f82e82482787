"""Tables as they are handed on from every kind of source; columns that do not fit; demo data."""

from datetime import date, datetime

import narwhals as nw
import polars as pl
import pytest
from drawing import day, save
from inputs import ALL, BERLIN, CUSTOMERS, EVENTS, FORMS, TYPED, arrived, book, change, message, put

from retention.book import COLUMNS
from retention_intake import sources

# What arrives


@FORMS
def test_nothing_is_read_before_it_is_asked_for(tmp_path, form):
    with sources.read(put(tmp_path, form, ALL), tmp_path, tmp_path / "spool") as source:
        for frame in source.tables.values():
            assert isinstance(nw.from_native(frame), nw.LazyFrame)
            assert (form == "duckdb") == type(frame).__module__.startswith("ibis.")


@FORMS
def test_columns_that_are_not_there_are_unknown_and_every_event_is_a_purchase(tmp_path, form):
    plain = arrived(tmp_path, form, events=EVENTS.select("customer_id", "at"))["events"]
    absent = ["order_id", "amount_cents", "product", "category", "channel", "second"]
    assert plain.select(absent).null_count().row(0) == (3,) * 6
    assert plain["kind"].to_list() == ["purchase"] * 3
    assert plain[sources.KEPT].all()


@FORMS
def test_an_amount_may_be_the_product_of_two_columns_and_half_a_cent_goes_up(tmp_path, form):
    amounts = [0.125, 0.375, 2.675]  # the last is a little less as a double
    log = change(EVENTS, amount=amounts, quantity=[3, 7, None], price=[0.1, 1.15, 5.0])
    cents = arrived(tmp_path / "1", form, events=log)["events"]["amount_cents"]
    assert cents.to_list() == [13, 38, 268]
    settings = {"columns": {"events": {"amount": ["quantity", "price"]}}}
    cents = arrived(tmp_path / "2", form, settings, events=log)["events"]["amount_cents"]
    assert cents.to_list() == [30, 805, None]


@FORMS
def test_attributes_may_be_called_anything_and_come_alone_where_the_book_names_them(tmp_path, form):
    names = ["class", "None", "lambda", "two words", "GROUP", "select", "ä.ö", "a'b", "%", "?"]
    people = CUSTOMERS.with_columns(pl.Series(["x", "y"]).alias(name) for name in names)
    people = people.with_columns(end_day=pl.Series(["x", "y"]))  # a name of ours, but not asked for
    settings = {"attributes": names}
    found = arrived(tmp_path, form, settings, events=EVENTS, customers=people)["customers"]
    assert found.select(names).rows() == [("x",) * len(names), ("y",) * len(names)]
    assert {"region", "end_day"}.isdisjoint(found.columns)


@TYPED
def test_attributes_keep_what_they_are_worth(tmp_path, form):
    people = CUSTOMERS.with_columns(
        age=pl.Series([40, 50], dtype=pl.Int16),
        score=pl.Series([0.5, 0.25], dtype=pl.Float32),
        paid=pl.Series(["0.10", "7.25"]).cast(pl.Decimal(9, 2)),
        newsletter=pl.Series([True, False]),
        born=pl.Series([date(1970, 1, 1), date(1980, 1, 1)]),
        group=pl.Series(["a", "b"], dtype=pl.Categorical if form == "parquet" else pl.String),
    )
    found = arrived(tmp_path, form, events=EVENTS, customers=people)["customers"]
    values = found.select("age", "score", "paid", "newsletter", "born", "group")
    kinds = [pl.Int64, pl.Float64, pl.Float64, pl.Boolean, pl.String, pl.String]
    assert list(values.dtypes) == kinds
    assert values.row(0) == (40, 0.5, 0.1, True, "1970-01-01", "a")


@pytest.mark.parametrize(
    ("form", "ids", "dtype"),
    [
        ("csv", ["007", "0", "1e3"], pl.String),
        ("parquet", ["9007199254740993", "9223372036854775807", "-1"], pl.Int64),
        ("parquet", ["18446744073709551615", "2", "2"], pl.UInt64),
        ("parquet", ["1", "2", "2"], pl.Categorical),
        ("parquet", ["1", "2", "2"], pl.Enum(["1", "2"])),
        ("duckdb", ["9007199254740993", "9223372036854775807", "-1"], pl.Int64),
    ],
)
def test_ids_are_text_whole_numbers_or_categories_and_stay_exact(tmp_path, form, ids, dtype):
    log = EVENTS.with_columns(customer_id=pl.Series(ids).cast(dtype))
    assert arrived(tmp_path, form, events=log)["events"]["customer_id"].to_list() == ids


@FORMS
@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        (
            "Europe/Berlin",  # across midnight, and before and after the clocks change
            {
                "2025-06-30T22:00:00Z": ("2025-07-01", 0),
                "2025-06-30T21:59:59Z": ("2025-06-30", 86_399),
                "2025-03-29T23:30:00Z": ("2025-03-30", 1800),
                "2025-03-29T22:30:00Z": ("2025-03-29", 84_600),
                "2025-03-30T01:00:00Z": ("2025-03-30", 10_800),
                "2025-10-26T00:30:00Z": ("2025-10-26", 9000),
                "2025-10-26T01:30:00Z": ("2025-10-26", 9000),
                "2025-10-26T23:30:00Z": ("2025-10-27", 1800),
            },
        ),
        ("America/St_Johns", {"2025-06-30T22:30:00Z": ("2025-06-30", 72_000)}),
        ("UTC", {"2025-06-30T22:30:00Z": ("2025-06-30", 81_000)}),
    ],
)
def test_an_instant_is_a_day_and_second_as_the_clocks_of_the_book_show_it(
    tmp_path, form, zone, expected
):
    moments = pl.Series([*expected])
    if form != "csv":
        moments = moments.str.to_datetime(time_unit="us", time_zone="UTC")
    if form == "parquet":
        moments = moments.dt.convert_time_zone("Asia/Tokyo")
    log = pl.DataFrame({"customer_id": ["ann"] * len(moments), "at": moments})
    events = arrived(tmp_path, form, {"timezone": zone}, events=log)["events"]
    found = events.select("day", "second").rows()
    assert found == [(day(date), second) for date, second in expected.values()]


@TYPED
def test_naive_times_are_counted_as_they_stand_and_midnight_is_a_time(tmp_path, form):
    moments = {
        datetime(2025, 6, 30, 23, 30, 59, 999_999): (day("2025-06-30"), 84_659),
        datetime(1969, 12, 31, 0, 0, 1, 5): (-1, 1),
        datetime(2025, 6, 30): (day("2025-06-30"), 0),
        None: (None, None),
    }
    log = pl.DataFrame({"customer_id": ["ann"] * len(moments), "at": [*moments]})
    events = arrived(tmp_path, form, BERLIN, events=log)["events"]
    assert events.select("day", "second").rows() == [*moments.values()]


# Columns that do not fit


def test_an_attribute_may_be_a_plan_and_no_second_customer_id(tmp_path):
    people = CUSTOMERS.rename({"region": "plan"}).with_columns(number=pl.Series(["1", "2"]))
    assert "plan" in arrived(tmp_path, "csv", events=EVENTS, customers=people)["customers"]
    settings = {"columns": {"customers": {"customer_id": "number"}}}
    said = message(tmp_path, "csv", settings, events=EVENTS, customers=people)
    assert "has its own column 'customer_id'; rename it" in said


def test_every_column_of_ours_is_inside_a_promise():
    for table, (required, optional) in COLUMNS.items():
        promised = sources.schema.TABLES[table].columns
        assert {sources.inside(name) for name in required + optional} | {"second"} >= set(promised)


# Fingerprints


def test_the_fingerprint_changes_with_the_bytes_of_any_table(tmp_path):
    settings = book({"events": "data/events.csv", "customers": "data/customers.csv"})
    save(EVENTS, tmp_path / "data" / "events.csv")
    people = save(CUSTOMERS, tmp_path / "data" / "customers.csv")
    before = sources.fingerprint(settings, tmp_path)
    assert sources.fingerprint(settings, tmp_path) == before
    people.write_bytes(people.read_bytes() + b"\n")
    assert sources.fingerprint(settings, tmp_path) != before
