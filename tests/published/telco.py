"""IBM's Telco customers, whose numbers many have published: curves, risks, and what they are worth.

Durations are months here. "Silver" are those who pay by month and have the internet, as in the
Databricks accelerator for survival analysis, with its four covariates.
"""

import hashlib
import math
from pathlib import Path

import numpy as np
import polars as pl
from lifelines import WeibullAFTFitter
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from published import fits
from retention.stats import by_group, scores
from retention.survival import comparisons, survival

FILE = "telco/Telco-Customer-Churn.csv"
SHA256 = "16320c9c1ec72448db59aa0a26a0b95401046bef5d02fd3aeb906448e3055e91"
ORIGIN = "https://github.com/IBM/telco-customer-churn-on-icp4d (data/Telco-Customer-Churn.csv)"
LIFE = ("duration_days", "event_observed")
COVARIATES = {
    "dependents": pl.col("Dependents") == "Yes",
    "DSL": pl.col("InternetService") == "DSL",
    "online backup": pl.col("OnlineBackup") == "Yes",
    "tech support": pl.col("TechSupport") == "Yes",
}
FOLDS = StratifiedKFold(5, shuffle=True, random_state=42)


def read(folder: Path) -> pl.DataFrame:
    """The customers, one row each: duration_days (months), event_observed and all attributes; a
    blank TotalCharges is 0.

    Raises:
        FileNotFoundError: the file is not there.
        ValueError: it is not as it was published.
    """
    content = (folder / FILE).read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ValueError(f"{FILE} is not, byte for byte, what was published; get it from {ORIGIN}")
    rows = pl.read_csv(content, infer_schema=False)
    charges = pl.col("TotalCharges").str.strip_chars().cast(pl.Float64, strict=False)
    return rows.select(
        pl.col("tenure").cast(pl.Int64).alias("duration_days"),
        (pl.col("Churn") == "Yes").alias("event_observed"),
        pl.exclude("customerID", "tenure", "Churn", "SeniorCitizen", "^.*Charges$"),
        pl.col("SeniorCitizen", "MonthlyCharges").cast(pl.Float64),
        charges.fill_null(0),
    )


def telco(customers: pl.DataFrame) -> fits.Found:
    """Everything, of the customers that `read` gives."""
    monthly = customers.filter(Contract="Month-to-month")
    silver = monthly.filter(pl.col("InternetService") != "No")
    groups = {"all": customers, "Month-to-month": monthly, "silver": silver}
    groups |= {name: customers.filter(Contract=name) for name in ("One year", "Two year")}
    found = {f"{group}: {name}": x for group in groups for name, x in curve(groups[group]).items()}
    return {
        **found,
        "all: tenure 0": (customers["duration_days"] == 0).sum(),
        "log-rank by contract": comparisons.log_rank(customers, "Contract")["statistic"][0],
        "silver: P(T > 24 | T > 12)": found["silver: S(24)"] / found["silver: S(12)"],
        **{f"silver: {name}": x for name, x in regression(silver).items()},
        **classifiers(customers),
        **all_columns(customers),
    }


def curve(lives: pl.DataFrame) -> fits.Found:
    """How many, their median, and the share left at some times, by Kaplan-Meier."""
    curve = survival.kaplan_meier(lives)
    median = survival.median_days(curve)
    read = by_group.read(curve, [1, 6, 12, 24, 34, 48, 60, 72])
    return {
        "n": lives.height,
        "events": lives["event_observed"].sum(),
        "median": math.inf if median is None else median,
        **{f"S({t})": share for t, share in read.select("duration_days", "survival").iter_rows()},
    }


def regression(silver: pl.DataFrame) -> fits.Found:
    """Cox regression of silver: estimates, scores for those it learnt from, and later risks."""
    design = silver.select(**COVARIATES).cast(pl.Float64)
    fit = fits.fit(design, *silver.select(LIFE))
    found = fits.estimates(fit) | fits.schoenfeld(fit, "rank") | later(fit)
    found |= {f"Cox: Uno's C to month {tau}": fits.uno_c(fit, tau) for tau in (24, 60)}
    found |= {f"lifelines' ICI at {t} (do not trust)": fits.ici(fit, t) for t in (12, 24, 36)}
    found["Cox: integrated Brier score, months 1 to 60"] = fits.integrated_brier(
        fit, np.arange(1, 61)
    )
    for month in (12, 24, 36, 48):
        risk = fits.risk(fit, month)
        whole = np.full(len(risk), fits.left_by(fit.durations, fit.events, month))
        found |= {
            f"Cox: dynamic AUC at {month}": fits.dynamic_auc(fit, risk, month),
            f"Cox: Brier score at {month}": fits.brier(fit, risk, month),
            f"Brier score of Kaplan-Meier alone at {month}": fits.brier(fit, whole, month),
            f"Cox: calibration error at {month}": fits.calibration_error(fit, risk, month),
        }
    return found


def later(fit: fits.Fit) -> fits.Found:
    """Risks, over twelve months, of the first three customers had they stayed so long; of a
    Weibull model too, which knows an answer where the data end."""
    aft = WeibullAFTFitter().fit(fits.as_fitted(fit), "_duration", "_event")
    first, found = fits.to_pandas(fit.design.head(3)), {}
    for since in (12, 60, 71, 72):
        now, then = aft.predict_survival_function(first, times=[since, since + 12]).to_numpy()
        for number in range(3):
            name = f"risk of customer {number + 1} in months {since}..{since + 12}"
            found[f"Cox: {name}"] = fits.risk(fit, 12, since)[number]
            found[f"Weibull AFT: {name}"] = 1 - then[number] / now[number]
    return found


def classifiers(customers: pl.DataFrame) -> fits.Found:
    """Who has left, told from everything including tenure, of those not learnt from."""
    columns = fits.dummies(customers.drop("event_observed")).to_numpy()
    left, found = customers["event_observed"].to_numpy(), {}
    models = {
        "logistic regression": make_pipeline(
            StandardScaler(), LogisticRegression(max_iter=1000, random_state=0)
        ),
        "gradient boosting": HistGradientBoostingClassifier(random_state=0),
    }
    for name, model in models.items():
        with threadpool_limits(1):  # threads that wait for each other take minutes
            risk = cross_val_predict(model, columns, left, cv=FOLDS, method="predict_proba")[:, 1]
        found |= {
            f"{name}: AUC": scores.auc(left, risk),
            f"{name}: Brier score": brier_score_loss(left, risk),
            f"{name}: average precision": average_precision_score(left, risk),
        }
    return found


def all_columns(customers: pl.DataFrame) -> fits.Found:
    """How well Cox regressions on everything but tenure sort customers."""
    lives, whole = customers.select(LIFE), np.arange(customers.height)
    no_service = pl.col(pl.String).str.replace("^No (internet|phone) service$", "No")
    leaking = fits.dummies(customers.drop(LIFE).with_columns(no_service))
    design = leaking.drop("TotalCharges")

    def c(design: pl.DataFrame, learn: np.ndarray, judge: np.ndarray, penalizer: float) -> float:
        learnt = fits.fit(design[learn], *lives[learn], penalizer=penalizer)
        others = fits.Fit(learnt.fitter, design[judge], *map(pl.Series.to_numpy, lives[judge]))
        return fits.harrell_c(others)

    folds = [c(design, *fold, 0.001) for fold in FOLDS.split(whole, lives["event_observed"])]
    return {
        "Cox, all columns: Harrell's C": c(design, whole, whole, 0),
        "Cox, all columns, penalizer 0.001: Harrell's C in five folds": float(np.mean(folds)),
        "Cox, TotalCharges too (a leak), penalizer 0.001: Harrell's C": c(
            leaking, whole, whole, 0.001
        ),
    }
