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

from retention import charts, schema
from retention.book import Churn
from retention.errors import Refused
from retention.exhibit import Exhibit, Finding
from retention.refresh import Refresh
from retention.risk import reasons
from retention.risk.landmarks import History
from retention.stats import ranks, splines

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
LEAST_SHARE = 0.02  # of rows, for a level of a text to count by itself; the others go together
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


class Scores(NamedTuple):
    """The table "risk_scores" without its reasons, and how far each signal moves risks apart."""

    judged: pl.DataFrame
    strengths: pl.DataFrame


def signals(rows: pl.DataFrame, named: list[str], covariates: list[str]) -> list[str]:
    """The features ``named`` (the usual ones where none is), ``covariates`` and what a contract
    book knows of ends and age: those of them that vary over the ``rows`` at landmarks.

    Raises:
        Refused: one is no feature, or a covariate no attribute of the landmarks.
    """
    features = schema.TABLES["customers_at"].columns
    for name in named:
        if name not in features or name == "customer_id":
            known = ", ".join(features)
            words = f"signals: {name!r} is no feature (there are: {known}); attributes are named "
            raise Refused(words + "under `covariates`")
    names = dict.fromkeys([*(named or SIGNALS), *covariates, *CONTRACT])
    return [name for name in names if rows[name].n_unique() > 1]


def looks_at(signals: list[str]) -> str:
    """What the model learns from, in a sentence."""
    return f"The model looks at: {', '.join(map(schema.label, signals))}."


def score(r: Refresh, history: History, signals: list[str], shares: dict[str, float]) -> Scores:
    """The risk of every current customer, with its band and reasons: the table "risk_scores".

    Takes   ``shares``, the part of customers in each band from the highest risk down
            ({"high": 0.1, "middle": 0.2}; the others are "low")
    """
    rows, current = history.rows, history.current
    left = rows["left"].sum()
    model = fit(rows, signals) if min(left, rows.height - left) >= LEAST else None
    moved = effects(model, current)
    table = judged(model, current, r.book.churn, shares)
    why = reasons.reasons(current, signals, moved, table["risk"])
    r.keep("risk_scores", table.with_columns(reasons=why))
    return Scores(table, strengths(moved, signals))


def fit(rows: pl.DataFrame, signals: list[str]) -> Model:
    """Learn the risk from landmarks.

    Takes   landmarks (one row per landmark and customer): left, ``signals`` (numbers, texts or
            truths; null = not known, which weighs for itself)

    Raises:
        Refused: fewer than 30 left, or stayed.

    Source: van Houwelingen and Putter (2012), Dynamic Prediction in Clinical Survival Analysis,
    chapter 7, with a yes or no at the horizon, as nobody is censored before it; ridge after le
    Cessie and van Houwelingen (1992), Applied Statistics 41:191. Checked on planted risks in
    tests/risk/test_planted_risk.py and on CDNOW in tests/risk/test_risk.py.
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
    known = pl.when(~pl.col("beyond_data")).then(pl.col("risk").fill_nan(None))
    band = ranks.bands("risk", shares).alias("band")
    return table.with_columns(risk=known).select("customer_id", "risk", band, "beyond_data")


def by_band(judged: pl.DataFrame) -> pl.DataFrame:
    """The table "risk_bands" of what `judged` gives, the highest first: band, n, share, mean_risk,
    expected_to_leave (customers; null where no risk is known)."""
    risk = pl.col("risk")
    return (
        judged.sort("band", "customer_id")
        .group_by("band", maintain_order=True)
        .agg(
            n=pl.len().cast(pl.Int64),
            share=pl.len() / judged.height,
            mean_risk=risk.mean(),
            expected_to_leave=pl.when(risk.count() > 0).then(risk.sum()),
        )
        .sort("mean_risk", "band", descending=True, nulls_last=True)
    )


def strengths(effects: np.ndarray, signals: list[str]) -> pl.DataFrame:
    """How far each signal moves risks apart, the strongest first: signal (its label), spread
    (standard deviation of what it adds to the log odds of customers)."""
    labels = [schema.label(name) for name in signals[: effects.shape[1]]]
    table = pl.DataFrame({"signal": labels, "spread": effects.std(axis=0)})
    return table.sort("spread", "signal", descending=[True, False])


def bands(history: History, scores: Scores, tenths: pl.DataFrame) -> Exhibit:
    """How many customers are in each band of risk, and how many of them may leave.

    Takes   ``tenths`` of the tests: without them nobody is said to be expected to leave
    """
    beyond = scores.judged["beyond_data"].sum()
    older = f"{beyond:,} customers have no risk score: none has been observed that long."
    return Exhibit(
        by_band(scores.judged),
        _riskiest,
        definition=older if beyond else "",
        findings=_expected(scores.judged["risk"], history.horizon_days, tenths),
        empty="No customer may still leave.",
        name="risk_bands",
    )


def _riskiest(bands: pl.DataFrame) -> str:
    known = bands.drop_nulls("mean_risk")
    if known.is_empty():
        return "The risk of customers is not known"
    highest = "{n:,} customers in the band {band}, with a mean risk of {mean_risk:.0%}"
    return highest.format(**known.row(0, named=True))


def _expected(risks: pl.Series, days: int, tenths: pl.DataFrame) -> list[Finding]:
    """The sum of the risks, where it was tested whether such risks come true."""
    if tenths.is_empty() or not risks.count():
        return []
    n = tenths["n"]
    predicted, observed = ((tenths[c] * n).sum() / n.sum() for c in ("predicted", "observed"))
    sentence = (
        "Of the {judged} customers whose risk is known, {value} are expected to have left within "
        f"{days} days. At the test dates {predicted:.1%} were predicted to leave, and "
        f"{observed:.1%} left."
    )
    further = {"judged": risks.count()}
    return [Finding("expected_to_leave", sentence, risks.sum(), "customers", further=further)]


def signal_strengths(scores: Scores) -> Exhibit:
    """How far each signal moves the risks of current customers apart."""
    return Exhibit(
        scores.strengths,
        lambda table: f"Risks differ most by {' and '.join(table['signal'][:2])}",
        draw=partial(charts.bars, label="signal", value="spread"),
        empty="There was too little to learn from.",
    )


def learners(signals: list[str], seed: int = 1) -> dict[str, Learn]:
    """The models that are set side by side: each a function of the landmarks learnt from, which
    gives a function of other rows: their risk. Ours; how recent the last activity is, alone; null
    (all have the share that left); boosting (scikit-learn's trees on the same signals)."""

    return {
        "ours": lambda rows: partial(risk, fit(rows, signals)),
        "recency": lambda rows: partial(risk, fit(rows, [RECENCY])),
        "null": lambda rows: lambda others: np.full(others.height, rows["left"].mean()),
        "boosting": lambda rows: _boosting(rows, signals, seed),
    }


def _boosting(rows: pl.DataFrame, signals: list[str], seed: int) -> Judge:
    varying = [name for name in signals if rows[name].drop_nulls().n_unique() > 1]
    levels = {n: _texts(rows[n]).unique().sort() for n in varying if _is_text(rows[n])}

    def plain(rows: pl.DataFrame) -> np.ndarray:
        """Numbers as they are, NaN where not known; texts by the rank of their name."""
        ranks = {
            name: _texts(rows[name]).cast(pl.Enum(known), strict=False).to_physical()
            for name, known in levels.items()
        }
        return rows.select(varying).with_columns(**ranks).cast(pl.Float64).to_numpy()

    trees = HistGradientBoostingClassifier(**TREES, random_state=seed)
    trees.fit(plain(rows), rows["left"].to_numpy())
    return lambda others: trees.predict_proba(plain(others))[:, 1]


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


def _texts(values: pl.Series) -> pl.Series:
    return values.cast(pl.String).fill_null("")
