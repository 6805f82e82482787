"""The likeliest positive parameters of a model of customers, of whom many are alike."""

from collections.abc import Callable

import numpy as np
import polars as pl
from scipy.optimize import minimize

from retention.errors import Refused

BOUND = 8.0  # of the logarithms: where a parameter has no finite best value, it ends there
FLAT = 1e-5  # the steepest mean slope at which the top counts as reached
STARTS = 3  # the search goes on from where it got stuck, where that is no top
OPTIONS = {"maxiter": 5000, "maxfun": 20000, "ftol": 1e-16, "gtol": 1e-10, "maxcor": 20}
Model = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def grouped(*columns: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """The distinct rows of ``columns``, in order, as columns again, and how often each occurs."""
    names = [f"c{number}" for number in range(len(columns))]
    rows = pl.DataFrame(dict(zip(names, columns, strict=True))).cast(pl.Float64)
    counted = rows.group_by(names).agg(n=pl.len()).sort(names)
    return [counted[name].to_numpy() for name in names], counted["n"].to_numpy().astype(float)


def maximise(model: Model, n: np.ndarray, start: tuple[float, ...]) -> tuple[tuple, float]:
    """The parameters, all above 0, under which the data are likeliest, and the log-likelihood.

    Takes   model: of the parameters gives the log-likelihood of each row and its slopes (one row
            per parameter); n: how often each row occurs

    Raises:
        Refused: the search does not end at a top.
    """
    whole = n.sum()

    def loss(logs: np.ndarray) -> tuple[float, np.ndarray]:
        parameters = np.exp(logs)
        values, slopes = model(parameters)
        return -(values @ n) / whole, -(slopes @ n) * parameters / whole

    bounds = [(-BOUND, BOUND)] * len(start)
    options = {"method": "L-BFGS-B", "jac": True, "bounds": bounds, "options": OPTIONS}
    at = np.log(start)
    for _ in range(STARTS):
        found = minimize(loss, at, **options)
        outward = (np.abs(found.x) >= BOUND) & (found.x * found.jac < 0)
        if np.isfinite(found.fun) and np.abs(found.jac[~outward]).max(initial=0) <= FLAT:
            return tuple(map(float, np.exp(found.x))), float(-found.fun * whole)
        at = found.x
    raise Refused(f"no likeliest parameters can be found ({found.message})")
