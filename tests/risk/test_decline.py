"""Usage decline: planted changes are found, chance is not, and who left is counted by hand."""

import numpy as np
import polars as pl
import pytest
from drawing import drawn
from scipy.stats import binom, binomtest

from retention.book import Churn
from retention.risk import decline
from retention.tables import task

DAY = 1_000
CHURN = Churn(kind="activity", activity=["visit"], after_days=60)


def customers_at(rates: np.ndarray, recent: float = 1.0, seed: int = 1) -> pl.DataFrame:
    """The workbook's customers_at of people who are active on days drawn one by one, at ``rates``
    a day, changed by the factor ``recent`` in the last 28; half of them since day 900 to 940."""
    rng, days = np.random.default_rng(seed), np.arange(500, DAY + 1)
    factor = np.where(days > DAY - 28, recent, 1.0)
    active = rng.random((len(rates), len(days))) < rates[:, None] * factor
    joined = np.where(rng.random(len(rates)) < 0.5, rng.integers(900, 940, len(rates)), 0)
    who, which = np.nonzero(active & (days >= joined[:, None]))
    ids = pl.Series("customer_id", [f"c{number:05}" for number in range(len(rates))])
    log = pl.DataFrame({"customer_id": ids[who], "day": days[which], "kind": "visit"})
    log = log.with_columns(events=pl.lit(1), orders=pl.lit(0), amount_cents=pl.lit(0))
    people = ids.to_frame().with_columns(started_day=pl.lit(None, pl.Int64))
    derived = task.derive(log.lazy(), people.lazy(), None, CHURN, DAY)
    return derived["customers_at"].to_native().collect()


RATES = np.tile([0.03, 0.1, 0.2, 0.4, 0.9], 2_000)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_steady_customers_seem_to_change_as_often_as_is_said_and_seldom(seed):
    """From events to words, newly come customers among them: nothing on the way bends usage."""
    found = decline.changes(customers_at(RATES, seed=seed))
    for change, chance in (("falling", "seems_to_fall"), ("rising", "seems_to_rise")):
        n, expected = (found["usage"] == change).sum(), found[chance].sum()
        assert abs(n - expected) < 3.3 * expected**0.5 + 0.08 * expected
        assert n < binom.ppf(0.999, found["usage_ratio"].count(), 0.025)
        assert found[chance].max() <= 0.025


def test_planted_falls_and_rises_are_found():
    fell = decline.changes(customers_at(np.full(2_000, 0.5), recent=0.2))
    rose = decline.changes(customers_at(np.full(2_000, 0.2), recent=3.0))
    assert (fell["usage"] == "falling").mean() > 0.9
    assert (rose["usage"] == "rising").mean() > 0.8
    for found, truth in ((fell, 0.2), (rose, 3.0)):
        known = found.drop_nulls("usage_ratio")
        covered = known.filter(
            pl.col("usage_lower") <= truth, pl.col("usage_upper") >= truth
        ).height
        assert covered >= binom.ppf(0.001, known.height, 0.95)


AT = drawn("""
    | customer_id | in_risk_set | active_days_28d | active_days_before | days_before | usage_ratio |
    | stopped     | true        | 0               | 13                 | 84          | 0.0         |
    | too_little  | true        | 0               | 12                 | 84          | 0.0         |
    | steady      | true        | 28              | 84                 | 84          | 1.0         |
    | more        | true        | 20              | 5                  | 56          | 8.0         |
    | new         | true        | 9               | 0                  | 0           |             |
    | gone        | false       | 0               | 40                 | 84          | 0.0         |
    | idle        | true        | 0               | 0                  | 84          |             |
""")


AT = AT.with_columns(
    ended_days_ago=pl.lit(None, pl.Int64), booked_end_in_days=pl.lit(None, pl.Int64)
)


def test_each_customer_at_risk_is_judged_by_the_limits_of_the_ratio():
    found = decline.changes(AT)
    assert dict(found.select("customer_id", "usage").rows()) == {
        "idle": "not known",
        "more": "rising",
        "new": "not known",
        "steady": "steady",
        "stopped": "falling",
        "too_little": "steady",
    }
    assert found["customer_id"].is_sorted()
    stopped = found.row(by_predicate=pl.col("customer_id") == "stopped", named=True)
    assert (stopped["usage_lower"], stopped["usage_ratio"]) == (0, 0)
    assert stopped["usage_upper"] == pytest.approx(3 * (0.025 ** (-1 / 13) - 1))
    blank = found.filter(usage="not known").select(pl.exclude("customer_id", "usage"))
    assert blank.null_count().row(0) == (2,) * 6
    assert dict(found.select("customer_id", "stop_would_show").drop_nulls().rows()) == {
        "more": False,
        "steady": True,
        "stopped": True,
        "too_little": False,
    }
    assert decline.able(found) == 0.33


def test_a_wider_interval_calls_fewer_customers_falling():
    assert (decline.changes(AT, 0.99)["usage"] == "falling").sum() == 0


def test_shares_are_of_all_at_risk_and_stand_beside_what_chance_would_make():
    found = decline.changes(AT)
    table = decline.shares(found)
    assert table["usage"].to_list() == list(decline.USAGE)
    assert table["n"].to_list() == [1, 2, 1, 2]
    assert table["share"].to_list() == [1 / 6, 2 / 6, 1 / 6, 2 / 6]
    assert (table["ci_lower"] < table["share"]).all()
    falls, rises = (found[name].sum() / 6 for name in ("seems_to_fall", "seems_to_rise"))
    assert table["by_chance"].to_list() == [pytest.approx(falls), None, pytest.approx(rises), None]
    assert 0 < falls < 0.025
    assert decline.headline(table) == (
        f"16.7% of current customers do less than before; chance alone would make it {falls:.1%}"
    )


def test_whose_end_is_known_needs_no_sign():
    stopped = pl.col("customer_id") == "stopped"
    for name in ("ended_days_ago", "booked_end_in_days"):
        at = AT.with_columns(pl.when(stopped).then(3).otherwise(name).alias(name))
        table = decline.shares(decline.changes(at))
        assert table["n"].to_list() == [0, 2, 1, 2]
        assert decline.headline(table) == "No customer is shown to do less than before"
        rows = at.with_columns(left=pl.lit(True))
        assert decline.left_by_usage(rows)["n"].sum() == 6


def test_a_hidden_share_is_not_said():
    table = decline.shares(decline.changes(AT)).with_columns(share=pl.lit(None, pl.Float64))
    assert decline.headline(table) == "Too few customers do less than before to be shown"


END = ("ended_days_ago", "booked_end_in_days")


def landmarks(n: int, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    ratio = pl.Series(rng.uniform(0, 2, n))
    return pl.DataFrame(
        {
            "customer_id": [f"c{number:05}" for number in range(n)],
            "usage_ratio": ratio,
            "left": rng.random(n) < np.where(ratio <= 0.5, 0.4, 0.1),
            **dict.fromkeys(END, None),
        }
    )


def test_who_left_is_counted_by_band_of_the_ratio():
    rows = drawn("""
        | customer_id | usage_ratio | left  |
        | a           | 0.0         | true  |
        | b           | 0.5         | true  |
        | c           | 0.51        | true  |
        | d           | 0.79        | false |
        | e           | 0.8         | false |
        | f           | 1.25        | true  |
        | g           | 1.26        | false |
        | h           |             | true  |
    """)
    rows = rows.with_columns(pl.lit(None).alias(name) for name in END)
    table = decline.left_by_usage(rows)
    counted = [(band, n, left) for band, n, _, left, *_ in table.iter_rows()]
    assert counted == [
        ("fell by half or more", 2, 2),
        ("fell", 2, 1),
        ("about as before", 2, 1),
        ("rose", 1, 0),
        ("not known", 1, 1),
    ]
    assert table["share"].to_list() == [1.0, 0.5, 0.5, 0.0, 1.0]
    assert decline.left_headline(table) == (
        "100.0% left where usage had fallen by half or more, 50.0% where it was about as before"
    )
    assert decline.left_headline(table.filter(pl.col("usage") != "about as before")) == (
        "How usage had changed, and who left"
    )
    assert decline.left_by_usage(rows.sample(fraction=1, shuffle=True, seed=1)).equals(table)


def test_of_customers_who_stand_at_one_landmark_limits_are_wilsons():
    rows = landmarks(4_000)
    for usage, n, customers, left, share, lower, upper in decline.left_by_usage(rows).iter_rows():
        expected = tuple(binomtest(left, n).proportion_ci(0.95, "wilson"))
        assert customers == n, usage
        assert share == left / n
        assert (lower, upper) == pytest.approx(expected, rel=1e-3)


def test_the_same_customers_twice_say_no_more_than_once():
    once = landmarks(2_000)
    twice = decline.left_by_usage(pl.concat([once, once]))
    single = decline.left_by_usage(once)
    assert twice["n"].to_list() == [2 * n for n in single["n"]]
    for name in ("customers", "share"):
        assert twice[name].to_list() == single[name].to_list()
    for name in ("ci_lower", "ci_upper"):
        assert twice[name].to_list() == pytest.approx(single[name].to_list(), rel=1e-9)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_limits_hold_the_truth_though_customers_differ_from_each_other(confidence):
    """Four landmarks each of customers of whom each has a leaning of their own (beta, mean 0.2)."""
    held, runs = 0, 300
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        who = np.repeat(np.arange(400), 4)
        left = rng.random(len(who)) < rng.beta(0.4, 1.6, 400)[who]
        rows = pl.DataFrame({"customer_id": who, "usage_ratio": 1.0, "left": left})
        rows = rows.with_columns(pl.lit(None).alias(name) for name in END)
        [(*_, lower, upper)] = decline.left_by_usage(rows, confidence).rows()
        held += lower <= 0.2 <= upper
    assert binom.ppf(0.001, runs, confidence) <= held <= binom.ppf(0.999, runs, confidence)


def test_definitions_name_their_limits():
    assert "its 90% interval lies below one" in decline.definition(0.9)
    for words in (decline.definition(), decline.bands()):
        assert words.endswith("whose end is booked, are left out.")
        assert "{" not in words
    for bound in ("0.8", "0.5", "1.25"):
        assert bound in decline.bands()
