"""What is particular to files: how texts become days, cents and numbers; many files; encodings."""

from datetime import date

import inputs
import polars as pl
import pytest
from drawing import day, save
from inputs import BERLIN, CUSTOMERS, EVENTS, SECRET_ID, arrived, book, change, message, read, take

from retention.errors import Refused

TEXTS = pytest.mark.parametrize("form", ["csv", "parquet"])
HEAD = "customer_id,at,amount\n"


def write(root, content: str | bytes, *, customers: str = "", **source):
    """A book whose CSV files have this content."""
    tables = {"events": content, "customers": customers}
    places = {table: f"{table}.csv" for table in tables if tables[table]}
    for table, place in places.items():
        held = tables[table]
        (root / place).write_bytes(held if isinstance(held, bytes) else held.encode())
    return book(places, source={"kind": "files"} | source)


def refusal(root, *content, **settings) -> str:
    with pytest.raises(Refused) as refused:
        take(root, write(root, *content, **settings))
    assert SECRET_ID not in str(refused.value)
    return str(refused.value)


# Which files


@TEXTS
def test_many_files_are_one_table(tmp_path, form):
    for number in range(3):
        save(EVENTS[number : number + 1], tmp_path / "data" / "orders" / f"part-{number}.{form}")
    hidden = tmp_path / "data" / "orders" / f"_part.{form}"
    hidden.write_bytes(b"not yet a file")
    hidden.rename(hidden.with_name(f".part.{form}"))
    (tmp_path / "data" / "orders" / "_SUCCESS.crc").touch()
    for place in (f"data/orders/*.{form}", "data/orders", str(tmp_path / "data" / "orders")):
        assert read(tmp_path, book({"events": place}))["events"].height == 3


def test_folders_may_name_values_of_columns_and_days(tmp_path):
    pairs = [("2025-06-01", "web"), ("2025-06-02", "shop"), ("2025-06-02", "web")]
    for at, channel in pairs:
        folder = tmp_path / "log" / f"at={at}" / f"channel={channel}"
        save(EVENTS.select("customer_id").head(1), folder / "1.parquet")
    for region, row in (("north", 0), ("south", 1)):
        people = CUSTOMERS.drop("region")[row : row + 1]
        save(people, tmp_path / "people" / f"region={region}" / "1.parquet")
    found = read(tmp_path, book({"events": "log", "customers": "people/*/*.parquet"}))
    rows = [(day(at), None, channel) for at, channel in pairs]
    assert sorted(found["events"].select("day", "second", "channel").rows()) == rows
    assert found["customers"].sort("started_day")["region"].to_list() == ["south", "north"]


# Dates and times as text


NOON = ("2025-06-30", 43_200)
US, GERMAN = "%m/%d/%Y", "%d.%m.%Y"


@pytest.mark.parametrize(
    ("form", "at", "expected"),
    [
        ("", "2025-06-30", ("2025-06-30", None)),
        ("", " 2025-06-30 ", ("2025-06-30", None)),
        ("", "2025-06-30 12:00", NOON),
        ("", "2025-06-30T23:59", ("2025-06-30", 86_340)),
        ("", "2025-06-30 00:00:00", ("2025-06-30", 0)),
        ("", "2025-06-30 12:00:59.5", ("2025-06-30", 43_259)),
        ("", "2025-06-30T10:00Z", NOON),
        ("", "2025-06-30T12:00:00+02:00", NOON),
        ("", "2025-06-30 12:00:00+0200", NOON),
        ("", "2025-06-30T10:00:00.123456Z", NOON),
        ("", "2025-07-01T00:30:00+05:00", ("2025-06-30", 77_400)),
        (GERMAN, "30.06.2025", ("2025-06-30", None)),
        (GERMAN, "30.06.2025 12:00", NOON),
        (US, "06/30/2025", ("2025-06-30", None)),
        (US, "2025-06-30", ("2025-06-30", None)),
        ("%d.%m.%Y %H:%M", "30.06.2025 08:15", ("2025-06-30", 29_700)),
        ("%d/%m/%y", "30/06/25", ("2025-06-30", None)),
    ],
)
def test_dates_and_times_as_text_are_days_and_seconds_of_the_book(tmp_path, form, at, expected):
    log = pl.DataFrame({"customer_id": ["ann"], "at": [at]})
    settings = BERLIN | {"source": {"date_format": form}}
    events = arrived(tmp_path, "csv", settings, events=log)["events"]
    assert events.select("day", "second").row(0) == (day(expected[0]), expected[1])
    assert events["fault day"].item() is None


def test_dates_and_times_may_stand_in_one_column_of_text_in_parquet_too(tmp_path):
    log = pl.DataFrame({"customer_id": ["a", "b"], "at": ["2025-06-30 12:00", "2025-06-30"]})
    events = arrived(tmp_path, "parquet", BERLIN, events=log)["events"]
    assert events.select("day", "second").rows() == [
        (day(at), s) for at, s in (NOON, (NOON[0], None))
    ]


# Amounts and other numbers as text


def test_decimal_commas_that_are_stated_are_read(tmp_path):
    rows = "ann;2025-06-01;1.234,50\nbob;2025-06-02;0,1\ncarl;2025-06-03;12\n"
    source = {"delimiter": ";", "decimal": ","}
    found = read(tmp_path, write(tmp_path, HEAD.replace(",", ";") + rows, **source))["events"]
    assert found["amount_cents"].to_list() == [123_450, 10, 1200]


def test_a_decimal_point_where_commas_were_stated_is_refused(tmp_path):
    rows = "ann;2025-06-01;12.50\nbob;2025-06-02;1.2345,5\n"
    source = {"delimiter": ";", "decimal": ","}
    said = refusal(tmp_path, HEAD.replace(",", ";") + rows, **source)
    assert "'amount can be read as a number such as 12.50', 2 rows break it" in said


def test_scores_are_read_unless_their_answer_came_later(tmp_path):
    text = change(inputs.SURVEYS, score=["9", "nine", "1.0"])
    late = change(text, answered=[date(2025, 6, 5), date(2025, 7, 1), date(2025, 6, 2)])
    got = take(tmp_path, inputs.put(tmp_path, "csv", inputs.ALL | {"surveys": late}))
    assert got["surveys"]["score"].sort().to_list() == [None, 1.0, 9.0]
    said = message(tmp_path, "csv", **inputs.ALL | {"surveys": text})
    assert "score can be read as a number such as 9', 1 row" in said
    assert "nine" not in said


def test_attributes_of_csv_that_are_all_written_as_numbers_are_numbers(tmp_path):
    people = (
        "customer_id,started,age,zip,score,note,empty,mixed\n"
        "ann,2025-06-01,40,007,0.5,x,,1\n"
        "bob,2025-06-01,-5,123,2,,,1.5\n"
        "carl,2025-06-01,,456,,1,,a\n"
    )
    log = HEAD + "ann,2025-06-01,1\n"
    found = read(tmp_path, write(tmp_path, log, customers=people))["customers"]
    kinds = [pl.Int64, pl.String, pl.Float64, pl.String, pl.String, pl.String]
    columns = found.select("age", "zip", "score", "note", "empty", "mixed")
    assert list(columns.dtypes) == kinds
    assert columns["age"].to_list() == [40, -5, None]
    assert columns["zip"].to_list() == ["007", "123", "456"]
    assert columns["score"].to_list() == [0.5, 2.0, None]


# How files are written


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfcustomer_id,at,amount\nann,2025-06-01,5\nbob,2025-06-02,7.5\n",
        b"customer_id,at,amount\r\nann,2025-06-01,5\r\nbob,2025-06-02,7.5\r\n",
        b'customer_id,at,amount\nann,2025-06-01,5\n\n\n,,\n"bob","2025-06-02","7.5"',
        b"customer_id,at,amount\nann, 2025-06-01 , 5\nbob,2025-06-02,7.5 \n",
    ],
    ids=["bom", "crlf", "blank lines and quotes", "spaces"],
)
def test_the_same_table_may_be_written_in_many_ways(tmp_path, content):
    found = read(tmp_path, write(tmp_path, content))["events"]
    rows = [("ann", day("2025-06-01"), 500), ("bob", day("2025-06-02"), 750)]
    assert found.select("customer_id", "day", "amount_cents").rows() == rows


def test_quoted_lines_quotes_and_delimiters_belong_to_the_value(tmp_path):
    log = 'customer_id,at,category\nann,2025-06-01,"tea, ""green""\nor black"\nbob,2025-06-01,""\n'
    found = read(tmp_path, write(tmp_path, log))["events"]["category"]
    assert found.to_list() == ['tea, "green"\nor black', None]  # and an empty field is unknown


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_another_delimiter_is_read_once_it_is_stated_and_named_before(tmp_path, delimiter):
    log = (HEAD + "ann,2025-06-01,5\n").replace(",", delimiter)
    assert "set `delimiter:` under source" in refusal(tmp_path, log)
    found = read(tmp_path, write(tmp_path, log, delimiter=delimiter))["events"]
    assert found["amount_cents"].item() == 500


@pytest.mark.parametrize("encoding", ["windows-1252", "utf-16", "mac-roman"])
def test_another_encoding_is_read_once_it_is_stated_and_leaves_no_copy(tmp_path, encoding):
    log = "customer_id,at,amount,category\nann,2025-06-01,1,Käse für größere\n"
    given = write(tmp_path, log.encode(encoding), encoding=encoding)
    assert take(tmp_path, given)["baskets"]["category"].item() == "Käse für größere"
    assert list((tmp_path / "work").iterdir()) == []


@TEXTS
def test_a_file_of_a_header_alone_is_a_table_without_rows(tmp_path, form):
    found = arrived(tmp_path, form, events=EVENTS.clear(), customers=CUSTOMERS.clear())
    assert found["events"].is_empty()
    assert found["customers"].is_empty()


def test_the_file_that_cannot_be_read_is_the_one_that_is_named(tmp_path):
    people = "customer_id,region\nann-lee-1970,north,9\n"
    said = refusal(tmp_path, f"{HEAD}{SECRET_ID},2025-06-01,5\n", customers=people)
    assert said.startswith("customers.csv: cannot be read: found more fields")


def test_ids_and_numbers_that_do_not_fit_are_never_repeated(tmp_path):
    people = CUSTOMERS.with_columns(phone=pl.Series([2**64 - 1, 5], dtype=pl.UInt64))
    said = message(tmp_path, "parquet", events=EVENTS, customers=people)
    assert said.startswith("data/customers.parquet: cannot be read: ")
    assert str(2**64 - 1) not in said
