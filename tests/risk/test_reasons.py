"""Reasons are the signals that move a risk most, in words."""

import numpy as np
import polars as pl
import pytest

from retention.risk import reasons

ROWS = pl.DataFrame(
    {
        "days_since_last_activity": [42, 1, 3],
        "usage_ratio": [0.333, 1.0, None],
        "plan": ["pro", "basic", "<b>"],
    }
)
RISK = pl.Series([0.5, 0.1, 0.2])
SIGNALS = ROWS.columns


def said(*effects, risk=RISK, rows=ROWS) -> list[str]:
    return reasons.reasons(rows, SIGNALS, np.array(effects), risk, "EUR").to_list()


def test_the_strongest_comes_first_and_sides_are_kept_apart():
    assert said([1.0, 2.0, -0.5], [-0.3, -0.2, 0.0], [0.1, 0.5, -0.6]) == [
        "raised by active 0.33 times as often as before; last active 42 days ago – lowered by "
        "plan pro",
        "lowered by last active 1 days ago; active 1 times as often as before",
        "raised by usage ratio not known – lowered by plan <b>",
    ]


def test_what_moves_little_is_no_reason_and_an_unknown_risk_has_none():
    risk = pl.Series([0.1, 0.1, None], dtype=pl.Float64)

    assert said([0.1, -0.1, 0.0], [0.0] * 3, [3.0] * 3, risk=risk) == [
        "nothing unusual",
        "nothing unusual",
        "not known",
    ]


def test_at_most_three_reasons_are_said_and_names_with_braces_are_texts_like_others():
    rows = ROWS.with_columns(pl.lit("{y}").alias("trial {x}"))
    effects = np.tile([1.0, 2.0, 3.0, 4.0], (3, 1))

    words = reasons.reasons(rows, rows.columns, effects, RISK, "EUR").to_list()

    assert words[0].startswith("raised by trial {x} {y}; plan pro; active 0.33 times")
    assert all(text.count(";") == 2 for text in words)


@pytest.mark.parametrize(
    ("signal", "value", "words"),
    [
        ("amount_cents_90d", 1405, "paid EUR 14.05 in the last 90 days"),
        ("cents_per_order_90d", 999.6, "EUR 10.00 an order"),
        ("order_share_90d", 0.254, "0.25 orders for each event"),
        ("quiet_chance", 0.81, "by the own rhythm quiet with a chance of 81 %"),
        ("silence_ratio", 2.345, "silent for 2.3 times the own usual gap"),
        ("days_since_last_activity", 42, "last active 42 days ago"),
    ],
)
def test_signals_are_said_in_words_with_their_unit(signal, value, words):
    rows = pl.DataFrame({signal: [value]})

    text = reasons.reasons(rows, [signal], np.ones((1, 1)), RISK.head(1), "EUR").to_list()

    assert text == [f"raised by {words}"]


def test_without_a_model_nothing_is_said_but_that_nothing_is_known():
    unknown = pl.Series([None] * 3, dtype=pl.Float64)

    assert (
        reasons.reasons(ROWS, SIGNALS, np.zeros((3, 0)), unknown, "EUR").to_list()
        == ["not known"] * 3
    )


def test_an_attribute_with_the_name_of_another_column_is_called_by_its_own():
    rows = pl.DataFrame({"age": ["45-54", None], "household_size": ["2", "5+"]})
    text = reasons.reasons(rows, rows.columns, np.ones((2, 2)), RISK.head(2), "USD").to_list()
    assert text[0] == "raised by age 45-54; household size 2"
    assert text[1] == "raised by age not known; household size 5+"
