"""What was forecast beside what came: counted by hand, and never out of step with the total."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from retention import disclosure, schema
from retention.book import Churn
from retention.tables import rules
from retention.value import value_holdout
from retention.value.forecasts import Known, Past

SHOP = Churn(kind="activity", activity=["purchase"], after_days=30)
CLUB = Churn(kind="contract", after_days=30)
NOTHING = pl.LazyFrame()
DAYS = ([], [3], [8, 9], [2, 10, 14])  # on which each bought


def known(churn: Churn, **columns: list) -> Known:
    customers = pl.DataFrame(columns).with_row_index("customer_id")
    return Known(Past(NOTHING, NOTHING, churn), 100, customers)


def came(ahead: float) -> np.ndarray:
    return np.array([sum(day <= ahead for day in days) for days in DAYS], dtype=float)


def compared() -> pl.DataFrame:
    models = {
        "ours": lambda ahead: np.full(4, ahead / 10),
        "other": lambda ahead: np.full(4, ahead / 7),
    }
    return value_holdout.compare(models, came, known(SHOP, frequency=[0, 1, 1, 9]), 15)


def test_rows_are_those_counted_by_hand():
    table = compared().filter(model="ours").drop("model", "ci_lower", "ci_upper")
    assert table.drop("rmse").rows() == [
        ("purchases", "total", "all", 4, 3, 1.5, 1.5),
        ("purchases", "purchases so far", "1", 1, 0, 0.0, 1.5),
        ("purchases", "purchases so far", "2 to 3", 2, 2, 1.5, 1.5),
        ("purchases", "purchases so far", "8 to 15", 1, 1, 3.0, 1.5),
        ("purchases", "week", "01", 4, 2, 0.5, pytest.approx(0.7)),
        ("purchases", "week", "02", 4, 2, 1.0, pytest.approx(0.7)),
    ]
    assert table["rmse"][0] == pytest.approx(np.sqrt((1.5**2 + 0.5**2 + 0.5**2 + 1.5**2) / 4))
    assert rules.broken(compared(), schema.TABLES["value_holdout"]) == []


def test_limits_are_those_of_a_mean_of_customers():
    row = compared().row(0, named=True)
    half = 1.959964 * np.std([0, 1, 2, 3], ddof=1) / 2
    assert (row["ci_lower"], row["ci_upper"]) == pytest.approx((1.5 - half, 1.5 + half))
    alone = compared().filter(group="8 to 15")
    assert alone["ci_lower"].null_count() == alone.height


R = SimpleNamespace(book=SimpleNamespace(currency="EUR"))


def test_words_say_how_far_off_and_in_which_direction():
    paid = value_holdout.amounts({"ours": lambda ahead: came(15) / 2}, np.ones(4), came, 15, 0.95)
    both = value_holdout.Held(compared().vstack(paid), 15)
    shown, groups = value_holdout.by_week(R, both), value_holdout.by_group(both)

    assert (
        shown.headline(shown.table) == "In all, forecasts were off: ours by +0.0%; other by +42.9%"
    )
    [finding] = shown.findings(shown.table)
    assert finding.value == pytest.approx(0)
    assert finding.sentence.endswith("Its amounts were off by −50.0%.")
    assert shown.behind(shown.table)["measure"].to_list() == ["purchases"] * 2 + ["amount in EUR"]
    assert shown.behind(shown.table)["actual"].to_list() == [1.5, 1.5, 0.015]
    assert groups.headline(groups.table).startswith("In every group what came agrees")
    off = groups.table.with_columns(predicted=pl.col("predicted") + 4)
    assert groups.headline(off).endswith("2 to 3, for whom the forecast was too high")


def test_nothing_is_said_of_what_is_hidden():
    hidden = disclosure.hide(compared(), disclosure.Level(10), "value_holdout")
    shown = value_holdout.by_week(R, value_holdout.Held(hidden, 15))

    assert hidden["predicted"].null_count() == hidden.height
    assert shown.findings(hidden) == []
    assert shown.headline(hidden).startswith("Too few customers")
    assert value_holdout.by_group(value_holdout.Held(hidden, 15)).headline(hidden) == (
        "No group can be compared"
    )


def test_amounts_leave_out_of_whom_none_is_known():
    models = {"ours": lambda ahead: np.full(4, 2.0)}
    cents = np.array([np.nan, 100, 200, 300])
    table = value_holdout.amounts(
        models, cents, lambda ahead: np.array([9, 300, 300, 600.0]), 15, 0.95
    )
    assert table.select("measure", "n", "actual", "predicted").rows() == [
        ("amount in cents", 3, 400.0, 400.0)
    ]
    assert value_holdout.amounts(models, cents * np.nan, came, 15, 0.95).is_empty()


def test_for_the_chart_what_came_stands_beside_every_model():
    groups = value_holdout._beside(compared().filter(by="purchases so far"))
    assert groups.filter(model="as it came")["per_customer"].to_list() == [0.0, 1.5, 3.0]
    assert set(groups["model"]) == {"as it came", "ours", "other"}
    assert groups.filter(pl.col("model") != "as it came")["ci_lower"].null_count() == 6
    weeks = value_holdout._weekly(compared())
    assert weeks["week"].to_list() == [1, 2] * 3
    assert weeks["group"].to_list()[:2] == ["as it came"] * 2


def test_members_are_divided_by_tenure_in_order():
    stayed = known(CLUB, tenure_days=[800, 90, 91, 730, 365])
    models = {"ours": lambda ahead: np.ones(5)}
    table = value_holdout.compare(models, models["ours"], stayed, 3)
    assert table.filter(by="tenure")["group"].to_list() == [
        "up to 90 days",
        "up to 180 days",
        "up to 365 days",
        "up to 730 days",
        "over 730 days",
    ]


@pytest.mark.parametrize(
    ("day", "most", "held_out"), [(400, 365, 150), (400, 60, 60), (101, 60, 0)]
)
def test_no_more_than_half_of_the_data_are_held_out(day, most, held_out):
    acts = pl.LazyFrame({"day": [90, 100, 300], "orders": [0, 1, 2]})
    terms = pl.LazyFrame({"started_day": [100, 200]})
    for churn in (SHOP, CLUB):
        assert value_holdout.horizon(Past(acts, terms, churn), day, most) == held_out
