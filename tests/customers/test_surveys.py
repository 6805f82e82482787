"""Surveys: who was asked, what they said, who kept silent; and that nothing is made up."""

import polars as pl
import pytest
from drawing import drawn
from hypothesis import given
from hypothesis import strategies as st

from retention.customers import surveys
from retention.errors import Refused

SENT = drawn("""
    | customer_id | sent_day | answered_day | kind | score |
    | ann         | 40       | 41           | nps  | 9.0   |
    | ann         | 80       |              | nps  |       |
    | ann         | 80       | 83           | csat | 5.0   |
    | bob         | 60       | 99           | nps  | 6.0   |
    | bob         | 91       | 92           | nps  | 10.0  |
    | carl        | 20       | 21           | nps  | 10.0  |
    | dora        | 90       | 90           | nps  | 7.0   |
    | emil        | 21       |              | nps  |       |
""")


def test_the_latest_survey_counts_that_there_was_time_to_answer():
    """Of the 80 days up to day 100, but for the last ten."""
    asked = surveys.asked(SENT, 100, survey_days=80, answer_days=10)
    assert asked.rows() == [
        ("ann", "csat", True, 5.0),
        ("ann", "nps", False, None),
        ("bob", "nps", True, 6.0),
        ("dora", "nps", True, 7.0),
        ("emil", "nps", False, None),
    ]


ASKED = drawn("""
    | customer_id | kind | answered | score |
    | a1          | nps  | true     | 10.0  |
    | a2          | nps  | true     | 9.0   |
    | a3          | nps  | true     | 8.0   |
    | a4          | nps  | true     | 6.0   |
    | a5          | nps  | false    |       |
    | b1          | nps  | true     | 0.0   |
    | b2          | nps  | false    |       |
    | a1          | csat | true     | 4.0   |
    | b1          | csat | true     | 3.0   |
    | b2          | csat | false    |       |
""")
CUSTOMERS = pl.DataFrame(
    {
        "customer_id": ["a1", "a2", "a3", "a4", "a5", "b1", "c1"],
        "usage": [*["steady"] * 4, "falling", "falling", "falling"],
        "vip": [True, True, True, True, True, False, False],
    }
)


def test_scores_are_those_of_who_answered_and_the_response_is_of_who_was_asked():
    told = surveys.scores(ASKED, CUSTOMERS, ["usage", "vip"])

    columns = ("by", "group", "kind", "n_asked", "n_answered", "score", "share_answered")
    assert [row[:5] for row in told.select(columns).rows()] == [
        ("all", "all", "csat", 3, 2),
        ("all", "all", "nps", 7, 5),
        ("usage", "falling", "csat", 1, 1),
        ("usage", "falling", "nps", 2, 1),
        ("usage", "not known", "csat", 1, 0),
        ("usage", "not known", "nps", 1, 0),
        ("usage", "steady", "csat", 1, 1),
        ("usage", "steady", "nps", 4, 4),
        ("vip", "false", "csat", 1, 1),
        ("vip", "false", "nps", 1, 1),
        ("vip", "not known", "csat", 1, 0),
        ("vip", "not known", "nps", 1, 0),
        ("vip", "true", "csat", 1, 1),
        ("vip", "true", "nps", 5, 4),
    ]
    scores = told["score"].to_list()
    assert scores[:4] == pytest.approx([50, 0, 0, -100])  # nps: two promote, two detract, of five
    assert scores[4:6] == [None, None]
    assert told["share_answered"].to_list()[:4] == pytest.approx([2 / 3, 5 / 7, 1, 0.5])
    known = told.drop_nulls("score")
    assert known.filter(
        (pl.col("ci_lower") > pl.col("score")) | (pl.col("ci_upper") < pl.col("score"))
    ).is_empty()
    assert told.filter(pl.col("score").is_null())["ci_lower"].null_count() == 4


def test_without_scores_the_response_rate_is_still_known():
    told = surveys.scores(ASKED.with_columns(score=pl.lit(None, pl.Float64)), CUSTOMERS, [])
    assert told["score"].null_count() == told["ci_upper"].null_count() == 2
    assert told["share_answered"].null_count() == 0


def test_a_group_that_customers_do_not_have_is_refused():
    with pytest.raises(
        Refused, match="survey_groups: customers have no column 'usag'; did you mean 'usa"
    ):
        surveys.scores(ASKED, CUSTOMERS, ["usag"])


ROW = st.tuples(
    st.integers(0, 5),
    st.integers(0, 100),
    st.none() | st.tuples(st.integers(0, 30), st.integers(0, 10)),
)


@given(st.lists(ROW, unique_by=lambda row: row[:2], max_size=25))
def test_an_answer_after_the_snapshot_is_no_answer(rows):
    """A literal count: of each customer the latest survey with time, answered by day 100."""
    frame = pl.DataFrame(
        [
            (f"c{who}", sent, sent + late[0] if late else None, "nps", late and float(late[1]))
            for who, sent, late in rows
            if late is None or sent + late[0] <= 100
        ],
        SENT.schema,
        orient="row",
    )
    told = surveys.scores(surveys.asked(frame, 100, 60, 14), CUSTOMERS, [])

    latest = {}
    for who, sent, late in sorted(rows, key=lambda row: row[1]):
        if 40 < sent <= 86 and (late is None or sent + late[0] <= 100):
            latest[who] = late
    answers = [late[1] for late in latest.values() if late]
    expected = [(len(latest), len(answers))] if latest else []
    assert told.select("n_asked", "n_answered").rows() == expected
    if answers:
        net = sum((score >= 9) - (score <= 6) for score in answers)
        assert told["score"].item() == pytest.approx(100 * net / len(answers))


def test_a_silent_detractor_uses_less_was_asked_and_did_not_answer():
    told = surveys.silent(ASKED, CUSTOMERS)
    assert dict(told.select("customer_id", "silent_detractor").rows()) == {
        "a1": False,
        "a2": False,
        "a3": False,
        "a4": False,
        "a5": True,
        "b1": False,
    }


def silent(quiet: int, spoke: int) -> pl.DataFrame:
    flags = [True] * quiet + [False] * spoke
    frame = pl.DataFrame({"silent_detractor": flags}, {"silent_detractor": pl.Boolean})
    return frame.with_columns(usage=pl.lit("falling"))


def test_silence_is_said_unless_it_is_of_few():
    scores = surveys.scores(ASKED, CUSTOMERS, [])
    *_, last = surveys.findings(scores, silent(30, 10), min_cell=10)
    assert (last["value"], last["n"], last["unit"]) == (0.75, 40, "share")
    assert last["ci"][0] < 0.75 < last["ci"][1]
    for few in (silent(9, 40), silent(40, 9), silent(0, 0)):
        *_, last = surveys.findings(scores, few, min_cell=10)
        assert last["sentence"].startswith("Too few")
    assert surveys.findings(scores.clear(), silent(30, 10), 10) == []


def test_findings_name_who_answered_of_who_was_asked_or_that_it_is_hidden():
    scores = surveys.scores(ASKED, CUSTOMERS, ["vip"])
    csat, nps, _ = surveys.findings(scores, silent(0, 0), min_cell=10)
    assert (nps["value"], nps["answered"], nps["asked"]) == (0, 5, 7)
    assert csat["value"] == 50
    hidden = scores.with_columns(score=pl.lit(None, pl.Float64))
    assert "too few answers" in surveys.findings(hidden, silent(0, 0), 10)[0]["sentence"]


def many(answers: dict[str, tuple[int, int, float]]) -> pl.DataFrame:
    """Scores of groups of ``usage``: asked, answered, and the share of promoters among these."""
    rows = [
        (
            f"{group}{number}",
            "nps",
            number < n,
            (10.0 if number < share * n else 0.0) if number < n else None,
        )
        for group, (asked, n, share) in answers.items()
        for number in range(asked)
    ]
    asked = pl.DataFrame(rows, ASKED.schema, orient="row")
    groups = asked.select("customer_id", usage=pl.col("customer_id").str.strip_chars("0123456789"))
    return surveys.scores(asked, groups, ["usage"])


def test_headlines_name_a_difference_only_where_it_is_clear():
    clear = many({"falling": (200, 40, 0.2), "steady": (200, 120, 0.8)})
    assert surveys.who_answers(clear) == (
        "20.0% where usage is falling answer when asked, 60.0% where usage is steady"
    )
    assert surveys.who_is_content(clear) == (
        "NPS is -60 where usage is falling, 60 where usage is steady"
    )
    alike = many({"falling": (100, 50, 0.5), "steady": (100, 52, 0.5)})
    assert surveys.who_answers(alike).startswith("No group is shown")
    assert surveys.who_is_content(alike).startswith("No group that answered is shown")
    assert surveys.rates(clear)["group"].to_list() == ["all", "usage: falling", "usage: steady"]
    assert surveys.marks(clear)["n"].to_list() == [160, 40, 120]
