"""Engagement, trend and intent: drawn customers, a slow literal reading, and planted readiness."""

import numpy as np
import polars as pl
import pytest
from drawing import drawn
from hypothesis import given
from hypothesis import strategies as st

from retention.customers import engagement
from retention.errors import Refused
from retention.risk import decline

STAGED = drawn("""
    | customer_id | in_risk_set | days  | trend | trend_lower | trend_upper | paid  |
    | often       | true        | 8     | 1.0   | 0.6         | 1.6         | 600   |
    | seldom      | true        | 7     | 2.0   | 1.1         | 3.5         | 300   |
    | once        | true        | 1     | 0.2   | 0.1         | 0.9         | 100   |
    | never       | true        | 0     |       |             |             | 0     |
    | left        | false       | 0     |       |             |             | 50    |
""").rename({"days": "active_days_28d", "paid": "amount_cents_365d"})


def test_engagement_goes_by_active_days_and_usage_by_the_interval_of_the_trend():
    told = engagement.engaged(STAGED, high_days=8)
    assert told.select("engagement", "usage").rows() == [
        ("high", "steady"),
        ("moderate", "rising"),
        ("moderate", "falling"),
        ("inactive", "not known"),
        (None, "not current"),
    ]


def test_shares_are_of_the_current_customers_and_name_empty_groups():
    current = engagement.engaged(STAGED, high_days=9).filter("in_risk_set")
    shares = engagement.shares(current)

    assert shares.select("by", "group", "n", "share", "share_of_amount").rows() == [
        ("engagement", "high", 0, 0.0, 0.0),
        ("engagement", "moderate", 3, 0.75, 1.0),
        ("engagement", "inactive", 1, 0.25, 0.0),
        ("usage", "falling", 1, 0.25, 0.1),
        ("usage", "steady", 1, 0.25, 0.6),
        ("usage", "rising", 1, 0.25, 0.3),
        ("usage", "not known", 1, 0.25, 0.0),
    ]
    assert engagement.headline(shares) == ("0.0% are highly engaged, 25.0% did nothing in 28 days")


def test_where_nobody_is_current_or_pays_no_share_is_claimed():
    nobody = engagement.engaged(STAGED.tail(1), 8).filter("in_risk_set")
    assert engagement.shares(nobody)["share"].null_count() == 7
    counts = {"active_days_before": pl.lit(0), "days_before": pl.lit(0)}
    assert engagement.by_chance(nobody.with_columns(**counts)) == 0
    idle = engagement.engaged(STAGED.filter(customer_id="never"), 8)
    assert engagement.shares(idle)["share_of_amount"].null_count() == 7


def test_what_chance_makes_is_what_decline_says():
    rng = np.random.default_rng(1)
    n = 500
    counts = {
        "active_days_28d": rng.integers(0, 20, n),
        "active_days_before": rng.integers(1, 60, n),
        "days_before": np.full(n, 84),
    }
    ratio = pl.col("active_days_28d") * 3 / pl.col("active_days_before")
    unknown = pl.lit(None, pl.Int64)
    at = pl.DataFrame({"customer_id": [f"c{k:03}" for k in range(n)]} | counts).with_columns(
        usage_ratio=ratio, in_risk_set=True, ended_days_ago=unknown, booked_end_in_days=unknown
    )
    theirs = decline.shares(decline.changes(at)).filter(usage="falling")["by_chance"].item()
    assert engagement.by_chance(at.with_columns(trend="usage_ratio")) == pytest.approx(theirs)


INTENTS = ["visit", "compare"]
EVENT = st.tuples(
    st.sampled_from(["a", "b", "c"]),
    st.integers(60, 110),
    st.sampled_from(["visit", "compare", "purchase", "call"]),
)


def log(events: list[tuple[str, int, str]]) -> pl.LazyFrame:
    frame = pl.DataFrame(
        events, {"customer_id": pl.String, "day": pl.Int64, "kind": pl.String}, orient="row"
    )
    return frame.with_columns(orders=(pl.col("kind") == "purchase").cast(pl.Int64)).lazy()


WHO = pl.DataFrame({"customer_id": ["c", "a", "b"], "in_risk_set": [False, True, True]})


@given(st.lists(EVENT, max_size=25))
def test_intent_is_the_strongest_kind_since_the_last_order(events):
    far = [("d", 200, kind) for kind in INTENTS]
    told = engagement.intent(WHO, log(events + far), INTENTS, day=100, intent_days=28)

    def slowly(customer: str) -> str:
        own = [(day, kind) for who, day, kind in events if who == customer and day <= 100]
        bought = max((day for day, kind in own if kind == "purchase"), default=0)
        since = {kind for day, kind in own if day > max(bought, 100 - 28)}
        return next((kind for kind in INTENTS[::-1] if kind in since), engagement.NONE)

    assert told.rows() == [("a", slowly("a")), ("b", slowly("b"))]


def test_without_kinds_no_intent_is_known():
    told = engagement.intent(WHO, log([]), [], day=100, intent_days=28)
    assert told["intent"].to_list() == [None, None]
    ready = engagement.readiness(told, told, log([]), [], day=72, intent_days=28)
    assert ready.is_empty()
    assert "Too few" in engagement.foretold(ready)


def test_a_kind_that_no_event_is_of_is_refused():
    with pytest.raises(Refused, match="intents: no event is of kind 'cart'"):
        engagement.intent(WHO, log([("a", 90, "visit")]), ["visit", "cart"], day=100, intent_days=9)


def planted(rates: dict[str, float], n: int = 2_000, seed: int = 1):
    """Who shows what on day 72, and orders with which chance in the 28 days after it."""
    rng = np.random.default_rng(seed)
    ids = np.array([f"c{number:05}" for number in range(n)])
    kinds = rng.choice(list(rates), n)
    buys = rng.random(n) < np.array([rates[kind] for kind in kinds])
    shown = [(who, 70, kind) for who, kind in zip(ids, kinds, strict=True) if kind in INTENTS]
    bought = [(who, int(rng.integers(73, 101)), "purchase") for who in ids[buys]]
    after = [(who, 101, "purchase") for who in ids[:50]]
    who = pl.DataFrame({"customer_id": ids, "in_risk_set": True})
    return who, log(shown + bought + after), kinds, buys


def test_a_planted_readiness_is_found_and_none_is_not_invented():
    for rates in (
        {"compare": 0.6, "visit": 0.4, "no": 0.2},
        {"compare": 0.3, "visit": 0.3, "no": 0.3},
    ):
        who, acts, kinds, buys = planted(rates)
        days = {"day": 72, "intent_days": 28}
        then = engagement.intent(who, acts, INTENTS, **days)
        ready = engagement.readiness(then, then, acts, INTENTS, **days)

        found = {row["intent"]: row for row in ready.iter_rows(named=True)}
        for kind in rates:
            row = found[kind if kind in INTENTS else engagement.NONE]
            assert row["n_before"] == (kinds == kind).sum()
            assert row["ordered"] == buys[kinds == kind].sum()
            assert row["ci_lower"] < rates[kind] < row["ci_upper"]
        clear = "no clear difference" not in engagement.foretold(ready)
        assert clear == (rates["compare"] > rates["no"])


def test_the_busiest_label_is_named():
    habits = pl.DataFrame({"channel": ["app", "web"], "share_of_events": [0.25, 0.75]})
    assert engagement.busiest(habits) == "75.0% of events: web"
    assert engagement.busiest(habits.clear()) == "Too little is known of channel"
