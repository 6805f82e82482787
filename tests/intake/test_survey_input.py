"""Surveys of a source: taken alike from every kind of it, up to the snapshot, or refused."""

from datetime import date, datetime

import inputs
import polars as pl
import pytest
from drawing import day, save, shop
from inputs import BERLIN, CUSTOMERS, EVENTS, FORMS, SECRET_ID, change, message, place, put, take

from retention import book as books
from retention import schema
from retention.tables import rules, workspace

SURVEYS = pl.DataFrame(
    {
        "customer_id": [SECRET_ID, "bob", "bob"],
        "sent": [date(2025, 6, 1), date(2025, 6, 2), date(2025, 6, 2)],
        "answered": [date(2025, 6, 5), None, date(2025, 6, 2)],
        "kind": ["nps", "nps", "csat"],
        "score": [9, None, 1],
    }
)
ASKED = {"events": EVENTS, "customers": CUSTOMERS, "surveys": SURVEYS}


@FORMS
def test_surveys_are_taken_with_days_and_scores(tmp_path, form):
    got = take(tmp_path, put(tmp_path, form, ASKED))

    first, second = day("2025-06-01"), day("2025-06-02")
    assert got["surveys"].sort("kind", "sent_day").rows() == [
        ("bob", second, second, "csat", 1.0),
        (SECRET_ID, first, first + 4, "nps", 9.0),
        ("bob", second, None, "nps", None),
    ]
    assert not rules.broken(got["surveys"], schema.TABLES["surveys"])
    assert dict(got["intake"].filter(measure="rows").select("table", "n").rows())["surveys"] == 3


@FORMS
def test_a_source_without_surveys_has_none_and_answers_are_optional(tmp_path, form):
    assert "surveys" not in take(tmp_path, put(tmp_path, form, {"events": EVENTS}))
    root = tmp_path / "asked"
    got = take(root, put(root, form, ASKED | {"surveys": SURVEYS.drop("answered", "score")}))
    assert got["surveys"].select(pl.col("answered_day", "score").null_count()).row(0) == (3, 3)
    root = tmp_path / "rates"
    got = take(root, put(root, form, ASKED | {"surveys": SURVEYS.drop("score")}))
    assert got["surveys"].select(pl.col("answered_day", "score").null_count()).row(0) == (1, 3)


@FORMS
def test_what_came_after_the_snapshot_changes_nothing_whatever_it_holds(tmp_path, form):
    """Neither surveys sent later nor answers that came later, nor a fault in them."""
    known = take(tmp_path, put(tmp_path, form, ASKED))
    later = pl.DataFrame(
        {
            "customer_id": ["bob", "nobody"],
            "sent": [date(2025, 7, 1), date(2025, 7, 2)],
            "answered": [date(2025, 6, 1), None],
            "kind": ["mood", "nps"],
            "score": [99, -1],
        }
    )
    answered = change(SURVEYS, answered=[date(2025, 6, 5), date(2025, 7, 1), date(2025, 6, 2)])
    answered = change(answered, score=[9, 77, 1])
    root = tmp_path / "later"
    got = take(root, put(root, form, ASKED | {"surveys": pl.concat([answered, later])}))
    assert got.fingerprint() == known.fingerprint()


@FORMS
def test_who_was_asked_is_a_customer_where_there_is_no_table_of_them(tmp_path, form):
    asked = change(SURVEYS, customer_id=[SECRET_ID, "carl", "bob"])
    got = take(tmp_path, put(tmp_path, form, {"events": EVENTS, "surveys": asked}))
    assert got["customers"]["customer_id"].to_list() == [SECRET_ID, "bob", "carl"]


@FORMS
def test_only_leaves_out_other_kinds_of_survey_and_customers_who_are_left_out(tmp_path, form):
    moods = change(SURVEYS, kind=["nps", "mood", "csat"])
    given = put(tmp_path, form, ASKED | {"surveys": moods}, only={"kind": ["purchase", "nps"]})
    assert take(tmp_path, given)["surveys"]["customer_id"].to_list() == [SECRET_ID]
    root = tmp_path / "south"
    got = take(root, put(root, form, ASKED, only={"region": "south"}))
    assert set(got["surveys"]["customer_id"]) == {"bob"}


@FORMS
@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"kind": ["nps", "NPS", "csat"]}, "kind: promise broken: 'kind is nps or csat', 1 row"),
        ({"score": [11, None, 1]}, "score: promise broken: 'score is a whole number from 0 to 10"),
        ({"score": [9, None, 0]}, "score: promise broken: 'score is a whole number from 0 to 10"),
        ({"score": [9.5, None, 1]}, "score: promise broken: 'score is a whole number from 0 to 10"),
        ({"score": [9, 3, 1]}, "answered: promise broken: 'answered is known where a score is'"),
        (
            {"answered": [date(2025, 6, 5), date(2025, 6, 4), date(2025, 6, 2)]},
            "score: promise broken: 'score is known for every answer to a kind of survey that has",
        ),
        (
            {"answered": [date(2025, 5, 31), None, date(2025, 6, 2)]},
            "answered: promise broken: 'answered is not before sent",
        ),
        (
            {"sent": [date(2025, 5, 30), date(2025, 6, 2), date(2025, 6, 2)]},
            "sent: promise broken: 'sent is not before the customer's start', 1 row",
        ),
        (
            {"customer_id": ["carl", "bob", "bob"]},
            "customer_id: promise broken: 'customer_id is in the customers table', 1 row",
        ),
        ({"kind": ["nps", "csat", "csat"]}, "customer_id, sent, kind: promise broken: "),
    ],
)
def test_a_survey_that_cannot_be_right_is_refused_by_column_and_count(
    tmp_path, form, columns, words
):
    said = message(tmp_path, form, **ASKED | {"surveys": change(SURVEYS, **columns)})
    assert f"{place(form, 'surveys')}: {words}" in said
    assert len(said.splitlines()) == 1


def test_a_score_in_a_file_is_read_as_it_is_written(tmp_path):
    german = {"source": {"decimal": ","}}
    text = change(SURVEYS, score=["9", None, "1,0"])
    plain = ASKED | {"events": EVENTS.drop("amount")}
    got = take(tmp_path, put(tmp_path, "csv", plain | {"surveys": text}, **german))
    assert got["surveys"]["score"].drop_nulls().sort().to_list() == [1.0, 9.0]
    said = message(
        tmp_path / "odd",
        "csv",
        surveys=change(SURVEYS, score=["nine", None, "1"]),
        events=EVENTS,
        customers=CUSTOMERS,
    )
    assert "score: promise broken: 'score can be read as a number such as 9', 1 row" in said
    assert "nine" not in said


def test_a_fault_in_an_answer_that_came_later_is_not_looked_at(tmp_path):
    late = change(SURVEYS, answered=["2025-06-05", "2025-07-01", "2025-06-02"])
    late = change(late, score=["9", "nine", "1"])
    got = take(tmp_path, put(tmp_path, "csv", ASKED | {"surveys": late}))
    assert got["surveys"]["score"].sort().to_list() == [None, 1.0, 9.0]


@FORMS
def test_days_of_surveys_are_counted_in_the_zone_of_the_book(tmp_path, form):
    timed = change(
        SURVEYS,
        sent=[datetime(2025, 6, 1, 23, 59), datetime(2025, 6, 2), datetime(2025, 6, 2, 1)],
        answered=[datetime(2025, 6, 5, 12), None, datetime(2025, 6, 2, 2)],
    )
    got = take(tmp_path, put(tmp_path, form, ASKED | {"surveys": timed}, **BERLIN))
    assert got["surveys"]["sent_day"].sort().to_list() == [
        day("2025-06-01"),
        *[day("2025-06-02")] * 2,
    ]


def test_surveys_are_kept_as_they_were_known_on_the_snapshot(workbook):
    tables = shop()
    asked = tables["customers"].select(
        "customer_id",
        sent=pl.lit(date(2024, 12, 1)),
        answered=pl.lit(date(2025, 1, 2)),
        kind=pl.lit("nps"),
        score=pl.lit(7),
    )
    for table, frame in (tables | {"surveys": asked}).items():
        save(frame, workbook / "data" / f"{table}.csv")
    file = workbook / "params" / "shop.yaml"
    file.write_text(file.read_text().replace("tables:", "tables:\n  surveys: data/surveys.csv"))
    here = workspace.Workspace("shop", "2024-12-31", "tables", workbook / "built")
    inputs.build(books.at(books.load("shop", workbook), date(2024, 12, 31)), here)

    kept = workspace.read_table(here, "surveys_at")
    assert kept["sent_day"].unique().to_list() == [day("2024-12-01")]
    assert kept.select(pl.col("answered_day", "score").null_count()).row(0) == (60, 60)
