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


WHO = pl.DataFrame({"customer_id": ["c", "a", "b"], "standing": ["lapsed", "current", "current"]})


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


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ((0.6, 0.4, 0.2), "Ordered afterwards: from 18.7% (none shown) to 60.5% (compare)"),
        ((0.3, 0.3, 0.3), "No clear difference between intents"),
    ],
)
def test_a_planted_readiness_is_found_and_none_is_not_invented(rates, said):
    rng = np.random.default_rng(1)
    chance = dict(zip(["compare", "visit", intent.NONE], rates, strict=True))
    kinds = rng.choice(list(chance), 2_000)
    then = pl.DataFrame({"customer_id": [f"c{n:04}" for n in range(2_000)], "intent": kinds})
    buys = rng.random(2_000) < np.vectorize(chance.get)(kinds)

    ready = intent.readiness(then, then, then.filter(buys))

    for row in ready.iter_rows(named=True):
        own = kinds == row["intent"]
        assert (row["n"], row["n_before"], row["ordered"]) == (
            own.sum(),
            own.sum(),
            buys[own].sum(),
        )
        assert row["ci_lower"] < chance[row["intent"]] < row["ci_upper"]
    assert intent._headline(ready) == said
