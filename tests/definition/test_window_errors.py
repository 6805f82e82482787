"""What windows of silence get wrong: on paper, on planted customers, and as the spells say."""

from datetime import date

import planted_silences as planted
import polars as pl
import pytest
from drawing import drawn
from hypothesis import given
from hypothesis import strategies as st

from retention.book import Churn
from retention.definition import gaps, window_errors
from retention.tables import promises, rules, spells

SNAPSHOT = 100
PAPER = planted.days(
    a=[0, 15, 70],  # gone on day 10 (back on 15), or 35 (back only on 70), or 45 (back on 70)
    b=[40],  # gone on day 50, 60 or 70, and never back
    c=[60, 80],  # gone on day 70 (back on 80); 20 silent days end on the snapshot: too late
    d=[69, 71],  # gone too late for every window
)


def errors(activity: pl.DataFrame, windows: list[int], after_days: int, snapshot: int):
    churn = planted.churn(after_days)
    found = gaps.of(activity, churn, snapshot)
    grid = window_errors.grid(found, churn, windows, snapshot)
    return window_errors.errors(found, grid, churn, snapshot)


def test_both_errors_by_hand():
    found = errors(PAPER, [10, 20, 30, 34], after_days=20, snapshot=SNAPSHOT)

    # on day 70, 30 days before the snapshot, a was active that day, d the day before, c 10 and b
    # 30 days before
    assert found.select("after_days", "error", "n", "wrong", "chosen").rows() == [
        (10, "wrongly_gone", 3, 2, False),
        (10, "wrongly_active", 2, 1, False),
        (20, "wrongly_gone", 2, 0, True),
        (20, "wrongly_active", 3, 1, True),
        (30, "wrongly_gone", 2, 1, False),
        (30, "wrongly_active", 3, 1, False),
    ]
    assert found["reference_days"].unique().to_list() == [30]
    assert (found["wrong"] / found["n"]).equals(found["share"])


@pytest.mark.parametrize(
    ("next_day", "n", "wrong"), [(19, 1, 0), (20, 2, 1), (50, 2, 1), (51, 2, 0)]
)
def test_the_days_on_the_edge(next_day, n, wrong):
    """Who comes on day 19 is not called gone after 20 days, and comes on later days so that this
    never happens; who comes on day 20 is, as spells end; the last day that counts as wrong is the
    30th after the judgement."""
    activity = planted.days(a=[0, next_day, *range(next_day, 95, 10)], b=[0])

    found = errors(activity, [20, 30], after_days=20, snapshot=95)

    gone = found.filter(after_days=20, error="wrongly_gone")
    assert gone.select("n", "wrong").row(0) == (n, wrong)


def test_a_window_longer_than_a_third_of_the_data_is_not_judged():
    found = gaps.of(PAPER, planted.churn(40), SNAPSHOT)

    assert window_errors.grid(found, planted.churn(40), [33, 7, 34], SNAPSHOT) == [7, 33]
    assert window_errors.grid(found, planted.churn(20), [33, 7, 0], SNAPSHOT) == [7, 20, 33]
    assert window_errors.grid(found.clear(), planted.churn(20), [7], SNAPSHOT) == []


def test_planted_errors_are_found():
    windows = [10, 30, 50, 100]
    churn = planted.churn(50)
    found = gaps.of(planted.activity(40_000, 3), churn, planted.LAST_DAY)

    table = window_errors.errors(found, windows, churn, planted.LAST_DAY, confidence=0.999)

    truth = {
        "wrongly_gone": {window: planted.returning(window - 1, 101) for window in windows},
        "wrongly_active": {window: planted.wrongly_active(window) for window in windows},
    }
    assert table.height == 8
    for row in table.iter_rows(named=True):
        expected = truth[row["error"]][row["after_days"]]
        assert row["ci_lower"] - 1e-9 <= expected <= row["ci_upper"], row
        assert row["ci_upper"] - row["ci_lower"] < 0.15


logs = st.dictionaries(
    st.sampled_from("abcdef"), st.lists(st.integers(0, 25), min_size=1, max_size=8), min_size=1
)


@given(logs, st.lists(st.integers(1, 12), min_size=1, max_size=3), st.integers(25, 40))
def test_gone_and_back_are_what_the_spells_say(log, windows, snapshot):
    """First spells that have ended, and the days on which second ones begin, window by window."""
    activity = planted.days(**{name: sorted({*bought}) for name, bought in log.items()})
    customers = activity.select("customer_id", started_day=pl.lit(None, pl.Int64)).unique()
    expected = {}
    found = errors(activity, windows, after_days=windows[0], snapshot=snapshot)
    reference = found["reference_days"].max() or 0
    for window in found["after_days"].unique():
        book = spells.from_activity(
            activity, customers, kinds=["purchase"], snapshot_day=snapshot, after_days=window
        )
        away = spells.returns(book, snapshot_day=snapshot, after_days=window).filter(spell=1)
        judged = away.filter(pl.col("gone_day") + reference <= snapshot)
        back = judged.filter("returned", pl.col("duration_days") <= reference + 1)
        if judged.height:
            expected[window] = (judged.height, back.height)

    gone = found.filter(error="wrongly_gone").select("after_days", "n", "wrong")

    assert {window: counts for window, *counts in gone.rows()} == {
        window: [*counts] for window, counts in expected.items()
    }


def test_weekly_buyers_are_gone_after_seven_days_as_spells_end_every_week():
    weekly = planted.days(**{f"c{number}": [*range(number % 7, 300, 7)] for number in range(60)})

    found = errors(weekly, [7, 8], after_days=7, snapshot=299)

    gone = found.filter(error="wrongly_gone").select("after_days", "n", "wrong")
    assert gone.rows() == [(7, 60, 60)]


def test_the_table_of_windows_keeps_its_promise():
    found = errors(PAPER, [10, 20, 30], after_days=20, snapshot=SNAPSHOT)
    promise = promises.PROMISES["churn_window"]

    for table in (window_errors.wide(found), window_errors.wide(found.clear())):
        assert set(table.columns) == set(promise.columns)
        assert rules.broken(table, promise) == []
    row = window_errors.wide(found).row(1, named=True)
    assert (row["n"], row["wrongly_gone"], row["n_active"], row["wrongly_active"]) == (
        2,
        0,
        3,
        1 / 3,
    )
    assert row["chosen"]


JUDGED = drawn("""
    | after_days | reference_days | error          | n   | share | ci_lower | ci_upper | chosen |
    | 7          | 30             | wrongly_gone   | 900 | 0.40  | 0.36     | 0.44     | false  |
    | 7          | 30             | wrongly_active | 90  |       |          |          | false  |
    | 15         | 30             | wrongly_gone   | 900 | 0.20  | 0.16     | 0.24     | false  |
    | 15         | 30             | wrongly_active | 90  | 0.30  | 0.20     | 0.40     | false  |
    | 30         | 30             | wrongly_gone   | 900 | 0.10  | 0.06     | 0.14     | true   |
    | 30         | 30             | wrongly_active | 90  | 0.45  | 0.35     | 0.55     | true   |
""")


def test_the_criteria_choose_by_what_is_shown():
    assert window_errors.criterion(JUDGED, 0.2) == {"tolerated": 15, "least": 15}
    assert window_errors.criterion(JUDGED, 0.05) == {"tolerated": None, "least": 15}
    assert window_errors.criterion(JUDGED.head(2), 0.5) == {"tolerated": 7, "least": None}


def test_what_is_said_of_the_books_own_window():
    churn = planted.churn(30)

    gone, active, window = window_errors.said(JUDGED, churn, 0.2)

    assert window_errors.headline(JUDGED) == (
        "Of those gone after 30 days, 10% come back within 30 more"
    )
    assert (gone["name"], gone["value"], gone["ci"]) == ("wrongly_gone_30_days", 0.1, (0.06, 0.14))
    assert (active["name"], active["value"], active["n"]) == ("wrongly_active_30_days", 0.45, 90)
    assert window["value"] == 15
    assert "15 days are the shortest window after which at most 20% come back; the two" in (
        window["sentence"].format(**window)
    )
    *_, none = window_errors.said(JUDGED, churn, 0.01)
    assert none["sentence"].startswith("Of the windows judged: none is a window after which")


def test_where_the_books_own_window_is_too_long_it_is_not_judged_for_it():
    others = JUDGED.with_columns(chosen=pl.lit(value=False))

    assert "cannot be judged" in window_errors.headline(others)
    assert [finding["name"] for finding in window_errors.said(others, planted.churn(99), 0.2)] == [
        "window_tolerated_30_days"
    ]


def test_a_contract_book_is_skipped_in_one_sentence():
    churn = Churn(kind="contract", after_days=30)
    found = gaps.of(PAPER, churn, SNAPSHOT)
    grid = window_errors.grid(found, churn, [7, 30], SNAPSHOT)
    table = window_errors.errors(found, grid, churn, SNAPSHOT)

    assert grid == []
    assert table.is_empty()
    assert window_errors.said(table, churn, 0.2) == []
    assert window_errors.who(found, grid, [7, 30], churn).count(".") == 1


def test_who_is_in_and_which_windows_are_out():
    churn = planted.churn(40)
    found = gaps.of(PAPER, churn, SNAPSHOT)
    grid = window_errors.grid(found, churn, [7, 30], SNAPSHOT)

    assert window_errors.who(found, grid, [7, 30], churn) == (
        "4 customers with 8 active days; after 4 of these another one is known, the others are the "
        "last so far. Windows of 7, 30 days are judged; left out, as longer than a third of the "
        "data: 40 days."
    )
    assert "too short" in window_errors.who(found, [], [40], churn)
    said = window_errors.definition(grid, date(1998, 6, 30), 0.95, 10)
    assert "on 1998-05-31, those not active in the 30 days after it" in said
