"""Checks against the data's own past: planted faults are found, and a regular book raises none."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from drawing import day, drawn

from retention import schema
from retention.quality import checks
from retention.tables import rules

LAST = day("2025-06-30")  # a Monday
ATTENTION, FINE = "needs attention", "as expected"
NONE = pl.DataFrame(schema={"check": pl.String, "of": pl.String, "value": pl.Float64})


def acts(per_day: dict[int, int], kind: str = "purchase", people: int = 20) -> pl.DataFrame:
    """Activity with so many events on each day, of one kind, shared among ``people``."""
    rows = [
        (f"c{person}", at, kind, events // people + (person < events % people))
        for at, events in per_day.items()
        for person in range(people)
    ]
    found = pl.DataFrame(rows, ["customer_id", "day", "kind", "events"], orient="row")
    return found.filter(pl.col("events") > 0)


def refresh(**tables: pl.DataFrame) -> SimpleNamespace:
    """What checks ask of a refresh on the last day."""
    return SimpleNamespace(day=LAST, min_cell=5, tables=SimpleNamespace(**tables))


def steady(days: int = 390, events: int = 60, but: dict[int, int] | None = None) -> dict[int, int]:
    """So many events on each of the last days, but for others so many days before the last."""
    return {LAST - back: (but or {}).get(back, events) for back in range(days)}


def found(rows) -> dict[str, tuple]:
    """value, expected and verdict by check and of."""
    judged = checks.judged(rows, NONE)
    assert rules.broken(judged, schema.TABLES["data_checks"]) == []
    return {
        f"{row['check']} of {row['of']}": (row["value"], row["expected"], row["verdict"])
        for row in judged.iter_rows(named=True)
    }


def daily(per_day: dict[int, int]) -> pl.DataFrame:
    return checks.daily(refresh(activity=acts(per_day)), 390, 2.0, 5.0)


def of_days(per_day: dict[int, int]) -> dict[str, tuple]:
    return found(checks.of_days(daily(per_day), 1.5, 0))


def of_kinds(activity: pl.DataFrame, check: str) -> dict[str, tuple]:
    rows = found(checks.of_kinds(refresh(activity=activity), 1.5, 1.5, 30, 12))
    return {name.removeprefix(f"{check} of "): row for name, row in rows.items() if check in name}


@pytest.mark.parametrize("back", [0, 1, 200, 389])
def test_a_day_that_was_loaded_twice_is_odd_wherever_it_lies(back):
    days = daily(steady(events=200, but={back: 401}))
    odd = days.filter("odd").select("day", "events_of_day", "customers", "usual")
    assert odd.rows() == [(LAST - back, 401, 20, 200.0)]
    [(_, _, count, *_, said), _] = checks.of_days(days, 1.5, 0)
    assert count == 1
    assert str(days.select(pl.col("day").filter("odd").cast(pl.Date)).item()) in said


NOTHING = (0, 0, FINE)
SUNDAYS, WEEK = dict.fromkeys(range(1, 390, 7), 0), dict.fromkeys(range(100, 107), 0)
OTHER_WEEK, WEEKEND = dict.fromkeys(range(200, 207), 0), {44: 0, 42: 0}  # around a Sunday


@pytest.mark.parametrize(
    ("but", "odd", "gaps"),
    [
        ({}, NOTHING, NOTHING),
        (WEEK, (7, 0, ATTENTION), (7, 0, ATTENTION)),
        (WEEK | OTHER_WEEK, (14, 0, ATTENTION), (7, 7, FINE)),  # do not excuse each other
        (SUNDAYS, NOTHING, (1, 1, FINE)),  # a shop that is shut on them
        (SUNDAYS | WEEKEND, (2, 0, ATTENTION), (3, 1, ATTENTION)),
    ],
)
def test_missing_days_are_found_and_regular_ones_are_not(but, odd, gaps):
    assert of_days(steady(but=but)) == {"odd days of events": odd, "gaps of events": gaps}


def test_the_scatter_of_a_small_book_is_not_odd():
    rng = np.random.default_rng(1)
    for mean in (0.5, 3, 20):
        drawn_ = steady(but=dict(enumerate(rng.poisson(mean, 390).tolist())))
        assert of_days(drawn_)["odd days of events"][2] == FINE


def test_days_after_the_last_event_and_before_the_first_are_told_apart():
    days = daily({LAST - 3: 40, LAST - 9: 40})
    assert days["events_of_day"].to_list() == [40, 0, 0, 0, 0, 0, 40, 0, 0, 0]


def test_the_days_are_shown_with_the_odd_ones_behind():
    days = daily(steady(but={10: 400}))
    exhibit = checks.every_day(refresh(), days)
    assert exhibit.headline(days) == "1 of 390 days are unusual"
    assert exhibit.behind(days).rows() == [(LAST - 10, 400, 60.0)]
    assert exhibit.draw(days).axes[0].lines


def test_a_kind_that_fell_silent_is_found_by_its_own_rhythm():
    silent = {
        "weekly": range(2, 300, 7),
        "silent": range(30, 300, 7),
        "daily": range(2, 390),
        "once": [200],
        "uneven": [9, 10, 11, 21, 22],
    }
    kinds = [acts({LAST - back: 40 for back in days}, kind) for kind, days in silent.items()]
    assert of_kinds(pl.concat(kinds), "freshness") == {
        "silent": (30, 6, ATTENTION),
        "daily": (2, 0, ATTENTION),
        "weekly": (2, 6, FINE),
        "uneven": (9, 9, FINE),
        "once": (None, None, "not testable"),
    }


@pytest.mark.parametrize(
    ("events", "verdict"), [(60, FINE), (89, FINE), (91, ATTENTION), (41, FINE), (39, ATTENTION)]
)
def test_volume_is_held_against_the_median_and_the_range(events, verdict):
    activity = acts(steady(420, but=dict.fromkeys(range(30), events)))
    assert of_kinds(activity, "volume") == {"purchase": (30 * events, 1800, verdict)}


def test_a_window_as_busy_as_an_earlier_one_is_as_expected():
    activity = acts(steady(420, but=dict.fromkeys([*range(30), *range(300, 330)], 100)))
    assert of_kinds(activity, "volume") == {"purchase": (3000, 1800, FINE)}


def test_only_whole_windows_of_enough_customers_count():
    assert of_kinds(acts(steady(119)), "volume") == {"purchase": (None, None, "not testable")}
    activity = acts(steady(120))
    [_, row] = checks.of_kinds(refresh(activity=activity), 1.5, 1.5, 30, 12)
    assert row[-1] == "1,800 events in 30 days; 1,800 to 1,800 in the 3 such windows before."
    few = activity.filter((pl.col("day") < LAST - 29) | pl.col("customer_id").is_in(["c0", "c1"]))
    assert of_kinds(few, "volume")["purchase"][0] == 0
    rare = activity.with_columns(kind=pl.lit("rare")).filter(customer_id="c1")
    assert of_kinds(pl.concat([activity, rare]), "rare") == {}


@pytest.mark.parametrize(
    ("n", "share", "verdict"), [(0, 0, FINE), (20, 0.01, FINE), (40, 0.02, ATTENTION)]
)
def test_duplicates_are_a_share_of_what_is_kept(n, share, verdict):
    intake = drawn(f"""
        | table     | measure          | n         |
        | customers | rows             | 9         |
        | events    | duplicates       | {n or ""} |
        | events    | left out by only | 500       |
        | events    | rows             | 2500      |
    """)
    rows = found(checks.of_events(refresh(intake=intake), 0.01))
    assert rows == {"duplicates of events": (share, 0, verdict)}


ROWS = [
    ("a", "fine", 1, 0, None, 10, "x"),
    ("b", "near", 9, 0, None, 10, "x"),
    ("c", "off", 20, 0, None, 10, "x"),
    ("d", "low", 2, 10, 8, 12, "x"),
    ("e", "no", None, None, None, None, "x"),
    ("f", "zero", 0, 0, None, 0, "x"),
    ("g", "any", 1, 0, None, 0, "x"),
    ("h", "still", 100, 100, 99, 101, "x"),
]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (ROWS, "3 of 7 checks need attention (g of any, d of low, c of off)."),
        (ROWS[:2], "All 2 checks are as expected."),
        (ROWS[2:3], "1 of 1 checks needs attention (c of off)."),
    ],
)
def test_the_worst_stands_first_and_the_finding_names_it(opened, rows, said):
    exhibit = checks.attention(opened({}, LAST), rows)
    if rows == ROWS:
        assert exhibit.table["check"].to_list() == ["g", "d", "c", "b", "a", "f", "h", "e"]
        verdicts = [ATTENTION] * 3 + ["as expected"] * 4 + ["not testable"]
        assert exhibit.table["verdict"].to_list() == verdicts
    [finding] = exhibit.findings(exhibit.table)
    assert finding.sentence.format(value=finding.value, **finding.further) == said
    assert exhibit.behind(exhibit.table).columns == ["check", "of", "verdict", "found"]
    assert exhibit.definition.startswith("No earlier refresh to compare with")


def test_a_check_stands_beside_its_value_at_the_previous_refresh(opened):
    opened({"data_checks": checks.judged(ROWS[:1], NONE)}, LAST - 91)
    exhibit = checks.attention(opened({}, LAST), [("a", "fine", 2, 0, None, 10, "x"), ROWS[1]])
    assert exhibit.table.sort("check")["previous"].to_list() == [1, None]
    assert exhibit.definition == "Compared with the refresh of 2025-03-31."
