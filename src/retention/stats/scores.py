"""How well a predicted risk sorts customers, and how near it comes to what happened.

``risk`` is higher for those expected to leave sooner; ``events`` says that a duration ended in the
event rather than in censoring. Censoring is met by weights: who is seen stands also for the
customers like them who were censored earlier (IPCW). The share not censored comes from
Kaplan-Meier, with events before censorings at the same time: who is censored on a day is known to
have stayed through it.
"""

import numpy as np
import polars as pl
from scipy.stats import binomtest

from retention.errors import Refused
from retention.stats import limits, ranks, risk_sets

Observed = tuple[np.ndarray, np.ndarray]  # durations, events
CALIBRATION = {
    **dict.fromkeys(("n", "events"), pl.Int64),
    **dict.fromkeys(("predicted", "observed", "ci_lower", "ci_upper"), pl.Float64),
}
BOOTSTRAP = {"draw": pl.Int64, "model": pl.String, "auc": pl.Float64}


def auc(event: np.ndarray, risk: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The chance that one with the event had a higher risk than one without; equal risks half.

    NaN where nobody, or everybody, has the event.

    Source: Hanley and McNeil (1982), Radiology 143:29. Checked pair by pair and against
    scikit-learn in tests/test_scores.py.
    """
    order, last = _sorted(risk)
    weights = np.ones(len(risk)) if weights is None else weights
    return _area(event[order], weights[order], last)


def harrell_c(durations: np.ndarray, events: np.ndarray, risk: np.ndarray) -> float:
    """Among pairs of whom one is seen to leave first, the share in which that one had the higher
    risk; equal risks half. It depends on who was censored; `uno_c` does not.

    NaN where there is no such pair. A customer censored at the time another left stayed longer.

    Source: Harrell, Lee and Mark (1996), Statistics in Medicine 15:361. Checked on Rossi's data,
    pair by pair and against scikit-survival in tests/test_scores.py.
    """
    return _concordance(durations, events, risk, events.astype(float))


def uno_c(
    durations: np.ndarray,
    events: np.ndarray,
    risk: np.ndarray,
    tau: float,
    train: Observed | None = None,
) -> float:
    """`harrell_c` of those who left before ``tau``, freed from the pattern of censoring.

    Takes   train: durations and events from which censoring is estimated (else the same rows)

    Raises:
        Refused: someone left later than anybody in ``train`` was followed.

    Source: Uno et al. (2011), Statistics in Medicine 30:1105. Checked on Telco and against
    scikit-survival in tests/test_scores.py.
    """
    early = events & (durations < tau)
    last = durations[early].max(initial=0)
    weights = early / _followed(np.minimum(durations, last), train or (durations, events))
    return _concordance(durations, events, risk, weights**2)


def brier(
    durations: np.ndarray,
    events: np.ndarray,
    risk: np.ndarray,
    time: float,
    train: Observed | None = None,
) -> float:
    """The mean squared distance of ``risk``, as P(T <= time), from what happened by ``time``.

    Those who left by ``time`` weigh 1 / G(T-), those known to have stayed through it 1 / G(time-),
    G the share not yet censored. To be read beside that of the plain Kaplan-Meier share.

    Raises:
        Refused: nobody is followed until ``time``.

    Source: Graf et al. (1999), Statistics in Medicine 18:2529; G(T-) after Gerds and Schumacher
    (2006), Biometrical Journal 48:1029. Checked on Telco, against scikit-survival and the whole
    truth in tests/test_scores.py.
    """
    left, weights = _known_by(durations, events, time, train)
    return float(np.mean(weights * (risk - left) ** 2))


def dynamic_auc(
    durations: np.ndarray,
    events: np.ndarray,
    risk: np.ndarray,
    time: float,
    train: Observed | None = None,
) -> float:
    """`auc` of having left by ``time`` against having stayed through it, freed from censoring.

    NaN where one of the two sides is empty.

    Raises:
        Refused: nobody is followed until ``time``.

    Source: Uno et al. (2007), JASA 102:527. Checked on Telco and against scikit-survival in
    tests/test_scores.py.
    """
    left, weights = _known_by(durations, events, time, train)
    return auc(left, risk, weights)


def integrated(times: np.ndarray, scores: np.ndarray) -> float:
    """The mean of ``scores`` over the range of ``times``, by trapezoids (so Brier becomes IBS)."""
    return float(np.trapezoid(scores, times) / (times[-1] - times[0]))


def groups_of(risk: np.ndarray, n: int = 10) -> np.ndarray:
    """Groups 1 to ``n`` of nearly equal size in order of risk; equal risks share a group.

    A group may be missing where many have the same risk. The order of rows does not matter.
    """
    level = ranks.levels(risk)
    ordered = np.sort(level)
    middle = np.searchsorted(ordered, level) + np.searchsorted(ordered, level, "right")
    return middle * n // (2 * len(risk)) + 1


def calibration(  # noqa: PLR0917
    durations: np.ndarray,
    events: np.ndarray,
    risk: np.ndarray,
    time: float,
    group: np.ndarray,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """Set what was predicted beside what happened by ``time``, group by group.

    Returns one row per group, in order: group, n, events (by ``time``), predicted (the mean of
            ``risk``), observed (1 - Kaplan-Meier at ``time``), ci_lower, ci_upper. Where nobody of
            a group is censored before ``time`` the observed share is the plain one and its limits
            are Wilson's; else they are log-log, and null where that share is 0 or 1. Where nobody
            of a group is followed until ``time`` the share is not known: null.

    Source: Kalbfleisch and Prentice (2002), section 1.4; Wilson (1927), JASA 22:209. Checked on
    Telco, against lifelines and with planted errors in tests/test_scores.py.
    """
    rows = []
    names = np.unique(group)
    for there in (group == name for name in names):
        left = int((events[there] & (durations[there] <= time)).sum())
        seen = _seen(durations[there], events[there], time, confidence)
        rows.append((int(there.sum()), left, float(risk[there].mean()), *seen))
    frame = pl.DataFrame(rows, CALIBRATION, orient="row")
    return frame.fill_nan(None).select(pl.Series("group", names.tolist()), pl.all())


def calibration_error(table: pl.DataFrame) -> float:
    """The mean distance of ``predicted`` from ``observed``, groups weighing as their ``n``.

    Takes   the table of `calibration`; groups whose observed share is not known are left out
    """
    known = table.drop_nulls("observed")
    distance = (known["observed"] - known["predicted"]).abs()
    return float((distance * known["n"]).sum() / known["n"].sum())


def lift(event: np.ndarray, risk: np.ndarray, share: float = 0.1) -> float:
    """How many times the overall rate of events the ``share`` with the highest risk has.

    Where the border cuts through equal risks, each of them counts in part, so that the order of
    rows does not matter. NaN where there is no event.
    """
    level = ranks.levels(-risk)
    size, cases = np.bincount(level), np.bincount(level, event)
    room = share * len(risk) - (np.cumsum(size) - size)
    taken = (room / size).clip(0, 1)
    return float(cases @ taken / (share * cases.sum())) if cases.sum() else float("nan")


def censored_before(durations: np.ndarray, events: np.ndarray, time: float) -> int:
    """How many are censored before ``time``, so that what became of them by then is not known."""
    return int((~events & (durations < time)).sum())


def bootstrap_auc(  # noqa: PLR0917
    event: np.ndarray,
    risks: dict[str, np.ndarray],
    cluster: np.ndarray,
    stratum: np.ndarray,
    draws: int,
    seed: int,
) -> pl.DataFrame:
    """How the AUC, averaged over strata, varies if other customers had been seen.

    Takes   event (bool); risks of every model; cluster: whose row it is, as a customer may stand
            in several strata; stratum: the landmark. Each draw takes as many customers as there
            are, with return, each with all of their rows.
    Returns one row per draw and model, in order: draw (from 1), model, auc. All models are scored
            on the same draws, so that their differences may be taken draw by draw. A stratum in
            which a draw has nobody on one side is left out of that draw.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 8. Checked
    against DeLong's standard error in tests/test_scores.py.
    """
    rng = np.random.default_rng(seed)
    _, customer = np.unique(cluster, return_inverse=True)
    n = customer.max() + 1
    parts = [np.flatnonzero(stratum == name) for name in np.unique(stratum)]
    prepared = {
        model: [_prepared(event[part], risk[part], customer[part]) for part in parts]
        for model, risk in risks.items()
    }
    rows = []
    for draw in range(1, draws + 1):
        times = np.bincount(rng.integers(n, size=n), minlength=n).astype(float)
        for model, strata in prepared.items():
            areas = [_area(event, times[who], last) for event, who, last in strata]
            known = [area for area in areas if not np.isnan(area)]
            rows.append((draw, model, float(np.mean(known)) if known else float("nan")))
    return pl.DataFrame(rows, BOOTSTRAP, orient="row")


def _sorted(risk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order from the lowest risk, and in it the last place of each distinct risk."""
    level = ranks.levels(risk)
    order = np.argsort(level, kind="stable")
    return order, np.cumsum(np.bincount(level)) - 1


def _prepared(event: np.ndarray, risk: np.ndarray, customer: np.ndarray) -> tuple:
    order, last = _sorted(risk)
    return event[order], customer[order], last


def _area(event: np.ndarray, weights: np.ndarray, last: np.ndarray) -> float:
    """The AUC of rows in order of risk: the others below each case, by trapezoids."""
    cases = np.append(0, np.cumsum(weights * event)[last])
    others = np.append(0, np.cumsum(weights * ~event)[last])
    pairs = cases[-1] * others[-1]
    return float(np.trapezoid(others, cases) / pairs) if pairs > 0 else float("nan")


def _followed(until: np.ndarray, train: Observed) -> np.ndarray:
    """G(until-): the share that is not censored before ``until``, were there no events."""
    durations, events = train
    times = np.unique(durations)
    at_risk, ends = risk_sets.at(times, durations, events)
    _, gone = risk_sets.at(times, durations, ~events)
    share = np.append(1.0, np.cumprod(1 - gone / np.maximum(at_risk - ends, 1)))
    followed = share[np.searchsorted(times, until)]
    if not followed.all():
        raise Refused(f"nobody is followed for {until.max():g} days: what came by then is unknown")
    return followed


def _known_by(
    durations: np.ndarray, events: np.ndarray, time: float, train: Observed | None
) -> tuple[np.ndarray, np.ndarray]:
    """Who left by ``time``, and the weights of all: 0 where that is not known."""
    left = events & (durations <= time)
    until = np.append(np.minimum(durations, time), time)
    followed = _followed(until, train or (durations, events))[:-1]
    return left, (left | (durations >= time)) / followed


def _seen(
    durations: np.ndarray, events: np.ndarray, time: float, confidence: float
) -> tuple[float, float, float]:
    """The share that left by ``time``, and its limits: see `calibration`."""
    left = events & (durations <= time)
    if not censored_before(durations, events, time):
        wilson = binomtest(int(left.sum()), len(left)).proportion_ci(confidence, "wilson")
        return float(left.mean()), float(wilson.low), float(wilson.high)
    times = np.unique(durations[left])
    at_risk, ends = risk_sets.at(times, durations, events)
    stay = at_risk - ends
    share = np.prod(stay / at_risk)
    if share == 0 or durations.max() < time:
        return (1.0 if share == 0 else np.nan), np.nan, np.nan
    lower, upper = limits.log_log(share, share**2 * np.sum(ends / (at_risk * stay)), confidence)
    return float(1 - share), float(1 - upper), float(1 - lower)


def _concordance(
    durations: np.ndarray, events: np.ndarray, risk: np.ndarray, weights: np.ndarray
) -> float:
    """The weighted share of pairs in order: each event with all who stayed longer."""
    _, step = np.unique(durations, return_inverse=True)
    place = 2 * step + ~events
    order = np.argsort(place, kind="stable")
    rank, asked = ranks.levels(risk), weights > 0
    first = np.searchsorted(place[order], place[asked], "right")
    below, equal = ranks.counted_after(rank[order], first, rank[asked])
    pairs = weights[asked] @ (len(risk) - first)
    return float(weights[asked] @ (below + equal / 2) / pairs) if pairs > 0 else float("nan")
