"""Differences between groups: published, against lifelines, by hand, and planted."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines.datasets import load_waltons
from lifelines.statistics import multivariate_logrank_test
from lives import lives, weeks

from retention.stats import rank_tests
from retention.survival import comparisons, survival


def overall(data: pl.DataFrame, by: str) -> float:
    return comparisons.log_rank(data, by)["statistic"][0]


def drawn(means: dict[str, float], n: int, seed: int, window: int = 400) -> pl.DataFrame:
    """Exponential lives in whole days, ``n`` of each group, the rest censored after ``window``."""
    rng = np.random.default_rng(seed)
    life = np.concatenate([np.ceil(rng.exponential(mean, n)) for mean in means.values()])
    return pl.DataFrame(
        {
            "duration_days": np.minimum(life, window).astype(int),
            "event_observed": life <= window,
            "plan": np.repeat(list(means), n),
        }
    )


def test_waltons_log_rank_is_the_published_one():
    tests = comparisons.log_rank(weeks(load_waltons(), "T", "E"), "group")

    assert tests["statistic"].to_list() == pytest.approx([122.249126] * 2, abs=5e-7)
    assert tests.select("group", "other", "n", "df").rows() == [
        (None, None, 163, 1),
        ("control", "miR-137", 163, 1),
    ]
    assert tests["p_adjusted"].to_list() == [None, tests["p_value"][0]]


def test_log_rank_with_late_entry_agrees_with_a_risk_set_by_hand():
    data = lives("3 5 5+ 8 4 6+ 9 9", group=list("aaaabbbb"), entry_days=[0, 2, 0, 4, 1, 0, 5, 0])
    expected = variance = 0.0
    observed_a = data.filter(group="a")["event_observed"].sum()
    for day in data.filter("event_observed")["duration_days"].unique():
        at_risk = data.filter(pl.col("entry_days") < day, pl.col("duration_days") >= day)
        ends = at_risk.filter(pl.col("duration_days") == day, "event_observed").height
        n, a = at_risk.height, at_risk.filter(group="a").height
        expected += ends * a / n
        if n > 1:
            variance += ends * a * (n - a) * (n - ends) / (n**2 * (n - 1))

    assert overall(data, "group") == pytest.approx((observed_a - expected) ** 2 / variance)


life = st.tuples(st.integers(1, 40), st.booleans(), st.sampled_from("abc"))


@given(st.lists(life, min_size=6, max_size=60))
def test_log_rank_equals_lifelines_on_any_lives(rows):
    data = pl.DataFrame(rows, schema=["duration_days", "event_observed", "group"], orient="row")
    if data["group"].n_unique() < 2 or data["event_observed"].sum() < 2:
        return
    columns = ("duration_days", "group", "event_observed")
    theirs = multivariate_logrank_test(*(data[name].to_numpy() for name in columns))

    if np.isfinite(theirs.test_statistic):
        assert overall(data, "group") == pytest.approx(theirs.test_statistic, rel=1e-6, abs=1e-8)


def test_holm_by_hand():
    """.01 x 4; then the larger of .04 and .02 x 3; .03 x 2 is less than that; .5 at last."""
    raised = rank_tests.holm(np.array([0.5, 0.02, 0.01, 0.03]))
    assert raised == pytest.approx([0.5, 0.06, 0.04, 0.06])
    assert rank_tests.holm(np.array([0.6, 0.9])).tolist() == [1.0, 1.0]
    assert rank_tests.holm(np.array([])).size == 0


def test_of_groups_alike_chance_makes_any_pair_clear_no_oftener_than_it_says():
    alike = dict.fromkeys("abcd", 100.0)
    clear = sum(
        comparisons.log_rank(drawn(alike, 60, seed), "plan")["p_adjusted"].min() < 0.05
        for seed in range(300)
    )
    assert 3 <= clear <= 28  # at most 5 % of 300, 99.9 % of draws; without Holm about 60


def test_of_one_group_or_none_leaving_there_is_nothing_to_test():
    assert comparisons.log_rank(lives("1 2", group=["a", "a"]), "group").is_empty()
    nobody = comparisons.log_rank(lives("1+ 2+", group=["a", "b"]), "group")
    assert nobody["p_value"].to_list() == [1.0, 1.0]


def means_of(data: pl.DataFrame, days: list[int], least: int = 10):
    curves = survival.kaplan_meier(data, "plan", least=least)
    return comparisons.restricted_means(data, "plan", curves, days)


def test_planted_days_apart_are_found():
    truth = {name: sum(np.exp(-day / mean) for day in range(180)) for name, mean in
             {"long": 300, "short": 100}.items()}  # fmt: skip
    means = means_of(drawn({"long": 300, "short": 100}, 3_000, 4), [30, 180, 500])

    assert means.select("group", "other", "from_days", "tau_days", "n").rows() == [
        ("long", None, 0, 180, 3000),
        ("short", "long", 0, 180, 3000),
    ]
    for row in means.iter_rows(named=True):
        assert row["ci_lower"] < truth[row["group"]] < row["ci_upper"]
    last = means.row(-1, named=True)
    apart = truth["short"] - truth["long"]
    assert last["difference_lower"] < apart < last["difference_upper"] < 0
    (said,) = comparisons.farthest(means)
    assert said.name == "days_long_over_short"
    assert said.ci[0] < -apart < said.ci[1]
    assert "no clear difference" not in said.sentence


def test_the_horizon_is_the_longest_day_that_every_group_reaches_with_enough_at_risk():
    data = pl.concat([
        lives(" ".join(["5", *["90+"] * 20]), plan=["a"] * 21),
        lives(" ".join(["7", *["40+"] * 20]), plan=["b"] * 21),
    ])  # fmt: skip

    assert means_of(data, [30, 40, 60])["tau_days"].to_list() == [40, 40]
    assert means_of(data, [30, 60], least=21)["tau_days"].to_list() == []
    assert means_of(data, [60]).is_empty()
    assert comparisons.farthest(means_of(data, [60])) == []


def test_with_late_entry_days_count_from_when_all_curves_have_begun():
    early = lives("50 70+ 90+", plan=["a"] * 3, entry_days=[0] * 3)
    late = lives("10 60 90+", plan=["b"] * 3, entry_days=[0, 30, 30])

    means = means_of(pl.concat([early, late]), [25, 55, 90], least=2)

    assert means.select("from_days", "tau_days", "n", "mean_days").rows() == [
        (30, 55, 3, pytest.approx(20 + 5 * 2 / 3)),
        (30, 55, 2, 25.0),
    ]


def test_who_never_leaves_has_no_limits():
    data = pl.concat([
        lives(" ".join(["90+"] * 20), plan=["a"] * 20), drawn({"b": 30}, 20, 0).select(
            customer_id=pl.lit("c"), duration_days="duration_days",
            event_observed="event_observed", plan="plan"),
    ])  # fmt: skip

    means = means_of(data, [20])

    a = means.row(0, named=True)
    assert (a["mean_days"], a["ci_lower"], a["ci_upper"]) == (20.0, None, None)
    assert means["p_adjusted"].null_count() == 2
