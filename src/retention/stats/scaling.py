"""Behaviour as points: on a log scale where stated, in robust units, no two alike."""

import hashlib

import numpy as np
import polars as pl

LOG = " (log)"  # in the name of a feature that is compared on a log scale
MOST = 6  # dimensions in which density still tells groups apart
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
    Returns rows in order of ``compared``; a feature that never varies is all 0. More than six
            features are turned to their first six principal components. Ties are broken by
            a tiny jitter keyed to the customer's id (and ``key``): without it HDBSCAN's groups
            depend on the order of rows (DECISIONS: jitter)

    Where the range is 0, standard deviations are the unit. Checked in tests/stats/test_scaling.py.
    """
    like = compared if like is None else like
    columns = scaled(compared, like)
    if like.is_empty():
        return columns[:, :MOST]
    if columns.shape[1] > MOST:
        usual = scaled(like, like)
        _, vectors = np.linalg.eigh(np.cov(usual, rowvar=False))
        columns = (columns - usual.mean(axis=0)) @ vectors[:, : -MOST - 1 : -1]
    return columns + _jitter(compared["customer_id"], columns.shape[1], key)


def scaled(compared: pl.DataFrame, like: pl.DataFrame) -> np.ndarray:
    """Each feature's distance from the median, in interquartile ranges of ``like``."""
    columns = np.empty((compared.height, compared.width - 1))
    for at, name in enumerate(compared.columns[1:] if like.height else []):
        usual = like[name].to_numpy()
        low, middle, high = np.percentile(usual, [25, 50, 75])
        columns[:, at] = (compared[name].to_numpy() - middle) / (high - low or usual.std() or 1.0)
    return columns


def _jitter(ids: pl.Series, width: int, key: str) -> np.ndarray:
    """Even noise of width JITTER, the same for a customer in any order of rows."""
    digests = b"".join(hashlib.shake_128((key + name).encode()).digest(8 * width) for name in ids)
    numbers = np.frombuffer(digests, dtype="<u8").reshape(-1, width)
    return JITTER * (numbers / 2**64 - 0.5)
