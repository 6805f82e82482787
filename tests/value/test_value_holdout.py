"""What was forecast beside what came: counted by hand, and never out of step with the total."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from retention import disclosure, schema
from retention.book import Churn
from retention.tables import rules
from retention.value import value_holdout
from retention.value.forecasts import Past

SHOP = Churn(kind="activity", activity=["purchase"], after_days=30)
CLUB = Churn(kind="contract", after_days=30)
DAYS = ([], [3], [8, 9], [2, 10, 14])  # on which each bought


def came(ahead: float) -> np.ndarray:
    return np.array([sum(day <= ahead for day in days) for days in DAYS], dtype=float)


def compared() -> pl.DataFrame:
    models = {
        "ours": lambda ahead: np.full(4, ahead / 10),
        "other": lambda ahead: np.full(4, ahead / 7),
    }
    return value_holdout.compare(models, came, "purchases", 15)


def test_rows_are_those_counted_by_hand():
    table = compared().filter(model="ours")
    half = 1.959964 * np.std([0, 1, 2, 3], ddof=1) / 2
    assert table.select("by", "group", "n", "active", "actual", "predicted").rows() == [
        ("total", "all", 4, 3, 1.5, 1.5),
        ("week", "01", 4, 2, 0.5, pytest.approx(0.7)),
        ("week", "02", 4, 2, 1.0, pytest.approx(0.7)),
    ]
    row = table.row(0, named=True)
    assert (row["ci_lower"], row["ci_upper"]) == pytest.approx((1.5 - half, 1.5 + half))
    assert row["rmse"] == pytest.approx(np.sqrt((1.5**2 + 0.5**2 + 0.5**2 + 1.5**2) / 4))
    assert rules.broken(compared(), schema.TABLES["value_holdout"]) == []


R = SimpleNamespace(book=SimpleNamespace(currency="EUR"))


def test_words_say_how_far_off_and_in_which_direction():
    paid = value_holdout.amounts({"ours": lambda ahead: came(15) / 2}, np.ones(4), came, 15, 0.95)
    both = value_holdout.Held(compared().vstack(paid), 15)
    shown = value_holdout.by_week(R, both)

    said = "In all, forecasts were off: ours by +0.0%; other by +42.9%"
    assert shown.headline(shown.table) == said
    [finding] = shown.findings(shown.table)
    assert finding.value == pytest.approx(0)
    assert finding.sentence.endswith("Its amounts were off by −50.0%.")
    assert shown.behind(shown.table)["measure"].to_list() == ["purchases"] * 2 + ["amount in EUR"]
    assert shown.behind(shown.table)["actual"].to_list() == [1.5, 1.5, 0.015]


def test_nothing_is_said_of_what_is_hidden():
    hidden = disclosure.hide(compared(), "value_holdout")
    shown = value_holdout.by_week(R, value_holdout.Held(hidden, 15))

    assert hidden["predicted"].null_count() == hidden.height
    assert shown.findings(hidden) == []
    assert shown.headline(hidden).startswith("Too few customers")


def test_amounts_leave_out_of_whom_none_is_known():
    models = {"ours": lambda ahead: np.full(4, 2.0)}
    cents = np.array([np.nan, 100, 200, 300])
    paid = np.array([9, 300, 300, 600.0])
    table = value_holdout.amounts(models, cents, lambda ahead: paid, 15, 0.95)
    row = table.select("measure", "n", "actual", "predicted").row(0)
    assert row == ("amount in cents", 3, 400.0, 400.0)
    assert value_holdout.amounts(models, cents * np.nan, came, 15, 0.95).is_empty()


def test_for_the_chart_what_came_stands_beside_every_model():
    weeks = value_holdout._weekly(compared())
    assert weeks["week"].to_list() == [1, 2] * 3
    assert weeks["group"].to_list() == ["as it came"] * 2 + ["ours"] * 2 + ["other"] * 2
    assert weeks.filter(group="as it came")["per_customer"].to_list() == [0.5, 1.0]
    assert weeks.filter(pl.col("group") != "as it came")["ci_lower"].null_count() == 4


@pytest.mark.parametrize(
    ("day", "most", "held_out"), [(400, 365, 150), (400, 60, 60), (101, 60, 0)]
)
def test_no_more_than_half_of_the_data_are_held_out(day, most, held_out):
    acts = pl.LazyFrame({"day": [90, 100, 300], "orders": [0, 1, 2]})
    terms = pl.LazyFrame({"started_day": [100, 200]})
    for churn in (SHOP, CLUB):
        assert value_holdout.horizon(Past(acts, terms, churn), day, most) == held_out
