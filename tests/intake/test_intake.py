"""What a refresh takes: every promise checked, `only:` kept, nothing later than the snapshot."""

from datetime import date

import inputs
import polars as pl
import pytest
from drawing import day, save, shop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inputs import ALL, CONTRACTS, CUSTOMERS, EVENTS, FORMS, SECRET_ID, SURVEYS, change, put, take
from polars.testing import assert_frame_equal

from retention import book as books
from retention import schema
from retention.tables import rules, workspace

# What is taken


@FORMS
def test_days_customers_contracts_surveys_and_counts_are_taken(tmp_path, form):
    got = take(tmp_path, put(tmp_path, form, ALL))

    first, second, last = map(day, ("2025-06-01", "2025-06-02", "2025-06-30"))
    assert got["activity"].sort("customer_id", "day").rows() == [
        (SECRET_ID, first, "purchase", 1, 1, 1250),
        ("bob", second, "purchase", 1, 1, 10),
        ("bob", last, "visit", 1, 0, 0),
    ]
    assert got["habits"]["events"].sum() == 3
    assert got["baskets"].is_empty()
    people = [(SECRET_ID, first, "north"), ("bob", day("2025-05-01"), "south")]
    assert got["customers"].rows() == people
    assert got["contracts"]["ended_day"].to_list() == [None, day("2025-06-10")]
    assert got["surveys"].sort("kind", "sent_day").rows() == [
        ("bob", second, second, "csat", 1.0),
        (SECRET_ID, first, first + 4, "nps", 9.0),
        ("bob", second, None, "nps", None),
    ]
    counts = got["intake"].filter(measure="rows").select("table", "n").rows()
    assert counts == [("contracts", 2), ("customers", 2), ("events", 3), ("surveys", 3)]
    for name in ("activity", "habits", "baskets", "surveys"):
        assert not rules.broken(got[name], schema.TABLES[name])


@FORMS
def test_without_a_customers_table_customers_come_from_all_others_and_their_start_is_unknown(
    tmp_path, form
):
    got = take(tmp_path, put(tmp_path, form, {"events": EVENTS}))
    assert got["customers"].rows() == [(SECRET_ID, None), ("bob", None)]
    assert {"contracts", "surveys"}.isdisjoint(got)
    more = {
        "events": EVENTS,
        "contracts": change(CONTRACTS, customer_id=["carl", "bob"]),
        "surveys": change(SURVEYS, customer_id=["dora", "bob", "bob"]),
    }
    got = take(tmp_path / "more", put(tmp_path / "more", form, more))
    assert got["customers"]["customer_id"].to_list() == [SECRET_ID, "bob", "carl", "dora"]


@FORMS
def test_answers_of_surveys_are_optional(tmp_path, form):
    for number, absent in enumerate((["score"], ["answered", "score"])):
        root = tmp_path / str(number)
        got = take(root, put(root, form, ALL | {"surveys": SURVEYS.drop(absent)}))
        nulls = got["surveys"].select(pl.col("answered_day", "score").null_count()).row(0)
        assert nulls == ((1, 3), (3, 3))[number]


@FORMS
def test_the_order_of_rows_never_matters_and_every_value_does(tmp_path, form):
    changed = [
        {"events": change(EVENTS, amount=[12.5, 0.11, None])},
        {"customers": change(CUSTOMERS, region=["north", None])},
        {"contracts": change(CONTRACTS, cause=[None, "payment"])},
        {"surveys": change(SURVEYS, score=[8, None, 1])},
    ]
    marks = []
    for number, tables in enumerate([{}, {n: t.reverse() for n, t in ALL.items()}, *changed]):
        root = tmp_path / str(number)
        marks.append(take(root, put(root, form, ALL | tables)).fingerprint())
    assert marks[0] == marks[1]
    assert len(set(marks)) == 1 + len(changed)


@FORMS
def test_a_far_end_of_a_contract_stays_as_it_is(tmp_path, form):
    far = change(CONTRACTS, ended=[date(9999, 12, 31), date(2025, 6, 10)])
    got = take(tmp_path, put(tmp_path, form, ALL | {"contracts": far}))
    assert got["contracts"]["ended_day"].to_list() == [day("9999-12-31"), day("2025-06-10")]


# Nothing later


MAY, SECOND = date(2025, 5, 30), date(2025, 6, 2)
JULY, AUGUST = date(2025, 7, 1), date(2025, 8, 1)
NAN = float("nan")
LATER = {
    "events": [
        ("bob", JULY, "PURCHASE", -1.0),
        ("dora", date(2030, 1, 1), "later", 1e15),
        ("", JULY, "purchase", None),
        ("<script>", AUGUST, "purchase", NAN),
    ],
    "contracts": [("bob", JULY, None, None, -39.0), ("nobody", AUGUST, JULY, "VOLUNTARY", 1.0)],
    "surveys": [("bob", JULY, date(2025, 6, 1), "mood", 99), ("nobody", AUGUST, None, "nps", -1)],
}


@FORMS
def test_what_is_later_than_the_snapshot_changes_nothing_whatever_it_holds(tmp_path, form):
    """Not even a fault in it is looked at, nor is it counted; nor are answers that came later."""
    known, root = take(tmp_path, put(tmp_path, form, ALL)), tmp_path / "later"
    early = ALL | {
        "surveys": change(SURVEYS, answered=[date(2025, 6, 5), JULY, SECOND], score=[9, 77, 1])
    }
    later = {
        name: pl.concat([early[name], pl.DataFrame(rows, early[name].schema, orient="row")])
        for name, rows in LATER.items()
    }
    got = take(root, put(root, form, ALL | later))
    assert got.fingerprint() == known.fingerprint()
    assert_frame_equal(got["intake"], known["intake"])


IDS, KINDS = st.sampled_from(["ann", "bob", "carl"]), st.sampled_from(["purchase", "visit"])
ROWS = st.lists(
    st.tuples(IDS, st.integers(0, 5), KINDS, st.integers(0, 500)), min_size=1, max_size=15
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(ROWS, st.integers(0, 5))
def test_a_snapshot_sees_what_a_source_without_the_rest_holds(tmp_path, rows, cut):
    log = pl.DataFrame(rows, ["customer_id", "at", "kind", "amount"], orient="row")
    log = log.with_columns(pl.col("at").cast(pl.Int32).cast(pl.Date))
    known = log.filter(pl.col("at").cast(pl.Int32) <= cut)
    if known.is_empty():
        return
    snapshot = date(1970, 1, 1 + cut)
    one, two = (
        take(tmp_path, put(tmp_path, "parquet", {"events": frame}), snapshot)
        for frame in (log, known)
    )
    assert one.fingerprint() == two.fingerprint()


def test_surveys_are_kept_as_they_were_known_on_the_snapshot(workbook):
    asked = shop()["customers"].select(
        "customer_id",
        sent=pl.lit(date(2024, 12, 1)),
        answered=pl.lit(date(2025, 1, 2)),
        kind=pl.lit("nps"),
        score=pl.lit(7),
    )
    save(asked, workbook / "data" / "surveys.csv")
    file = workbook / "params" / "shop.yaml"
    file.write_text(file.read_text().replace("tables:", "tables:\n  surveys: data/surveys.csv"))
    here = workspace.Workspace("shop", "2024-12-31", "tables", workbook / "built")
    inputs.build(books.at(books.load("shop", workbook), date(2024, 12, 31)), here)

    kept = workspace.read_table(here, "surveys_at")
    assert kept["sent_day"].unique().to_list() == [day("2024-12-01")]
    assert kept.select(pl.col("answered_day", "score").null_count()).row(0) == (60, 60)


# What `only:` leaves out


PLACES = CUSTOMERS.with_columns(country=pl.Series(["DE", None]), size=pl.Series([1, 2]))


@FORMS
@pytest.mark.parametrize(
    "only",
    [
        {"country": ["DE", "AT"]},
        {"country": {"known": True}},
        {"size": 1},
        {"size": {"below": 2}},
        {"region": {"known": True}, "country": "DE"},
    ],
)
def test_only_keeps_the_customers_who_meet_it_and_what_they_did(tmp_path, form, only):
    got = take(tmp_path, put(tmp_path, form, ALL | {"customers": PLACES}, only=only))
    for table in ("activity", "habits", "customers", "contracts", "surveys"):
        assert set(got[table]["customer_id"]) == {SECRET_ID}
    left_out = got["intake"].filter(measure="left out by only").select("table", "n").rows()
    assert left_out == [("contracts", 1), ("customers", 1), ("events", 2), ("surveys", 2)]
    assert got["intake"].filter(measure="rows")["n"].to_list() == [2, 2, 3, 3]


@FORMS
def test_only_keeps_the_rows_that_meet_it(tmp_path, form):
    moods = change(SURVEYS, kind=["nps", "mood", "csat"])
    only = {"amount": {"at_least": 1}, "kind": ["purchase", "nps"]}
    got = take(
        tmp_path,
        put(
            tmp_path,
            form,
            ALL | {"surveys": moods, "contracts": CONTRACTS.drop("amount")},
            only=only,
        ),
    )
    assert got["activity"]["customer_id"].to_list() == [SECRET_ID]
    assert got["surveys"]["customer_id"].to_list() == [SECRET_ID]


@FORMS
def test_what_only_leaves_out_may_be_broken(tmp_path, form):
    """A way out that messages name: rows that break a promise may be left out."""
    log = change(EVENTS, amount=[-1.0, 5.0, None], customer_id=[" x", "bob", "bob"])
    log = log.with_columns(test=pl.Series([1, 0, 0]))
    assert "promise broken" in inputs.message(tmp_path, form, events=log)
    got = take(tmp_path, put(tmp_path, form, {"events": log}, only={"test": 0}))
    assert got["customers"]["customer_id"].to_list() == ["bob"]


# Broken promises


@FORMS
def test_columns_are_called_what_the_user_calls_them(tmp_path, form):
    theirs = {"customer_id": "user", "at": "ordered_at", "amount": ["units", "price"]}
    log = EVENTS.select(
        user="customer_id",
        ordered_at=pl.Series([None, None, date(2025, 6, 1)]),
        units=pl.Series([-1, 1, None]),
        price="amount",
    )
    said = inputs.message(tmp_path, form, {"columns": {"events": theirs}}, events=log).splitlines()
    where = inputs.place(form, "events")
    assert said[0].startswith(f"{where}: ordered_at: promise broken: 'ordered_at is known', 2")
    assert "units × price: promise broken: 'units × price is at least 0', 1 row" in said[1]


@FORMS
def test_every_broken_promise_of_every_table_is_in_one_message(tmp_path, form):
    said = inputs.message(
        tmp_path,
        form,
        events=change(EVENTS, amount=[-1.0, 5.0, None], customer_id=[None, "bob", SECRET_ID]),
        customers=change(CUSTOMERS, customer_id=[SECRET_ID, SECRET_ID]),
    )
    where = [inputs.place(form, table) for table in ("events", "events", "customers")]
    assert [line.partition(":")[0] for line in said.splitlines()] == where


def test_without_a_customers_table_a_missing_id_is_the_fault_of_its_table_alone(tmp_path):
    said = inputs.message(
        tmp_path, "csv", events=change(EVENTS, customer_id=[None, "bob", SECRET_ID])
    )
    assert said.count("promise broken") == 1


@FORMS
@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"kind": ["nps", "NPS", "csat"]}, "kind: 'kind is nps or csat', 1 row"),
        ({"score": [11, None, 1]}, "score: 'score is a whole number from 0 to 10"),
        ({"score": [9, None, 0]}, "score: 'score is a whole number from 0 to 10"),
        ({"score": [9.5, None, 1]}, "score: 'score is a whole number from 0 to 10"),
        ({"score": [9, 3, 1]}, "answered: 'answered is known where a score is'"),
        ({"answered": [SECOND] * 3}, "score: 'score is known for every answer to a kind of survey"),
        ({"answered": [MAY, None, SECOND]}, "answered: 'answered is not before sent"),
        ({"sent": [MAY, SECOND, SECOND]}, "sent: 'sent is not before the customer's start', 1 row"),
        (
            {"customer_id": ["carl", "bob", "bob"]},
            "customer_id: 'customer_id is in the customers table', 1 row",
        ),
        ({"kind": ["nps", "csat", "csat"]}, "customer_id, sent, kind: "),
    ],
)
def test_a_survey_that_cannot_be_right_is_refused_by_column_and_count(
    tmp_path, form, columns, words
):
    said = inputs.message(tmp_path, form, **ALL | {"surveys": change(SURVEYS, **columns)})
    assert f"{inputs.place(form, 'surveys')}: {words}" in said.replace("promise broken: ", "")
    assert len(said.splitlines()) == 1
