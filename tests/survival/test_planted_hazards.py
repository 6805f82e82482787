"""Each planted hazard ratio lies in its 95 % interval as often as it should, and no effect is
found where none was planted more often than it may."""

import math
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import planted
import polars as pl
import pytest
from scipy.stats import binom

from retention_demo import simulate

SEEDS = range(1_000)
COVERED = range(926, 972)  # of 1,000: the exact binomial range of 95 % at .001
SIGNIFICANT = range(29, 75)  # and of 5 %


def test_planted_hazard_ratios_are_found_in_one_world():
    found = planted.hazard_ratios(seed=1)

    terms = len(simulate.TERMS) + len(simulate.REGIONS) - 1
    assert found.height == terms * len(simulate.HAZARD_RATIOS)
    assert found["bias"].abs().max() < math.log(2)
    assert found["covered"].sum() >= found.height - 2
    assert found.filter(planted=1.0)["significant"].sum() <= 3


def test_the_ranges_are_those_of_the_binomial():
    for counts, share in ((COVERED, 0.95), (SIGNIFICANT, 0.05)):
        lower, upper = binom.ppf([0.0005, 0.9995], len(SEEDS), share)
        assert (counts[0], counts[-1]) == (lower, upper)


@pytest.mark.slow
def test_each_planted_hazard_ratio_is_covered_and_none_is_found_where_none_was_planted():
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        worlds = pl.concat(pool.map(planted.hazard_ratios, SEEDS, chunksize=20))

    counted = (
        worlds.group_by("cause", "term", "planted")
        .agg(pl.col("covered", "significant").sum(), pl.col("bias").mean())
        .sort("cause", "term")
    )
    with pl.Config(tbl_rows=-1):
        print(counted)
    assert all(n in COVERED for n in counted["covered"])
    assert all(n in SIGNIFICANT for n in counted.filter(planted=1.0)["significant"])
