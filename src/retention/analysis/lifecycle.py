"""Where customers are in their life with the business, by rules on their present spell."""

import polars as pl

from retention.book import Churn
from retention.intervals import wilson

STAGES = ("new", "active", "silent", "returned", "gone", "never active")


def stage(new_days: int, silent_days: int) -> pl.Expr:
    """The stage of a customer, from the columns of "customers_at".

    never active  no spell yet
    gone          the last spell has ended
    new           in the first spell, for at most ``new_days``
    silent        nothing done for more than ``silent_days``, or nothing at all
    returned      in a second or later spell
    active        everybody else
    """
    silent = pl.col("days_since_last_activity").fill_null(silent_days + 1) > silent_days
    return (
        pl.when(pl.col("spell").is_null())
        .then(pl.lit("never active"))
        .when(~pl.col("in_risk_set"))
        .then(pl.lit("gone"))
        .when((pl.col("spell") == 1) & (pl.col("tenure_days") <= new_days))
        .then(pl.lit("new"))
        .when(silent)
        .then(pl.lit("silent"))
        .when(pl.col("spell") > 1)
        .then(pl.lit("returned"))
        .otherwise(pl.lit("active"))
        .alias("lifecycle")
    )


def staged(customers: pl.DataFrame, new_days: int, silent_days: int) -> pl.DataFrame:
    """customers_at with the column lifecycle (see `stage`)."""
    return customers.with_columns(stage(new_days, silent_days))


def definition(churn: Churn, new_days: int, silent_days: int) -> str:
    """The stages in words, for the page."""
    gone = "silent" if churn.kind == "activity" else "out of contract"
    return (
        f"Gone: {gone} for {churn.after_days} days. New: in the first {new_days} days. Silent: "
        f"nothing done for more than {silent_days} days. Returned: back after having been gone. "
        "Active: all other current customers."
    )


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
