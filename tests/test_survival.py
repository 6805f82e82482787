"""Survival against published values, by hand, and against lifelines' own test."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines.datasets import load_rossi, load_waltons
from lifelines.statistics import multivariate_logrank_test

from retention.analysis import hazards, survival
from retention.errors import Refused
from retention.tables import spells

# Freireich et al. (1963), 6-MP arm: weeks of remission; + is censored.
FREIREICH = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"


def lives(text: str, **columns) -> pl.DataFrame:
    """Drawn durations, those with a + censored, as one row per customer."""
    words = text.split()
    return pl.DataFrame(
        {
            "customer_id": [f"c{number:04d}" for number in range(len(words))],
            "duration_days": [int(word.strip("+")) for word in words],
            "event_observed": [not word.endswith("+") for word in words],
            **columns,
        }
    )


def from_pandas(frame) -> pl.DataFrame:
    return pl.DataFrame({name: frame[name].to_numpy() for name in frame.columns})


def test_freireich_curve_and_limits_are_the_published_ones():
    curve = survival.kaplan_meier(lives(FREIREICH))

    at_6 = curve.row(by_predicate=pl.col("duration_days") == 6, named=True)
    assert (at_6["at_risk"], at_6["events"]) == (21, 3)
    assert [round(at_6[name], 3) for name in survival.SURVIVAL] == [0.857, 0.620, 0.952]
    steps = curve.filter(pl.col("events") > 0)
    assert [round(value, 3) for value in steps["survival"]] == [
        0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448,
    ]  # fmt: skip
    assert survival.median_days(curve) == 23


def test_waltons_median_and_log_rank_are_the_published_ones():
    data = from_pandas(load_waltons()).rename({"T": "duration_days", "E": "event_observed"})
    data = data.with_columns(
        pl.col("duration_days").cast(pl.Int64), pl.col("event_observed").cast(pl.Boolean)
    )

    assert survival.median_days(survival.kaplan_meier(data)) == 56
    test = survival.log_rank(data, "group")
    assert test["statistic"].item() == pytest.approx(122.249126, abs=5e-7)
    assert test["df"].item() == 1


def test_rossi_coefficients_are_the_published_ones():
    data = from_pandas(load_rossi()).rename({"week": "duration_days", "arrest": "event_observed"})
    data = data.with_columns(pl.col("event_observed").cast(pl.Boolean))
    published = {  # coefficient, p; lifelines' documentation, "Survival Regression"
        "fin": (-0.379422, 0.047416),
        "age": (-0.057438, 0.009031),
        "race": (0.313900, 0.308118),
        "wexp": (-0.149796, 0.480290),
        "mar": (-0.433704, 0.256064),
        "paro": (-0.084871, 0.664612),
        "prio": (0.091497, 0.001404),
    }

    ratios = hazards.hazard_ratios(data, list(published))

    assert (ratios["n"][0], ratios["events"][0]) == (432, 114)
    assert ratios["term"].to_list() == [f"{name}: one more" for name in published]
    got = list(zip(ratios["hazard_ratio"].log(), ratios["p_value"], strict=True))
    assert np.allclose(got, list(published.values()), atol=1e-6)


def test_late_entry_removes_the_bias_of_customers_already_there():
    rng = np.random.default_rng(0)
    life, entry = rng.exponential(12, 20_000), rng.uniform(0, 24, 20_000)
    seen = pl.DataFrame({"life": life * 100, "entry": entry * 100}).filter(
        pl.col("life") > pl.col("entry")
    )
    late = seen.select(
        pl.col("life").ceil().cast(pl.Int64).alias("duration_days"),
        pl.lit(True).alias("event_observed"),
        pl.col("entry").floor().cast(pl.Int64).alias("entry_days"),
    )

    right, naive = (
        survival.survival_at(survival.kaplan_meier(frame), [1200])["survival"].item()
        for frame in (late, late.drop("entry_days"))
    )
    assert right == pytest.approx(0.351, abs=0.004)
    assert naive == pytest.approx(0.692, abs=0.001)


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

    statistic = survival.log_rank(data, "group")["statistic"].item()
    assert statistic == pytest.approx((observed_a - expected) ** 2 / variance)


life = st.tuples(st.integers(1, 40), st.booleans(), st.sampled_from("abc"))


@settings(deadline=None, max_examples=60)
@given(st.lists(life, min_size=6, max_size=60))
def test_log_rank_equals_lifelines_on_any_lives(rows):
    data = pl.DataFrame(rows, schema=["duration_days", "event_observed", "group"], orient="row")
    if data["group"].n_unique() < 2 or data["event_observed"].sum() < 2:
        return
    columns = ("duration_days", "group", "event_observed")
    theirs = multivariate_logrank_test(*(data[name].to_numpy() for name in columns))

    ours = survival.log_rank(data, "group")["statistic"].item()
    if np.isfinite(theirs.test_statistic):
        assert ours == pytest.approx(theirs.test_statistic, rel=1e-6, abs=1e-8)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 50), st.booleans()), min_size=1, max_size=80))
def test_a_curve_never_rises_and_equals_the_product_by_hand(rows):
    data = pl.DataFrame(rows, schema=["duration_days", "event_observed"], orient="row")

    curve = survival.kaplan_meier(data)

    by_hand = 1.0
    for day, at_risk, events, value in curve.select(
        "duration_days", "at_risk", "events", "survival"
    ).rows():
        assert at_risk == sum(duration >= day for duration, _ in rows)
        assert events == sum(end and duration == day for duration, end in rows)
        by_hand *= 1 - events / at_risk
        assert value == pytest.approx(by_hand)
    assert curve["survival"].diff().drop_nulls().le(1e-12).all()
    assert (curve["ci_lower"] <= curve["survival"] + 1e-12).all()
    assert (curve["ci_upper"] >= curve["survival"] - 1e-12).all()


def test_a_curve_is_read_as_it_stands_and_never_beyond_its_end():
    curve = survival.kaplan_meier(lives("2 4+ 6 8+"))

    read = survival.survival_at(curve, [1, 3, 6, 8, 9])

    assert read["survival"].to_list()[:4] == pytest.approx([1.0, 0.75, 0.375, 0.375])
    assert read["survival"][4] is None


def test_groups_are_in_order_and_the_unknown_is_a_group():
    data = lives("1 2 3 4", plan=["pro", None, "basic", "pro"])

    assert survival.kaplan_meier(data, "plan")["group"].unique(maintain_order=True).to_list() == [
        "basic", "not known", "pro",
    ]  # fmt: skip


def test_only_first_spells_that_can_be_judged_are_observed():
    stretches = pl.DataFrame(
        {
            "customer_id": ["a", "a", "b", "c"],
            "spell": [1, 2, 1, 1],
            "entry_day": [10, 90, 20, 7],
            "start_day": [10, 90, 20, 5],
            "duration_days": [5, 9, None, 8],
            "event_observed": [True, False, None, False],
            "cause": ["x", None, None, None],
            "plan": pl.Series([None] * 4, dtype=pl.String),
            "excluded": [None, None, "too_new", None],
        }
    )

    seen = survival.observed(stretches)

    assert seen.select("customer_id", "duration_days", "entry_days", "started").rows() == [
        ("a", 5, 0, "1970-01"),
        ("c", 8, 2, "1970-01"),
    ]


def test_text_is_compared_with_its_most_frequent_level():
    data = lives("1 9 3 7 5 6 4 8+ 2 10 6 3", plan=list("bbbbbaaaaccc"))

    assert hazards.hazard_ratios(data, ["plan"])["term"].to_list() == [
        "plan: a against b",
        "plan: c against b",
    ]


def test_with_a_cause_other_ends_count_as_censored():
    data = lives("1 2 3 4 5 6 7 8", x=[1.0, 0, 1, 0, 0, 1, 0, 1], cause=list("abaabbab"))
    censored = data.with_columns(event_observed=pl.col("cause") == "a")

    both = hazards.hazard_ratios_by_cause(data, ["x"], ["a", "b"])[0]

    assert both["cause"].to_list() == ["a", "b"]
    assert both["events"].to_list() == [4, 4]
    same = hazards.hazard_ratios(censored, ["x"])
    assert both["hazard_ratio"][0] == pytest.approx(same["hazard_ratio"][0])


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"x": [None, 1.0, 2.0]}, "not known for 1 customers"),
        ({"x": [1.0, 1.0, 1.0]}, "never varies"),
        ({"y": [1.0, 2.0, 3.0]}, "no covariate 'x' is known"),
    ],
)
def test_a_covariate_that_cannot_be_used_is_refused_by_name(columns, words):
    with pytest.raises(Refused, match=words):
        hazards.hazard_ratios(lives("1 2 3", **columns), ["x"])


def test_nothing_is_estimated_from_nobody():
    with pytest.raises(Refused, match="at least one customer"):
        survival.kaplan_meier(lives("1").clear())
    with pytest.raises(Refused, match="confidence"):
        survival.kaplan_meier(lives("1"), confidence=95)
    assert survival.log_rank(lives("1 2", group=["a", "a"]), "group").is_empty()
    with pytest.raises(Refused, match="does not converge"):
        hazards.hazard_ratios(lives("1 2 3 4+ 5+ 6+", x=[1.0, 1, 1, 0, 0, 0]), ["x"])
    with pytest.raises(Refused, match="no customer left"):
        hazards.hazard_ratios(lives("1+ 2+", x=[0.0, 1.0]), ["x"])


def test_the_headline_names_the_ratio_that_departs_most_and_only_a_clear_one():
    ratios = pl.DataFrame(
        {
            "cause": ["any", "any", "late"],
            "term": ["a", "b", "c"],
            "hazard_ratio": [3.0, 0.5, 1.5],
            "ci_lower": [0.9, 0.4, 1.2],
            "ci_upper": [9.0, 0.6, 1.8],
        }
    )

    assert hazards.headline(ratios) == "b delays leaving most: hazard ratio 0.50"
    assert "c hastens leaving most: hazard ratio 1.50 (cause: late)" in hazards.headline(
        ratios.tail(1)
    )
    assert "Nothing known" in hazards.headline(ratios.head(1))


def test_the_headline_of_a_curve_is_its_median_where_it_was_reached():
    assert survival.headline(survival.kaplan_meier(lives(FREIREICH))).endswith(
        "have left by day 23"
    )
    early = survival.kaplan_meier(lives("1 2+ 9+ 9+"))
    assert survival.headline(early) == "More than half are still active after 9 days"


def test_a_curve_of_late_entrants_begins_where_enough_are_at_risk():
    data = lives("2 30 40 50 60+", entry_days=[0, 10, 10, 20, 20])

    curve = survival.kaplan_meier(data, least=3)

    assert curve.select("duration_days", "at_risk").rows() == [(20, 4), (30, 4), (40, 3)]
    assert curve["survival"].to_list() == pytest.approx([1.0, 0.75, 0.5])
    read = survival.survival_at(curve, [5, 25, 45])
    assert read["survival"].to_list() == [None, 1.0, None]


def test_a_curve_goes_on_after_a_day_on_which_everybody_at_risk_left():
    data = lives("2 30 40+", entry_days=[0, 10, 10])

    assert survival.kaplan_meier(data)["duration_days"].to_list() == [10, 30, 40]


def test_customers_older_than_the_data_are_followed_from_the_first_data_day():
    """Truth is planted: lives of buyers seen only from day 400 on, P(T > 300 | T > 100)."""
    rng, lasts, log = np.random.default_rng(0), {}, []
    for number in range(6_000):
        who, day = f"c{number:05}", int(rng.integers(0, 400))
        started = day
        while rng.random() >= 0.08:
            day += min(int(rng.geometric(0.05)), 149)
            log.append((who, day))
        log.append((who, started))
        lasts[who] = (started, day - started + 1)
    life = np.array([duration for _, duration in lasts.values()])
    truth = (life > 300).mean() / (life > 100).mean()

    events = pl.DataFrame(log, schema=["customer_id", "day"], orient="row")
    stretches = spells.from_activity(
        events.filter(pl.col("day").is_between(400, 2500)).with_columns(kind=pl.lit("buy")),
        pl.DataFrame(
            {"customer_id": list(lasts), "started_day": [start for start, _ in lasts.values()]}
        ),
        kinds=["buy"],
        snapshot_day=2_500,
        after_days=150,
    )
    curve = survival.kaplan_meier(survival.observed(stretches), least=50)
    at_100, at_300 = survival.survival_at(curve, [100, 300])["survival"]

    assert at_300 / at_100 == pytest.approx(truth, abs=0.02)


def test_small_levels_and_too_many_become_other_and_none_is_left_small():
    text = ["big"] * 30 + ["middle"] * 12 + ["small"] * 7 + [None] * 11
    data = pl.DataFrame({"plan": text, "age": range(60)})

    few = survival.collapse(data, ["plan", "age", "plan"], min_cell=10)
    assert few["age"].dtype == pl.Int64
    sizes = dict(few["plan"].value_counts().rows())
    assert sizes == {"big": 30, "middle": 12, "other": 18}

    many = pl.DataFrame({"city": [f"{number:02}" for number in range(40)] * 20})
    assert survival.collapse(many, ["city"], min_cell=10)["city"].n_unique() == 12
    with pytest.raises(Refused, match="no attribute 'colour' is known at the start"):
        survival.collapse(data, ["colour"], 10)


@given(st.lists(st.sampled_from("aaaabbbccd"), min_size=10, max_size=120))
def test_after_collapsing_no_level_is_small(levels):
    data = pl.DataFrame({"x": levels})

    sizes = survival.collapse(data, ["x"], min_cell=10)["x"].value_counts()["count"]

    assert sizes.min() >= 10 or sizes.len() == 1
    assert sizes.sum() == len(levels)


def test_what_was_measured_after_the_start_is_not_offered():
    stretches = pl.DataFrame(
        {
            "customer_id": ["a"],
            "spell": [1],
            "entry_day": [10],
            "start_day": [10],
            "duration_days": [5],
            "event_observed": [True],
            "cause": pl.Series([None], dtype=pl.String),
            "plan": ["pro"],
            "excluded": pl.Series([None], dtype=pl.String),
        }
    )
    customers = pl.DataFrame({"customer_id": ["a"], "orders_total": [9], "region": ["north"]})

    seen = survival.observed(stretches, customers)

    assert "orders_total" not in seen.columns
    assert seen["region"].item() == "north"
    with pytest.raises(Refused, match=r"'orders_total' is known at the start .* would leak"):
        hazards.hazard_ratios(seen, ["orders_total"])


def test_what_cannot_be_estimated_is_said_and_stops_nothing():
    empty, why = hazards.hazard_ratios_by_cause(lives("1 2", x=[1.0, 1.0]), ["x"], [])
    assert empty.is_empty()
    assert "'x' never varies" in why
    assert "names no covariates" in hazards.hazard_ratios_by_cause(lives("1"), [], [])[1]


@pytest.mark.parametrize(
    ("days", "groups"),
    [
        (range(0, 90), ["1970-01", "1970-02", "1970-03"]),
        (range(0, 400, 20), ["1970-Q1", "1970-Q2", "1970-Q3", "1970-Q4", "1971-Q1"]),
        (range(0, 3000, 300), [str(1970 + year) for year in range(8)]),
    ],
)
def test_starts_are_grouped_by_the_finest_period_that_makes_few_groups(days, groups):
    started = pl.from_epoch(pl.Series("day", list(days)), time_unit="d")

    assert survival._period(started).unique().sort().to_list() == groups
