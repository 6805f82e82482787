"""How well a predicted risk sorts customers, and how near it comes to what happened.

``risk`` is higher for those expected to leave sooner; ``event`` says who left within the horizon.
Everybody who is scored has been followed through it, so that nobody's outcome is censored.
"""

import numpy as np
import polars as pl
from scipy.stats import binomtest

from retention.stats import ranks

CALIBRATION = {
    **dict.fromkeys(("n", "events"), pl.Int64),
    **dict.fromkeys(("predicted", "observed", "ci_lower", "ci_upper"), pl.Float64),
}
BOOTSTRAP = {"draw": pl.Int64, "model": pl.String, "auc": pl.Float64}


def auc(event: np.ndarray, risk: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The chance that one with the event had a higher risk than one without; equal risks half.

    NaN where nobody, or everybody, has the event.

    Source: Hanley and McNeil (1982), Radiology 143:29. Checked pair by pair in
    tests/stats/test_scores.py.
    """
    order, last = _sorted(risk)
    weights = np.ones(len(risk)) if weights is None else weights
    return _area(event[order], weights[order], last)


def harrell_c(
    durations: np.ndarray, events: np.ndarray, risk: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Among pairs of whom one is seen to leave first, the share in which that one had the higher
    risk; equal risks half. It depends on who was censored.

    NaN where there is no such pair. A customer censored at the time another left stayed longer.

    Takes   weights: of the pairs in which a customer leaves first (by default each counts once)

    Source: Harrell, Lee and Mark (1996), Statistics in Medicine 15:361. Checked on Rossi's data
    and pair by pair in tests/stats/test_scores.py.
    """
    weights = events * (1.0 if weights is None else weights)
    _, step = np.unique(durations, return_inverse=True)
    place = 2 * step + ~events
    order = np.argsort(place, kind="stable")
    rank, asked = ranks.levels(risk), weights > 0
    first = np.searchsorted(place[order], place[asked], "right")
    below, equal = ranks.counted_after(rank[order], first, rank[asked])
    pairs = weights[asked] @ (len(risk) - first)
    return float(weights[asked] @ (below + equal / 2) / pairs) if pairs > 0 else float("nan")


def groups_of(risk: np.ndarray, n: int = 10) -> np.ndarray:
    """Groups 1 to ``n`` of nearly equal size in order of risk; equal risks share a group.

    A group may be missing where many have the same risk. The order of rows does not matter.
    """
    level = ranks.levels(risk)
    ordered = np.sort(level)
    middle = np.searchsorted(ordered, level) + np.searchsorted(ordered, level, "right")
    return middle * n // (2 * len(risk)) + 1


def calibration(
    event: np.ndarray, risk: np.ndarray, group: np.ndarray, confidence: float = 0.95
) -> pl.DataFrame:
    """Set what was predicted beside what happened, group by group.

    Returns one row per group, in order: group, n, events, predicted (the mean of ``risk``),
            observed (the share with the event), ci_lower, ci_upper (Wilson's)

    Source: Wilson (1927), JASA 22:209. Checked by hand and with planted errors in
    tests/test_scores.py.
    """
    rows, names = [], np.unique(group)
    for there in (group == name for name in names):
        n, events = int(there.sum()), int(event[there].sum())
        limits = binomtest(events, n).proportion_ci(confidence, "wilson")
        figures = risk[there].mean(), event[there].mean(), limits.low, limits.high
        rows.append((n, events, *map(float, figures)))
    frame = pl.DataFrame(rows, CALIBRATION, orient="row")
    return frame.select(pl.Series("group", names.tolist()), pl.all())


def calibration_error(table: pl.DataFrame) -> float:
    """The mean distance of ``predicted`` from ``observed`` in the table of `calibration`, groups
    weighing as their ``n``."""
    distance = (table["observed"] - table["predicted"]).abs()
    return float((distance * table["n"]).sum() / table["n"].sum())


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
