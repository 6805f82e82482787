"""Coming back: counted from being judged gone, by hand and of planted returns."""

import numpy as np
import polars as pl
import pytest
from planted import spells_at

from retention.stats import by_group
from retention.survival import returns
from retention.tables import calendar, spells
from retention_demo import simulate


def activity(days: dict[str, list[int]], snapshot_day: int, after_days: int) -> pl.DataFrame:
    """Spells of customers who were active on the given days."""
    rows = [(who, day, "buy") for who, active in days.items() for day in active]
    return spells.from_activity(
        pl.DataFrame(rows, schema=["customer_id", "day", "kind"], orient="row"),
        pl.DataFrame({"customer_id": list(days), "started_day": [None] * len(days)}).cast(
            {"started_day": pl.Int64}
        ),
        kinds=["buy"],
        snapshot_day=snapshot_day,
        after_days=after_days,
    )


def test_days_count_from_being_judged_gone_and_each_customer_once():
    stretches = activity(
        {
            "back": [0, 10, 25],  # gone on day 20, back on its sixth day
            "same day": [3, 13],  # back on the very day of being judged gone
            "never": [4],  # gone on day 14, censored on day 40, its 27th
            "often": [5, 16, 40],  # gone on 15, back on its second day; gone again on 26
            "there": [30, 39],
        },
        snapshot_day=40,
        after_days=10,
    )

    gone = returns.gone(stretches, 40, 10)

    assert gone.rows() == [
        ("back", 1, True),
        ("never", 27, False),
        ("often", 2, True),
        ("same day", 1, True),
    ]


def test_the_share_by_hand():
    gone = pl.DataFrame(
        {"duration_days": [2, 3, 3, 5, 9], "event_observed": [True, False, True, True, False]}
    )

    table = returns.returned(gone)

    assert table.select("duration_days", "at_risk", "events").rows()[1:4] == [
        (2, 5, 1), (3, 4, 1), (5, 2, 1),
    ]  # fmt: skip
    assert table["returned"].to_list() == pytest.approx([0, 0.2, 0.4, 0.7, 0.7])
    assert table["ci_lower"].is_null().to_list() == (table["returned"] == 0).to_list()
    assert (table["ci_lower"] <= table["returned"]).all()
    assert (table["ci_upper"] >= table["returned"]).all()
    assert returns.returned(gone, least=3)["duration_days"].max() == 3
    assert returns.headline(by_group.read(table, [4, 90])) == (
        "40% of those judged gone have come back within 4 days"
    )


def test_nobody_gone_makes_no_curve():
    gone = returns.gone(activity({"there": [0, 5]}, 8, 10), 8, 10)

    assert returns.returned(gone, least=10).is_empty()
    read = by_group.read(returns.returned(gone), [30])
    assert read.is_empty()
    assert returns.headline(read).startswith("Nobody has been gone")


def test_planted_returns_are_found_in_a_simulated_book():
    """A share returns, and later than RETURNS["after_days"] by an exponential wait."""
    people = simulate.people(20_000, 5)
    terms = simulate.terms(people, simulate.lives(people, 5), 5)
    day, grace, plan = simulate.LAST_DAY, 30, simulate.RETURNS

    gone = returns.gone(spells_at(terms, day), calendar.day_of(day), grace)
    table = returns.returned(gone, least=50)

    waits = plan["after_days"] - grace
    for row in by_group.read(table, [waits, 90, 120, 240]).iter_rows(named=True):
        wait = max(row["duration_days"] - waits, 0) / plan["mean_further_days"]
        truth = plan["share"] * (1 - np.exp(-wait))
        error = (row["ci_upper"] - row["ci_lower"]) / 3.92 if row["returned"] else 0
        assert row["returned"] == pytest.approx(truth, abs=3.5 * error + 1e-12)
