"""Value: discounting by hand, bands, and the words where its assumptions fail."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from retention import schema
from retention.book import Churn
from retention.stats import ranks
from retention.tables import rules
from retention.value import value
from retention.value.forecasts import Known, Past

SHOP = Churn(kind="activity", activity=["purchase"], after_days=30)
CLUB = Churn(kind="contract", after_days=30)
BOOK = SimpleNamespace(book=SimpleNamespace(currency="EUR"))
OPTIONS = {"ahead_days": 40, "discount_rate": 0.2, "margin": 0.5}


def known(customers: pl.DataFrame, churn: Churn) -> Known:
    return Known(Past(pl.LazyFrame(), pl.LazyFrame(), churn), 100, customers)


def members(cents: list[float | None]) -> Known:
    names = [f"c{number}" for number in range(len(cents))]
    rows = {"customer_id": names, "cents": cents, "until": [np.inf] * len(cents)}
    return known(pl.DataFrame(rows, schema_overrides={"cents": pl.Float64}), CLUB)


def buyers(frequency: list[int], cents: list[float | None]) -> Known:
    priced = [0 if amount is None else n + 1 for n, amount in zip(frequency, cents, strict=True)]
    counts = {"frequency": pl.Series(frequency, dtype=pl.Int64)}
    counts["priced"] = pl.Series(priced, dtype=pl.Int64)
    return known(members(cents).customers.with_columns(**counts), SHOP)


def test_amounts_are_discounted_from_the_middle_of_their_thirty_days():
    models = {"ours": lambda ahead: np.array([ahead, ahead / 2])}

    found = banded(value.forecast_value(models, members([100.0, None]), **OPTIONS), {})

    whole = 0.5 * 100 * (30 * 1.2 ** (-15 / 365) + 10 * 1.2 ** (-35 / 365))
    assert found.drop("expected_orders").rows() == [
        ("c0", 40, 40.0, 4000, round(whole), "low"),
        ("c1", 40, 20.0, None, None, "not known"),
    ]
    assert found["expected_orders"].null_count() == 2
    promise = schema.TABLES["value"]
    assert rules.broken(found.select(*promise.columns), promise) == []


def banded(values: pl.DataFrame, shares: dict[str, float]) -> pl.DataFrame:
    return values.with_columns(value=ranks.bands("value_cents", shares))


def test_where_nothing_could_be_learnt_value_is_not_known():
    found = banded(value.forecast_value({}, buyers([0, 0], [5.0, 9.0]), **OPTIONS), {"high": 1})
    assert found["value"].to_list() == ["not known"] * 2
    assert value.bands(BOOK, value.Worth(found, "")).findings == []
    nobody = banded(value.forecast_value({}, buyers([], []), **OPTIONS), {"high": 0.1})
    assert value.by_band(nobody).is_empty()


def test_equal_values_are_in_one_band_and_bands_add_up():
    values = pl.DataFrame({"customer_id": list("abcdef"), "value_cents": [9, 7, 7, 1, 1, None]})
    found = banded(values, {"high": 0.2, "middle": 0.4}).with_columns(horizon_days=365)

    assert found["value"].to_list() == ["high", "middle", "middle", "low", "low", "not known"]
    shown = value.bands(BOOK, value.Worth(found, "It rests on little."))
    rows = shown.table.select("band", "n", "value_cents").rows()
    assert rows == [("high", 1, 9), ("middle", 2, 14), ("low", 2, 2), ("not known", 1, 0)]
    assert shown.table["share_of_value"].sum() == pytest.approx(1)
    assert shown.headline(shown.table) == (
        "17% of customers, in the band high, bring 36% of the value"
    )
    [finding] = shown.findings
    assert finding.sentence.endswith("365 days ahead. It rests on little.")
    assert (finding.value, finding.further) == (0, {"n": 5})


def test_customers_who_spend_more_each_time_the_more_often_they_buy_are_warned_of():
    often = list(range(1, 101))
    alike = value.amounts_apart(buyers(often, [100.0 + n for n in often]))

    assert alike.startswith("Warning: How often and how much customers buy correlate by 1.00")
    assert alike.endswith("too low.")
    assert "little enough" in value.amounts_apart(buyers(often, [100.0 + n % 7 for n in often]))
    assert value.amounts_apart(buyers([0, 0], [1.0, 2.0])).startswith("Too few bought again")
    assert "contracts in force" in value.amounts_apart(members([1.0]))


def test_amounts_shrink_to_the_mean_of_all_the_more_the_fewer_are_known():
    rng = np.random.default_rng(1)
    n = rng.integers(0, 6, 5_000)
    own = 2_000 / rng.gamma(4.0, 1 / 3.0, 5_000)
    cents = rng.gamma(3 * (n + 1), own / 3 / (n + 1))

    said = value.cents_each(buyers(n.tolist(), cents.tolist()))

    assert (np.abs(said - own) ** 2).mean() < (np.abs(cents - own) ** 2).mean()
    assert said[n == 0].std() < 0.7 * cents[n == 0].std()
    equal = value.cents_each(buyers([1, 2, 0], [7.0, 7.0, None]))
    assert equal.tolist() == [7.0] * 3
    assert np.isnan(value.cents_each(buyers([1], [None]))).all()


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (buyers([0] + [2] * 12, [1.0] * 13), "have bought by the snapshot; 12 on several days."),
        (buyers([0, 2], [1.0, 2.0]), "have bought by the snapshot."),
        (members([None] * 10 + [1.0]), "under contract at the snapshot; 10 without a known amount"),
    ],
)
def test_few_are_not_told(known, said):
    shop = SimpleNamespace(book=SimpleNamespace(churn=known.past.churn), min_cell=10)
    finding = value.who_is_counted(shop, known)
    assert said in finding.sentence
    assert finding.value == known.customers.height
