"""Strata in words that a shopkeeper would use."""

import numpy as np
import polars as pl

from retention.clusters import in_words


def table(days, cents, names=("active_days_365d", "amount_cents_365d")) -> pl.DataFrame:
    ids = [f"c{number}" for number in range(len(days))]
    return pl.DataFrame({"customer_id": ids, names[0]: days, names[1]: cents})


def test_names_say_how_often_and_how_large():
    days = [1] * 20 + [12] * 20 + [12] * 20
    cents = [1_000] * 20 + [12 * 3_000] * 20 + [12 * 20_000] * 20
    numbers = np.repeat([0, 1, 2], 20)
    assert in_words.names(table(days, cents), numbers, "EUR") == {
        0: "Once a year, small orders",
        1: "About monthly",
        2: "About monthly, large orders",
    }
    gap = in_words.names(table(days, cents), np.repeat([0, 3, 5], 20), "EUR")
    assert list(gap) == [0, 3, 5]  # nobody is in the others


def test_no_two_strata_are_called_alike():
    days = [12] * 40
    cents = [12 * 3_000] * 20 + [12 * 3_400] * 20
    names = in_words.names(table(days, cents), np.repeat([0, 1], 20), "EUR")
    assert names == {0: "About monthly", 1: "About monthly (about EUR 34.00)"}


def test_price_and_tenure_have_words_too():
    priced = table(
        [1_000] * 10 + [3_000] * 10, [30] * 10 + [900] * 10, ("price_cents", "tenure_days")
    )
    names = in_words.names(priced, np.repeat([0, 1], 10), "EUR")
    assert names == {0: "Pays less, with us for a short time", 1: "Pays more, long with us"}
    assert in_words.names(priced.select("customer_id"), np.zeros(20, int), "EUR") == {
        0: "All customers"
    }


def test_a_small_tree_says_the_rule_in_words_and_money():
    rng = np.random.default_rng(1)
    days, cents = rng.integers(1, 40, 2_000), rng.integers(500, 90_000, 2_000)
    numbers = np.where(days >= 10, np.where(cents >= 30_000, 2, 1), 0)
    said, explained = in_words.rules(table(days, cents), numbers, "EUR")

    assert explained == 1
    assert said[0] == "active days (365 days) below 10"
    assert said[1].startswith("active days (365 days) from 10, amount (365 days) below EUR 300")
    assert said[2].startswith("active days (365 days) from 10, amount (365 days) from EUR 300")
    assert in_words.rules(table([1], [2]).select("customer_id"), np.zeros(1, int), "EUR") == (
        {0: "everybody"},
        1.0,
    )
