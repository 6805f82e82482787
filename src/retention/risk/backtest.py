"""How good the risk is: the past played through again, test date by test date, on the same rows.

At each test date every model learns anew, only from the newest test dates whose outcome was known
by then.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
import polars as pl

from retention import charts, words
from retention.exhibit import Exhibit, Finding
from retention.refresh import Refresh
from retention.risk import risk
from retention.risk.landmarks import OUTCOMES, History, newest
from retention.stats import ranks, scores
from retention.stats.intervals import share
from retention.tables import task

LEAST_DATES = 3
LEAST = 30  # with the outcome, and as many without: at a test date, and in all to learn from
MOST_ERROR = 0.03  # calibration error that the gate still lets pass, at its lower limit
DRAWS = 300
BESIDE = ("model", "times", "auc", "auc_ahead", "ci_lower", "ci_upper", "brier", "brier_ahead")
OURS = "ours"
SHOWN = {"n": "times", "predicted": "mean_risk", "observed": "came_true"}  # of `by_tenth`


class Tests(NamedTuple):
    """How models did at test dates: their ``scores`` at each, how far our risk is ``ahead`` of the
    others, risk and outcome by ``tenths`` of the risk and by its ``bands``, and the ``gate``."""

    scores: pl.DataFrame
    ahead: pl.DataFrame
    tenths: pl.DataFrame
    bands: pl.DataFrame
    gate: pl.DataFrame


def judge_models(r: Refresh, history: History, signals: list[str], most: int, seed: int) -> Tests:
    """Test our risk and what it is set beside at the newest test dates, at most ``most``: the
    tables "risk_backtest" and "risk_gate"."""
    days = testable(history.rows, history.known_after, most, history.ripe)
    said = play(history.rows, risk.learners(signals, seed), history.known_after, days)
    ahead = differences(said, r.confidence, seed=seed)
    first = from_when(history.ripe, history.known_after, history.step_days)
    opened = gate(ahead, levels_hold(r), first)
    r.keep("risk_gate", opened)
    tenths, bands = by_tenth(said, r.confidence), by_band(said, r.confidence)
    return Tests(results(said, history.horizon_days), ahead, tenths, bands, opened)


def levels_hold(r: Refresh) -> bool:
    """Whether risks can be judged by their size: not where the source holds later ends of contracts
    and does not say when they became known, so that customers who had given notice were tested."""
    late = (pl.col("ended_day") > r.day) & pl.col("booked_day").is_null()
    unplanned = pl.col("ended_day").ne_missing(pl.col("observed_until_day"))
    return r.tables.terms.filter(late, unplanned).is_empty()


def from_when(ripe: int, known_after: int, step_days: int) -> int:
    """The first snapshot day on which enough test dates can have a known outcome."""
    return ripe + 2 * known_after + (LEAST_DATES - 1) * step_days


def testable(rows: pl.DataFrame, known_after: int, most: int, ripe: int) -> list[int]:
    """The newest test dates that can be tested, at most ``most``, oldest first.

    Takes   customers at test dates (landmark_day, left); days until an outcome is known; ``ripe``,
            the first day on which a silence may have lasted as long as today: earlier dates, alone,
            teach nothing about those
    Returns those with at least 30 of either outcome, and as many at the dates to learn from, the
            last of these not before ``ripe``
    """
    left = pl.col("left").sum()
    sizes = rows.group_by("landmark_day").agg(left=left, stayed=pl.len().cast(pl.Int64) - left)
    enough = []
    for day in sizes["landmark_day"].sort():
        learned = newest(sizes, day - known_after)
        parts = [sizes.filter(landmark_day=day), learned]
        least = min(part[name].sum() for part in parts for name in ("left", "stayed"))
        if least >= LEAST and learned["landmark_day"].max() >= ripe:
            enough.append(day)
    return enough[-most:]


def play(
    rows: pl.DataFrame, models: dict[str, risk.Learn], known_after: int, days: list[int]
) -> pl.DataFrame:
    """What each model would have said at each of ``days``, beside what came of it.

    Returns one row per test date and customer: landmark_day, customer_id, left, and a risk for
            each model, named as the model
    """
    said = [rows.clear().select(*OUTCOMES, **dict.fromkeys(models, pl.lit(None, pl.Float64)))]
    for day in days:
        known, there = newest(rows, day - known_after), rows.filter(landmark_day=day)
        risks = {name: pl.Series(learn(known)(there)) for name, learn in models.items()}
        said.append(there.select(OUTCOMES).with_columns(**risks))
    return pl.concat(said)


def results(said: pl.DataFrame, horizon_days: int) -> pl.DataFrame:
    """How well each model did at each test date.

    Takes   what `play` gives
    Returns the table "risk_backtest", one row per test date and model: landmark_day, model,
            horizon_days, n (customers), events (with the outcome), auc, brier, calibration_error
            (mean of |predicted - observed| over tenths of the risk), top_decile_lift

    Source: Blanche, Kattan and Gerds (2019), Biostatistics 20:347, for the area under the curve at
    a horizon; Brier (1950), Monthly Weather Review 78:1. Checked in tests/risk/test_backtest.py.
    """
    rows = []
    for (day,), there in said.group_by("landmark_day", maintain_order=True):
        left = there["left"].to_numpy()
        for name in said.columns[len(OUTCOMES) :]:
            risks = there[name].to_numpy()
            tenths = scores.calibration(left, risks, scores.groups_of(risks))
            of = [scores.auc(left, risks), scores.brier(left, risks)]
            of += [scores.calibration_error(tenths), scores.lift(left, risks)]
            rows.append([day, name, horizon_days, there.height, int(left.sum()), *of])
    return pl.DataFrame(rows, task.none("risk_backtest").schema, orient="row")


def by_tenth(said: pl.DataFrame, confidence: float = 0.95) -> pl.DataFrame:
    """Our risk beside what happened, by tenths of the risk, over all test dates together.

    Takes   what `play` gives
    Returns one row per tenth: tenth, n (customers, once per test date), left, predicted (mean
            risk), observed (share with the outcome), ci_lower, ci_upper (Wilson: every outcome is
            known); no rows where nothing was tested
    """
    if said.is_empty():
        return pl.DataFrame()
    left, risks = (said[name].to_numpy() for name in ("left", OURS))
    table = scores.calibration(left, risks, scores.groups_of(risks), confidence)
    return table.rename({"group": "tenth", "events": "left"})


def by_band(said: pl.DataFrame, confidence: float = 0.95) -> pl.DataFrame:
    """What came true of each band of rank at the test dates: band, times, came_true, ci_lower,
    ci_upper (Wilson).

    Takes   what `play` gives
    """
    band = ranks.bands(OURS, risk.BANDS, risk.REST).over("landmark_day")
    counted = said.group_by(band=band).agg(
        times=pl.len().cast(pl.Int64), left=pl.col("left").sum().cast(pl.Int64)
    )
    names = ("came_true", "ci_lower", "ci_upper")
    rate = share("left", "times", confidence, names)
    return counted.select("band", "times", *rate).sort("band")


def differences(
    said: pl.DataFrame, confidence: float = 0.95, draws: int = DRAWS, seed: int = 1
) -> pl.DataFrame:
    """By how much the other models fall short of ours, on the same customers.

    Takes   what `play` gives
    Returns one row per other model: model, landmarks, times (customers, once per test date); auc,
            auc_of_ours (means over test dates), ours_lower, ours_upper; auc_ahead (ours less the
            other), ci_lower, ci_upper; brier, brier_of_ours, brier_ahead (the other less ours),
            brier_lower, brier_upper; error, error_lower (our calibration error). Limits are those
            of customers drawn again ``draws`` times, each with all their test dates; that of the
            error is the basic bootstrap's, since draws add to an error that is never below 0. No
            rows where nothing was tested

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13. Checked in
    tests/risk/test_backtest.py.
    """
    if said.is_empty():
        return pl.DataFrame()
    customer, day = (
        said[name].rank("dense").to_numpy().astype(np.int64) - 1
        for name in ("customer_id", "landmark_day")
    )
    risks = {name: said[name].to_numpy() for name in said.columns[len(OUTCOMES) :]}
    drawn = scores.bootstrap(said["left"].to_numpy(), risks, customer, day, draws, seed)
    seen = scores.bootstrap(said["left"].to_numpy(), risks, customer, day)
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]

    def limits(values: np.ndarray, lower: str, upper: str) -> dict[str, float]:
        return dict(zip((lower, upper), np.quantile(values, tails), strict=True))

    auc, brier, error = drawn
    rows = []
    for at, name in enumerate(risks):
        auc_ahead, brier_ahead = auc[:, 0] - auc[:, at], brier[:, at] - brier[:, 0]
        row = {"model": name, "landmarks": day.max() + 1, "times": said.height}
        row |= {"auc": seen[0][0, at], "auc_of_ours": seen[0][0, 0]}
        row |= limits(auc[:, 0], "ours_lower", "ours_upper")
        row |= {"auc_ahead": row["auc_of_ours"] - row["auc"]}
        row |= limits(auc_ahead, "ci_lower", "ci_upper")
        row |= {"brier": seen[1][0, at], "brier_of_ours": seen[1][0, 0]}
        row |= {"brier_ahead": row["brier"] - row["brier_of_ours"]}
        row |= limits(brier_ahead, "brier_lower", "brier_upper")
        off = seen[2][0, 0]
        row |= {"error": off, "error_lower": 2 * off - np.quantile(error[:, 0], tails[1])}
        rows.append(row)
    return pl.DataFrame(rows).filter(pl.col("model") != OURS)


def gate(ahead: pl.DataFrame, levels_hold: bool, from_day: int) -> pl.DataFrame:
    """Whether the risk is good enough to act on: the table "risk_gate".

    Takes   what `differences` gives; whether the size of risks can be judged, not only their order;
            the snapshot day from which on enough test dates can have a known outcome
    Returns one row: verdict (open, closed, untested), sentence. Untested with fewer than 3 test
            dates; closed where the risk does not surely beat recency (AUC) and null (Brier), or
            where its calibration error surely exceeds 3 points; else open
    """
    dates = 0 if ahead.is_empty() else ahead["landmarks"][0]
    if dates < LEAST_DATES:
        sentence = (
            f"Untested: {LEAST_DATES} test dates with {LEAST} customers of either outcome are "
            f"needed, and there are {dates}. There can be enough from "
            f"{words.printed(from_day, 'day')} on."
        )
        return pl.DataFrame({"verdict": [risk.UNTESTED], "sentence": [sentence]})
    of = {row["model"]: row for row in ahead.iter_rows(named=True)}
    error, least = of["null"]["error"], of["null"]["error_lower"]
    off = f"predicted and observed shares lie {error:.1%} apart on average"
    faults = {
        "it does not surely rank better than recency alone": of["recency"]["ci_lower"] <= 0,
        "it is not surely nearer to what happened than one rate for all": levels_hold
        and of["null"]["brier_lower"] <= 0,
        off: levels_hold and least > MOST_ERROR,
    }
    found = "; ".join(fault for fault, is_so in faults.items() if is_so)
    fine = f"it surely ranks better than recency alone; {off}"
    if not levels_hold:
        fine += "; only its order was judged, as the source does not say when ends became known"
    verdict = "closed" if found else "open"
    sentence = f"{verdict.capitalize()}, over {dates} test dates: {found or fine}."
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
        behind=lambda table: table.select(*BESIDE),
        findings=[Finding("auc", sentence, unit="AUC", **figure)],
        empty="The risk is untested so far.",
    )


def model_scores(tests: Tests) -> Exhibit:
    """How our risk did at each test date; the other models are in the table "risk_backtest"."""
    return Exhibit(
        tests.scores,
        "How our risk did at each test date",
        behind=lambda table: table.filter(model=OURS).drop("model", "horizon_days"),
        empty="No test date has enough customers of either outcome.",
        name="risk_backtest",
    )


def calibration(tests: Tests) -> Exhibit:
    """What was observed by tenths of the risk, beside what was predicted."""
    predicted = pl.format("tenth {}: predicted {}%", "tenth", (100 * pl.col("mean_risk")).round(1))
    return Exhibit(
        tests.tenths.rename(SHOWN, strict=False),
        _apart(tests.tenths) if tests.tenths.height else "",
        draw=lambda tenths: charts.bars(
            tenths.with_columns(label=predicted), "label", "came_true", n="times"
        ),
        empty="Whether the risks come true is untested so far.",
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
