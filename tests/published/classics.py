"""Small data sets of the literature: they come with lifelines, or are written out here."""

import math

import numpy as np
import polars as pl
from lifelines import WeibullAFTFitter
from lifelines.datasets import load_gbsg2, load_rossi, load_waltons

from published import fits, purchases
from retention.stats import incidence
from retention.survival import comparisons, survival

BMT = {  # days by status: 0 censored, 1 and 2 the causes
    0: [2, 4, 7, 8, 32, 35, 35, 67, 68, 70, 72],
    1: [0, 1, 3, 3, 3, 4, 4, 8, 12],
    2: [0, 1, 2, 3, 4, 5, 7, 7, 8, 9, 10, 13, 14, 22, 26],
}


def rossi() -> fits.Found:
    """Convicts until they are arrested again, in weeks (Rossi, Berk and Lenihan 1980)."""
    data = fits.to_polars(load_rossi())
    fit = fits.fit(data.drop("week", "arrest"), data["week"], data["arrest"] == 1)
    aft = WeibullAFTFitter().fit(fits.to_pandas(data), "week", "arrest")
    return {
        "n": data.height,
        "events": data["arrest"].sum(),
        **fits.estimates(fit),
        **fits.schoenfeld(fit, "rank"),
        **fits.schoenfeld(fit, "km"),
        **{f"Weibull AFT, {term}: coefficient": x for term, x in aft.params_["lambda_"].items()},
        "Weibull AFT: rho": aft.params_["rho_", "Intercept"],
        "Weibull AFT: log-likelihood": aft.log_likelihood_,
        "lifelines' ICI at 25 weeks": fits.ici(fit, 25),
    }


def waltons() -> fits.Found:
    """Fruit flies, in days, by their strain."""
    data = fits.to_polars(load_waltons()).select(
        duration_days=pl.col("T").cast(pl.Int64), event_observed=pl.col("E") == 1, group="group"
    )
    return {
        "Kaplan-Meier: median": survival.median_days(survival.kaplan_meier(data)),
        "log-rank, miR-137 against control": comparisons.log_rank(data, "group")["statistic"][0],
    }


def bmt() -> fits.Found:
    """Transplants of bone marrow: two causes to fail by, each of which shuts the other out."""
    days = np.concatenate(list(BMT.values()))
    status = np.repeat(list(BMT), [len(times) for times in BMT.values()])
    curves = {"any cause": incidence.cumulative_incidence(days, np.minimum(status, 1), 1)}
    found = {"n, censored": len(BMT[0])}
    for of in (1, 2):
        curves[f"cause {of}"] = incidence.cumulative_incidence(days, status, of)
        alone = incidence.cumulative_incidence(days, np.where(status == of, of, 0), of)
        found[f"n, cause {of}"] = len(BMT[of])
        found[f"1 - Kaplan-Meier by 24, cause {of} (too high)"] = _left_by(alone, 24)
    found["left in the end, cause 1"] = _left_by(curves["cause 1"], 72)
    return found | {
        f"left by {day}, {cause}": _left_by(curve, day)
        for cause, curve in curves.items()
        for day in (6, 12, 24)
    }


def gbsg2() -> fits.Found:
    """Breast cancer until it comes back, or death, in days (German Breast Cancer Study Group)."""
    data = fits.to_polars(load_gbsg2()).with_columns(pl.col("tgrade").str.len_chars())
    design = fits.dummies(data.drop("time", "cens"))
    fit = fits.fit(design, data["time"], data["cens"] == 1)
    return {
        **fits.estimates(fit),
        "Cox: Uno's C": fits.uno_c(fit, math.inf),
        "Cox: Brier score by day 1825": fits.brier(fit, fits.risk(fit, 1825), 1825),
        "Cox: integrated Brier score, days 365 to 1825": fits.integrated_brier(
            fit, np.arange(365, 1826)
        ),
    }


def late_entry() -> fits.Found:
    """Drawn lives of mean 12, of which those that ended before anybody looked are missing."""
    rng = np.random.default_rng(0)
    lives, entry = rng.exponential(12, 20_000), rng.uniform(0, 24, 20_000)
    lives, entry = lives[lives > entry], entry[lives > entry]
    left = np.ones(len(lives), int)
    naive = incidence.cumulative_incidence(lives, left, 1)
    right = incidence.cumulative_incidence(lives, left, 1, entry)
    return {
        "S(12) as if seen from the start (0.368 in truth)": 1 - _left_by(naive, 12),
        "S(12) with late entry (0.368 in truth)": 1 - _left_by(right, 12),
    }


SETS = {"rossi": rossi, "waltons": waltons, "bmt": bmt, "gbsg2": gbsg2, "late entry": late_entry}
SETS |= purchases.SETS


def _left_by(curve: pl.DataFrame, day: int) -> float:
    return curve.filter(pl.col("duration_days") <= day)["incidence"][-1]
