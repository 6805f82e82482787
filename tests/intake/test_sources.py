"""Tables as they are handed on from every kind of source; columns that do not fit; demo data."""

from datetime import UTC, date, datetime

import narwhals as nw
import polars as pl
import pytest
from drawing import day, save
from inputs import ALL, BERLIN, CUSTOMERS, EVENTS, FORMS, TYPED, arrived, book, change, message, put

from retention.book import COLUMNS
from retention_intake import sources

# What arrives


@FORMS
def test_tables_arrive_with_days_and_cents_as_whole_numbers(tmp_path, form):
    found = arrived(tmp_path, form, **ALL)

    events, contracts = found["events"], found["contracts"]
    assert events["day"].to_list() == [day("2025-06-01"), day("2025-06-02"), day("2025-06-30")]
    assert events["amount_cents"].to_list() == [1250, 10, None]
    assert events["second"].to_list() == [None, None, None]
    assert contracts["ended_day"].to_list() == [None, day("2025-06-10")]
    assert contracts["booked_day"].to_list() == [None, None]
    assert found["customers"].drop(sources.KEPT, "^fault .*$").columns == [
        "customer_id",
        "started_day",
        "region",
    ]
    for frame in found.values():
        whole = frame.select("^([a-z]+_)?(day|cents|second)$")
        assert set(whole.dtypes) == {pl.Int64}
        assert frame[sources.KEPT].all()


@FORMS
def test_nothing_is_read_before_it_is_asked_for(tmp_path, form):
    with sources.read(put(tmp_path, form, ALL), tmp_path, tmp_path / "spool") as source:
        for frame in source.tables.values():
            assert isinstance(nw.from_native(frame), nw.LazyFrame)


@FORMS
def test_what_could_be_wrong_has_a_column_that_says_so_and_is_null_where_nothing_is(tmp_path, form):
    events = arrived(tmp_path, form, events=EVENTS)["events"]
    faults = events.select("^fault .*$")
    dated = ["fault day"] if form == "csv" else []
    assert faults.columns == [*dated, "fault amount_cents"]
    assert faults.null_count().row(0) == (3,) * faults.width


@FORMS
def test_their_columns_are_found_under_their_names(tmp_path, form):
    theirs = {"customer_id": "user", "at": "ordered on", "amount": "total"}
    renamed = EVENTS.rename(theirs)
    found = arrived(tmp_path / "1", form, {"columns": {"events": theirs}}, events=renamed)
    assert found["events"].equals(arrived(tmp_path / "2", form, events=EVENTS)["events"])


@FORMS
def test_columns_that_are_not_there_are_unknown_and_every_event_is_a_purchase(tmp_path, form):
    plain = arrived(tmp_path, form, events=EVENTS.select("customer_id", "at"))["events"]
    absent = ["order_id", "amount_cents", "product", "category", "channel", "second"]
    assert plain.select(absent).null_count().row(0) == (3,) * 6
    assert plain["kind"].to_list() == ["purchase"] * 3


@FORMS
def test_an_amount_may_be_the_product_of_two_columns_to_the_cent(tmp_path, form):
    log = EVENTS.drop("amount").with_columns(
        quantity=pl.Series([3, 7, None]), price=pl.Series([0.1, 1.15, 5.0])
    )
    settings = {"columns": {"events": {"amount": ["quantity", "price"]}}}
    found = arrived(tmp_path, form, settings, events=log)
    assert found["events"]["amount_cents"].to_list() == [30, 805, None]


@FORMS
def test_half_a_cent_goes_up(tmp_path, form):
    log = change(EVENTS, amount=[0.125, 0.375, 2.675])  # the last is a little less as a double
    cents = arrived(tmp_path, form, events=log)["events"]["amount_cents"]
    assert cents.to_list() == [13, 38, 268]


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
    )
    if form == "parquet":
        people = people.with_columns(group=pl.Series(["a", "b"], dtype=pl.Categorical))
    found = arrived(tmp_path, form, events=EVENTS, customers=people)["customers"]
    values = found.select("age", "score", "paid", "newsletter", "born")
    kinds = [pl.Int64, pl.Float64, pl.Float64, pl.Boolean, pl.String]
    assert list(values.dtypes) == kinds
    assert values.row(0) == (40, 0.5, 0.1, True, "1970-01-01")
    if form == "parquet":
        assert found["group"].to_list() == ["a", "b"]


@TYPED
def test_whole_numbers_as_ids_stay_exact(tmp_path, form):
    whole = [2**53 + 1, 2**63 - 1, -1]
    log = EVENTS.with_columns(customer_id=pl.Series(whole, dtype=pl.Int64))
    found = arrived(tmp_path, form, events=log)["events"]["customer_id"]
    assert found.to_list() == ["9007199254740993", "9223372036854775807", "-1"]


@pytest.mark.parametrize("dtype", [pl.Int32, pl.UInt64, pl.Categorical, pl.Enum(["1", "2"])])
def test_ids_may_be_whole_numbers_or_categories_and_become_text(tmp_path, dtype):
    ids = pl.Series(["1", "2", "2"])
    log = EVENTS.with_columns(customer_id=ids.cast(dtype))
    assert arrived(tmp_path, "parquet", events=log)["events"]["customer_id"].equals(ids)


@FORMS
def test_ids_with_leading_zeros_stay_text(tmp_path, form):
    log = change(EVENTS, customer_id=["007", "0", "1e3"])
    found = arrived(tmp_path, form, events=log)["events"]["customer_id"]
    assert found.to_list() == ["007", "0", "1e3"]


@TYPED
@pytest.mark.parametrize(
    ("dtype", "zone", "expected"),
    [
        ("UTC", "Europe/Berlin", ("2025-07-01", 1800)),
        ("Asia/Tokyo", "Europe/Berlin", ("2025-07-01", 1800)),
        ("UTC", "America/St_Johns", ("2025-06-30", 72_000)),
        ("UTC", "UTC", ("2025-06-30", 81_000)),
    ],
)
def test_times_that_carry_a_zone_are_days_and_seconds_of_the_book(
    tmp_path, form, dtype, zone, expected
):
    moment = pl.Series([datetime(2025, 6, 30, 22, 30, tzinfo=UTC)])
    log = pl.DataFrame({"customer_id": ["ann"], "at": moment.dt.convert_time_zone(dtype)})
    events = arrived(tmp_path, form, {"timezone": zone}, events=log)["events"]
    assert events.select("day", "second").row(0) == (day(expected[0]), expected[1])


@TYPED
def test_naive_times_are_counted_as_they_stand(tmp_path, form):
    times = [datetime(2025, 6, 30, 23, 30, 59, 999_999), datetime(1969, 12, 31, 0, 0, 1), None]
    log = pl.DataFrame({"customer_id": ["ann"] * 3, "at": times})
    events = arrived(tmp_path, form, BERLIN, events=log)["events"]
    expected = [(day("2025-06-30"), 84_659), (-1, 1), (None, None)]
    assert events.select("day", "second").rows() == expected


@TYPED
def test_an_instant_is_a_day_as_the_clocks_of_the_book_show_it(tmp_path, form):
    """Across midnight, and before and after the clocks change: in winter an hour less."""
    expected = {
        "2025-06-30T22:00:00": ("2025-07-01", 0),
        "2025-06-30T21:59:59": ("2025-06-30", 86_399),
        "2025-03-29T23:30:00": ("2025-03-30", 1800),
        "2025-03-29T22:30:00": ("2025-03-29", 84_600),
        "2025-03-30T01:00:00": ("2025-03-30", 10_800),
        "2025-10-26T00:30:00": ("2025-10-26", 9000),
        "2025-10-26T01:30:00": ("2025-10-26", 9000),
        "2025-10-26T23:30:00": ("2025-10-27", 1800),
    }
    moments = pl.Series([*expected]).str.to_datetime(time_unit="us", time_zone="UTC")
    log = pl.DataFrame({"customer_id": ["ann"] * len(moments), "at": moments})
    events = arrived(tmp_path, form, BERLIN, events=log)["events"]
    found = events.select("day", "second").rows()
    assert found == [(day(date), second) for date, second in expected.values()]


# Columns that do not fit


def test_an_attribute_may_be_a_plan_and_no_second_customer_id(tmp_path):
    people = CUSTOMERS.rename({"region": "plan"}).with_columns(number=pl.Series(["1", "2"]))
    assert "plan" in arrived(tmp_path, "csv", events=EVENTS, customers=people)["customers"]
    settings = {"columns": {"customers": {"customer_id": "number"}}}
    said = message(tmp_path, "csv", settings, events=EVENTS, customers=people)
    assert "column 'customer_id' has a name that we use ourselves" in said


def test_columns_of_two_sources_are_called_by_both_names(tmp_path):
    log = EVENTS.rename({"amount": "price"}).with_columns(quantity=pl.Series([-1, 1, None]))
    settings = {"columns": {"events": {"amount": ["quantity", "price"]}}}
    said = message(tmp_path, "parquet", settings, events=log)
    assert "quantity × price: promise broken: 'quantity × price is at least 0', 1 row" in said


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
