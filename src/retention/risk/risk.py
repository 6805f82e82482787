"""Who is next: the risk of leaving within the horizon, and what raises or lowers it.

At a landmark whose outcome is known nobody is censored, so that leaving within the horizon is a yes
or no, and a logistic regression gives its probability. Each number bends as it needs to (natural
splines of its logarithm), and what survival knows of a customer's age enters as `age_risk`.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from retention.book import Churn
from retention.errors import Refused
from retention.stats import splines
from retention.tables import promises

RECENCY = "days_since_last_activity"
SIGNALS = (  # none that only grows with the age of the data
    RECENCY,
    "silence_ratio",
    "usage_trend",
    "active_days_28d",
    "active_days_90d",
    "amount_cents_90d",
    "cents_per_order_90d",
    "order_share_90d",
)
CONTRACT = ("age_risk", "booked_end_in_days", "ended_days_ago")  # signals of contract books
LEAST = 30  # customers who left, and as many who stayed, to learn from
SPREAD = (
    "Spread: standard deviation, over current customers, of what a signal adds to the log odds of "
    "leaving, the others held fixed. It tells who leaves, not why."
)
LEAST_SHARE = 0.02  # of rows, for a level of a text to count by itself; the others go together
BANDS = {"band": pl.String, "n": pl.Int64}
BANDS |= dict.fromkeys(("share", "mean_risk", "expected_to_leave"), pl.Float64)
NEWTON = {"solver": "newton-cholesky", "tol": 1e-8, "max_iter": 100}
TREES = {"learning_rate": 0.05, "max_iter": 150, "max_leaf_nodes": 15, "min_samples_leaf": 50}
Judge = Callable[[pl.DataFrame], np.ndarray]
Learn = Callable[[pl.DataFrame], Judge]


class Signal(NamedTuple):
    """How one signal enters: a number by a spline of its logarithm, a text by its levels."""

    name: str
    knots: np.ndarray
    middle: float
    levels: list[str]
    unknown: bool


class Model(NamedTuple):
    """What was learnt: the signals, the weights of their columns, and what a signal usually
    adds to the log odds (the median of those learnt from)."""

    signals: list[Signal]
    weights: list[np.ndarray]
    intercept: float
    usual: np.ndarray


def known(rows: pl.DataFrame, signals: list[str], covariates: list[str]) -> list[str]:
    """``signals`` (the usual ones where none is named), ``covariates`` and what a contract book
    knows of ends and age: those of them that vary.

    Raises:
        Refused: a signal is no feature, or a covariate no attribute of the landmarks.
    """
    features = promises.PROMISES["customers_at"].columns
    for name in signals:
        if name not in features or name == "customer_id":
            raise Refused(
                f"signals: {name!r} is no feature (there are: {', '.join(features)}); attributes "
                "are named under `covariates`"
            )
    names = list(dict.fromkeys([*(signals or SIGNALS), *covariates, *CONTRACT]))
    return [name for name in names if rows[name].n_unique() > 1]


def fit(rows: pl.DataFrame, signals: list[str]) -> Model:
    """Learn the risk from landmarks.

    Takes   landmarks (one row per landmark and customer): left, ``signals`` (numbers, texts or
            truths; null = not known, which weighs for itself)

    Raises:
        Refused: fewer than 30 left, or stayed.

    Source: van Houwelingen and Putter (2012), Dynamic Prediction in Clinical Survival Analysis,
    chapter 7, with a yes or no at the horizon, as nobody is censored before it; ridge after le
    Cessie and van Houwelingen (1992), Applied Statistics 41:191. Checked on planted risks in
    tests/test_planted_risk.py and on CDNOW in tests/test_risk.py.
    """
    left = rows["left"].to_numpy()
    if min(left.sum(), (~left).sum()) < LEAST:
        raise Refused(f"of {len(left):,} at landmarks {left.sum():,} left: too few to learn from")
    chosen = [_signal(rows[name]) for name in signals]
    blocks = [_columns(rows[signal.name], signal) for signal in chosen]
    columns = np.hstack(blocks)
    means, spreads = columns.mean(axis=0), columns.std(axis=0)
    spreads[spreads == 0] = np.inf
    model = LogisticRegression(**NEWTON, random_state=0).fit((columns - means) / spreads, left)
    weights = model.coef_[0] / spreads
    by_signal = np.split(weights, np.cumsum([block.shape[1] for block in blocks])[:-1])
    added = [block @ weight for block, weight in zip(blocks, by_signal, strict=True)]
    intercept = float(model.intercept_[0] - means @ weights)
    return Model(chosen, by_signal, intercept, np.median(added, axis=1))


def learnt(rows: pl.DataFrame, signals: list[str]) -> Model | None:
    """`fit`, or None where too few left, or stayed, to learn from."""
    left = rows["left"].sum()
    return fit(rows, signals) if min(left, rows.height - left) >= LEAST else None


def effects(model: Model | None, rows: pl.DataFrame) -> np.ndarray:
    """By how much each signal raises (above 0) or lowers the log odds of each row, against what
    is usual: one column per signal of the model."""
    return np.zeros((rows.height, 0)) if model is None else _added(model, rows) - model.usual


def risk(model: Model, rows: pl.DataFrame) -> np.ndarray:
    """P(last active day <= day + horizon) of each row, of the horizon that was learnt."""
    return 1 / (1 + np.exp(-_added(model, rows).sum(axis=1) - model.intercept))


def judged(
    model: Model | None, customers: pl.DataFrame, churn: Churn, shares: dict[str, float]
) -> pl.DataFrame:
    """The risk of everyone in the risk set.

    Takes   the model, None where nothing could be learnt; customers in the risk set as of the
            snapshot, with the signals; ``shares``, the part of customers in each
            band from the highest risk down ({"high": 0.1, "middle": 0.2}; the others are "low")
    Returns one row per customer: customer_id, risk (null where it is not known), band, beyond_data
            (contracts: nobody as old has been watched for a whole horizon yet; the risk there is
            not zero but unknown)

    Equal risks are in one band, the higher one.
    """
    risks = np.full(customers.height, np.nan) if model is None else risk(model, customers)
    beyond = pl.col("age_risk").is_null() if churn.kind == "contract" else pl.lit(False)
    table = customers.select("customer_id", beyond.alias("beyond_data"), risk=pl.Series(risks))
    table = table.with_columns(pl.when(~pl.col("beyond_data")).then(pl.col("risk").fill_nan(None)))
    band = pl.when(pl.col("risk").is_null()).then(pl.lit("not known"))
    place = pl.col("risk").rank("min", descending=True) - 1
    until = 0.0
    for name, share in shares.items():
        until += share
        band = band.when(place < until * pl.col("risk").count()).then(pl.lit(name))
    return table.select(
        "customer_id", "risk", band.otherwise(pl.lit("low")).alias("band"), "beyond_data"
    )


def bands(judged: pl.DataFrame) -> pl.DataFrame:
    """How many customers are in each band, the highest first, and how many of them may leave.

    Takes   what `judged` gives
    Returns one row per band: band, n, share, mean_risk, expected_to_leave (customers)
    """
    parts = judged.sort("band", "customer_id").partition_by("band", maintain_order=True)
    rows = [
        {
            "band": part["band"][0],
            "n": part.height,
            "share": part.height / judged.height,
            "mean_risk": part["risk"].mean(),
            "expected_to_leave": part["risk"].sum() if part["risk"].count() else None,
        }
        for part in parts
    ]
    return pl.DataFrame(rows, BANDS).sort("mean_risk", "band", descending=True, nulls_last=True)


def beyond(judged: pl.DataFrame) -> str:
    """For how many no risk is given, and why, in a sentence; "" where it is given for all."""
    n = judged["beyond_data"].sum()
    older = "nobody as old has been watched for so long yet"
    return f"For {n:,} more no risk is given: {older}." if n else ""


def expected(judged: pl.DataFrame, verdict: str) -> float | None:
    """The sum of the risks, where it was tested whether such risks come true."""
    return None if verdict == "not testable" else judged["risk"].sum()


def strengths(effects: np.ndarray, signals: list[str]) -> pl.DataFrame:
    """How far each signal moves risks apart, the strongest first: signal, spread (standard
    deviation of what it adds to the log odds of customers)."""
    table = pl.DataFrame({"signal": signals[: effects.shape[1]], "spread": effects.std(axis=0)})
    return table.sort("spread", "signal", descending=[True, False])


def strongest(strengths: pl.DataFrame) -> str:
    """Which signals move risks apart most, in a sentence."""
    if strengths.is_empty():
        return "Nothing could be learnt"
    first = [name.replace("_", " ") for name in strengths["signal"][:2]]
    return f"Risks differ most by {' and '.join(first)}"


def definition(churn: Churn, horizon_days: int) -> str:
    """What the risk is, for the page."""
    ends = "last active day" if churn.kind == "activity" else "last day of contract"
    return (
        f"Risk: the probability that a customer's {ends} comes no later than {horizon_days} days "
        f"after the snapshot, so that {churn.after_days} days later they count as gone; for some "
        "that day has passed already."
    )


def learners(signals: list[str], seed: int = 1) -> dict[str, Learn]:
    """The models that are set side by side: each a function of the landmarks learnt from, which
    gives a function of other rows: their risk. Ours; how recent the last activity is, alone; null
    (all have the share that left); boosting (scikit-learn's trees on the same signals)."""

    def ours(rows: pl.DataFrame, names: list[str] = signals) -> Judge:
        return partial(risk, fit(rows, names))

    def null(rows: pl.DataFrame) -> Judge:
        return lambda others: np.full(others.height, rows["left"].mean())

    def boosting(rows: pl.DataFrame) -> Judge:
        varying = [name for name in signals if rows[name].drop_nulls().n_unique() > 1]
        levels = {
            n: rows[n].unique().sort().to_list() if _is_text(rows[n]) else [] for n in varying
        }
        trees = HistGradientBoostingClassifier(**TREES, random_state=seed)
        trees.fit(_plain(rows, levels), rows["left"].to_numpy())
        return lambda others: trees.predict_proba(_plain(others, levels))[:, 1]

    return {
        "ours": ours,
        "recency": partial(ours, names=[RECENCY]),
        "null": null,
        "boosting": boosting,
    }


def _signal(values: pl.Series) -> Signal:
    known = values.filter(_is_known(values))
    unknown = len(known) < len(values)
    if _is_text(values):
        order = {"by": ["count", values.name], "descending": [True, False]}
        counts = known.cast(pl.String).value_counts().sort(**order)
        levels = counts.filter(pl.col("count") >= LEAST_SHARE * len(values))[values.name].to_list()
        return Signal(values.name, np.array([]), 0.0, levels, unknown)
    logs = _logs(known)
    middle = float(np.median(logs)) if len(logs) else 0.0
    return Signal(values.name, splines.knots(logs), middle, [], unknown)


def _added(model: Model, rows: pl.DataFrame) -> np.ndarray:
    """What each signal adds to the log odds: one column per signal."""
    parts = zip(model.signals, model.weights, strict=True)
    return np.column_stack([_columns(rows[s.name], s) @ weight for s, weight in parts])


def _columns(values: pl.Series, signal: Signal) -> np.ndarray:
    """Levels against the most frequent one, rare and new ones together; or a spline, at the middle
    where a number is not known."""
    known = _is_known(values).to_numpy()
    if _is_text(values):
        texts = values.cast(pl.String)
        levels = [(texts == level).fill_null(False).to_numpy() for level in signal.levels]
        other = known & ~np.any(levels, axis=0) if levels else known
        columns = np.array([*levels[1:], other], dtype=float).T
    else:
        logs = _logs(values)
        columns = splines.natural(np.where(known, logs, signal.middle), signal.knots)
    return np.column_stack([columns, ~known]) if signal.unknown else columns


def _is_known(values: pl.Series) -> pl.Series:
    return values.is_not_null() & (values.is_finite() if values.dtype.is_float() else True)


def _is_text(values: pl.Series) -> bool:
    return not values.dtype.is_numeric()


def _logs(values: pl.Series) -> np.ndarray:
    """Logarithms, so that twice as much is the same step everywhere; zero stays zero."""
    numbers = values.cast(pl.Float64).to_numpy()
    return np.sign(numbers) * np.log1p(np.abs(numbers))


def _plain(rows: pl.DataFrame, levels: dict[str, list]) -> np.ndarray:
    """Numbers as they are, NaN where not known; texts by the rank of their name."""

    def number(name: str) -> pl.Series:
        if not levels[name]:
            return rows[name].cast(pl.Float64)
        ranks = {level: rank for rank, level in enumerate(levels[name])}
        return rows[name].replace_strict(ranks, default=None, return_dtype=pl.Float64)

    return np.column_stack([number(name) for name in levels])
