"""Who is next: the risk of being quiet, or of ending the contract, within the book's horizon.

At a test date whose outcome is known nobody is censored, so that the outcome is a yes or no, and a
logistic regression gives its probability. Each number bends as it needs to (natural splines of its
logarithm); what models of all customers say enters by its log odds: BG/NBD's chance of being quiet
in an activity book, the risk at a customer's age in a contract book.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.special import expit, logit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from retention import charts, schema
from retention.errors import Refused
from retention.exhibit import Exhibit, Finding, said_of
from retention.refresh import Refresh
from retention.risk import reasons
from retention.risk.landmarks import QUIET, History, newest
from retention.stats import ranks, splines

RECENCY = "days_since_last_activity"
CHANCES = (QUIET, "age_risk")  # signals that are probabilities: of an activity, a contract book
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
LEAST = 30  # customers with the outcome, and as many without, to learn from at all
ENOUGH = 100  # as many, to learn from more than the silence and the chances
BANDS, REST = {"top tenth": 0.1, "next fifth": 0.2}, "rest"  # of rank, from the highest risk down
UNTESTED = "untested"
NEAR = 1e-6  # how near a chance comes to 0 or 1
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
    """The features ``named`` (the usual ones where none is), ``covariates`` and what models of all
    customers say: those of them that vary over the ``rows`` at test dates.

    A chance that is not known at one of the test dates is left out of all.

    Raises:
        Refused: one is no feature, or a covariate no attribute of the customers.
    """
    features = schema.TABLES["customers_at"].columns
    for name in named:
        if name not in features or name == "customer_id":
            known = ", ".join(features)
            words = f"signals: {name!r} is no feature (there are: {known}); attributes are named "
            raise Refused(words + "under `covariates`")
    names = dict.fromkeys([*(named or SIGNALS), *covariates, *CHANCES])
    lacking = [name for name in CHANCES if rows[name].null_count()]
    return [name for name in names if name not in lacking and rows[name].n_unique() > 1]


def looks_at(r: Refresh, signals: list[str]) -> str:
    """What the model looks at, in a sentence."""
    said = f"The model looks at: {', '.join(reasons.signal(name).label for name in signals)}."
    if r.book.churn.kind == "activity" and QUIET not in signals:
        said += " BG/NBD is left out: it tells these customers from nobody."
    return said


def score(r: Refresh, history: History, signals: list[str], verdict: str) -> Scores:
    """The risk of every current customer, with its band of rank and reasons: the table
    "risk_scores".

    Takes   the ``verdict`` of the gate: where it is "untested", no risk is given
    """
    rows, current = newest(history.rows, r.day), history.current
    model = None if verdict == UNTESTED else fit(rows, signals)
    moved = effects(model, current)
    table = judged(model, current)
    why = reasons.reasons(current, names_of(model), moved, table["risk"], r.book.currency)
    r.keep("risk_scores", table.with_columns(reasons=why))
    return Scores(table, strengths(moved, names_of(model)))


def fit(rows: pl.DataFrame, signals: list[str]) -> Model:
    """Learn the risk from test dates.

    Takes   customers at test dates (one row per date and customer): left, ``signals`` (numbers,
            texts or truths; null = not known, which weighs for itself). With fewer than 100 who
            left, or stayed, the silence and the chances by models of all customers alone are used

    Raises:
        Refused: fewer than 30 left, or stayed.

    Source: van Houwelingen and Putter (2012), Dynamic Prediction in Clinical Survival Analysis,
    chapter 7, with a yes or no at the horizon, as nobody is censored before it; ridge after le
    Cessie and van Houwelingen (1992), Applied Statistics 41:191. Checked on planted risks in
    tests/risk/test_planted_risk.py and on CDNOW in tests/risk/test_risk.py.
    """
    left = rows["left"].to_numpy()
    least = min(left.sum(), (~left).sum())
    if least < LEAST:
        raise Refused(f"of {len(left):,} at test dates {left.sum():,} left: too few to learn from")
    if least < ENOUGH:
        signals = [name for name in signals if name in (RECENCY, *CHANCES)] or [RECENCY]
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


def names_of(model: Model | None) -> list[str]:
    """The signals that the model uses."""
    return [signal.name for signal in model.signals] if model else []


def effects(model: Model | None, rows: pl.DataFrame) -> np.ndarray:
    """By how much each signal raises (above 0) or lowers the log odds of each row, against what
    is usual: one column per signal of the model."""
    return np.zeros((rows.height, 0)) if model is None else _added(model, rows) - model.usual


def risk(model: Model, rows: pl.DataFrame) -> np.ndarray:
    """The chance of each row to be quiet, or to end, within the horizon that was learned."""
    return expit(_added(model, rows).sum(axis=1) + model.intercept)


def judged(model: Model | None, customers: pl.DataFrame) -> pl.DataFrame:
    """The risk of every current customer: customer_id, risk, band (of rank, see `BANDS`; equal
    risks are in one band, the higher one).

    Takes   the model, None where the risk is untested: then the risk is null, the band "untested";
            current customers as of the snapshot, with the signals
    """
    if model is None:
        return customers.select("customer_id", risk=pl.lit(None, pl.Float64), band=pl.lit(UNTESTED))
    table = customers.select(
        "customer_id", risk=pl.Series(risk(model, customers), dtype=pl.Float64)
    )
    return table.with_columns(band=ranks.bands("risk", BANDS, REST))


def bands(r: Refresh, scores: Scores, tested: pl.DataFrame) -> Exhibit:
    """The table "risk_bands": how many customers are in each band of rank, what is expected of
    them, and what came true of such bands at the test dates.

    Takes   ``tested``: band, times, came_true, ci_lower, ci_upper
    """
    risk, order = pl.col("risk"), [*BANDS, REST]
    table = (
        scores.judged.drop_nulls("risk")
        .sort("band", "customer_id")
        .group_by("band")
        .agg(n=pl.len().cast(pl.Int64), mean_risk=risk.mean(), expected_customers=risk.sum())
        .join(tested, on="band", how="left", validate="1:1")
        .sort(pl.col("band").cast(pl.Enum(order)))
    )
    what = outcome(r)
    return Exhibit(
        table.select("band", "n", "mean_risk", "expected_customers", *tested.columns[1:]),
        partial(_riskiest, what=what),
        definition="Bands are by rank: the tenth of current customers with the highest risk, the "
        "fifth after it, and the rest. Came true: of such bands at the test dates, the share who "
        f"{what}.",
        findings=partial(_expected, what=what),
        empty="The risk is untested: no band can be shown.",
        name="risk_bands",
    )


def outcome(r: Refresh) -> str:
    """What the risk is the chance of, in words, of customers at test dates."""
    if r.book.churn.kind == "activity":
        return f"were quiet for {r.book.horizon_days} days"
    return f"ended their contract within {r.book.horizon_days} days"


def _riskiest(bands: pl.DataFrame, what: str) -> str:
    known = bands.drop_nulls(["n", "mean_risk"])
    if known.is_empty():
        return "Bands of risk are too small to be shown"
    said = "{n:,} customers are in the {band}, with a mean risk of {mean_risk:.0%}"
    tested = known["came_true"][0] is not None
    came = f"; at the test dates {{came_true:.0%}} of such customers {what}" if tested else ""
    return (said + came).format(**known.row(0, named=True))


def _expected(bands: pl.DataFrame, what: str) -> list[Finding]:
    """The sum of the risks, and what came true of the highest ones."""
    if bands["expected_customers"].null_count() or bands.is_empty():
        return []
    sentence = (
        f"Risks add up to {{value}} of {{judged}} current customers, as many as {what} if the time "
        "ahead is like the test dates."
    )
    n, judged = bands["expected_customers"].sum(), {"judged": bands["n"].sum()}
    top = bands.filter(band=next(iter(BANDS)))
    of_top = f"Of customers in the {{band}} at the test dates, {{value}} ({{ci}}) {what}."
    return [
        Finding("expected_to_leave", sentence, n, "customers", further=judged),
        *said_of(top, "came_true_of_top", of_top, "came_true"),
    ]


def signal_strengths(scores: Scores) -> Exhibit:
    """How far each signal moves the risks of current customers apart."""
    return Exhibit(
        scores.strengths,
        lambda table: f"Risks differ most by {' and '.join(table['signal'][:2])}",
        draw=partial(charts.bars, label="signal", value="spread"),
        empty="The risk is untested: nothing was learned.",
    )


def strengths(effects: np.ndarray, signals: list[str]) -> pl.DataFrame:
    """How far each signal moves risks apart, the strongest first: signal (its label), spread
    (standard deviation of what it adds to the log odds of customers)."""
    labels = [reasons.signal(name).label for name in signals]
    table = pl.DataFrame({"signal": labels, "spread": effects.std(axis=0)})
    return table.sort("spread", "signal", descending=[True, False])


def learners(signals: list[str], seed: int = 1) -> dict[str, Learn]:
    """The models that are set side by side: each a function of the rows learned from, which gives a
    function of other rows: their risk. Ours; how recent the last activity is, alone; BG/NBD alone,
    where it can be used; null (all have the share that left); boosting (scikit-learn's trees on the
    same signals)."""
    alone = {"BG/NBD": lambda _: lambda others: others[QUIET].to_numpy()}
    return {
        "ours": lambda rows: partial(risk, fit(rows, signals)),
        "recency": lambda rows: partial(risk, fit(rows, [RECENCY])),
        **(alone if QUIET in signals else {}),
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
    """Logarithms, so that twice as much is the same step everywhere; zero stays zero. Of chances
    the log odds."""
    numbers = values.cast(pl.Float64).to_numpy()
    if values.name in CHANCES:
        return logit(numbers.clip(NEAR, 1 - NEAR))
    return np.sign(numbers) * np.log1p(np.abs(numbers))


def _texts(values: pl.Series) -> pl.Series:
    return values.cast(pl.String).fill_null("")
