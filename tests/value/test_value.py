"""Value: discounting by hand, bands, and the words where its assumptions fail."""

import numpy as np
import polars as pl
import pytest

from retention.book import Churn
from retention.tables import promises, rules
from retention.value import value

SHOP = Churn(kind="activity", activity=["purchase"], after_days=30)
CLUB = Churn(kind="contract", after_days=30)
OPTIONS = {"ahead_days": 40, "discount_rate": 0.2, "margin": 0.5}


def members(cents: list[float | None]) -> pl.DataFrame:
    names = [f"c{number}" for number in range(len(cents))]
    return pl.DataFrame(
        {"customer_id": names, "cents": cents, "until": [np.inf] * len(cents)},
        schema_overrides={"cents": pl.Float64},
    )


def buyers(frequency: list[int], cents: list[float | None]) -> pl.DataFrame:
    priced = [0 if amount is None else n + 1 for n, amount in zip(frequency, cents, strict=True)]
    return members(cents).with_columns(
        frequency=pl.Series(frequency), priced=pl.Series(priced, dtype=pl.Int64)
    )


def test_amounts_are_discounted_from_the_middle_of_their_thirty_days():
    models = {"ours": lambda ahead: np.array([ahead, ahead / 2])}

    found = value.banded(value.expected(models, members([100.0, None]), CLUB, **OPTIONS), {})

    whole = 0.5 * 100 * (30 * 1.2 ** (-15 / 365) + 10 * 1.2 ** (-35 / 365))
    assert found.drop("expected_orders").rows() == [
        ("c0", 40, 40.0, 4000, round(whole), "low"),
        ("c1", 40, 20.0, None, None, "not known"),
    ]
    assert found["expected_orders"].null_count() == 2
    assert (
        rules.broken(found.select(*promises.PROMISES["value"].columns), promises.PROMISES["value"])
        == []
    )


def test_where_nothing_could_be_learnt_value_is_not_known():
    found = value.banded(
        value.expected({}, buyers([0, 0], [5.0, 9.0]), SHOP, **OPTIONS), {"high": 1}
    )
    assert found["value"].to_list() == ["not known"] * 2
    assert value.whole(found) is None
    nobody = value.banded(value.expected({}, buyers([], []), SHOP, **OPTIONS), {"high": 0.1})
    assert nobody.is_empty()
    assert value.bands(nobody).is_empty()


def test_equal_values_are_in_one_band_and_bands_add_up():
    values = pl.DataFrame({"customer_id": list("abcdef"), "value_cents": [9, 7, 7, 1, 1, None]})
    found = value.banded(values, {"high": 0.2, "middle": 0.4})

    assert found["value"].to_list() == ["high", "middle", "middle", "low", "low", "not known"]
    bands = value.bands(found)
    assert bands.select("value", "n", "value_cents").rows() == [
        ("high", 1, 9),
        ("middle", 2, 14),
        ("low", 2, 2),
        ("not known", 1, 0),
    ]
    assert bands["share_of_value"].sum() == pytest.approx(1)
    assert bands.columns == list(value.BANDS)


def test_who_spends_more_each_time_the_more_often_they_buy_is_warned_of():
    often = list(range(1, 101))
    alike = value.correlation(buyers(often, [100.0 + n for n in often]), SHOP)
    apart = value.correlation(buyers(often, [100.0 + n % 7 for n in often]), SHOP)

    assert value.warning(alike, SHOP).startswith("Warning: How often and how much customers buy")
    assert value.warning(alike, SHOP).endswith("come out too low.")
    assert "little enough" in value.warning(apart, SHOP)
    assert value.correlation(buyers([0, 0, 0], [1.0, 2.0, 3.0]), SHOP) is None
    assert value.warning(None, SHOP).startswith("Too few")


def test_amounts_shrink_to_the_mean_of_all_the_more_the_fewer_are_known():
    rng = np.random.default_rng(1)
    n = rng.integers(0, 6, 5_000)
    own = 2_000 / rng.gamma(4.0, 1 / 3.0, 5_000)
    cents = rng.gamma(3 * (n + 1), own / 3 / (n + 1))

    said = value.cents_each(buyers(n.tolist(), cents.tolist()), SHOP)

    assert (np.abs(said - own) ** 2).mean() < (np.abs(cents - own) ** 2).mean()
    assert said[n == 0].std() < 0.7 * cents[n == 0].std()
    equal = value.cents_each(buyers([1, 2, 0], [7.0, 7.0, None]), SHOP)
    assert equal.tolist() == [7.0] * 3
    assert np.isnan(value.cents_each(buyers([1], [None]), SHOP)).all()


def test_words_say_who_is_in_and_what_value_is():
    assert "1 of them on several days" in value.who(buyers([0, 2], [1.0, 2.0]), SHOP, 1)
    assert "of <10 the amount is not known" in value.who(members([1.0, 2.0, None]), CLUB, 10)
    assert "of 0 the end is booked" in value.who(members([1.0, 2.0, None]), CLUB, 10)
    for churn, words in ((SHOP, "an NBD that forgets"), (CLUB, "Kaplan-Meier")):
        said = value.definition(churn, "USD", **OPTIONS)
        assert words in said
        assert "within 40 days, times a margin of 50%, discounted at 20% a year" in said
