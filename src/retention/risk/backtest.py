"""How good the risk is: the past played through again, landmark by landmark, on the same rows.

At each landmark every model learns anew, only from landmarks whose outcome was known by then.
Customers whose end is on record then are left out: it needs no model to tell those.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
import polars as pl

from retention import charts
from retention.exhibit import Exhibit, Finding
from retention.refresh import Refresh
from retention.risk import risk
from retention.risk.landmarks import History
from retention.stats import scores
from retention.tables import task

LEAST_LANDMARKS = 3
LEAST_ENDS = 30  # and as many who stayed: at a landmark to test at, and in all to learn from
MOST_ERROR = 0.25  # calibration error, of the share that left, with which the gate still opens
MOST_BEHIND = 0.02  # AUC by which boosting may clearly be ahead
OURS = "ours"
OUTCOMES = ("landmark_day", "customer_id", "left", "left_in_days")
SHOWN = {"n": "times", "predicted": "mean_risk", "observed": "share_left"}  # of `by_tenth`


class Tests(NamedTuple):
    """How models did at test dates: their ``scores`` at each, how far our risk ranks ``ahead`` of
    the others, risk and outcome by ``tenths``, and the ``gate``."""

    scores: pl.DataFrame
    ahead: pl.DataFrame
    tenths: pl.DataFrame
    gate: pl.DataFrame


def judge_models(r: Refresh, history: History, signals: list[str], most: int, seed: int) -> Tests:
    """Test our risk and what it is set beside at the newest landmarks, at most ``most``: the
    tables "risk_backtest" and "risk_gate"."""
    known_after = history.horizon_days + r.book.churn.after_days
    ripe = r.tables.spells["entry_day"].min() + r.book.churn.after_days
    days = testable(history.rows, known_after, most, ripe)
    said = play(history.rows, risk.learners(signals, seed), known_after, days)
    ahead = differences(said, r.confidence, seed=seed)
    tenths = by_tenth(said, r.confidence)
    opened = gate(ahead, tenths)
    r.keep("risk_gate", opened)
    return Tests(results(said, history.horizon_days), ahead, tenths, opened)


def testable(rows: pl.DataFrame, known_after: int, most: int, ripe: int) -> list[int]:
    """The newest landmarks, at most ``most``, that can be tested, oldest first.

    Takes   landmarks (landmark_day, left, end_known); horizon_days + after_days; ``ripe``, the
            first day on which a silence may have lasted as long as silences do later: earlier
            landmarks, alone, teach nothing about those
    Returns those with at least 30 who left and 30 who stayed, and as many at the landmarks whose
            outcome was known by then, the last of them not before ``ripe``
    """
    left = pl.col("left").sum()
    sizes = rows.filter(end_known=False).group_by("landmark_day")
    days = sizes.agg(left=left, stayed=pl.len().cast(pl.Int64) - left).sort("landmark_day")
    enough = []
    for day in days["landmark_day"]:
        before = days.filter(pl.col("landmark_day") <= day - known_after)
        both = [days.filter(landmark_day=day), before]
        least = min(part[name].sum() for part in both for name in ("left", "stayed"))
        if least >= LEAST_ENDS and before["landmark_day"].max() >= ripe:
            enough.append(day)
    return enough[-most:]


def play(
    rows: pl.DataFrame, models: dict[str, risk.Learn], known_after: int, landmarks: list[int]
) -> pl.DataFrame:
    """What each model would have said at each of ``landmarks``, beside what came of it; of
    customers whose end was not on record then.

    Returns one row per landmark and customer: landmark_day, customer_id, left, left_in_days, and
            a risk for each model, named as the model
    """
    nothing = pl.DataFrame(schema=dict.fromkeys(models, pl.Float64))
    said = [pl.concat([rows.clear().select(OUTCOMES), nothing], how="horizontal")]
    for day in landmarks:
        known = rows.filter(pl.col("landmark_day") + known_after <= day)
        there = rows.filter(landmark_day=day, end_known=False)
        risks = {name: pl.Series(learn(known)(there)) for name, learn in models.items()}
        said.append(there.select(OUTCOMES).with_columns(**risks))
    return pl.concat(said)


def results(said: pl.DataFrame, horizon_days: int) -> pl.DataFrame:
    """How well each model did at each landmark.

    Takes   what `play` gives
    Returns the table "risk_backtest", one row per landmark and model: landmark_day, model,
            horizon_days, n (customers), events (who left), auc, uno_c (up to the horizon), brier,
            calibration_error (mean of |predicted - observed| over tenths of the risk),
            top_decile_lift

    Source: Blanche, Kattan and Gerds (2019), Biostatistics 20:347, for the area under the curve at
    the horizon; Uno et al. (2011), Statistics in Medicine 30:1105. Checked in
    tests/risk/test_backtest.py.
    """
    rows = []
    for (day,), there in said.group_by("landmark_day", maintain_order=True):
        time, left = (there[name].to_numpy() for name in ("left_in_days", "left"))
        for name in said.columns[len(OUTCOMES) :]:
            risks = there[name].to_numpy()
            tenths = scores.calibration(left, risks, scores.groups_of(risks))
            of = [scores.auc(left, risks), scores.harrell_c(time, left, risks)]
            of += [float(np.mean((risks - left) ** 2)), scores.calibration_error(tenths)]
            of += [scores.lift(left, risks)]
            rows.append([day, name, horizon_days, there.height, int(left.sum()), *of])
    return pl.DataFrame(rows, task.none("risk_backtest").schema, orient="row")


def by_tenth(said: pl.DataFrame, confidence: float = 0.95) -> pl.DataFrame:
    """Our risk beside what happened, by tenths of the risk, over all landmarks together.

    Takes   what `play` gives
    Returns one row per tenth: tenth, n (customers, once per landmark), left, predicted (mean
            risk), observed (share that left), ci_lower, ci_upper (Wilson: every outcome is known);
            no rows where nothing was tested
    """
    if said.is_empty():
        return pl.DataFrame()
    left, risks = (said[name].to_numpy() for name in ("left", OURS))
    table = scores.calibration(left, risks, scores.groups_of(risks), confidence)
    return table.rename({"group": "tenth", "events": "left"})


def differences(
    said: pl.DataFrame, confidence: float = 0.95, draws: int = 300, seed: int = 1
) -> pl.DataFrame:
    """By how much the other models' AUC falls short of ours, on the same customers.

    Takes   what `play` gives
    Returns one row per other model: model, landmarks, times (customers, once per landmark), auc,
            auc_of_ours (means over landmarks), ours_lower, ours_upper, auc_ahead (ours less the
            other), ci_lower, ci_upper; limits are of customers drawn again ``draws`` times, each
            with all its landmarks; no rows where nothing was tested

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13. Checked in
    tests/risk/test_backtest.py.
    """
    if said.is_empty():
        return pl.DataFrame()
    left, customer, landmark = (
        said[name].rank("dense").to_numpy().astype(np.int64) - 1
        for name in ("left", "customer_id", "landmark_day")
    )
    risks = {name: said[name].to_numpy() for name in said.columns[len(OUTCOMES) :]}
    drawn = scores.bootstrap_auc(left == 1, risks, customer, landmark, draws, seed)
    wide = drawn.pivot(on="model", index="draw", values="auc")
    there = [landmark == code for code in np.unique(landmark)]
    seen = {
        name: np.mean([scores.auc(left[rows] == 1, risk[rows]) for rows in there])
        for name, risk in risks.items()
    }
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    ours = dict(zip(("ours_lower", "ours_upper"), np.quantile(wide[OURS], tails), strict=True))
    rows = []
    for name in (name for name in risks if name != OURS):
        lower, upper = np.quantile(wide[OURS] - wide[name], tails)
        row = {"model": name, "landmarks": len(there), "times": said.height, "auc": seen[name]}
        row |= {"auc_of_ours": seen[OURS], **ours, "auc_ahead": seen[OURS] - seen[name]}
        rows.append(row | {"ci_lower": lower, "ci_upper": upper})
    return pl.DataFrame(rows)


def gate(ahead: pl.DataFrame, tenths: pl.DataFrame) -> pl.DataFrame:
    """Whether the risk is good enough to act on.

    Takes   what `differences` and `by_tenth` give
    Returns the table "risk_gate", one row: verdict (open, closed, not testable), sentence. It
            opens when at least 3 landmarks can be tested, our risk ranks better than recency alone
            (the whole interval lies above 0), boosting is not clearly ahead by more than 0.02, and
            predicted and observed shares lie at most 25 % of the share that left apart on average
    """
    landmarks = 0 if ahead.is_empty() else ahead["landmarks"][0]
    verdict = "not testable"
    sentence = (
        f"Not testable: at least {LEAST_LANDMARKS} test dates need a known outcome and enough to "
        f"learn from before them; so far there are {landmarks}."
    )
    if landmarks >= LEAST_LANDMARKS:
        lower, upper = (dict(ahead["model", end].rows()) for end in ("ci_lower", "ci_upper"))
        left, error = tenths["left"].sum() / tenths["n"].sum(), scores.calibration_error(tenths)
        off = f"predicted and observed shares lie {error:.1%} apart on average, and {left:.1%} left"
        faults = {
            "it does not clearly rank better than recency alone": lower["recency"] <= 0,
            f"boosting is clearly ahead by more than {MOST_BEHIND}": upper["boosting"]
            < -MOST_BEHIND,
            off: error > MOST_ERROR * left,
        }
        found = "; ".join(fault for fault, is_so in faults.items() if is_so)
        fine = f"it clearly ranks better than recency alone; boosting is not clearly ahead; {off}"
        verdict = "closed" if found else "open"
        sentence = f"{verdict.capitalize()}, over {landmarks} test dates: {found or fine}."
    return pl.DataFrame({"verdict": [verdict], "sentence": [sentence]})


def lead(tests: Tests) -> Exhibit:
    """How far our risk ranks ahead of the other models, and whether it may be acted on."""
    sentence, figure = tests.gate["sentence"].item(), {}
    if not tests.ahead.is_empty():
        sentence += " AUC of the risk, on average over test dates: {value} ({ci})."
        auc, *ci = tests.ahead["auc_of_ours", "ours_lower", "ours_upper"].row(0)
        figure = {"value": auc, "ci": tuple(ci)}
    return Exhibit(
        tests.ahead,
        _best,
        draw=partial(charts.points, label=_named, value="auc_ahead"),
        findings=[Finding("auc", sentence, unit="AUC", **figure)],
        empty="The risk cannot be tested yet.",
    )


def model_scores(tests: Tests) -> Exhibit:
    """How our risk did at each test date; the other models are in the table "risk_backtest"."""
    return Exhibit(
        tests.scores,
        "How our risk did at each test date",
        behind=lambda table: table.filter(model=OURS).drop("model", "horizon_days"),
        empty="No test date has enough customers who left, and who stayed.",
        name="risk_backtest",
    )


def calibration(tests: Tests) -> Exhibit:
    """What was observed by tenths of the risk, beside what was predicted."""
    predicted = pl.format("tenth {}: predicted {}%", "tenth", (100 * pl.col("mean_risk")).round(1))
    return Exhibit(
        tests.tenths.rename(SHOWN, strict=False),
        _apart(tests.tenths) if tests.tenths.height else "",
        draw=lambda tenths: charts.bars(
            tenths.with_columns(label=predicted), "label", "share_left", n="times"
        ),
        empty="Whether the risks come true cannot be tested yet.",
    )


def _best(ahead: pl.DataFrame) -> str:
    """Which model ranks best, and by how much, in a sentence."""
    best = ahead.sort("auc", descending=True).row(0, named=True)
    verdict = "No clear difference between our risk and {model}"
    if best["ci_lower"] > 0:
        verdict = "Our risk ranks best, ahead of {model}"
    elif best["ci_upper"] < 0:
        verdict = "Our risk ranks behind {model}"
    by = "AUC {auc_of_ours:.3f} against {auc:.3f} ({ci_lower:+.3f} to {ci_upper:+.3f})"
    return f"{verdict}: {by}".format(**best)


def _named(row: dict) -> str:
    return "ahead of {model}\nAUC {auc_of_ours:.3f}, {auc:.3f}".format(**row)


def _apart(tenths: pl.DataFrame) -> str:
    error = 100 * scores.calibration_error(tenths)
    return f"Predicted and observed shares lie {error:.1f} percentage points apart on average"
