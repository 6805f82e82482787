"""A book is checked whole before anything runs; every fault has a file, a line and a way out."""

from datetime import date
from pathlib import Path

import pytest
from drawing import SHOP

from retention import book as books
from retention.errors import Refused
from retention_runner import notebooks

PROJECT = Path(__file__).parents[1]

WHOLE = """\
title: Corner Shop
source: {kind: demo, data: simulated}
timezone: Europe/Berlin
snapshot_date: 2025-06-30
churn:
  kind: contract
  after_days: 30
parameters:
  20_survival:
    by: plan
  60_value: {high_share: 0.9}
"""


def message(root: Path, text: str | bytes, name: str = "mine") -> str:
    """What is said on refusing a book of this text."""
    content = text if isinstance(text, bytes) else text.encode()
    (root / "params" / f"{name}.yaml").write_bytes(content)
    with pytest.raises(Refused) as refusal:
        books.load(name, root, notebooks.faults)
    return str(refusal.value)


def load(root: Path, text: str) -> books.Book:
    (root / "params" / "mine.yaml").write_text(text, encoding="utf-8")
    return books.load("mine", root, notebooks.faults)


# What is accepted


@pytest.mark.parametrize("file", sorted((PROJECT / "params").glob("*.yaml")), ids=lambda f: f.stem)
def test_every_book_of_the_project_is_sound(file):
    assert books.load(file.stem, PROJECT).title


def test_a_book_is_read_whole(workbook):
    book = load(workbook, WHOLE)

    assert (book.title, book.currency, book.timezone) == ("Corner Shop", "EUR", "Europe/Berlin")
    assert book.churn == books.Churn(kind="contract", activity=[], after_days=30)
    assert book.parameters == {"20_survival": {"by": "plan"}, "60_value": {"high_share": 0.9}}


def test_a_book_survives_being_written_down(workbook):
    book = books.at(books.load("shop", workbook), date(2024, 6, 30))
    assert books.Book.model_validate_json(book.model_dump_json()) == book


@pytest.mark.parametrize("word", books.WORDS)
def test_a_snapshot_date_may_be_a_word_that_moves(workbook, word):
    assert load(workbook, WHOLE.replace("2025-06-30", word)).snapshot_date == word
    several = load(workbook, WHOLE.replace("2025-06-30", f"[{word}, 2024-12-31]"))
    assert several.snapshot_date == [word, date(2024, 12, 31)]
    assert books.Book.model_validate_json(several.model_dump_json()) == several


@pytest.mark.parametrize("command", ["./tell.sh", "curl -d @- 'https://example.org/a b'", ""])
def test_a_book_may_name_a_command_to_tell(workbook, command):
    assert load(workbook, WHOLE + "on_done: '  '\n").on_done == load(workbook, WHOLE).on_done == ""
    assert load(workbook, WHOLE + f'on_done: "{command}"\n').on_done == command


def test_a_command_that_cannot_be_split_is_refused_and_not_repeated(workbook):
    for command, what in (
        ("'tell \"hunter2'", "every quotation closed"),
        ("5", "expected a command"),
    ):
        said = message(workbook, WHOLE + f"on_done: {command}\n")
        assert said.startswith("params/mine.yaml:12: on_done: ")
        assert what in said
        assert "hunter2" not in said


def test_a_whole_number_may_stand_for_a_real_parameter(workbook):
    assert load(workbook, WHOLE.replace("0.9", "1")).parameters["60_value"]["high_share"] == 1


# Names


BAD_NAMES = ("", "../shop", "params/../shop", "/etc/passwd", "shop.yaml", ".", "..", "Shop", "a b")


@pytest.mark.parametrize("name", [*BAD_NAMES, "shop\n", "-rf", "sho\0p", "été"])
def test_a_name_that_is_a_path_is_no_book(workbook, name):
    with pytest.raises(Refused, match="is not a book's name: use small letters, digits, - and _"):
        books.load(name, workbook)


def test_a_book_that_is_not_there_is_named_with_the_nearest(workbook):
    with pytest.raises(Refused, match=r"^no book params/shp\.yaml; did you mean 'shop'\?$"):
        books.load("shp", workbook)


# Keys and values


DEMO, CONTRACT = "{kind: demo, data: simulated}", "kind: contract"
PARAMETERS = "20_survival:\n    by: plan"


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        # unknown keys, at each level
        ("title:", "titel: x\ntitle:", 1, "titel: unknown key; did you mean 'title'?"),
        (CONTRACT, f"knd: x\n  {CONTRACT}", 6, "churn.knd: unknown key; did you mean 'kind'?"),
        ("simulated}", "simulated, sed: 1}", 2, "source.sed: unknown key; did you mean 'seed'?"),
        (DEMO, "{kind: files, seed: 1}", 2, "source.seed: unknown key; k"),
        ("churn:", "tables: {event: a}\nchurn:", 5, "tables.event: unknown key; did you mean 'ev"),
        ("churn:", "columns: {event: {at: b}}\nchurn:", 5, "columns.event: unknown key; did you"),
        ("churn:", "1: 2\nchurn:", 5, "1: keys should be strings"),
        # missing keys
        ("title: Corner Shop\n", "", 1, "title: missing; this key is needed"),
        ("  after_days: 30\n", "", 5, "churn.after_days: missing; this key is needed"),
        ("data: simulated", "seed: 1", 2, "source.data: missing; this key is needed"),
        (DEMO, "{}", 2, "source.kind: missing; this key is needed"),
        # wrong types
        ("Corner Shop", "5", 1, "title: should be a valid string, got 5"),
        ("Corner Shop", "", 1, "title: should be a valid string, got NoneType"),
        ("Corner Shop", "''", 1, "title: string should have at least 1 character, got ''"),
        ("30\np", "30.0\np", 7, "churn.after_days: should be a valid integer, got 30.0"),
        ("30\np", "0\np", 7, "churn.after_days: should be greater than or equal to 1, got 0"),
        (CONTRACT, "kind: contrct", 6, "churn.kind: should be 'activity' or 'contract', got"),
        (CONTRACT, f"{CONTRACT}\n  activity: buy", 7, "churn.activity: should be a valid list"),
        (CONTRACT, "kind: activity", 5, "churn.activity: an activity book names the kinds"),
        ("data: simulated", "data: cdnw", 2, "source.data: should be 'cdnow', "),
        ("kind: demo", "kind: demmo", 2, "no such kind of source, 'demmo'; did you mean 'demo'?"),
        ("Europe/Berlin", "Europe/Berln", 3, "timezone: not a time zone; expected a name such as"),
        ("Europe/Berlin", "../../etc/passwd", 3, "timezone: not a time zone"),
        ("snapshot_date:", "currency: euro\nsnapshot_date:", 4, "currency: string should match"),
        ("2025-06-30", "'2025-06-30'", 4, "snapshot_date: expected a date such as 2025-06-30, w"),
        ("2025-06-30", "2025-06-30 12:00:00", 4, "snapshot_date: expected a date such as"),
        ("2025-06-30", "[]", 4, "snapshot_date: expected a date such as"),
        ("2025-06-30", "[2025-06-30, soon]", 4, "or a list of these"),
        ("2025-06-30", "yesterdy", 4, "or a word for one (yesterday, last_week_end, "),
        (PARAMETERS, "20_survival: 1", 9, "should hold keys"),
        # parameters
        (
            "20_survival",
            "20_survivl",
            9,
            "20_survivl: no such notebook; did you mean '20_survival'",
        ),
        ("by: plan", "bye: plan", 10, "20_survival.bye: no such parameter; did you mean 'by'?"),
        ("by: plan", "by: 3", 10, "by: expected str (such as 'started'), got 3"),
        ("by: plan", "days: 30", 10, "days: expected list (such as [30, 90, 180, 365]), got 30"),
        ("timezone: Europe/Berlin", "min_cell: 3", 3, "min_cell: should be greater than or equal"),
        ("share: 0.9", "share: true", 11, "high_share: expected float (such as 0.1), got"),
        ("by: plan", "refresh: cdnow", 10, "refresh: is set by the refresh itself; leave it out"),
    ],
)
def test_a_fault_is_named_with_its_line_its_key_and_what_was_expected(
    workbook, old, new, line, words
):
    assert WHOLE.count(old) == 1
    said = message(workbook, WHOLE.replace(old, new))
    assert said.startswith(f"params/mine.yaml:{line}: ")
    assert words in said
    assert len(said.splitlines()) == 1


def test_every_fault_is_in_one_message(workbook):
    faulty = WHOLE.replace("Corner", "[").replace("[ Shop", "5").replace("30\np", "0\nq: 1\np")
    lines = message(workbook, faulty).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["title", "churn.after_days", "q"]


@pytest.mark.parametrize(
    "source", ["{kind: files, password: hunter2}", "{password: hunter2}", "postgres://hunter2@host"]
)
def test_what_may_be_a_secret_is_not_repeated(workbook, source):
    said = message(workbook, WHOLE.replace("{kind: demo, data: simulated}", source))
    assert said.startswith("params/mine.yaml:2: source")
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (WHOLE + "title: Again\n", 12, "title: given twice"),
        (WHOLE.replace(CONTRACT, f"{CONTRACT}\n  {CONTRACT}"), 7, "kind: given twice"),
        (WHOLE.replace("churn:", "churn: ["), 7, "not YAML: expected ',' or ']'"),
        (WHOLE.replace("  after_days", "\tafter_days"), 7, "not YAML: found character '\\t' that"),
        (WHOLE.replace("2025-06-30", "2025-06-31"), 4, "2025-06-31: day is out of range for month"),
        (WHOLE.replace("Corner", "Cor\aner"), 1, "not YAML: special characters are not allowed"),
        (WHOLE.replace("Corner", "!!python/object:os.system x"), 1, "could not determine a con"),
        ("? [a]\n: b\n? [a]\n: b\n", 1, "not YAML: found unhashable key"),
        (WHOLE + "---\ntitle: Second\n", 12, "but found another document"),
        ("just words\n", 1, "book: should hold keys and their values, got 'just words'"),
    ],
)
def test_what_is_not_the_yaml_of_a_book_is_refused_with_its_line(workbook, text, line, words):
    said = message(workbook, text)
    assert words in said
    assert said.startswith(f"params/mine.yaml:{line}: ")


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "---\n"])
def test_an_empty_book_lacks_every_key(workbook, text):
    said = message(workbook, text)
    for key in ("title", "source", "snapshot_date", "churn"):
        assert f"{key}: missing; this key is needed" in said


def test_a_book_that_is_not_utf_8_is_refused(workbook):
    said = message(workbook, WHOLE.replace("Corner", "Café").encode("latin-1"))
    assert said.startswith("params/mine.yaml: not UTF-8 text")


# Tables


def test_files_are_looked_for_before_anything_runs(workbook):
    assert books.load("shop", workbook).tables["events"] == "data/events.csv"
    for place in ("data/none.csv", "none/*.parquet", "/nowhere/at/all.csv"):
        said = message(workbook, SHOP.replace("data/events.csv", place))
        assert said == f"params/mine.yaml:4: tables.events: no such file: {place}"
    said = message(workbook, SHOP.replace("data/events.csv", "''"))
    assert said.startswith("params/mine.yaml:4: tables.events: no such file")


def test_files_may_be_a_pattern_a_folder_or_lie_elsewhere(workbook):
    for place in ("data/*.csv", "data", str(workbook / "data" / "events.csv"), "../*/data"):
        assert load(workbook, SHOP.replace("data/events.csv", place)).tables["events"] == place


@pytest.mark.parametrize(
    ("kind", "table"), [("activity, activity: [purchase]", "events"), ("contract", "contracts")]
)
def test_a_book_of_files_names_the_tables_its_kind_needs(workbook, kind, table):
    text = SHOP.replace("activity, activity: [purchase]", kind)
    if table == "events":
        text = text.replace("  events: data/events.csv\n", "")
    said = message(workbook, text)
    assert said == f"params/mine.yaml:3: tables.{table}: missing; this key is needed"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("columns: {events: {customer: a}}", ".customer: not one of our columns; did you mean 'cu"),
        ("columns: {events: {at: [day, hour]}}", "columns.events.at: expected one column; only an"),
        ("columns: {events: {amount: [a, b, c]}}", "expected the name of a column, or for an amou"),
        ("only: {a: []}", "only.a: expected a value, a list of values, {at_least: x, below: y} or"),
        ("only: {a: {atleast: 1}}", "only.a: expected a value, a list"),
        ("only: {a: {at_least: x}}", "only.a: expected a value"),
        ("only: {a: }", "only.a: expected a value, a list of"),
        ("lifecycle: {dorment: {spell: 3}}", "lifecycle.dorment: unknown key; did you mean 'dor"),
        (
            "lifecycle: {gone: {spell: 3}}",
            "gone: unknown key; known: at risk, declining, dormant, ",
        ),
        (
            "lifecycle: {new: {spell: {atleast: 3}}}",
            "lifecycle.new.spell: expected a value, a list",
        ),
        ("lifecycle: {new: {}}", "lifecycle.new: "),
        ("attributes: region", "attributes: should be a valid list"),
        ("keep: 0", "keep: should be greater than or equal to 1"),
    ],
)
def test_a_fault_in_a_key_is_named_with_its_line(workbook, key, words):
    said = message(workbook, SHOP.replace("snapshot_date", f"{key}\nsnapshot_date"))
    assert said.startswith("params/mine.yaml:6: ")
    assert words in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("delimiter: ';;'", "source.delimiter: string should have"),
        ("encoding: cp-12", "source.encoding: not an encoding; exp"),
        ("decimal: ';'", "source.decimal: should be '.' or ','"),
        ("date_format: '%d.%m.'", "source.date_format: expected a format with a year, such as %d."),
        ("delimitr: ';'", "source.delimitr: unknown key; did you mean 'delimiter'?"),
    ],
)
def test_a_fault_in_how_files_are_written_is_named_with_its_line(workbook, key, words):
    said = message(workbook, SHOP.replace("kind: files", f"kind: files, {key}"))
    assert said.startswith("params/mine.yaml:2: ")
    assert words in said


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("kind: duckdb", "source.file: missing; this key is needed"),
        ("kind: duckdb, file: none.duckdb", "source.file: no such file: none.duckdb"),
        ("kind: postgres", "source.url: missing; this key is needed"),
        ("kind: postgres, url: hunter2", "source.url: expected env:NAME, postgresql:"),
        ("kind: postgres, url: 'postgres://me:hunter2@host/shop'", "write password: env:NAME"),
        ("kind: postgres, url: 'env:A', password: hunter2", "password: expected env:NAME, the env"),
        ("kind: spark, url: hunter2", "source.url: expected env:NAME, "),
        ("kind: spark, url: 'sc://host', password: hunter2", "source.password: unknown key"),
    ],
)
def test_a_fault_of_a_database_is_named_without_what_may_be_a_secret(workbook, source, words):
    said = message(workbook, SHOP.replace("kind: files", source))
    assert said.startswith("params/mine.yaml:2: source")
    assert "hunter2" not in said
    assert words in said


@pytest.mark.parametrize(
    "source",
    [
        "{kind: files, delimiter: ';', encoding: cp1252, decimal: ',', date_format: '%d.%m.%Y'}",
        "{kind: duckdb, file: data/events.csv}",
        "{kind: postgres, url: 'postgresql://me@host:5432/shop', password: 'env:SHOP'}",
        "{kind: postgres, url: 'env:SHOP'}",
        "{kind: spark, url: 'sc://host:15002'}",
        "{kind: spark, url: 'local[2]'}",
    ],
)
def test_every_kind_of_source_is_read(workbook, source):
    assert load(workbook, SHOP.replace("{kind: files}", source)).source.kind in source


def test_a_book_may_say_which_customers_which_columns_and_how_many_to_keep(workbook):
    more = "only: {country: [DE, AT], size: {at_least: 1}}\nattributes: [country]\nkeep: 3\n"
    columns = "columns: {events: {amount: [quantity, price]}}\n"
    book = load(workbook, SHOP + more + columns)
    assert book.only["country"] == ["DE", "AT"]
    assert book.only["size"] == books.Range(at_least=1)
    assert (book.attributes, book.keep) == (["country"], 3)
    assert book.columns["events"]["amount"] == ["quantity", "price"]
    assert books.Book.model_validate_json(book.model_dump_json()) == book


def test_a_demo_brings_its_own_tables(workbook):
    for key in ("tables: {events: a.csv}", "columns: {events: {at: b}}", "only: {a: 1}"):
        said = message(workbook, f"{WHOLE}{key}\n")
        assert "a demo source brings its own tables; leave this key out" in said
