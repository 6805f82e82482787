"""What windows of silence get wrong: on paper, on planted customers, and as the spells say."""

import planted_silences as planted
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention import schema
from retention.book import Churn
from retention.definition import gaps, window_errors
from retention.tables import rules, spells

SNAPSHOT = 100
PAPER = planted.days(
    a=[0, 15, 70],  # gone on day 10 (back on 15), or 35 (back only on 70), or 45 (back on 70)
    b=[40],  # gone on day 50, 60 or 70, and never back
    c=[60, 80],  # gone on day 70 (back on 80); 20 silent days end on the snapshot: too late
    d=[69, 71],  # gone too late for every window
)


def judged(activity: pl.DataFrame, tried: list[int], after_days: int, snapshot: int):
    churn = planted.churn(after_days)
    found = gaps.of(activity, churn, snapshot)
    windows = window_errors.windows(planted.refresh(after_days, snapshot), found, tried)
    return window_errors.judged(found, windows, churn, snapshot)


def counts(table: pl.DataFrame, error: str) -> list[tuple[int, int, int]]:
    """Window, customers judged and customers judged wrongly."""
    n = window_errors.JUDGED[error]
    wrong = (pl.col(error) * pl.col(n)).round().cast(pl.Int64)
    return table.filter(pl.col(n) > 0).select("after_days", n, wrong.alias("wrong")).rows()


def test_both_errors_by_hand():
    found = judged(PAPER, [10, 20, 30, 34], after_days=20, snapshot=SNAPSHOT)

    assert counts(found, "wrongly_gone") == [(10, 3, 2), (20, 2, 0), (30, 2, 1)]
    # on day 70, 30 days before the snapshot, a was active that day, d the day before, c 10 and b
    # 30 days before
    assert counts(found, "wrongly_active") == [(10, 2, 1), (20, 3, 1), (30, 3, 1)]
    assert found["reference_days"].unique().to_list() == [30]
    assert found["chosen"].to_list() == [False, True, False]
    assert rules.broken(found, schema.TABLES["churn_window"]) == []
    assert rules.broken(found.clear(), schema.TABLES["churn_window"]) == []


@pytest.mark.parametrize(
    ("next_day", "n", "wrong"), [(19, 1, 0), (20, 2, 1), (50, 2, 1), (51, 2, 0)]
)
def test_the_days_on_the_edge(next_day, n, wrong):
    """Who comes on day 19 is not called gone after 20 days, and comes on later days so that this
    never happens; who comes on day 20 is, as spells end; the last day that counts as wrong is the
    30th after the judgement."""
    activity = planted.days(a=[0, next_day, *range(next_day, 95, 10)], b=[0])

    found = judged(activity, [20, 30], after_days=20, snapshot=95)

    assert counts(found, "wrongly_gone")[0] == (20, n, wrong)


def test_a_window_longer_than_a_third_of_the_data_is_not_judged():
    found = gaps.of(PAPER, planted.churn(40), SNAPSHOT)
    long, short = (planted.refresh(days, SNAPSHOT) for days in (40, 20))

    assert window_errors.windows(long, found, [33, 7, 34]) == [7, 33]
    assert window_errors.windows(short, found, [33, 7, 0]) == [7, 20, 33]
    assert window_errors.windows(short, found.clear(), [7]) == []
    assert window_errors.who_is_counted(long, found, [7, 30], [7, 30]) == (
        "4 customers with 8 active days, of which 4 are followed by another one. Windows of 7, 30 "
        "days are judged; 40 days are longer than a third of the data."
    )
    assert "too short" in window_errors.who_is_counted(long, found, [], [40])


def test_planted_errors_are_found():
    windows = [10, 30, 50, 100]
    churn = planted.churn(50)
    found = gaps.of(planted.activity(40_000, 3), churn, planted.LAST_DAY)

    table = window_errors.judged(found, windows, churn, planted.LAST_DAY, confidence=0.999)

    truth = {
        "wrongly_gone": [planted.returning(window - 1, 101) for window in windows],
        "wrongly_active": [planted.wrongly_active(window) for window in windows],
    }
    assert table["after_days"].to_list() == windows
    for error, expected in truth.items():
        lower, upper = table[f"ci_lower_{error}"], table[f"ci_upper_{error}"]
        assert (lower - 1e-9 <= pl.Series(expected)).all(), error
        assert (pl.Series(expected) <= upper).all(), error
        assert (upper - lower < 0.15).all()


logs = st.dictionaries(
    st.sampled_from("abcdef"), st.lists(st.integers(0, 25), min_size=1, max_size=8), min_size=1
)


@settings(max_examples=100)
@given(logs, st.lists(st.integers(1, 12), min_size=1, max_size=3), st.integers(25, 40))
def test_gone_and_back_are_what_the_spells_say(log, windows, snapshot):
    """First spells that have ended, and the days on which second ones begin, window by window."""
    activity = planted.days(**{name: sorted({*bought}) for name, bought in log.items()})
    customers = activity.select("customer_id", started_day=pl.lit(None, pl.Int64)).unique()
    expected = {}
    found = judged(activity, windows, after_days=windows[0], snapshot=snapshot)
    reference = found["reference_days"].max() or 0
    for window in found["after_days"].unique():
        book = spells.from_activity(
            activity, customers, kinds=["purchase"], snapshot_day=snapshot, after_days=window
        )
        away = spells.returns(book, snapshot_day=snapshot, after_days=window).filter(spell=1)
        over = away.filter(pl.col("gone_day") + reference <= snapshot)
        back = over.filter("returned", pl.col("duration_days") <= reference + 1)
        if over.height:
            expected[window] = (window, over.height, back.height)

    assert counts(found, "wrongly_gone") == [expected[window] for window in sorted(expected)]


def test_weekly_buyers_are_gone_after_seven_days_as_spells_end_every_week():
    weekly = planted.days(**{f"c{number}": [*range(number % 7, 300, 7)] for number in range(60)})

    found = judged(weekly, [7, 8], after_days=7, snapshot=299)

    assert counts(found, "wrongly_gone") == [(7, 60, 60)]


JUDGED = pl.DataFrame(
    [
        (7, 30, 900, 0.40, 0.36, 0.44, 90, None, None, None, False),
        (15, 30, 900, 0.20, 0.16, 0.24, 90, 0.30, 0.20, 0.40, False),
        (30, 30, 900, 0.10, 0.06, 0.14, 90, 0.45, 0.35, 0.55, True),
    ],
    [*schema.TABLES["churn_window"].columns],
    orient="row",
)


@pytest.mark.parametrize(
    ("table", "tolerated", "chosen"),
    [(JUDGED, 0.2, (15, 15)), (JUDGED, 0.05, (None, 15)), (JUDGED.head(1), 0.5, (7, None))],
)
def test_the_criteria_choose_by_what_is_shown(table, tolerated, chosen):
    assert window_errors.criterion(table, tolerated) == chosen


@pytest.fixture
def exhibit():
    """Of the days on paper, by windows of 10, 20 and 30 days; the book's own is 20."""
    r = planted.refresh(20, SNAPSHOT)
    return window_errors.errors(r, gaps.of(PAPER, r.book.churn, SNAPSHOT), [10, 20, 30], 0.2)


def test_what_is_said_of_the_books_own_window(exhibit):
    gone, active, window = exhibit.findings(JUDGED)

    assert (
        exhibit.headline(JUDGED)
        == "Of those called gone after 30 days, 10% come back within 30 more"
    )
    assert (gone.name, gone.value, gone.ci) == ("wrongly_gone_30_days", 0.1, (0.06, 0.14))
    assert (active.name, active.value, active.further["n"]) == ("wrongly_active_30_days", 0.45, 90)
    assert (window.name, window.value) == ("window_tolerated_30_days", 15)
    assert window.sentence.endswith(
        "at most 20% of those called gone come back; both errors together are least at 15 days."
    )


def test_what_is_hidden_is_not_said(exhibit):
    hidden = JUDGED.with_columns(wrongly_gone=None, wrongly_active=None)

    [window] = exhibit.findings(hidden)

    assert (
        window.sentence
        == "Under each of these windows more than 20% of those called gone come back."
    )
    assert "cannot be judged" in exhibit.headline(hidden)
    assert exhibit.findings(JUDGED.clear()) == []


def test_the_chart_draws_both_errors_over_the_windows(exhibit):
    axes = exhibit.draw(exhibit.table).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["10", "20", "30"]
    assert [line.get_xdata() for line in axes.lines if line.get_linestyle() == ":"] == [[1, 1]]
    assert exhibit.behind(exhibit.table).width == 9
    assert "on 1970-03-12, those not active in the 30 days after it" in exhibit.definition


def test_a_contract_book_is_skipped_in_one_sentence():
    r = planted.refresh(30, SNAPSHOT)
    r.book.churn = Churn(kind="contract", after_days=30)
    found = gaps.of(PAPER, r.book.churn, SNAPSHOT)

    assert window_errors.windows(r, found, [7, 30]) == []
    assert window_errors.errors(r, found, [], 0.2).table.is_empty()
    assert window_errors.who_is_counted(r, found, [], [7, 30]).count(".") == 1


def test_the_shortest_window_that_holds_is_proposed():
    """Everybody comes every 20 days, until half of them stop: silence of 30 days is the end."""
    stay = {f"s{n}": list(range(n % 20, 400, 20)) for n in range(40)}
    leave = {f"l{n}": list(range(n % 20, 100 + n, 20)) for n in range(40)}
    days, why, holds = window_errors.proposed(planted.days(**stay, **leave), ["purchase"], 400)

    assert (days, holds) == (30, True)
    assert why.startswith("of customers called gone after 30 days 0% come back within 90 more")


def test_where_no_window_holds_the_longest_is_proposed_and_said():
    rare = {f"r{n}": list(range(n % 15, 400, 95)) for n in range(40)}
    days, why, holds = window_errors.proposed(planted.days(**rare), ["purchase"], 400)

    assert (days, holds) == (90, False)
    assert why.startswith("no window holds, this is the longest of at most a quarter of 401 days")
    short = window_errors.proposed(planted.days(a=[0], b=[9]), ["purchase"], 9)
    assert (short[0], short[2]) == (7, False)
