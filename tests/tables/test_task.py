"""From a book's source to its customer tables, whole; and the data that nothing can be said of."""

from datetime import date, timedelta
from pathlib import Path

import inputs
import polars as pl
import pytest
from drawing import save, shop
from polars.testing import assert_frame_equal

from retention import book as books
from retention import schema
from retention.errors import Refused
from retention.tables import rules, task, workspace

TABLES = ("activity", "habits", "baskets", "terms", "surveys_at")
TABLES += ("spells", "customers_at", "exclusions", "intake")
FORMS = pytest.mark.parametrize("form", ["csv", "parquet"])
CONTRACT = "{kind: contract, after_days: 30}"

MORE = [f"customer-{number:02}x" for number in range(12)]


def build(
    root: Path, snapshot_date: str = "2024-12-31", form: str = "csv", churn: str = "", **tables
) -> workspace.Workspace:
    """Build the tables of the book "shop" with other tables, another end, another churn."""
    text = (root / "params" / "shop.yaml").read_text()
    for table, frame in tables.items():
        save(frame, root / "data" / f"{table}.{form}")
        text = text.replace(f"{table}: data/{table}.csv", f"{table}: data/{table}.{form}")
    if "contracts" in tables:
        text = text.replace("tables:", f"tables:\n  contracts: data/contracts.{form}")
    if churn:
        text = text.replace("{kind: activity, activity: [purchase], after_days: 60}", churn)
    (root / "params" / "shop.yaml").write_text(text)
    folder = root / "built" / snapshot_date
    here = workspace.Workspace("shop", snapshot_date, "tables", folder)
    day = date.fromisoformat(snapshot_date)
    inputs.build(books.at(books.load("shop", root), day), here)
    return here


def message(root: Path, *args, **kwargs) -> str:
    """What is said on refusing; nothing has been written then, and nobody is named."""
    with pytest.raises(Refused) as refusal:
        build(root, *args, **kwargs)
    assert not any(path.is_file() for path in (root / "built").rglob("*"))
    assert not [*root.rglob(".spool-*")]
    assert "customer-" not in str(refusal.value)
    return str(refusal.value)


def excluded(here: workspace.Workspace) -> dict[str, int]:
    return dict(workspace.read_table(here, "exclusions").rows())


def contracts() -> pl.DataFrame:
    """A contract for each customer of the shop, every third ended after 60 days, booked 10 before;
    every ninth comes back after 90 further days."""
    people = shop()["customers"]
    number = pl.col("customer_id").str.extract(r"(\d+)").cast(pl.Int64)
    first = people.with_columns(
        ended=pl.when(number % 3 == 0).then(pl.col("started") + pl.duration(days=60)),
        plan=pl.lit("basic"),
    ).with_columns(booked=pl.col("ended") - pl.duration(days=10), cause=pl.lit("voluntary"))
    back = first.filter(number % 9 == 0).with_columns(
        pl.col("started") + pl.duration(days=150),
        ended=pl.lit(None, pl.Date),
        booked=pl.lit(None, pl.Date),
        plan=pl.lit("plus"),
    )
    return pl.concat([first, back])


@FORMS
def test_a_book_of_activity_gives_all_its_tables(workbook, form):
    here = build(workbook, form=form, **shop())

    tables = {name: workspace.read_table(here, name) for name in TABLES}
    assert tables["customers_at"].height == 60
    known = shop()["events"].filter(pl.col("at") <= date(2024, 12, 31))
    assert tables["activity"]["events"].sum() == known.height
    first = tables["spells"].filter(spell=1)
    assert first["event_observed"].sum() == 20
    assert first["excluded"].null_count() == 60
    for name, frame in tables.items():
        assert not rules.broken(frame, schema.TABLES[name])


@FORMS
def test_a_book_of_contracts_gives_all_its_tables(workbook, form):
    here = build(workbook, form=form, churn=CONTRACT, contracts=contracts(), **shop())

    spells = workspace.read_table(here, "spells")
    assert (spells.height, spells["event_observed"].sum()) == (67, 20)
    at = workspace.read_table(here, "customers_at")
    assert at.filter(standing="current").height == 47
    assert at["plan"].value_counts(sort=True).rows() == [("basic", 53), ("plus", 7)]
    assert workspace.read_table(here, "terms").height == 67


def test_a_book_of_activity_keeps_no_contracts(workbook):
    here = build(workbook, contracts=contracts(), **shop())
    assert workspace.read_table(here, "terms").is_empty()


def test_where_nothing_says_what_an_order_is_each_event_that_counts_is_one(workbook):
    bare = shop()["events"].drop("amount", "order_id", strict=False)
    here = build(workbook, events=bare)
    acts = workspace.read_table(here, "activity")

    own = pl.col("kind") == "purchase"
    assert acts.filter(own)["orders"].equals(acts.filter(own)["events"].alias("orders"))
    assert acts.filter(~own)["orders"].sum() == 0
    assert workspace.read_table(here, "customers_at")["orders_total"].sum() > 0


@pytest.mark.parametrize("churn", ["", CONTRACT], ids=["activity", "contract"])
@pytest.mark.parametrize("earlier", ["2024-05-31", "2024-08-31", "2024-11-30"])
def test_an_earlier_day_can_be_derived_from_the_tables_of_a_later_refresh(workbook, churn, earlier):
    held = build(workbook, churn=churn, contracts=contracts(), **shop())
    then = build(workbook, earlier)
    definition = books.load("shop", workbook).churn
    customers = workspace.scan_table(held, "customers_at").select("customer_id", "started_day")
    terms = workspace.scan_table(held, "terms")
    acts = workspace.scan_table(held, "activity")

    derived = task.derive(acts, customers, terms, definition, then.snapshot_day)

    assert workspace.read_table(then, "spells").height >= 20
    for name in ("spells", "customers_at"):
        expected = workspace.read_table(then, name)
        found = derived[name].to_native().collect()
        later = found.filter(pl.col("spell").is_null())
        assert later.is_empty() == (name == "spells" or expected.height == 60)
        assert_frame_equal(
            found.drop_nulls("spell").select(expected.columns),
            expected,
            check_row_order=False,
            check_exact=True,
        )


def test_neither_form_nor_the_order_of_rows_changes_a_byte(workbook):
    contents = []
    for form, seed in (("csv", 1), ("csv", 2), ("parquet", 3)):
        tables = {name: t.sample(fraction=1, shuffle=True, seed=seed) for name, t in shop().items()}
        folder = build(workbook, form=form, **tables).folder / "tables"
        contents.append([(folder / f"{name}.parquet").read_bytes() for name in TABLES])
    assert contents[0] == contents[1] == contents[2]


@FORMS
def test_adding_later_events_changes_no_byte_of_any_table(workbook, form):
    events, cut = shop()["events"], date(2024, 10, 31)
    known = events.filter(pl.col("at") <= cut)
    strange = events.tail(1).with_columns(
        at=pl.lit(date(2024, 11, 1)), kind=pl.lit("<script>"), amount=pl.lit(-1.0)
    )
    contents = []
    for table in (pl.concat([events, strange]), known):
        here = build(workbook, cut.isoformat(), form=form, events=table)
        written = sorted((here.folder / "tables").iterdir())
        assert [file.stem for file in written] == sorted(TABLES)
        contents.append([file.read_bytes() for file in written])
    assert known.height < events.height
    assert contents[0] == contents[1]
    assert "after_snapshot" not in excluded(here)


@pytest.mark.parametrize(("n", "shown"), [(12, 12), (9, None)])
def test_who_was_never_active_and_equal_events_are_counted_and_small_counts_hidden(
    workbook, n, shown
):
    tables = shop()
    idle = pl.DataFrame({"customer_id": MORE[:n], "started": date(2024, 5, 1)})
    people = pl.concat([tables["customers"], idle])
    alike = pl.concat([tables["events"], tables["events"].head(n)])
    here = build(workbook, events=alike, customers=people)

    assert excluded(here)["never_active"] == shown
    assert workspace.read_table(here, "customers_at").height == 60 + n
    counted = workspace.read_table(here, "intake").filter(measure="duplicates")
    assert counted["n"].item() == shown


def test_customers_who_start_later_are_not_known_yet(workbook):
    future = pl.DataFrame({"customer_id": MORE, "started": date(2030, 5, 1)})
    people = pl.concat([shop()["customers"], future])
    here = build(workbook, events=shop()["events"], customers=people)

    assert excluded(here)["not_yet_seen"] == 12
    assert not set(MORE) & set(workspace.read_table(here, "customers_at")["customer_id"])


def test_of_customers_with_unknown_start_those_seen_by_then_are_known(workbook):
    people = shop()["customers"].with_columns(started=pl.lit(None, pl.Date))
    idle = pl.DataFrame({"customer_id": MORE, "started": None}, schema=people.schema)
    here = build(
        workbook, form="parquet", events=shop()["events"], customers=pl.concat([people, idle])
    )

    counts = excluded(here)
    assert (counts["not_yet_seen"], counts["unknown_start"]) == (12, 20)
    assert workspace.read_table(here, "customers_at").height == people.height


# Data that nothing can be said of


@FORMS
def test_a_table_of_events_without_rows_is_refused(workbook, form):
    said = message(workbook, form=form, events=shop()["events"].clear())
    assert said == f"data/events.{form}: no event up to 2024-12-31"


def of(customers: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The shop's tables, of some ``customers`` alone."""
    events = shop()["events"].join(customers, on="customer_id", how="semi")
    return {"events": events, "customers": customers}


PEOPLE = shop()["customers"]
JANUARY = of(PEOPLE.filter(pl.col("started") < date(2024, 2, 1)))
AGAIN = JANUARY["events"].head(1).with_columns(at=pl.lit(date(2024, 9, 1)))  # no second cohort
LOYAL = {"events": shop()["events"].filter(pl.len().over("customer_id") > 3)}


@FORMS
@pytest.mark.parametrize(
    ("day", "tables", "words"),
    [
        ("2024-12-31", of(PEOPLE.head(1)), "1 customer(s) with a spell: at least 10 are needed"),
        ("2024-12-31", of(PEOPLE.head(9)), "9 customer(s) with a spell: at least 10 are needed"),
        ("2024-12-31", JANUARY, "all customers started in one month: one cohort has nothing to"),
        (
            "2024-12-31",
            JANUARY | {"events": pl.concat([JANUARY["events"], AGAIN])},
            "all customers started in one month",
        ),
        ("2024-09-30", LOYAL, "nobody has left by 2024-09-30: there is no churn to learn from"),
        ("2026-12-31", shop(), "everybody has left by 2026-12-31: nobody is in force to analyse"),
    ],
)
def test_too_little_to_learn_from_is_refused(workbook, form, day, tables, words):
    assert message(workbook, day, form=form, **tables).startswith(words)


def test_where_no_spell_can_be_judged_the_three_ways_out_are_named(workbook):
    churn = "{kind: activity, activity: [purchase], after_days: 400}"
    said = message(workbook, churn=churn)
    assert said.startswith("no first spell can be judged: all are too new or have an unknown start")
    for way in ("a later snapshot_date", "a smaller churn: after_days", "give a `started`"):
        assert way in said


@pytest.mark.parametrize(
    "churn",
    [
        "{kind: activity, activity: [purchase, visits], after_days: 60}",
        "{kind: contract, activity: [visits], after_days: 60}",
    ],
)
def test_a_kind_of_event_that_does_not_occur_is_refused(workbook, churn):
    said = message(workbook, churn=churn, contracts=contracts())
    assert said == "churn: activity: no event is of kind 'visits' (found: purchase)"


def test_a_contract_book_without_contracts_is_refused(workbook):
    demo = "title: x\nsource: {kind: demo, data: cdnow}\nsnapshot_date: 1998-06-30\n"
    (workbook / "params" / "shop.yaml").write_text(f"{demo}churn: {CONTRACT}\n")
    assert message(workbook, "1998-06-30") == "churn: kind: contract needs the table contracts"


def test_a_broken_promise_stops_the_task_before_anything_is_written(workbook):
    events = shop()["events"].with_columns(at=pl.col("at") - timedelta(days=1))
    said = message(workbook, events=events)
    assert "data/events.csv: at: promise broken: 'at is not before the customer's start'" in said
