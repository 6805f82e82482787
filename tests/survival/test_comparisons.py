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
from retention.survival import comparisons


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
