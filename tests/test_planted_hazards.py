"""Each planted hazard ratio lies in its 95 % interval as often as it should."""

import math
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import planted
import polars as pl
import pytest

from retention.tables import simulate

SEEDS = range(1_000)
COVERED = range(926, 972)  # of 1,000: the exact binomial range of 95 % at .001


def test_planted_hazard_ratios_are_found_in_one_world():
    found = planted.hazard_ratios(seed=1)

    assert found.height == len(simulate.TERMS) * len(simulate.HAZARD_RATIOS)
    assert found["bias"].abs().max() < math.log(2)
    assert found["covered"].sum() >= found.height - 2


@pytest.mark.slow
def test_each_planted_hazard_ratio_is_covered_by_its_95_percent_interval():
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        worlds = pl.concat(pool.map(planted.hazard_ratios, SEEDS, chunksize=20))

    covered = (
        worlds.group_by("cause", "term", "planted")
        .agg(pl.col("covered").sum(), pl.col("bias").mean())
        .sort("cause", "term")
    )
    with pl.Config(tbl_rows=-1):
        print(covered)
    assert all(n in COVERED for n in covered["covered"])
