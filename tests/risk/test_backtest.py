"""The past played through again: nobody knows the future, and who ranks better is seen to."""

import numpy as np
import polars as pl
import pytest

from retention import exhibit
from retention.risk import backtest, risk

DAYS = range(0, 420, 30)
AFTER = 120


def world(seed: int, n: int = 600, days=DAYS, rate: float = 0.3) -> pl.DataFrame:
    """Landmarks with a signal that tells who leaves, and one that does not."""
    rng = np.random.default_rng(seed)
    told = rng.normal(size=(len(days), n))
    left = rng.random((len(days), n)) < 1 / (1 + np.exp(-(2 * told + np.log(rate))))
    return pl.DataFrame(
        {
            "landmark_day": np.repeat(list(days), n),
            "customer_id": [f"c{number}" for number in range(n)] * len(days),
            "left": left.ravel(),
            "left_in_days": np.where(left, rng.integers(1, 91, left.shape), 91).ravel(),
            "end_known": False,
            "told": told.ravel(),
            "noise": rng.normal(size=left.size),
        }
    )


def by(column: str, seen: list | None = None) -> risk.Learn:
    """A model whose risk is one column, made a probability; what it was given is kept."""

    def learn(rows):
        if seen is not None:
            seen.append(rows["landmark_day"].max())
        return lambda rows: 1 / (1 + np.exp(-2 * rows[column].to_numpy() - np.log(0.3)))

    return learn


MODELS = {"ours": by("told"), "recency": by("noise"), "null": by("noise"), "boosting": by("told")}


def verdict(rows: pl.DataFrame, models=MODELS, most: int = 6) -> dict:
    said = backtest.play(rows, models, AFTER, backtest.testable(rows, AFTER, most, 0))
    apart = backtest.differences(said, draws=100)
    return backtest.gate(apart, backtest.by_tenth(said)).row(0, named=True)


def test_landmarks_are_tested_that_have_enough_before_them_whose_outcome_was_known():
    assert backtest.testable(world(1), AFTER, 99, 0) == list(range(120, 420, 30))
    assert backtest.testable(world(1), AFTER, 2, 0) == [360, 390]
    assert backtest.testable(world(1), AFTER, 99, 200) == [330, 360, 390]
    few = world(1, n=40)  # some 12 leave at each landmark
    assert backtest.testable(few, AFTER, 99, 0) == []
    assert backtest.testable(world(1).head(0), AFTER, 99, 0) == []


def test_no_model_sees_what_was_not_known_yet():
    seen = []
    backtest.play(world(1), {"ours": by("told", seen)}, AFTER, [240, 270, 390])

    assert seen == [120, 150, 270]


def test_every_measure_at_every_landmark_is_that_of_its_rows():
    rows = world(2, n=2_000)
    said = backtest.play(rows, MODELS, AFTER, [240, 390])
    table = backtest.results(said, 90)

    assert table.select("landmark_day", "model").rows() == [
        (day, model) for day in (240, 390) for model in MODELS
    ]
    ours = table.filter(landmark_day=390, model="ours").row(0, named=True)
    there = said.filter(landmark_day=390)
    left, risk = there["left"].to_numpy(), there["ours"].to_numpy()
    pairs = np.subtract.outer(risk[left], risk[~left])
    assert ours["auc"] == pytest.approx((pairs > 0).mean())
    assert ours["brier"] == pytest.approx(((risk - left) ** 2).mean())
    top = np.argsort(-risk)[:200]
    assert ours["top_decile_lift"] == pytest.approx(left[top].mean() / left.mean())
    assert (ours["n"], ours["events"]) == (2_000, left.sum())
    assert ours["calibration_error"] < 0.05
    assert table.filter(model="recency")["calibration_error"].min() > 0.1


@pytest.mark.slow
def test_the_interval_of_the_difference_covers_the_truth_as_often_as_it_says():
    covered = 0
    truth = backtest.play(world(99, n=60_000, days=[240]), MODELS, AFTER, [240])
    apart = backtest.differences(truth, draws=2).filter(model="recency")["auc_ahead"].item()
    for seed in range(60):
        said = backtest.play(world(seed, days=[0, 240, 270, 300]), MODELS, AFTER, [240, 270, 300])
        row = backtest.differences(said, draws=200).filter(model="recency").row(0, named=True)
        covered += row["ci_lower"] <= apart <= row["ci_upper"]
    assert 50 <= covered <= 60


def test_the_gate_opens_for_a_good_risk_and_says_what_closes_it():
    rows = world(3)
    assert verdict(rows)["verdict"] == "open"

    few = verdict(rows, most=2)
    assert few["verdict"] == "not testable"
    assert "so far there are 2" in few["sentence"]

    useless = verdict(rows, MODELS | {"ours": by("noise"), "boosting": by("noise")})
    assert useless["verdict"] == "closed"
    assert "does not clearly rank better than recency alone" in useless["sentence"]

    behind = world(3).with_columns(worse=pl.col("told") + 0.7 * pl.col("noise"))
    behind = verdict(behind, MODELS | {"ours": by("worse")})
    assert behind["verdict"] == "closed"
    assert "boosting is clearly ahead" in behind["sentence"]

    off = by("told")
    doubled = {"ours": lambda rows: lambda rows: np.minimum(2 * off(rows)(rows), 1)}
    off = verdict(rows, MODELS | doubled)
    assert off["verdict"] == "closed"
    assert "predicted and observed shares lie" in off["sentence"]


def test_customers_whose_end_is_on_record_are_learnt_from_and_not_judged():
    rows = world(5)
    marked = rows.with_columns(end_known=(pl.col("told") > 1) & pl.col("left"))

    said = backtest.play(marked, MODELS, AFTER, backtest.testable(marked, AFTER, 2, 0))

    assert said.height == marked.filter(~pl.col("end_known"), pl.col("landmark_day") >= 360).height


@pytest.mark.parametrize(
    ("lower", "upper", "says"),
    [
        (0.01, 0.03, "Our risk ranks best, ahead of boosting: AUC 0.720 against 0.700 (+0.010"),
        (-0.03, -0.01, "Our risk ranks behind boosting"),
        (-0.01, 0.01, "No clear difference between our risk and boosting"),
    ],
)
def test_the_headline_says_which_ranks_best_and_the_finding_what_the_gate_does(lower, upper, says):
    row = {"model": "boosting", "auc": 0.7, "auc_of_ours": 0.72, "ours_lower": 0.7}
    row |= {"ours_upper": 0.74, "auc_ahead": 0.02, "ci_lower": lower, "ci_upper": upper}
    gate = pl.DataFrame({"verdict": ["open"], "sentence": ["Open."]})
    none = pl.DataFrame()

    shown = backtest.lead(backtest.Tests(none, pl.DataFrame([row]), none, gate))

    assert exhibit.of(shown.headline, shown.table).startswith(says)
    [finding] = shown.findings
    assert finding.sentence.startswith("Open. AUC of the risk")
    assert (finding.value, finding.ci) == (0.72, (0.7, 0.74))


def test_calibration_says_by_tenths_what_was_predicted_and_what_happened():
    said = backtest.play(world(4), MODELS, AFTER, [240, 390])
    table = backtest.by_tenth(said)

    assert table["tenth"].to_list() == list(range(1, 11))
    assert table["n"].sum() == said.height
    assert table["left"].sum() == said["left"].sum()
    inside = (table["predicted"] > table["ci_lower"]) & (table["predicted"] < table["ci_upper"])
    assert inside.sum() >= 8
    shown = backtest.calibration(backtest.Tests(table, table, table, table))
    assert shown.headline.startswith("Predicted and observed shares lie")
    assert shown.table["share_left"].equals(table["observed"].rename("share_left"))


def test_where_nothing_can_be_tested_every_table_is_there_without_rows():
    said = backtest.play(world(1), MODELS, AFTER, [])
    results, apart = backtest.results(said, 90), backtest.differences(said)

    tenths = backtest.by_tenth(said)
    gate = backtest.gate(apart, tenths)
    tests = backtest.Tests(results, apart, tenths, gate)

    assert gate["verdict"].item() == "not testable"
    for shown in (backtest.lead(tests), backtest.model_scores(tests), backtest.calibration(tests)):
        assert shown.table.is_empty()
    [finding] = backtest.lead(tests).findings
    assert finding.value is None
    assert finding.sentence == gate["sentence"].item()
