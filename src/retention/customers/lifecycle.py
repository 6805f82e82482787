"""Where customers are in their life with the business, by rules on what is known of them."""

from datetime import date

import narwhals as nw
import numpy as np
import polars as pl

from retention.book import RULED, Book, Conditions, Range
from retention.errors import Refused, nearest
from retention.stats import rate_ratio
from retention.stats.intervals import wilson
from retention.tables import conditions, promises
from retention.tables.features import USAGE_DAYS

STAGES = (
    *("new", "active", "declining", "at risk", "dormant", "reactivated", "gone", "never active"),
)
NEW_DAYS = 30
QUIET_DAYS = 30  # in a contract book, where the days of the definition are days of grace
WORDS = {  # what a rule says of a column, where its name says too little
    "booked_end_in_days": "days to a booked end",
    "trend_lower": "lower limit of the trend",
    "trend_upper": "upper limit of the trend",
}
LONG = 3.0  # times a customer's own mean gap: one exponential gap in twenty is as long
ENOUGH = 5  # active days, or that mean is hardly known


def rules(book: Book) -> dict[str, Conditions]:
    """The rule of every stage that has one, the most pressing first: the book's own, or the usual.

    Customers without a spell are never active, those whose latest spell has ended are gone; of all
    others the first rule that fits decides, and who meets none is active.
    """
    churn = book.churn
    quiet = (churn.after_days + 1) // 2 if churn.kind == "activity" else QUIET_DAYS
    long = {
        "silence_ratio": Range(at_least=LONG),
        "active_days_total": Range(at_least=ENOUGH),
        "quiet_days": Range(below=quiet),
    }
    early = Range(below=NEW_DAYS + 1)
    usual = {
        "at risk": long if churn.kind == "activity" else {"booked_end_in_days": Range(known=True)},
        "dormant": {"quiet_days": Range(at_least=quiet)},
        "declining": {"trend_upper": Range(below=1)},
        "new": {"spell": 1, "tenure_days": early},
        "reactivated": {"spell": Range(at_least=2), "tenure_days": early},
    }
    return {stage: book.lifecycle.get(stage, usual[stage]) for stage in RULED}


def staged(customers: pl.DataFrame, book: Book, confidence: float = 0.95) -> pl.DataFrame:
    """Every customer's one stage, and what the usual rules look at beside features.

    Takes   customers_at, of any day
    Returns customers_at with quiet_days (since the last activity, or since the latest spell began
            if that is later), trend, trend_lower, trend_upper (the usage ratio with its exact
            limits, see `rate_ratio.exact`; null for who is not in the risk set) and lifecycle (one
            of `STAGES`)

    Raises:
        Refused: a rule of the book speaks of a column that there is not, or of other values than
            it holds.

    Checked in tests/test_lifecycle.py.
    """
    known = _signs(customers, confidence)
    wanted = rules(book)
    _require_known(wanted, known)
    fits = {stage: conditions.holds(rule) for stage, rule in wanted.items()}
    first = nw.from_native(known.select(pl.all())).select(**fits).to_native()
    stage = pl.coalesce(
        pl.when(pl.col("spell").is_null()).then(pl.lit("never active")),
        pl.when(~pl.col("in_risk_set")).then(pl.lit("gone")),
        *(pl.when(first[name]).then(pl.lit(name)) for name in RULED),
        pl.lit("active"),
    )
    return known.with_columns(lifecycle=stage)


def table(staged: pl.DataFrame, *parts: pl.DataFrame) -> pl.DataFrame:
    """The table "lifecycle": of ``staged`` and each of ``parts`` the columns that it holds.

    Takes   one row per customer_id each; what a part says of nobody else is null
    """
    columns = promises.PROMISES["lifecycle"].columns
    whole = staged.select(name for name in staged.columns if name in columns)
    for part in parts:
        own = [name for name in part.columns if name in columns and name not in whole.columns]
        known = part.select("customer_id", *own)
        whole = whole.join(known, on="customer_id", how="left", validate="1:1")
    return whole.select(*columns)


def _signs(customers: pl.DataFrame, confidence: float) -> pl.DataFrame:
    """``customers`` with quiet_days and the trend."""
    counts = ("active_days_28d", "active_days_before", "days_before")
    recent, before, days = (customers[name].to_numpy() for name in counts)
    lower, upper = rate_ratio.exact(recent, before, USAGE_DAYS, np.maximum(days, 1), confidence)
    ratio = pl.col("usage_ratio")
    known = pl.col("in_risk_set") & ratio.is_not_null()
    trend = {"trend": ratio, "trend_lower": pl.Series(lower), "trend_upper": pl.Series(upper)}
    quiet = pl.min_horizontal("days_since_last_activity", pl.col("tenure_days") - 1)
    return customers.with_columns(
        quiet_days=quiet, **{name: pl.when(known).then(value) for name, value in trend.items()}
    )


def _require_known(wanted: dict[str, Conditions], known: pl.DataFrame) -> None:
    """Rules speak of columns that are there, and of such values as these hold."""
    schema = nw.from_native(known).schema
    for stage, rule in wanted.items():
        for name, condition in rule.items():
            if name not in schema:
                hint = nearest(name, schema)
                raise Refused(f"lifecycle: {stage}: customers have no column {name!r}{hint}")
            if what := conditions.misfit(condition, schema[name]):
                raise Refused(
                    f"lifecycle: {stage}: column {name!r} {what}; write what stands there"
                )


def definition(book: Book, confidence: float = 0.95) -> str:
    """The stages in words, for the page."""
    gone = "silent" if book.churn.kind == "activity" else "out of contract"
    said = "; ".join(f"{stage}: {in_words(rule)}" for stage, rule in rules(book).items())
    return (
        f"Never active: no spell so far. Gone: {gone} for {book.churn.after_days} days. Of all "
        f"others the first rule that fits decides; {said}. Active: whom no rule fits. Quiet days: "
        "since the last activity, or since the latest spell began. Trend: active days for every "
        f"day of the last {USAGE_DAYS}, divided by those for every day of the twelve weeks before, "
        f"with its {confidence:.0%} interval (upper, lower). Silence ratio: days since the last "
        "activity, divided by the customer's own mean gap."
    )


def in_words(rule: Conditions) -> str:
    """A rule as people read it: "spell 1, tenure days below 31"."""
    named = {name: WORDS.get(name, name.replace("_", " ")) for name in rule}
    return ", ".join(f"{named[name]} {_said(what)}" for name, what in rule.items())


def _said(condition) -> str:
    if not isinstance(condition, Range):
        values = condition if isinstance(condition, list) else [condition]
        return " or ".join(map(_value, values))
    bounds = {"at least": condition.at_least, "below": condition.below}
    parts = [f"{word} {_value(bound)}" for word, bound in bounds.items() if bound is not None]
    return " and ".join(parts) or "known"


def _value(value) -> str:
    if isinstance(value, bool | str | date):
        return {True: "yes", False: "no"}.get(value, str(value))
    return f"{value:,g}"


def quartiles(customers: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """Quartiles of the behaviour of customers: feature, n (known), lower, median, upper.

    Features known of fewer than ``min_cell`` customers are left out.

    Takes   customers_at: one row per customer
    """
    features = (
        "tenure_days",
        "days_since_last_activity",
        "active_days_90d",
        "orders_90d",
        "amount_cents_90d",
        "amount_cents_365d",
    )
    long = customers.select(pl.col(features).cast(pl.Float64)).unpivot(variable_name="feature")
    return (
        long.group_by("feature", maintain_order=True)
        .agg(
            pl.col("value").count().cast(pl.Int64).alias("n"),
            pl.col("value").quantile(0.25, "linear").alias("lower"),
            pl.col("value").median().alias("median"),
            pl.col("value").quantile(0.75, "linear").alias("upper"),
        )
        .filter(pl.col("n") >= min_cell)
    )


def headline(shares: pl.DataFrame) -> str:
    """The largest stage whose share is shown, in a sentence."""
    shown = shares.drop_nulls("share").sort("share", "lifecycle")
    if shown.is_empty():
        return "Every stage is too small to be shown"
    return f"{shown['lifecycle'][-1].capitalize()} is the largest stage"


def shares(customers: pl.DataFrame, confidence: float = 0.95) -> pl.DataFrame:
    """How many customers are in each stage, and who carries the amount of the last year.

    Takes   one row per customer: lifecycle, amount_cents_365d
    Returns the table "lifecycle_shares", in the order of a life: lifecycle, n, share, ci_lower,
            ci_upper, share_of_amount (null where nobody spent anything)
    """
    total = customers["amount_cents_365d"].sum()
    spent = pl.col("amount_cents_365d").sum() / total if total else pl.lit(None, pl.Float64)
    order = {name: number for number, name in enumerate(STAGES)}
    return (
        customers.group_by("lifecycle", maintain_order=True)
        .agg(pl.len().cast(pl.Int64).alias("n"), spent.alias("share_of_amount"))
        .with_columns(n_all=pl.col("n").sum())
        .with_columns(share=pl.col("n") / pl.col("n_all"))
        .with_columns(*wilson("n", "n_all", confidence))
        .sort(pl.col("lifecycle").replace_strict(order))
        .select("lifecycle", "n", "share", "ci_lower", "ci_upper", "share_of_amount")
    )
