"""Behaviour as points: on a log scale where stated, in robust units, no two alike."""

import hashlib

import numpy as np
import polars as pl

LOG = " (log)"  # in the name of a feature that is compared on a log scale
JITTER = 1e-3  # in units of a feature's interquartile range


def compared(behaviour: pl.DataFrame, logged: list[str]) -> pl.DataFrame:
    """``behaviour`` as it is compared: log(1 + x) of the ``logged``, whose name then says so.

    Takes   customer_id and features (numbers; more than -1 where logged)
    """
    return behaviour.select(
        "customer_id",
        *(
            pl.col(name).log1p().alias(name + LOG) if name in logged else name
            for name in behaviour.columns[1:]
        ),
    )


def points(compared: pl.DataFrame, like: pl.DataFrame | None = None, key: str = "") -> np.ndarray:
    """Each feature's distance from the median, in interquartile ranges of ``like`` (of itself).

    Takes   customer_id and features as `compared` gives them
    Returns rows in order of ``compared``; a feature that never varies is all 0. Ties are broken by
            a tiny jitter keyed to the customer's id (and ``key``): without it HDBSCAN's groups
            depend on the order of rows (DECISIONS: jitter)

    Where the range is 0, standard deviations are the unit. Checked in tests/test_scaling.py.
    """
    like = compared if like is None else like
    columns = []
    if like.is_empty():
        return np.empty((0, compared.width - 1))
    for name in compared.columns[1:]:
        usual = like[name].to_numpy()
        low, middle, high = np.percentile(usual, [25, 50, 75])
        columns.append((compared[name].to_numpy() - middle) / (high - low or usual.std() or 1.0))
    return np.column_stack(columns) + _jitter(compared["customer_id"], len(columns), key)


def _jitter(ids: pl.Series, width: int, key: str) -> np.ndarray:
    """Even noise of width JITTER, the same for a customer in any order of rows."""
    digests = b"".join(hashlib.shake_128((key + name).encode()).digest(8 * width) for name in ids)
    numbers = np.frombuffer(digests, dtype="<u8").reshape(-1, width)
    return JITTER * (numbers / 2**64 - 0.5)
