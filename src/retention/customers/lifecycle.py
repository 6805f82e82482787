"""Where customers are in their life with the business, by rules on what is known of them."""

import narwhals as nw
import numpy as np
import polars as pl

from retention import charts, schema
from retention.book import RULED, Book, Conditions, Range
from retention.exhibit import Exhibit, said_of
from retention.refresh import Refresh
from retention.stats import rate_ratio
from retention.stats.shares import shares
from retention.tables import conditions
from retention.tables.features import USAGE_DAYS

STAGES = (
    *("new", "active", "declining", "at risk", "dormant", "reactivated", "gone", "never active"),
)
NEW_DAYS = 30
QUIET_DAYS = 30  # in a contract book, where the days of the definition are days of grace
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
            limits, see `rate_ratio.exact`; null for who is not current) and lifecycle (one
            of `STAGES`)

    Raises:
        Refused: a rule of the book speaks of a column that there is not, or of other values than
            it holds.

    Checked in tests/customers/test_lifecycle.py.
    """
    counts = ("active_days_28d", "active_days_before", "days_before")
    recent, before, days = (customers[name].to_numpy() for name in counts)
    lower, upper = rate_ratio.exact(recent, before, USAGE_DAYS, np.maximum(days, 1), confidence)
    ratio = pl.col("usage_ratio")
    trend = {"trend": ratio, "trend_lower": pl.Series(lower), "trend_upper": pl.Series(upper)}
    current = (pl.col("standing") == "current") & ratio.is_not_null()
    known = customers.with_columns(
        quiet_days=pl.min_horizontal("days_since_last_activity", pl.col("tenure_days") - 1),
        **{name: pl.when(current).then(value) for name, value in trend.items()},
    )
    frame, wanted = nw.from_native(known), rules(book)
    for name, rule in wanted.items():
        conditions.require(rule, frame.schema, f"lifecycle: {name}")
    fits = {name: conditions.holds(rule) for name, rule in wanted.items()}
    first = frame.select(**fits).to_native()
    stage = pl.coalesce(
        pl.when(pl.col("spell").is_null()).then(pl.lit("never active")),
        pl.when(pl.col("standing").is_in(["lapsed", "finished"])).then(pl.lit("gone")),
        *(pl.when(first[name]).then(pl.lit(name)) for name in RULED),
        pl.lit("active"),
    )
    return known.with_columns(lifecycle=stage)


def stages(r: Refresh, everybody: pl.DataFrame) -> Exhibit:
    """How many customers are in each stage, and who pays: the table "lifecycle_shares".

    Takes   everybody (see `engagement.everybody`). Stages without customers have no row
    """
    found = shares(everybody, "lifecycle", STAGES, "amount_cents_365d", r.confidence)
    gone = "{value} of all customers are gone ({ci})."
    return Exhibit(
        found.filter(pl.col("n") > 0),
        _largest,
        draw=lambda table: charts.bars(table, "lifecycle", "share", n="n"),
        definition=definition(r.book),
        findings=lambda table: said_of(table.filter(lifecycle="gone"), "gone_share", gone),
        name="lifecycle_shares",
    )


def _largest(table: pl.DataFrame) -> str:
    shown = table.drop_nulls("share").sort("share", "lifecycle")
    if shown.is_empty():
        return "Every stage is too small to be shown"
    stage, share = shown["lifecycle"][-1], shown["share"][-1]
    return f"{stage.capitalize()} is the largest stage: {share:.1%} of all customers"


def definition(book: Book) -> str:
    """The stages in words, for the page."""
    gone = "silent" if book.churn.kind == "activity" else "out of contract"
    said = "; ".join(f"{stage}: {conditions.in_words(rule)}" for stage, rule in rules(book).items())
    return (
        f"Never active: nothing done so far. Gone: {gone} for {book.churn.after_days} days. For "
        f"everybody else the first rule that applies decides; {said}. Active: no rule applies. "
        "Quiet days: since the last activity, or since the latest return if that is later. Trend: "
        f"active days per day of the last {USAGE_DAYS}, divided by those of the twelve weeks "
        f"before, with its {book.confidence:.0%} interval. Silence ratio: days since the last "
        "activity, divided by the customer's own mean gap."
    )


def together(everybody: pl.DataFrame, *parts: pl.DataFrame) -> pl.DataFrame:
    """The table "lifecycle": of ``everybody`` and each of ``parts`` the columns that it holds.

    Takes   one row per customer_id each; what a part says of nobody else is null
    """
    for part in parts:
        everybody = everybody.join(part, on="customer_id", how="left", validate="1:1")
    return everybody.select(*schema.TABLES["lifecycle"].columns)
