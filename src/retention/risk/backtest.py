"""How good the risk is: the past played through again, landmark by landmark, on the same rows.

At each landmark every model learns anew, only from landmarks whose outcome was known by then.
"""

from collections.abc import Callable

import numpy as np
import polars as pl

from retention.stats import scores

Learn = Callable[[pl.DataFrame], Callable[[pl.DataFrame], np.ndarray]]
LEAST_LANDMARKS = 3
LEAST_ENDS = 30  # and as many who stayed: at a landmark to test at, and in all to learn from
MOST_ERROR = 0.25  # calibration error, of the share that left, with which the gate still opens
MOST_BEHIND = 0.02  # AUC by which boosting may surely be ahead
OURS = "ours"
WHO = (
    "Customers whose end is on record, out of contract or booked to be, are left out: it needs no "
    "model to tell those."
)
RULE = (
    f"The gate opens when at least {LEAST_LANDMARKS} landmarks can be tested, our risk ranks "
    "better than recency alone (the whole interval of the difference in AUC lies above 0), "
    f"boosting is not surely ahead by more than {MOST_BEHIND}, and predicted and observed shares, "
    f"by tenths of the risk over all landmarks, lie at most {MOST_ERROR:.0%} of the share that "
    "left apart on average."
)
MEASURES = ("auc", "uno_c", "brier", "calibration_error", "top_decile_lift")
OUTCOMES = {
    "landmark_day": pl.Int64,
    "customer_id": pl.String,
    "left": pl.Boolean,
    "left_in_days": pl.Int64,
}
RESULTS = {
    **{"landmark_day": pl.Int64, "model": pl.String},
    **dict.fromkeys(("horizon_days", "n", "events"), pl.Int64),
    **dict.fromkeys(MEASURES, pl.Float64),
}
CALIBRATION = {
    **dict.fromkeys(("tenth", "n", "left"), pl.Int64),
    **dict.fromkeys(("predicted", "observed", "ci_lower", "ci_upper"), pl.Float64),
}
TENTHS = (
    "Customers of all landmarks by tenths of their predicted risk; on the line as many left as "
    "predicted. Every outcome is known, so that shares are plain and their limits Wilson's; a "
    "customer may stand at several landmarks, so that the limits are somewhat too narrow. Brier: "
    "mean squared distance of the risk from what happened, of nobody censored."
)
DIFFERENCES = {
    "model": pl.String,
    **dict.fromkeys(("landmarks", "n"), pl.Int64),
    **dict.fromkeys(
        ("auc", "auc_of_ours", "difference", "ci_lower", "ci_upper", "ours_lower", "ours_upper"),
        pl.Float64,
    ),
}


def testable(rows: pl.DataFrame, known_after: int, most: int, ripe: int) -> list[int]:
    """The newest landmarks, at most ``most``, that can be tested, oldest first.

    Takes   landmarks (landmark_day, left, end_known); horizon_days + after_days; ``ripe``, which
            is the first day on which silences may be as long as they ever are
    Returns those with at least 30 who left and 30 who stayed, and as many at the landmarks whose
            outcome was known by then, the last of them not before ``ripe``
    """
    sizes = (
        rows.filter(end_known=False)
        .sort("landmark_day")
        .group_by("landmark_day", maintain_order=True)
    )
    days = sizes.agg(left=pl.col("left").sum(), stayed=(~pl.col("left")).sum())
    enough = []
    for day in days["landmark_day"]:
        before = days.filter(pl.col("landmark_day") <= day - known_after)
        both = [days.filter(landmark_day=day), before]
        least = min(part[name].sum() for part in both for name in ("left", "stayed"))
        if least >= LEAST_ENDS and before["landmark_day"].max() >= ripe:
            enough.append(day)
    return enough[-most:]


def play(
    rows: pl.DataFrame, models: dict[str, Learn], known_after: int, landmarks: list[int]
) -> pl.DataFrame:
    """What each model would have said at each of ``landmarks``, beside what came of it; of
    customers whose end was not on record then.

    Returns one row per landmark and customer: landmark_day, customer_id, left, left_in_days, and
            a risk for each model, named as the model
    """
    said = []
    for day in landmarks:
        known = rows.filter(pl.col("landmark_day") + known_after <= day)
        there = rows.filter(landmark_day=day, end_known=False)
        risks = {name: learn(known)(there) for name, learn in models.items()}
        outcome = there.select("landmark_day", "customer_id", "left", "left_in_days")
        said.append(outcome.with_columns(**{name: pl.Series(risk) for name, risk in risks.items()}))
    models_said = dict.fromkeys(models, pl.Float64)
    return pl.concat([pl.DataFrame(schema=OUTCOMES | models_said), *said])


def backtest(said: pl.DataFrame, horizon_days: int) -> pl.DataFrame:
    """How well each model did at each landmark.

    Takes   what `play` gives
    Returns one row per landmark and model: landmark_day, model, horizon_days, n (customers),
            events (who left), auc, uno_c (up to the horizon; everybody is followed through it, so
            that Harrell's C is Uno's), brier, calibration_error (mean of |predicted - observed|
            over tenths of the risk), top_decile_lift

    Source: Blanche, Kattan and Gerds (2019), Biostatistics 20:347, for the area under the curve at
    the horizon; Uno et al. (2011), Statistics in Medicine 30:1105. Checked in
    tests/test_backtest.py.
    """
    rows = []
    for (day,), there in said.group_by("landmark_day", maintain_order=True):
        time, left = (there[name].to_numpy() for name in ("left_in_days", "left"))
        for name in said.columns[len(OUTCOMES) :]:
            risk = there[name].to_numpy()
            tenths = scores.calibration(left, risk, scores.groups_of(risk))
            of = [scores.auc(left, risk), scores.harrell_c(time, left, risk)]
            of += [float(np.mean((risk - left) ** 2)), scores.calibration_error(tenths)]
            of += [scores.lift(left, risk)]
            rows.append([day, name, horizon_days, there.height, int(left.sum()), *of])
    return pl.DataFrame(rows, RESULTS, orient="row")


def calibration(said: pl.DataFrame, confidence: float = 0.95) -> pl.DataFrame:
    """Our risk beside what happened, by tenths of the risk, over all landmarks together.

    Takes   what `play` gives
    Returns one row per tenth: tenth, n (customers, once per landmark), left, predicted (mean
            risk), observed (share that left), ci_lower, ci_upper; no rows where nothing was tested
    """
    if said.is_empty():
        return pl.DataFrame(schema=CALIBRATION)
    left, risk = (said[name].to_numpy() for name in ("left", OURS))
    table = scores.calibration(left, risk, scores.groups_of(risk), confidence)
    return table.rename({"group": "tenth", "events": "left"}).select(*CALIBRATION).cast(CALIBRATION)


def calibrated(calibration: pl.DataFrame) -> str:
    """How far our risks lie from what happened, in a sentence."""
    if calibration.is_empty():
        return "Whether the risks come true cannot be tested yet"
    error = scores.calibration_error(calibration)
    return f"Predicted and observed shares lie {100 * error:.1f} percentage points apart on average"


def definition(confidence: float = 0.95) -> str:
    """What is compared, and how, for the page."""
    return (
        "AUC: the chance that of two customers, of whom one left within the horizon, that one had "
        "the higher risk. Difference: ours less the other's, averaged over landmarks; its "
        f"{confidence:.0%} interval is that of customers drawn again. {WHO} {RULE}"
    )


def tested(calibration: pl.DataFrame) -> str:
    """What was predicted and what happened at the landmarks, in a sentence."""
    if calibration.is_empty():
        return "Whether such a number comes true could not be tested."
    n = calibration["n"]
    predicted, observed = ((calibration[c] * n).sum() / n.sum() for c in ("predicted", "observed"))
    return f"At the landmarks {predicted:.1%} were predicted to leave, and {observed:.1%} left."


def dated(backtest: pl.DataFrame) -> pl.DataFrame:
    """``backtest`` with the landmark as a date, in words, first."""
    date = pl.from_epoch("landmark_day", time_unit="d").cast(pl.String).alias("landmark")
    return backtest.select(date, pl.exclude("landmark_day"))


def spread(backtest: pl.DataFrame) -> pl.DataFrame:
    """Each measure over the landmarks: its mean and, behind it, its lowest and highest.

    Takes   what `backtest` gives; returns one row per measure and a column of texts per model
    """
    numbers = ["mean", "min", "max"]
    long = backtest.unpivot(index="model", on=MEASURES, variable_name="measure")
    said = pl.format("{} ({} to {})", *(pl.col(n).round(3).cast(pl.String) for n in numbers))
    return (
        long.group_by("measure", "model", maintain_order=True)
        .agg(getattr(pl.col("value"), name)().alias(name) for name in numbers)
        .select("measure", "model", said=said)
        .pivot(on="model", index="measure", values="said")
    )


def differences(
    said: pl.DataFrame, confidence: float = 0.95, draws: int = 300, seed: int = 1
) -> pl.DataFrame:
    """By how much the other models' AUC falls short of ours, on the same customers.

    Takes   what `play` gives
    Returns one row per other model: model, landmarks, n (customers, once per landmark), auc,
            auc_of_ours (means over landmarks), difference (ours less the other), ci_lower,
            ci_upper (of customers drawn again ``draws`` times, each with all its landmarks),
            ours_lower, ours_upper (the same of auc_of_ours)

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13. Checked in
    tests/test_backtest.py.
    """
    if said.is_empty():
        return pl.DataFrame(schema=DIFFERENCES)
    left, customer, landmark = (
        said[name].rank("dense").to_numpy().astype(np.int64) - 1
        for name in ("left", "customer_id", "landmark_day")
    )
    risks = {name: said[name].to_numpy() for name in said.columns[len(OUTCOMES) :]}
    drawn = scores.bootstrap_auc(left == 1, risks, customer, landmark, draws, seed)
    wide = drawn.pivot(on="model", index="draw", values="auc")
    seen = {name: _mean_auc(left == 1, risk, landmark) for name, risk in risks.items()}
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    sizes = [said["landmark_day"].n_unique(), said.height]
    apart = {
        name: [
            seen[OURS] - seen[name],
            *np.quantile(wide[OURS] - wide[name], tails),
            *np.quantile(wide[OURS], tails),
        ]
        for name in risks
        if name != OURS
    }
    rows = [[name, *sizes, seen[name], seen[OURS], *found] for name, found in apart.items()]
    return pl.DataFrame(rows, DIFFERENCES, orient="row")


def gate(differences: pl.DataFrame, calibration: pl.DataFrame) -> pl.DataFrame:
    """Whether the risk is good enough to act on, by the rule that `RULE` states.

    Takes   what `differences` and `calibration` give
    Returns one row: verdict (open, closed, not testable), sentence
    """
    landmarks = differences["landmarks"].max() or 0
    if landmarks < LEAST_LANDMARKS:
        sentence = (
            f"Not testable: the outcome is known at {landmarks} landmarks with something to learn "
            f"from before them, and {LEAST_LANDMARKS} are needed."
        )
        return pl.DataFrame({"verdict": ["not testable"], "sentence": [sentence]})
    other = {row["model"]: row for row in differences.iter_rows(named=True)}
    left = calibration["left"].sum() / calibration["n"].sum()
    error = scores.calibration_error(calibration)
    off = f"predicted and observed shares lie {error:.1%} apart on average, of {left:.1%} that left"
    ahead, better = f"ahead by more than {MOST_BEHIND}", "better than recency alone"
    checks = [
        (other["recency"]["ci_lower"] > 0, f"it surely ranks {better}", f"not surely {better}"),
        (
            other["boosting"]["ci_upper"] >= -MOST_BEHIND,
            f"boosting is not surely {ahead}",
            f"boosting is surely {ahead}",
        ),
        (error <= MOST_ERROR * left, off, off),
    ]
    faults = [fault for met, _, fault in checks if not met]
    verdict = "closed" if faults else "open"
    reasons = "; ".join(faults or [good for _, good, _ in checks])
    sentence = f"{verdict.capitalize()}, over {landmarks} landmarks: {reasons}."
    return pl.DataFrame({"verdict": [verdict], "sentence": [sentence]})


def figure(differences: pl.DataFrame) -> dict:
    """Our mean AUC with its interval, as `findings.say` takes it; unknown where not tested."""
    if differences.is_empty():
        return {"value": None, "ci": None}
    row = differences.row(0, named=True)
    return {"value": row["auc_of_ours"], "ci": (row["ours_lower"], row["ours_upper"])}


def headline(differences: pl.DataFrame) -> str:
    """Which model ranks best, and by how much, in a sentence."""
    if differences.is_empty():
        return "The risk cannot be tested yet"
    best = differences.sort("auc", descending=True).row(0, named=True)
    apart, lower, upper = (best[name] for name in ("difference", "ci_lower", "ci_upper"))
    by = f"AUC {best['auc_of_ours']:.3f} against {best['auc']:.3f}"
    sure = f"difference {apart:+.3f}, {lower:+.3f} to {upper:+.3f}"
    if lower > 0:
        return f"Our risk ranks best: {by} of {best['model']} ({sure})"
    if upper < 0:
        return f"{best['model'].capitalize()} ranks better than our risk: {by} ({sure})"
    return f"Our risk and {best['model']} cannot be told apart: {by} ({sure})"


def _mean_auc(left: np.ndarray, risk: np.ndarray, landmark: np.ndarray) -> float:
    there = [landmark == code for code in np.unique(landmark)]
    return float(np.mean([scores.auc(left[rows], risk[rows]) for rows in there]))
