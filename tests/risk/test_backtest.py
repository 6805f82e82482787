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
            "told": told.ravel(),
            "noise": rng.normal(size=left.size),
        }
    )


def by(column: str, seen: list | None = None) -> risk.Learn:
    """A model whose risk is one column, made a probability; what it was given is kept."""

    def learn(rows):
        if seen is not None:
            seen.append(rows["landmark_day"].unique().sort().to_list())
        return lambda rows: 1 / (1 + np.exp(-2 * rows[column].to_numpy() - np.log(0.3)))

    return learn


def rate(rows: pl.DataFrame):
    """The model that gives everybody the share that left."""
    return lambda others: np.full(others.height, rows["left"].mean() or 0.0)


MODELS = {"ours": by("told"), "recency": by("noise"), "null": rate, "boosting": by("told")}


def verdict(rows: pl.DataFrame, models=MODELS, most: int = 6, levels_hold=True) -> dict:
    said = backtest.play(rows, models, AFTER, backtest.testable(rows, AFTER, most, 0))
    return backtest.gate(backtest.differences(said, draws=100), levels_hold, 500).row(0, named=True)


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

    assert seen == [[60, 90, 120], [90, 120, 150], [210, 240, 270]]


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
    assert few["verdict"] == "untested"
    assert "there are 2. There can be enough from 1971-05-16 on." in few["sentence"]

    useless = verdict(rows, MODELS | {"ours": by("noise")})
    assert useless["verdict"] == "closed"
    assert "does not surely rank better than recency alone" in useless["sentence"]
    assert "not surely nearer to what happened than one rate for all" in useless["sentence"]

    off = by("told")
    doubled = {"ours": lambda rows: lambda rows: np.minimum(1.3 * off(rows)(rows), 1)}
    closed = verdict(rows, MODELS | doubled)
    assert closed["verdict"] == "closed"
    assert "predicted and observed shares lie" in closed["sentence"]
    order = verdict(rows, MODELS | doubled, levels_hold=False)
    assert order["verdict"] == "open"
    assert "only its order was judged" in order["sentence"]


def test_a_perfect_model_of_few_customers_is_not_closed_by_chance():
    """A perfect model of 570 rows misses its tenths by 5 points on average; the lower limit allows
    for that."""
    verdicts = [verdict(world(seed, n=95))["verdict"] for seed in range(20)]
    assert verdicts.count("closed") <= 2


def test_what_came_true_is_counted_by_band_of_rank_within_each_date():
    said = backtest.play(world(6, n=200), MODELS, AFTER, [240, 270])
    table = backtest.by_band(said)

    assert dict(table.select("band", "times").rows()) == {
        "next fifth": 80, "rest": 280, "top tenth": 40
    }  # fmt: skip
    top = pl.concat(
        there.sort("ours", descending=True).head(20) for _, there in said.group_by("landmark_day")
    )
    assert table.filter(band="top tenth")["came_true"].item() == top["left"].mean()


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

    shown = backtest.lead(backtest.Tests(none, pl.DataFrame([row]), none, none, gate))

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
    shown = backtest.calibration(backtest.Tests(table, table, table, table, table))
    assert shown.headline.startswith("Predicted and observed shares lie")
    assert shown.table["came_true"].equals(table["observed"].rename("came_true"))


def test_where_nothing_can_be_tested_every_table_is_there_without_rows():
    said = backtest.play(world(1), MODELS, AFTER, [])
    results, apart = backtest.results(said, 90), backtest.differences(said)

    gate = backtest.gate(apart, True, 500)
    bands = backtest.by_band(said)
    tests = backtest.Tests(results, apart, backtest.by_tenth(said), bands, gate)

    assert gate["verdict"].item() == "untested"
    assert bands.is_empty()
    for shown in (backtest.lead(tests), backtest.model_scores(tests), backtest.calibration(tests)):
        assert shown.table.is_empty()
    [finding] = backtest.lead(tests).findings
    assert finding.value is None
    assert finding.sentence == gate["sentence"].item()
