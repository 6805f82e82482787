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


def auc(event: np.ndarray, risk: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The chance that one with the event had a higher risk than one without; equal risks half.

    NaN where nobody, or everybody, has the event.

    Source: Hanley and McNeil (1982), Radiology 143:29. Checked pair by pair in
    tests/stats/test_scores.py.
    """
    order, last = _sorted(risk)
    weights = np.ones(len(risk)) if weights is None else weights
    return _area(event[order], weights[order], last)


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
    tests/stats/test_scores.py.
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


def brier(event: np.ndarray, risk: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The mean squared distance of ``risk`` from what happened.

    Source: Brier (1950), Monthly Weather Review 78:1. Checked in tests/stats/test_scores.py.
    """
    return float(np.average((risk - event) ** 2, weights=weights))


def bootstrap(  # noqa: PLR0917
    event: np.ndarray,
    risks: dict[str, np.ndarray],
    cluster: np.ndarray,
    stratum: np.ndarray,
    draws: int = 0,
    seed: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How measures of models vary if other customers had been seen.

    Takes   event (bool); risks of every model; cluster: whose row it is, as a customer may stand
            in several strata; stratum: the test date. Each draw takes as many customers as there
            are, with return, each with all of their rows; without ``draws`` all count once.
    Returns AUC (averaged over strata; one in which a draw has nobody on one side is left out of
            that draw), Brier score and calibration error by tenths of the risk: each one row per
            draw, one column per model. All models are scored on the same draws, so that their
            differences may be taken draw by draw.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 8. Checked
    against DeLong's standard error in tests/stats/test_scores.py.
    """
    rng = np.random.default_rng(seed)
    _, customer = np.unique(cluster, return_inverse=True)
    n = customer.max() + 1
    strata = [np.flatnonzero(stratum == name) for name in np.unique(stratum)]
    prepared = {
        model: [_prepared(event[part], risk[part], customer[part]) for part in strata]
        for model, risk in risks.items()
    }
    missed = {model: (groups_of(risk), risk - event) for model, risk in risks.items()}
    found = np.full((3, max(draws, 1), len(risks)), np.nan)
    for draw in range(max(draws, 1)):
        times = np.bincount(rng.integers(n, size=n), minlength=n) if draws else np.ones(n)
        weights = times[customer].astype(float)
        for at, (model, (tenth, by)) in enumerate(missed.items()):
            areas = [_area(event, times[who], last) for event, who, last in prepared[model]]
            known = [area for area in areas if not np.isnan(area)]
            weighted = weights * by
            missed_by = (weighted * by).sum(), np.abs(np.bincount(tenth, weighted)).sum()
            auc = float(np.mean(known)) if known else np.nan
            found[:, draw, at] = auc, *(np.array(missed_by) / weights.sum())
    return tuple(found)


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
