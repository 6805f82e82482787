"""Surveys: who was asked, what they said, who kept silent; and that nothing is made up."""

import polars as pl
import pytest
from drawing import drawn
from opened import opened

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
        "usage": [*["steady"] * 3, None, "falling", "falling", "falling"],
    }
)


def test_scores_are_those_of_who_answered_and_the_response_is_of_who_was_asked():
    told = surveys.scores(ASKED, CUSTOMERS, ["usage"])

    columns = ("by", "group", "kind", "n_asked", "n_answered", "score", "share_answered")
    assert [row[:5] for row in told.select(columns).rows()] == [
        ("all", "all", "csat", 2, 2),
        ("all", "all", "nps", 6, 5),
        ("usage", "falling", "csat", 1, 1),
        ("usage", "falling", "nps", 2, 1),
        ("usage", "not known", "nps", 1, 1),
        ("usage", "steady", "csat", 1, 1),
        ("usage", "steady", "nps", 3, 3),
    ]
    scores = told["score"].to_list()
    assert scores[:4] == pytest.approx([50, 0, 0, -100])  # nps: two promote, two detract, of five
    assert told["share_answered"].to_list()[:4] == pytest.approx([1, 5 / 6, 1, 0.5])
    outside = (pl.col("ci_lower") > pl.col("score")) | (pl.col("ci_upper") < pl.col("score"))
    assert told.filter(outside).is_empty()


def test_without_scores_the_response_rate_is_still_known():
    told = surveys.scores(ASKED.with_columns(score=pl.lit(None, pl.Float64)), CUSTOMERS, [])
    assert told["score"].null_count() == told["ci_upper"].null_count() == 2
    assert told["share_answered"].null_count() == 0


def test_a_group_that_customers_do_not_have_is_refused():
    with pytest.raises(
        Refused, match="survey_groups: customers have no column 'usag'; did you mean 'usa"
    ):
        surveys.scores(ASKED, CUSTOMERS, ["usag"])


def test_a_silent_detractor_uses_less_was_asked_and_did_not_answer():
    told = surveys.silent(ASKED, CUSTOMERS)
    assert told["customer_id"].to_list() == ["a1", "a2", "a3", "a4", "a5", "b1"]
    assert told.filter("silent_detractor")["customer_id"].to_list() == ["a5"]


@pytest.mark.parametrize(("quiet", "spoke"), [(30, 10), (9, 40), (40, 9), (0, 0)])
def test_silence_is_said_unless_it_is_of_few(quiet, spoke, tmp_path):
    flags = pl.DataFrame(
        {"silent_detractor": [True] * quiet + [False] * spoke}, {"silent_detractor": pl.Boolean}
    )
    said = surveys.silence(opened(tmp_path, "10"), flags.with_columns(usage=pl.lit("falling")))
    assert [(one.value, one.further["n"], one.unit) for one in said] == (
        [(0.75, 40, "share")] if quiet == 30 else []
    )


def many(answers: dict[str, tuple[int, int, float]]) -> pl.DataFrame:
    """Scores of groups of ``usage``: asked, answered, and the share of promoters among these."""
    rows = [
        (f"{group}{number}", "nps", number < n, 10.0 * (number < share * n) if number < n else None)
        for group, (asked, n, share) in answers.items()
        for number in range(asked)
    ]
    asked = pl.DataFrame(rows, ASKED.schema, orient="row")
    groups = asked.select("customer_id", usage=pl.col("customer_id").str.strip_chars("0123456789"))
    return surveys.scores(asked, groups, ["usage"])


def test_headlines_name_a_difference_only_where_it_is_clear(tmp_path):
    r = opened(tmp_path, "10_customers")
    clear = many({"falling": (200, 40, 0.2), "steady": (200, 120, 0.8)})
    answers, content = surveys.answers(r, clear, 180, 14), surveys.satisfaction(r, clear)
    assert answers.headline(answers.table) == (
        "Share who answered (NPS) ranges from 20.0% (Usage: falling) to 60.0% (Usage: steady)"
    )
    assert content.headline(content.table) == (
        "Score (NPS) ranges from −60 (Usage: falling) to 60 (Usage: steady)"
    )
    assert content.table["n_answered"].to_list() == [160, 40, 120]
    (nps,) = content.findings(content.table)
    assert (nps.name, nps.value, nps.further["n_answered"]) == ("nps", 30, 160)
    alike = many({"falling": (100, 50, 0.5), "steady": (100, 52, 0.5)})
    for shown in (surveys.answers(r, alike, 180, 14), surveys.satisfaction(r, alike)):
        assert shown.headline(shown.table) == "No group differs clearly from another"


def test_groups_of_few_are_hidden_and_not_drawn(tmp_path):
    r = opened(tmp_path, "10_customers")
    few = many({"falling": (40, 35, 0.5), "steady": (200, 120, 0.8)})  # five did not answer
    assert surveys.answers(r, few, 180, 14).table["group"].to_list() == ["all", "Usage: steady"]
    assert surveys.satisfaction(r, few.filter(group="falling")).table.is_empty()
