"""Retention by four definitions: CDNOW's published counts, and literal counts on random logs."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from drawing import day, drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from inputs import arrived

from retention.book import Churn
from retention.cohorts import cohorts
from retention.cohorts.retention import KEY, Scope, count, shares
from retention.tables import activity, blocks, calendar, spells
from retention_demo import readers

SHOP = Churn(kind="activity", activity=["purchase"], after_days=180)
END = calendar.day_of(date(1998, 6, 30))
FEWER = settings(max_examples=settings.default.max_examples // 2)  # each takes half a second
SCOPE = Scope({"day": 9, "week": 6, "month": 40}, {"day": [[1, 3]], "month": [[1, 2]]})


def table_of(
    acts: pl.DataFrame,
    stretches: pl.DataFrame,
    churn: Churn,
    snapshot_day: int,
    *,
    scope: Scope = SCOPE,
    min_cell: int = 1,
    names: tuple[str, ...] = ("start_month",),
) -> pl.DataFrame:
    """The table "retention" of activity and spells."""
    divided = cohorts.divide(cohorts.starts(stretches).sort("customer_id"), names, min_cell)
    known = {"churn": churn, "snapshot_day": snapshot_day, "scope": scope}
    tally = count(acts.lazy(), stretches, *cohorts.cells(divided), **known)
    return shares(tally, scope)


@pytest.fixture(scope="module", params=["CDNOW_master.txt", "CDNOW_sample.txt"])
def cdnow(request) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Activity and spells of everybody, or of every tenth customer."""
    raw = readers.cdnow(request.param)["events"].collect()
    acts = raw.select("customer_id", "kind", day=pl.col("at").cast(pl.Int32).cast(pl.Int64))
    acts = acts.sort("customer_id", "day")
    people = acts.group_by("customer_id").agg(started_day=pl.col("day").min())
    known = {"kinds": SHOP.activity, "snapshot_day": END, "after_days": SHOP.after_days}
    return acts, spells.from_activity(acts, people, **known)


def counts(table: pl.DataFrame, definition: str, ages: list[int]) -> list[tuple]:
    """How many of each cohort are active at ``ages``."""
    rows = table.filter(definition=definition, unit="month", cohort_by="start_month")
    rows = rows.filter(pl.col("age").is_in(ages)).sort("age")
    return rows.pivot(on="age", index="cohort", values="n_active").sort("cohort")[:, 1:].rows()


def test_cdnow_cohorts_are_the_published_ones(cdnow, monkeypatch):
    acts, stretches = cdnow
    table = table_of(acts, stretches, SHOP, END, min_cell=10)
    if stretches["customer_id"].n_unique() > 10_000:
        assert counts(table, "bounded", [0, 1, 2, 3, 6, 12]) == [
            (7846, 1157, 964, 810, 720, 528),
            (8476, 1312, 980, 783, 626, 568),
            (7248, 1032, 752, 756, 561, 678),
        ]
        return
    assert counts(table, "bounded", [0, 1, 2, 3, 4, 12]) == [
        (781, 124, 95, 70, 65, 45),
        (857, 134, 110, 75, 77, 59),
        (719, 87, 84, 78, 63, 78),
    ]
    assert counts(table, "unbounded", [0, 1, 2, 3, 4, 12]) == [
        (781, 355, 323, 300, 284, 157),
        (857, 378, 343, 318, 300, 173),
        (719, 333, 316, 297, 277, 131),
    ]
    months = table.filter(definition="bounded", unit="month")
    march = months.filter(cohort="1997-03").sort("age")  # its last two months were not seen
    for name in ("n_start", "n_active"):
        assert march[name].is_null().to_list() == [False] * 16 + [True] * 2
    parts = months.filter(cohort_by="start_month").group_by("age").agg(pl.col("n_start").sum())
    assert months.filter(cohort="all").select("age", "n_start").equals(parts.sort("age"))

    read = blocks.blocks  # and blocks of customers add up to the whole
    monkeypatch.setattr(blocks, "blocks", lambda rows, who: read(rows, who, size=601))
    assert table_of(acts, stretches, SHOP, END, min_cell=10).equals(table)


def literal_period(on: date, unit: str) -> int:
    """Days, weeks from Monday or months, counted from any one."""
    if unit == "month":
        return 12 * on.year + on.month
    return on.toordinal() if unit == "day" else (on.toordinal() - 1) // 7


def literal(
    active: dict[str, set[date]], ended: dict[str, date], churn: Churn, snapshot: date
) -> dict[tuple, tuple[int, int]]:
    """(definition, unit, cohort, age, until_age) to (n_start, n_active), one customer at a time.

    Takes every day on which a customer was active, and the last day of the first spell
    """
    found: dict[tuple, tuple[int, int]] = {}
    after = snapshot + timedelta(days=1)
    gap = snapshot - timedelta(days=churn.after_days) + timedelta(days=1)
    for unit, most in SCOPE.most.items():
        for customer, days in active.items():
            start = min(days)
            cohort = start.strftime("%Y-%m")
            month_end = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
            newest = literal_period(month_end - timedelta(days=1), unit)
            ages = {literal_period(on, unit) - literal_period(start, unit) for on in days}
            since = literal_period(ended[customer], unit) - literal_period(start, unit)
            whole = literal_period(after, unit) - 1
            sure = min(whole, literal_period(gap, unit))
            known = sure if churn.kind == "contract" else whole
            asked = [("bracket", *span) for span in SCOPE.brackets.get(unit, [])]
            for definition in ("bounded", "unbounded", "active since"):
                asked += [(definition, age, age) for age in range(most + 1)]
            for definition, first, last in asked:
                if newest + last > (sure if definition == "active since" else known):
                    continue
                until = {"unbounded": max(ages), "active since": since}
                within = any(age in ages for age in range(first, last + 1))
                is_active = until[definition] >= first if definition in until else within
                n, k = found.get((definition, unit, cohort, first, last), (0, 0))
                found[definition, unit, cohort, first, last] = (n + 1, k + is_active)
    return found


def assert_equal(table: pl.DataFrame, expected: dict) -> None:
    rows = table.filter(cohort_by="start_month").drop_nulls("n_start")
    found = rows.select("definition", "unit", "cohort", "age", "until_age", "n_start", "n_active")
    assert {row[:5]: row[5:] for row in found.rows()} == expected


ZONES = ["America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata", "Pacific/Auckland"]
LOGS = st.lists(
    st.tuples(
        st.sampled_from("abcdef"),
        st.sampled_from(["purchase", "purchase", "visit"]),
        st.integers(0, 200 * 24 * 3600),  # seconds: ties, gaps of any length
    ),
    min_size=1,
    max_size=40,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("logs")


@FEWER
@given(LOGS, st.sampled_from(ZONES), st.integers(0, 70), st.sampled_from([5, 30, 90]))
def test_retention_equals_a_literal_count_in_any_time_zone(folder, log, zone, wait, after_days):
    times = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=second) for *_, second in log]
    local = [at.astimezone(ZoneInfo(zone)).date() for at in times]
    snapshot = max(local) + timedelta(days=wait)
    events = pl.DataFrame(
        {"customer_id": [c for c, *_ in log], "at": times, "kind": [kind for _, kind, _ in log]},
        schema={"customer_id": pl.String, "at": pl.Datetime("us", "UTC"), "kind": pl.String},
    ).with_columns(order_id=pl.lit(None, pl.String), amount=pl.lit(1.0))
    churn = Churn(kind="activity", activity=["purchase"], after_days=after_days)
    active: dict[str, set[date]] = {}
    for (customer, kind, _), on in zip(log, local, strict=True):
        if kind == "purchase":
            active.setdefault(customer, set()).add(on)
    if not active:
        return

    read = arrived(folder, "parquet", {"timezone": zone}, events=events)["events"]
    acts = activity.activity(read.select("customer_id", "day", "kind", "order_id", "amount_cents"))
    started = [(customer, calendar.day_of(min(days))) for customer, days in active.items()]
    people = pl.DataFrame(started, ["customer_id", "started_day"], orient="row")
    known = {"snapshot_day": calendar.day_of(snapshot), "after_days": after_days}
    stretches = spells.from_activity(acts, people, kinds=["purchase"], **known)
    expected = literal(active, first_spells(active, after_days), churn, snapshot)
    assert_equal(table_of(acts, stretches, churn, known["snapshot_day"]), expected)


def first_spells(active: dict[str, set[date]], after_days: int) -> dict[str, date]:
    """The last day before the first silence of ``after_days``."""
    found = {}
    for customer, days in active.items():
        ordered = sorted(days)
        found[customer] = ordered[0]
        for on in ordered[1:]:
            if (on - found[customer]).days >= after_days:
                break
            found[customer] = on
    return found


TERMS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.integers(0, 300), st.integers(0, 90), st.booleans()),
    min_size=1,
    max_size=12,
    unique_by=lambda term: term[:2],
)


@FEWER
@given(TERMS, st.integers(0, 60), st.sampled_from([1, 10, 30]))
def test_retention_of_contracts_equals_a_literal_count(terms, wait, after_days):
    origin = day("2024-01-01")
    snapshot = origin + max(start for _, start, *_ in terms) + wait
    dated = [
        (who, origin + start, origin + start + days if is_over else None)
        for who, start, days, is_over in terms
    ]
    names = {"customer_id": pl.String, "started_day": pl.Int64, "ended_day": pl.Int64}
    text = pl.lit(None, pl.String)
    contracts = pl.DataFrame(dated, names, orient="row").with_columns(
        booked_day=pl.lit(None, pl.Int64), cause=text, plan=text
    )
    churn = Churn(kind="contract", after_days=after_days)
    stretches = spells.from_contracts(contracts, snapshot_day=snapshot, after_days=after_days)
    ends = stretches.with_columns(pl.col("end_day").fill_null(snapshot))
    active: dict[str, set[date]] = {}
    for customer, first, last in ends.select("customer_id", "start_day", "end_day").iter_rows():
        active.setdefault(customer, set()).update(map(calendar.date_of, range(first, last + 1)))
    until = {
        customer: calendar.date_of(last)
        for customer, last in ends.filter(spell=1).select("customer_id", "end_day").iter_rows()
    }

    table = table_of(pl.DataFrame(), stretches, churn, snapshot)

    assert_equal(table, literal(active, until, churn, calendar.date_of(snapshot)))


def test_a_later_renewal_changes_nothing_that_was_known():
    """A contract that ended within the grace may go on: what that could change is not known yet."""
    renewed = drawn("""
        | customer_id | started_day | ended_day | booked_day | cause | plan |
        | a           | 19723       | 19800     |            |       |      |
        | a           | 19829       |           |            |       |      |
    """)
    churn = Churn(kind="contract", after_days=30)
    found = []
    for terms, snapshot in ((renewed.head(1), 19828), (renewed, 19860)):
        stretches = spells.from_contracts(terms, snapshot_day=snapshot, after_days=30)
        found.append(table_of(pl.DataFrame(), stretches, churn, snapshot))
    early, late = (table.filter(pl.col("definition") != "unbounded") for table in found)
    known = early.drop_nulls("n_start").select(*KEY, "n_active")
    assert known.height > 20
    both = known.join(late, on=KEY, suffix="_later")
    assert both["n_active"].to_list() == both["n_active_later"].to_list()
    assert both.height == known.height
