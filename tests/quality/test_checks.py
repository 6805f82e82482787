"""Soft promises: planted faults are found, and a regular book raises none."""

import numpy as np
import polars as pl
import pytest
from drawing import day, drawn
from quality.test_drift import customers, tables

from retention.quality import checks, drift
from retention.tables import promises, rules, workspace

LAST = day("2025-06-30")  # a Monday
NO = {"window_days": 30, "windows": 12, "min_cell": 5}


def acts(per_day: dict[int, int], kind: str = "purchase", people: int = 20) -> pl.DataFrame:
    """Activity with so many events on each day, of one kind, shared among ``people``."""
    rows = [
        (f"c{person}", at, kind, events // people + (person < events % people))
        for at, events in per_day.items()
        for person in range(people)
    ]
    found = pl.DataFrame(rows, ["customer_id", "day", "kind", "events"], orient="row")
    return found.filter(pl.col("events") > 0)


def steady(days: int = 390, events: int = 60, but: dict[int, int] | None = None) -> dict[int, int]:
    """So many events on each of the last days, but for others so many days before the last."""
    return {LAST - back: (but or {}).get(back, events) for back in range(days)}


def found(rows: list[tuple], before=None) -> dict[str, tuple]:
    """value, expected and verdict by check and of."""
    judged = checks.judged(rows, before or {})
    assert rules.broken(judged, promises.PROMISES["data_checks"]) == []
    return {
        f"{row['check']} of {row['of']}": (row["value"], row["expected"], row["verdict"])
        for row in judged.iter_rows(named=True)
    }


def of_days(per_day: dict[int, int], **options) -> dict[str, tuple]:
    days = checks.daily(acts(per_day, **options), LAST, 390, 2.0, 5.0)
    return found(checks.of_days(days, 1.5, 0))


def test_a_steady_book_has_neither_odd_days_nor_gaps():
    assert of_days(steady()) == {
        "gaps of events": (0, 0, "as expected"),
        "odd days of events": (0, 0, "as expected"),
    }


@pytest.mark.parametrize("back", [0, 1, 200, 389])
def test_a_day_that_was_loaded_twice_is_odd_wherever_it_lies(back):
    activity = acts(steady(events=200, but={back: 401}))
    days = checks.daily(activity, LAST, 390, 2.0, 5.0)
    odd = days.filter("odd")
    assert odd["date"].to_list() == [days["date"][389 - back]]
    assert odd.select("events", "customers", "usual").rows() == [(401, 20, 200.0)]
    [(_, _, count, *_, said), _] = checks.of_days(days, 1.5, 0)
    assert count == 1
    assert str(odd["date"][0]) in said


def test_a_missing_week_is_a_gap_and_its_days_are_odd():
    assert of_days(steady(but=dict.fromkeys(range(100, 107), 0))) == {
        "odd days of events": (7, 0, "look"),
        "gaps of events": (7, 0, "look"),
    }


def test_two_missing_weeks_do_not_excuse_each_other():
    missing = [*range(100, 107), *range(200, 207)]
    assert of_days(steady(but=dict.fromkeys(missing, 0)))["odd days of events"][0] == 14


def test_a_shop_that_is_shut_on_sundays_has_regular_gaps():
    sundays = dict.fromkeys(range(1, 390, 7), 0)
    assert of_days(steady(but=sundays)) == {
        "gaps of events": (1, 1, "as expected"),
        "odd days of events": (0, 0, "as expected"),
    }
    weekend = of_days(steady(but=sundays | {44: 0, 42: 0}))  # around a Sunday, 43 days before
    assert weekend["gaps of events"] == (3, 1, "look")


def test_the_scatter_of_a_small_book_is_not_odd():
    rng = np.random.default_rng(1)
    for mean in (0.5, 3, 20):
        drawn_ = steady(but=dict(enumerate(rng.poisson(mean, 390).tolist())))
        assert of_days(drawn_)["odd days of events"][2] == "as expected"


def test_days_after_the_last_event_and_before_the_first_are_told_apart():
    days = checks.daily(acts({LAST - 3: 40, LAST - 9: 40}), LAST, 390, 2.0, 5.0)
    assert days["events"].to_list() == [40, 0, 0, 0, 0, 0, 40, 0, 0, 0]


def test_a_kind_that_fell_silent_is_found_by_its_own_rhythm():
    weekly = acts({LAST - back: 40 for back in range(2, 300, 7)}, "weekly")
    silent = acts({LAST - back: 40 for back in range(30, 300, 7)}, "silent")
    daily = acts(steady(but={0: 0, 1: 0}), "daily")
    once = acts({LAST - 200: 40}, "once")
    uneven = acts({LAST - back: 40 for back in (9, 10, 11, 21, 22)}, "uneven")
    assert found(checks.freshness(pl.concat([weekly, silent, daily, once, uneven]), LAST, 1.5)) == {
        "freshness of silent": (30, 6, "look"),
        "freshness of daily": (2, 0, "look"),
        "freshness of weekly": (2, 6, "as expected"),
        "freshness of uneven": (9, 9, "as expected"),
        "freshness of once": (None, None, "not testable"),
    }


@pytest.mark.parametrize(
    ("events", "verdict"),
    [(60, "as expected"), (89, "as expected"), (91, "look"), (41, "as expected"), (39, "look")],
)
def test_volume_is_held_against_the_median_and_the_range(events, verdict):
    activity = acts(steady(420, but=dict.fromkeys(range(30), events)))
    assert found(checks.volume(activity, LAST, 1.5, **NO)) == {
        "volume of purchase": (30 * events, 1800, verdict)
    }


def test_a_window_as_busy_as_an_earlier_one_is_as_expected():
    busy = dict.fromkeys([*range(30), *range(300, 330)], 100)
    assert found(checks.volume(acts(steady(420, but=busy)), LAST, 1.5, **NO)) == {
        "volume of purchase": (3000, 1800, "as expected")
    }


def test_only_whole_windows_of_enough_customers_count():
    activity = acts(steady(119))
    assert found(checks.volume(activity, LAST, 1.5, **NO))["volume of purchase"][0] is None
    [row] = checks.volume(acts(steady(120)), LAST, 1.5, **NO)
    assert row[-1] == "1,800 events in 30 days; 1,800 to 1,800 in the 3 such before."
    few = acts(steady(120), people=4)
    assert checks.volume(few, LAST, 1.5, **NO)[0][2] == 0
    assert checks.widespread(few, 5).is_empty()


def test_an_hour_that_carries_a_batch_is_found_and_a_busy_evening_is_not():
    even = {hour: 100 + 40 * (hour > 17) for hour in range(8, 22)}
    batch = even | {0: 600}
    for counts, value, verdict in ((even, None, "as expected"), (batch, 600, "look")):
        habits = pl.DataFrame({"hour": counts.keys(), "events": counts.values()})
        [(share, _, said)] = found(checks.hours(habits, 3.0)).values()
        assert said == verdict
        assert value is None or share == pytest.approx(value / sum(counts.values()))
    unknown = habits.with_columns(hour=pl.lit(None, pl.Int64))
    assert found(checks.hours(unknown, 3.0))["hours of events"][2] == "not testable"


@pytest.mark.parametrize(
    ("n", "share", "verdict"),
    [("", 0, "as expected"), (20, 0.01, "as expected"), (40, 0.02, "look")],
)
def test_duplicates_are_a_share_of_what_is_kept(n, share, verdict):
    intake = drawn(f"""
        | table     | measure          | n    |
        | customers | rows             | 9    |
        | events    | duplicates       | {n}  |
        | events    | left out by only | 500  |
        | events    | rows             | 2500 |
    """).with_columns(pl.col("n").cast(pl.Int64))
    rows = checks.duplicates(intake, 0.01)
    assert found(rows) == {"duplicates of events": (share, 0, verdict)}


def kept(held: dict[str, pl.DataFrame], at_day: int = LAST) -> checks.Before:
    """What a refresh with these tables keeps for the next."""
    shares = {name: frame for name, frame in held.items() if name == "customers_at"}
    measures = drift.gist(held, at_day)
    nulls = [
        (name, column.name, "share of nulls", column.null_count() / frame.height)
        for name, frame in shares.items()
        for column in frame
    ]
    measures = measures.extend(pl.DataFrame(nulls, drift.MEASURE, orient="row"))
    return {
        "data_quality": measures,
        "data_profile": drift.profile(held, 5),
        "data_checks": checks.judged([], {}),
    }


def held(per_day: dict[int, int] | None = None, **columns) -> dict[str, pl.DataFrame]:
    own = tables(customers(**columns))
    return own | {"activity": acts(per_day or {LAST: 40})}


def test_without_an_earlier_refresh_nothing_is_compared_and_it_is_said():
    now = held(value=[1.0] * 30)
    own = kept(now)
    assert checks.history({}, now["activity"], 0.01) == []
    assert checks.nulls({}, own["data_quality"], 0.05) == []
    assert checks.levels({}, own["data_profile"], 0) == []
    assert checks.drifts({}, now["customers_at"], own["data_quality"], 0.25) == []
    assert checks.compared({}).startswith("No earlier refresh to compare with")
    assert checks.compared(own) == "The previous refresh is that of 2025-06-30."


def test_a_past_that_is_read_otherwise_today_is_found():
    then = steady(100)
    before = kept(held(then, value=[1.0] * 30))
    later = {LAST + 1: 999}
    same = checks.history(before, acts(then | later), 0.01)
    assert found(same) == {"history of events": (6000, 6000, "as expected")}
    other = checks.history(before, acts(then | later | {LAST - 50: 0, LAST - 51: 0}), 0.01)
    assert found(other) == {"history of events": (5880, 6000, "look")}


def test_nulls_that_grow_and_a_column_that_vanishes_are_found():
    before = kept(held(value=[1.0] * 100, other=[1.0] * 100))
    for nulls, verdict in ((5, "as expected"), (6, "look")):
        now = kept(held(value=[None] * nulls + [1.0] * (100 - nulls), other=[1.0] * 100))
        assert found(checks.nulls(before, now["data_quality"], 0.05)) == {
            "nulls of customers_at.value": (nulls / 100, 0, verdict)
        }
    gone = kept(held(value=[1.0] * 100))
    assert found(checks.nulls(before, gone["data_quality"], 0.05)) == {
        "nulls of customers_at.other": (1, 0, "look")
    }


def test_levels_that_come_and_go_are_found_and_small_ones_never_named():
    before = kept(held(plan=["basic"] * 20 + ["gold"] * 20 + ["rare"] * 3))
    rows = checks.levels(before, before["data_profile"], 0)
    assert {verdict for *_, verdict in found(rows).values()} == {"as expected"}
    now = kept(held(plan=["basic"] * 20 + ["silver"] * 20 + ["new"] * 4))
    rows = checks.levels(before, now["data_profile"], 0)
    assert found(rows)["levels of customers_at.plan"] == (2, 0, "look")
    said = next(row[-1] for row in rows if row[1] == "customers_at.plan")
    assert said == "1 levels have come (silver), 1 have gone (gold)."


def test_a_feature_that_shifts_by_a_known_amount_is_found():
    before = kept(held(value=[*range(1, 1001)], plan=["a", "b"] * 500))
    shifted = [*range(1, 101)] * 2 + [*range(201, 1001)]  # the second tenth fell into the first
    now = held(value=shifted, plan=["a", "b"] * 500)
    own = kept(now)
    by_hand = 0.1 * np.log(2) + (0.0005 - 0.1) * np.log(0.0005 / 0.1)  # an empty tenth: 1/2 of 1000
    rows = checks.drifts(before, now["customers_at"], own["data_quality"], 0.25)
    value, _, verdict = found(rows)["drift of value"]
    assert (value, verdict) == (pytest.approx(by_hand), "look")
    assert found(rows)["drift of plan"] == (0, 0, "as expected")
    assert "1,000 customers then, 1,000 now; median 500.5, now 500.5." in next(
        row[-1] for row in rows if row[1] == "value"
    )


def test_levels_too_small_to_name_are_compared_together():
    before = kept(held(plan=["a"] * 80 + ["b"] * 10 + ["x"] * 4 + ["y"] * 3 + ["z"] * 3))
    now = held(plan=["a"] * 80 + ["b"] * 10 + ["u"] * 4 + ["v"] * 3 + ["w"] * 3)
    rows = checks.drifts(before, now["customers_at"], kept(now)["data_quality"], 0.25)
    assert found(rows)["drift of plan"] == (0, 0, "as expected")
    fewer = held(plan=["a"] * 80 + ["b"] * 15 + ["u"] * 5)
    rows = checks.drifts(before, fewer["customers_at"], kept(fewer)["data_quality"], 0.25)
    by_hand = 0.05 * np.log(1.5) - 0.05 * np.log(0.5)
    assert found(rows)["drift of plan"][0] == pytest.approx(by_hand)


def test_a_small_books_chance_is_no_drift():
    before = kept(held(plan=["a"] * 12 + ["b"] * 8))
    now = held(plan=["a"] * 8 + ["b"] * 12)
    rows = checks.drifts(before, now["customers_at"], kept(now)["data_quality"], 0.05)
    [(value, _, verdict)] = found(rows).values()
    assert value == pytest.approx(2 * 0.2 * np.log(1.5))
    assert verdict == "as expected"


def test_attributes_that_vanished_or_changed_their_type_do_not_stop_the_page():
    before = kept(held(value=[1.0] * 30, gone=["a"] * 30))
    now = held(value=["1.0"] * 30)
    rows = checks.drifts(before, now["customers_at"], kept(now)["data_quality"], 0.25)
    assert found(rows)["drift of value"][2] == "look"
    assert len(rows) == 1


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


def test_the_worst_stands_first_and_the_headline_names_it():
    judged = checks.judged(ROWS, {})
    assert judged["check"].to_list() == ["g", "d", "c", "b", "a", "f", "h", "e"]
    assert judged["verdict"].to_list() == ["look"] * 3 + ["as expected"] * 4 + ["not testable"]
    said = checks.headline(judged)
    assert said["sentence"].format(**said) == (
        "3 of 7 checks want a look (g of any, d of low, c of off)."
    )
    fine = checks.headline(checks.judged(ROWS[:2], {}))
    assert fine["sentence"].format(**fine) == "All 2 checks are as expected."
    one = checks.headline(checks.judged(ROWS[2:3], {}))
    assert one["sentence"].format(**one) == "1 of 1 checks wants a look (c of off)."


def test_a_check_stands_beside_its_value_at_the_previous_refresh():
    earlier = {"data_checks": checks.judged(ROWS[:1], {})}
    judged = checks.judged([("a", "fine", 2, 0, None, 10, "x"), ROWS[1]], earlier)
    assert judged.sort("check")["previous"].to_list() == [1, None]


def test_columns_with_unknown_values_stand_beside_what_they_were():
    before = kept(held(value=[None] * 10 + [1.0] * 10, other=[None] * 20))
    now = kept(held(value=[None] * 5 + [1.0] * 15, plan=["a"] * 20))
    shown = checks.unknowns(now["data_quality"], before).drop("table")
    assert shown.rows() == [("other", None, 1.0), ("value", 0.25, 0.5)]
    assert checks.unknowns(now["data_quality"], {}).drop("table").rows() == [("value", 0.25, None)]


def test_earlier_tables_are_those_of_the_previous_refresh_pruned_or_not(tmp_path, monkeypatch):
    for folder in ("params", "notebooks", "work/shop/2025-03-31/tables"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    space = workspace.Workspace("shop", "2025-06-30", "00_data", tmp_path)
    assert checks.earlier(space) == {}
    for name, frame in kept(held(value=[1.0] * 20)).items():
        workspace.save(frame, tmp_path / f"work/shop/2025-03-31/tables/{name}.parquet")
    (tmp_path / "work/shop/2025-03-31" / workspace.PRUNED).touch()
    assert set(checks.earlier(space)) == {"data_quality", "data_profile", "data_checks"}
    first = workspace.Workspace("shop", "2025-03-31", "00_data", tmp_path)
    assert checks.earlier(first) == {}
