"""From a stranger's tables to a book that reads them: written with its grounds, or not at all."""

import re
from datetime import date
from pathlib import Path

import drawing
import polars as pl
import pytest
import servers
from drawing import shop
from inputs import take
from workbooks import files, retention, with_only

from retention import book as books
from retention.definition import window_errors
from retention.errors import Refused
from retention.risk import horizon
from retention.tables import task, workspace
from retention_app import workbook as app
from retention_intake import intake, new_book

RETAIL = Path(__file__).parents[3] / "shared" / "data" / "online_retail" / "lines.parquet"
SECRET = "hunter2"


def new(name: str, source: str = "files", columns: tuple = (), **given) -> str:
    """Make the book ``name``; what is said."""
    tables = {table: given.pop(table) for table in books.COLUMNS if table in given}
    given |= {"source": source, "columns": [*columns]}
    return new_book.new_book(
        name,
        workspace.root(),
        tables,
        take=app.take,
        derive=task.tables,
        window=window_errors.proposed,
        horizon=horizon.chosen,
        **given,
    )


def refused(root: Path, *words, **given) -> str:
    """The message on refusing the book "mine", of which nothing is written."""
    before = files(root)
    with pytest.raises(Refused) as refusal:
        new("mine", *words, **given)
    assert files(root) == before
    assert not any((root / "work").glob(".spool*"))
    return str(refusal.value)


def read(root: Path, name: str = "mine") -> tuple[books.Book, intake.Taken]:
    """The book as a refresh loads it, and what it takes."""
    book = books.load(name, root)
    return book, take(root, book, book.snapshot_date)


def text(root: Path, name: str = "mine") -> str:
    return (root / "params" / f"{name}.yaml").read_text(encoding="utf-8")


def lines() -> pl.DataFrame:
    """The drawn shop as lines of invoices, with some returned and some of nobody."""
    bought = shop()["events"].with_row_index("n")
    known = pl.when(pl.col("n") % 10 > 0).then("customer_id")
    return bought.select(
        InvoiceNo=pl.format("{}", pl.col("n") // 2 + 536_365),
        StockCode=pl.lit("85123A"),
        Description=pl.lit('HEART, "WHITE"'),
        Quantity=pl.when(pl.col("n") % 7 > 0).then(2).otherwise(-2),
        InvoiceDate=pl.col("at").dt.strftime("%-m/%-d/%Y 8:05"),
        UnitPrice="amount",
        CustomerID=known,
        Country=pl.lit("United Kingdom"),
    )


def save(frame: pl.DataFrame, name: str) -> str:
    return str(drawing.save(frame, Path(f"data/{name}.csv")))


# Files


def test_lines_of_invoices_become_a_book_that_reads_them(workbook):
    said = new("mine", events=save(lines(), "lines"), timezone="Europe/London", currency="GBP")

    book, taken = read(workbook)
    frame = lines()
    kept = frame.filter(pl.col("CustomerID").is_not_null(), pl.col("Quantity") >= 0)
    assert book.columns["events"] == {
        "customer_id": "CustomerID",
        "at": "InvoiceDate",
        "order_id": "InvoiceNo",
        "product": "Description",
        "amount": ["Quantity", "UnitPrice"],
    }
    assert book.source.date_format == "%m/%d/%Y"
    assert taken["activity"]["events"].sum() == kept.height
    cents = (100 * kept["Quantity"] * kept["UnitPrice"]).sum()
    assert taken["activity"]["amount_cents"].sum() == pytest.approx(cents)
    nobody = frame["CustomerID"].null_count()
    returned = frame.height - nobody - kept.height
    assert f"CustomerID: {{known: true}}  # leaves out {nobody} rows\n" in text(workbook)
    assert f"Quantity: {{at_least: 0}}  # leaves out {returned} more rows\n" in text(workbook)
    assert "UnitPrice" not in book.only
    assert book.snapshot_date == shop()["events"]["at"].max()
    assert f"Read: {kept.height:,} events of 60 customers" in said
    assert said.startswith(text(workbook))
    assert "make refresh BOOK=mine" in said


def test_a_book_proposed_is_refreshed_as_it_is(workbook):
    each = [pl.concat_str("CustomerID", pl.lit(branch)) for branch in ("n", "e", "s", "w")]
    file = save(pl.concat(lines().with_columns(CustomerID=one) for one in each), "lines")
    with_only(workbook, "00_data", "10_customers", "20_survival", "30_clusters")
    made = retention(workbook, "new-book", "mine", "--events", file, "--timezone=Europe/London")
    assert (made.returncode, made.stderr) == (0, "")
    done = retention(workbook, "refresh", "mine")
    assert done.returncode == 0, done.stderr
    day = books.load("mine", workbook).snapshot_date
    assert (workbook / "reports" / "mine" / str(day) / "30_clusters.html").is_file()
    assert made.stdout.endswith(f"  make refresh BOOK=mine\n  open reports/mine/{day}/index.html\n")


def test_a_german_export_is_read(workbook):
    bought = shop()["events"].select(
        pl.col("customer_id").alias("Kundennummer"),
        pl.col("at").dt.strftime("%d.%m.%Y").alias("Bestelldatum"),
        pl.format("1.{},50", pl.col("amount").cast(pl.Int64) + 100).alias("Betrag"),
        pl.lit("Großgeräte").alias("Warengruppe"),
    )
    written = bought.write_csv(separator=";").encode("windows-1252")
    Path("data/bestellungen.csv").write_bytes(written)
    new("mine", events="data/bestellungen.csv")

    book, taken = read(workbook)
    written = {"delimiter": ";", "encoding": "windows-1252", "decimal": ","}
    expected = books.Files(kind="files", date_format="%d.%m.%Y", **written)
    assert book.source == expected
    assert "encoding: windows-1252  # a guess: check accented letters\n" in text(workbook)
    euros = bought.select(pl.col("Betrag").str.slice(2, 3).cast(pl.Int64) + 1000)["Betrag"]
    assert taken["activity"]["amount_cents"].sum() == (100 * euros + 50).sum()
    assert taken["baskets"]["category"].unique().to_list() == ["Großgeräte"]
    assert "currency: EUR  # change it if you use another\n" in text(workbook)


def subscriptions() -> dict[str, pl.DataFrame]:
    """The drawn shop's customers with a contract, of which every third has ended."""
    n, drawn = pl.int_range(pl.len()), shop()
    country = pl.when(n % 2 > 0).then(pl.lit("AT")).otherwise(pl.lit("DE"))
    known = {"id": "customer_id", "Full Name": pl.format("Ann {}", n), "signup_date": "started"}
    return {
        "events": drawn["events"].select(
            user_id="customer_id", timestamp="at", event=pl.lit("login")
        ),
        "customers": drawn["customers"].select(**known, country=country),
        "contracts": drawn["customers"].select(
            customer="customer_id",
            start_date="started",
            end_date=pl.when(n % 3 == 0).then(pl.col("started") + pl.duration(days=90)),
            mrr=9.5 * (n % 2 + 1),
            tariff=pl.when(n % 4 > 0).then(pl.lit("basic")).otherwise(pl.lit("plus")),
        ),
    }


def test_subscriptions_become_a_contract_book(workbook):
    places = {table: save(frame, f"s-{table}") for table, frame in subscriptions().items()}
    new("mine", **places)

    book, taken = read(workbook)
    assert book.churn == books.Churn(kind="contract", after_days=30)
    assert book.columns == {
        "events": {"customer_id": "user_id", "at": "timestamp", "kind": "event"},
        "customers": {"customer_id": "id", "started": "signup_date"},
        "contracts": {
            "customer_id": "customer",
            "started": "start_date",
            "ended": "end_date",
            "plan": "tariff",
            "amount": "mrr",
        },
    }
    assert book.attributes == ["country"]
    assert "attributes: [country]  # left out: Full Name\n" in text(workbook)
    assert book.parameters["20_survival"] == {"by": "plan"}
    assert book.covariates == ["plan", "country"]
    assert book.horizon_days in (90, 60, 30)
    assert taken["contracts"].height == 60


def test_places_are_written_as_the_workbook_sees_them(workbook, monkeypatch):
    monkeypatch.chdir(workbook / "data")
    new("inside", events="events.csv")
    assert books.load("inside", workbook).tables == {"events": "data/events.csv"}
    elsewhere = workbook.parent / "elsewhere.csv"
    elsewhere.write_bytes(Path("events.csv").read_bytes())
    new("outside", events=str(elsewhere))
    assert books.load("outside", workbook).tables == {"events": str(elsewhere)}
    Path("orders").mkdir()
    shop()["events"].write_parquet("orders/1.parquet")
    new("folder", events="orders")
    assert books.load("folder", workbook).tables == {"events": "data/orders"}


def test_odd_names_are_quoted(workbook):
    odd = "when: #1, [a] 'b'"
    frame = shop()["events"].rename({"at": odd})
    new("mine", columns=[f"at={odd}"], events=save(frame, "a, b"), title="ignored")
    assert read(workbook)[0].columns["events"]["at"] == odd


# Surveys


def surveys(**columns: pl.Expr) -> pl.DataFrame:
    """One survey for each customer of the drawn shop, of whom every second has answered."""
    number = pl.int_range(pl.len())
    sent = pl.lit(date(2024, 8, 1))
    asked = shop()["customers"].select(
        client="customer_id",
        sent_at=sent,
        responded_at=pl.when(number % 2 > 0).then(sent + pl.duration(days=2)),
        survey=pl.when(number < 30).then(pl.lit("nps")).otherwise(pl.lit("csat")),
        rating=pl.when(number % 2 > 0).then(number % 5 + 1),
    )
    return asked.with_columns(**columns)


def promised() -> pl.DataFrame:
    """These surveys as a refresh takes them."""
    sent, answered = (
        pl.col(name).cast(pl.Int32).cast(pl.Int64) for name in ("sent_at", "responded_at")
    )
    rows = {"customer_id": "client", "sent_day": sent, "answered_day": answered, "kind": "survey"}
    return surveys().select(**rows, score=pl.col("rating").cast(pl.Float64)).sort("customer_id")


SEVENTH = pl.col("client").str.ends_with("7")  # of six customers in sixty, half of whom answered


def test_surveys_become_part_of_a_book_that_reads_them(workbook):
    """With days and numbers as written in Germany."""
    asked = surveys(rating=pl.format("{},0", "rating"), sent_at=pl.lit("1.8.2024"))
    events = save(shop()["events"].drop("amount"), "lines")
    said = new("mine", events=events, surveys=save(asked, "asked"))
    assert " Surveys: 60, answered: 30.\n" in said

    book, taken = read(workbook)
    assert book.tables["surveys"] == "data/asked.csv"
    assert book.columns["surveys"] == {
        "customer_id": "client",
        "sent": "sent_at",
        "kind": "survey",
        "answered": "responded_at",
        "score": "rating",
    }
    assert book.only == {}
    assert taken["surveys"].sort("customer_id").equals(promised())


def test_surveys_of_other_kinds_or_of_nobody_are_left_out_and_counted(workbook):
    """Scores that are no numbers are not read, and that is said."""
    asked = surveys(
        survey=pl.when(SEVENTH).then(pl.lit("mood")).otherwise("survey"),
        client=pl.when(~pl.col("client").str.ends_with("8")).then("client"),
        rating=pl.format("{} of 5", "rating"),
    )
    new("mine", events="data/events.csv", surveys=save(asked, "surveys"))
    assert read(workbook)[1]["surveys"]["score"].null_count() == 48
    assert "client: {known: true}  # leaves out 6 rows\n" in text(workbook)
    assert "survey: [csat, nps]  # leaves out 6 more rows\n" in text(workbook)
    assert "  # no score: 'rating' is empty, or some of its values are" in text(workbook)


def test_a_condition_on_kinds_keeps_those_of_every_table_with_such_a_column(workbook):
    """Refunds of a kind of their own are left out by it."""
    events = shop()["events"]
    refunds = events.head(20).with_columns(kind=pl.lit("refund"), amount=-1.0)
    visits = events.head(30).with_columns(kind=pl.lit("visit"), amount=pl.lit(None, pl.Float64))
    kind = pl.when(SEVENTH).then(pl.lit("mood")).otherwise("survey")
    asked = surveys(kind=kind).drop("survey")
    lines = save(pl.concat([events, refunds, visits]), "lines")
    new("mine", events=lines, surveys=save(asked, "surveys"))
    book, taken = read(workbook)
    assert book.only == {"kind": ["purchase", "visit", "csat", "nps"]}
    assert book.churn.activity == ["purchase"]
    assert "leaves out 26 rows" in text(workbook)
    assert (taken["activity"]["events"].sum(), taken["surveys"].height) == (events.height + 30, 54)


def test_another_kind_of_survey_that_is_a_kind_of_event_is_refused(workbook):
    kind = pl.when(SEVENTH).then(pl.lit("purchase")).otherwise("survey")
    asked = save(surveys(kind=kind).drop("survey"), "surveys")
    message = refused(workbook, events="data/events.csv", surveys=asked)
    assert "kind: promise broken: 'kind is nps or csat', 6 rows" in message


# What is refused


@pytest.mark.parametrize(
    ("name", "words"),
    [("../mine", "is not a book's name"), ("shop", r"params/shop\.yaml already exists")],
)
def test_a_bad_name_is_refused_and_a_book_that_is_there_stays(workbook, name, words):
    before = files(workbook)
    with pytest.raises(Refused, match=words):
        new(name, events="data/events.csv")
    assert files(workbook) == before


def test_days_first_or_months_first_is_not_guessed(workbook):
    early = lines().filter(pl.col("InvoiceDate").str.contains(r"^\d+/([1-9]|1[0-2])/"))
    events = save(early, "lines")
    message = refused(workbook, events=events, timezone="Europe/London")
    assert message == (
        "the values of InvoiceDate can be read in several ways; say which: "
        '--date-format "%d/%m/%Y" or --date-format "%m/%d/%Y"'
    )
    new("mine", events=events, timezone="Europe/London", date_format="%m/%d/%Y")
    assert read(workbook)[1]["activity"]["events"].sum() > 0


def test_a_column_that_is_not_found_is_said_with_what_there_is(workbook):
    frame = shop()["events"].rename({"customer_id": "who"})
    events = save(frame, "lines")
    assert refused(workbook, events=events) == (
        "data/lines.csv: no column found for 'customer_id' (found: who, at, kind, amount); "
        "say which one it is: --column customer_id=..."
    )
    new("mine", columns=["customer_id=who"], events=events)
    assert read(workbook)[0].columns["events"]["customer_id"] == "who"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"timezone": "Mars"}, "timezone: Value error, not a time zone"),
        ({"currency": "euro"}, "currency: String should match"),
        ({"decimal": ";"}, "decimal: Input should be '.' or ','"),
        ({"source": "duckdb:data/none.duckdb"}, "cannot be read|no such"),
        ({"source": "mysql://host/shop"}, "expected duckdb:FILE, env:NAME"),
        ({"source": "duckdb:data/x", "decimal": ","}, "decimal: Extra inputs"),
        ({"source": "env:NO_DB"}, "the environment variable NO_DB is not set"),
        ({"events": "data/none.csv"}, "no"),
    ],
)
def test_an_option_that_no_book_may_hold_is_refused(workbook, given, words):
    assert re.search(words, refused(workbook, **{"events": "data/events.csv"} | given))


def test_a_book_whose_refresh_would_be_refused_is_not_written(workbook):
    few = shop()["events"].filter(pl.col("at") < date(2024, 1, 28))
    assert "at least 10 are needed" in refused(workbook, events=save(few, "lines"))
    gone = shop()["events"].with_columns(amount=-1.0)  # refunds, one and all
    assert "no event is left" in refused(workbook, events=save(gone, "lines"))


def test_what_no_refresh_would_load_does_not_stay(workbook, monkeypatch):
    def refuse(*_):
        raise Refused("no such book")

    monkeypatch.setattr(books, "load", refuse)
    assert refused(workbook, events="data/events.csv") == "no such book"


# Databases


def test_a_table_in_duckdb_becomes_a_book(workbook):
    bought = lines().with_columns(pl.col("InvoiceDate").str.to_datetime("%m/%d/%Y %H:%M"))
    servers.load(workbook / "data" / "shop.duckdb", {"orders": bought})
    message = refused(workbook, "duckdb:data/shop.duckdb", events="orders")
    assert "--timezone Europe/Berlin" in message
    new("mine", "duckdb:data/shop.duckdb", events="orders", timezone="Europe/London")
    new("csv", events=save(lines(), "lines"), timezone="Europe/London")

    (book, taken), (of_csv, same) = read(workbook), read(workbook, "csv")
    assert book.source == books.DuckDB(kind="duckdb", file="data/shop.duckdb")
    assert (book.columns, book.only, book.churn) == (of_csv.columns, of_csv.only, of_csv.churn)
    assert taken.fingerprint() == same.fingerprint()


def test_postgresql_is_named_by_its_variable(workbook, postgres, monkeypatch):
    bought = {"orders": shop()["events"], "people": shop()["customers"]}
    servers.load(postgres, bought | {"asked": surveys()})
    monkeypatch.setenv("SHOP_DB", postgres)
    tables = {"events": "public.orders", "customers": "people", "surveys": "asked"}
    said = new("mine", "env:SHOP_DB", **tables)

    book, taken = read(workbook)
    assert book.source == books.Postgres(kind="postgres", url="env:SHOP_DB")
    assert taken["activity"]["customer_id"].n_unique() == 60
    assert taken["surveys"]["answered_day"].count() == taken["surveys"]["score"].count() == 30
    assert "loopback" not in text(workbook) + said


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ann:{SECRET}@localhost:1/shop",
        f"postgresql://ann@localhost:1/shop?password={SECRET}",
        f"sc://localhost:1/;token={SECRET}",
        f"postgresql://ann:{SECRET}[@localhost/shop",
        f"postgresql://ann:{SECRET}/x@localhost:1/shop",
        f"mysql://ann:{SECRET}@localhost/shop",
    ],
)
def test_a_secret_is_never_written_and_never_said(workbook, monkeypatch, url):
    message = refused(workbook, url, events="orders")
    assert SECRET not in message
    assert message.startswith(("--source holds a secret", "--source: the address"))
    monkeypatch.setenv("SHOP_DB", url)
    if not url.startswith("sc:"):
        assert SECRET not in refused(workbook, "env:SHOP_DB", events="orders")


# Real lines


@pytest.mark.slow
@pytest.mark.parametrize("form", ["%m/%d/%Y", "ISO"])
def test_online_retail_gives_its_known_figures(workbook, form):
    if not RETAIL.is_file():
        pytest.skip("no ../shared/data/online_retail (UCI Online Retail, 541,909 lines)")
    frame = pl.read_parquet(RETAIL).select(
        InvoiceNo="invoice",
        StockCode="stock_code",
        Description="description",
        Quantity="quantity",
        InvoiceDate=pl.col("ts")
        if form == "ISO"
        else pl.col("ts").dt.strftime("%-m/%-d/%Y %-H:%M"),
        UnitPrice="unit_price",
        CustomerID="customer_id",
        Country="country",
    )
    new("mine", events=save(frame, "retail"), timezone="Europe/London", currency="GBP")

    book, taken = read(workbook)
    acts = taken["activity"]
    assert acts["customer_id"].n_unique() == 4_339
    assert (acts["events"].sum(), acts["orders"].sum()) == (397_924, 18_536)
    assert (acts["day"].min(), acts["day"].max()) == (14_944, 15_317)  # 2010-12-01, 2011-12-09
    assert "leaves out 135,080 rows" in text(workbook)
    assert "leaves out 8,905 more rows" in text(workbook)
    assert book.churn.after_days == 90
