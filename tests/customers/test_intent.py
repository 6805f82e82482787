"""Intent: a slow literal reading, and planted readiness."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.customers import intent
from retention.errors import Refused

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
    told = intent.strongest(WHO, log(events + far), INTENTS, 100, 28)

    def slowly(customer: str) -> str:
        own = [(day, kind) for who, day, kind in events if who == customer and day <= 100]
        bought = max((day for day, kind in own if kind == "purchase"), default=0)
        since = {kind for day, kind in own if day > max(bought, 100 - 28)}
        return next((kind for kind in INTENTS[::-1] if kind in since), intent.NONE)

    assert told.rows() == [("a", slowly("a")), ("b", slowly("b"))]


def test_without_kinds_no_intent_is_known():
    told = intent.strongest(WHO, log([]), [], 100, 28)
    assert told["intent"].to_list() == [None, None]
    assert intent.readiness(told, told, told).is_empty()


def test_a_kind_that_no_event_is_of_is_refused():
    with pytest.raises(Refused, match="intents: no event is of kind 'cart'"):
        intent.strongest(WHO, log([("a", 90, "visit")]), ["visit", "cart"], 100, 9)


def planted(rates: dict[str, float], n: int = 2_000, seed: int = 1):
    """Who shows what on day 72, and orders with which chance in the 28 days after it."""
    rng = np.random.default_rng(seed)
    ids = np.array([f"c{number:05}" for number in range(n)])
    kinds = rng.choice(list(rates), n)
    buys = rng.random(n) < np.array([rates[kind] for kind in kinds])
    shown = [(who, 70, kind) for who, kind in zip(ids, kinds, strict=True) if kind in INTENTS]
    bought = [(who, int(rng.integers(73, 101)), "purchase") for who in ids[buys]]
    who = pl.DataFrame({"customer_id": ids, "in_risk_set": True})
    return who, log(shown + bought), kinds, buys


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        (
            {"compare": 0.6, "visit": 0.4, "no": 0.2},
            "Ordered afterwards: from 18.7% (none shown) to 60.5% (compare)",
        ),
        ({"compare": 0.3, "visit": 0.3, "no": 0.3}, "No clear difference between intents"),
    ],
)
def test_a_planted_readiness_is_found_and_none_is_not_invented(rates, said):
    who, acts, kinds, buys = planted(rates)
    then = intent.strongest(who, acts, INTENTS, 72, 28)
    orders = acts.filter(pl.col("day") > 72, pl.col("orders") > 0).collect()

    ready = intent.readiness(then, then, orders)

    found = {row["intent"]: row for row in ready.iter_rows(named=True)}
    for kind, rate in rates.items():
        row = found[kind if kind in INTENTS else intent.NONE]
        assert row["n"] == row["n_before"] == (kinds == kind).sum()
        assert row["ordered"] == buys[kinds == kind].sum()
        assert row["ci_lower"] < rate < row["ci_upper"]
    assert intent._headline(ready).startswith(said)
