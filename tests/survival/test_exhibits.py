"""What the page of survival shows, of a drawn book: headlines, findings and tables behind."""

import numpy as np
import polars as pl
import pytest
from drawing import day
from opened import DAY, opened

from retention import exhibit, survival
from retention.refresh import Refresh

DAYS = [30, 90, 180]


def book(n: int = 400) -> dict[str, pl.DataFrame]:
    """Customers of two plans: those of "basic" leave about three times as soon."""
    rng = np.random.default_rng(1)
    last = day(DAY)
    start = last - rng.integers(200, 500, n)
    plan = np.where(np.arange(n) < n // 2, "basic", "pro")
    end = start + rng.geometric(np.where(plan == "basic", 0.012, 0.004)) - 1
    left = end < last - 30
    ids = [f"c{number:03}" for number in range(n)]
    spells = pl.DataFrame(
        {
            "customer_id": ids,
            "spell": 1,
            "entry_day": start,
            "start_day": start,
            "end_day": np.where(left, end, last),
            "duration_days": np.minimum(end, last - 30) - start + 1,
            "event_observed": left,
            "cause": np.where(left, np.where(rng.random(n) < 0.7, "price", "moved"), None),
            "plan": plan,
            "excluded": pl.Series([None] * n, dtype=pl.String),
            "finished": False,
        }
    )
    activity = pl.DataFrame({"customer_id": ids, "day": start, "kind": "visit", "events": 1})
    customers = pl.DataFrame({"customer_id": ids, "gone": left})
    return {"spells": spells, "activity": activity, "customers_at": customers}


@pytest.fixture
def r(tmp_path, monkeypatch) -> Refresh:
    monkeypatch.chdir(tmp_path)
    churn = {"kind": "contract", "after_days": 30}
    return opened(tmp_path, "20_survival", book(), churn=churn)


def said(one: exhibit.Exhibit) -> tuple[str, list[str]]:
    """The headline, and the names of the findings."""
    return exhibit.of(one.headline, one.table), [
        found.name for found in exhibit.of(one.findings, one.table)
    ]


def test_every_section_states_what_was_planted(r):
    observed = survival.observed(r.tables.spells, r.tables.customers_at)
    divided = survival.divide(r, observed, ["plan"])
    counted, note = survival.who_is_counted(r, observed, divided)
    assert (counted.value, counted.further["out"]) == (400, 0)
    assert note == "All are observed from their start. Compared by plan: 2 groups."

    curves = survival.curves(r, divided)
    stay = survival.stay(r, curves, "plan", DAYS)
    assert said(stay)[1] == ["survival_180_days"]
    assert stay.behind(stay.table)["group"].to_list() == ["basic"] * 3 + ["pro"] * 3
    tests = survival.tests(r, divided[1])
    assert said(tests)[0] == "1 of 1 pairs of groups differ by more than chance explains"
    causes = survival.causes_of_leaving(r, divided, DAYS)
    assert said(causes)[0].startswith("Within 180 days have left: ")
    assert said(causes)[1] == ["left_by_price_180_days"]
    back = survival.coming_back(r, DAYS)
    assert said(back) == ("0% of those judged gone have come back within 180 days", [])

    allowed, refused = survival.gate(observed, r.tables.spells, ["plan", "gone"])
    assert (allowed, list(refused)) == (["plan"], ["gone"])
    ratios, *_ = shown = survival.hazard_ratios(r, observed, allowed, [])
    said_of_plan = (
        "Leaving later is linked most clearly to plan: pro against basic: hazard ratio 0."
    )
    assert said(ratios)[0].startswith(said_of_plan)
    nothing, done = survival.first_days(r, 30, [])
    assert (nothing.table.height, said(nothing)[1]) == (0, ["still_there"])
    assert done.table["done"].to_list() == ["left out"] * 2
    r.show(stay, tests, causes, back, *shown, nothing, done)


def test_a_page_of_nobody_says_why_there_is_nothing(r):
    observed = survival.observed(r.tables.spells).head(8)  # fewer than are shown
    divided = survival.divide(r, observed, ["plan"])
    curves = survival.curves(r, divided)

    r.show(survival.stay(r, curves, "plan", DAYS), survival.tests(r, divided[1]))
    r.show(*survival.hazard_ratios(r, observed, [], []))
    assert curves.is_empty()
