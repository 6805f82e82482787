"""The promise of every table, in and out.

What each column means, with its unit, is in GLOSSARY.md (tests/test_glossary.py holds them equal).
"""

import narwhals as nw

from retention.errors import Refused
from retention.tables.rules import (
    EMPTY,
    REAL,
    TEXT,
    TRUTH,
    WHOLE,
    Broken,
    Promise,
    Rule,
    at_least,
    broken,
    ordered,
    rate,
    report,
)

PROMISES = {
    "events": Promise(
        "the source",
        "in",
        ("customer_id", "day"),
        {
            "customer_id": TEXT,
            "day": WHOLE,
            "hour": WHOLE,
            "kind": TEXT,
            "order_id": TEXT,
            "amount_cents": WHOLE,
            "product": TEXT,
            "category": TEXT,
            "channel": TEXT,
        },
        optional=("hour", "order_id", "amount_cents", "product", "category", "channel"),
        unique=False,
        rules=(
            at_least("amount_cents", 0, "book refunds as a kind of event of their own"),
            Rule(
                "amount_cents",
                "is known for every event of a kind that has amounts",
                nw.col("amount_cents").max().over("kind").is_null()
                | ~nw.col("amount_cents").is_null(),
                "give the missing amounts, or give these events another kind",
            ),
        ),
    ),
    "customers": Promise(
        "the source",
        "in",
        ("customer_id",),
        {"customer_id": TEXT, "started_day": WHOLE},
        optional=("started_day",),
        further=True,
    ),
    "contracts": Promise(
        "the source",
        "in",
        ("customer_id", "started_day"),
        {
            "customer_id": TEXT,
            "started_day": WHOLE,
            "ended_day": WHOLE,
            "booked_day": WHOLE,
            "cause": TEXT,
            "plan": TEXT,
            "amount_cents": WHOLE,
        },
        optional=("ended_day", "booked_day", "cause", "plan", "amount_cents"),
        rules=(
            ordered("started_day", "ended_day", "a contract cannot end before it starts"),
            at_least("amount_cents", 0, "give amounts per 30 days, not credits"),
        ),
    ),
    "activity": Promise(
        "tables",
        "customer",
        ("customer_id", "day", "kind"),
        {
            "customer_id": TEXT,
            "day": WHOLE,
            "kind": TEXT,
            "events": WHOLE,
            "orders": WHOLE,
            "amount_cents": WHOLE,
        },
        rules=(at_least("events", 1), at_least("orders", 0), at_least("amount_cents", 0)),
    ),
    "habits": Promise(
        "tables",
        "customer",
        ("customer_id", "channel", "weekday", "hour"),
        {"customer_id": TEXT, "channel": TEXT, "weekday": WHOLE, "hour": WHOLE, "events": WHOLE},
        optional=("channel", "hour"),
        rules=(at_least("events", 1),),
    ),
    "baskets": Promise(
        "tables",
        "customer",
        ("customer_id", "day", "product", "category"),
        {
            "customer_id": TEXT,
            "day": WHOLE,
            "product": TEXT,
            "category": TEXT,
            "amount_cents": WHOLE,
        },
        optional=("product", "category"),
        rules=(at_least("amount_cents", 0),),
    ),
    "spells": Promise(
        "tables",
        "customer",
        ("customer_id", "spell"),
        {
            "customer_id": TEXT,
            "spell": WHOLE,
            "entry_day": WHOLE,
            "start_day": WHOLE,
            "end_day": WHOLE,
            "duration_days": WHOLE,
            "event_observed": TRUTH,
            "cause": TEXT,
            "plan": TEXT,
            "excluded": TEXT,
        },
        optional=("end_day", "duration_days", "event_observed", "cause", "plan", "excluded"),
        rules=(
            at_least("spell", 1),
            at_least("duration_days", 1),
            ordered("start_day", "entry_day"),
            ordered("start_day", "end_day"),
            Rule(
                "duration_days",
                "is known unless the spell is excluded",
                nw.col("duration_days").is_null() == ~nw.col("excluded").is_null(),
            ),
        ),
    ),
    "customers_at": Promise(
        "tables",
        "customer",
        ("customer_id",),
        {
            "customer_id": TEXT,
            "spell": WHOLE,
            "start_day": WHOLE,
            "last_day": WHOLE,
            "in_risk_set": TRUTH,
            "tenure_days": WHOLE,
            "days_since_last_activity": WHOLE,
            "active_days_total": WHOLE,
            "orders_total": WHOLE,
            "amount_cents_total": WHOLE,
            "active_days_90d": WHOLE,
            "events_90d": WHOLE,
            "orders_90d": WHOLE,
            "amount_cents_90d": WHOLE,
            "amount_cents_365d": WHOLE,
            "events_per_30d": REAL,
            "cents_per_order_90d": REAL,
            "weekend_share_90d": REAL,
            "order_share_90d": REAL,
        },
        optional=(
            "spell",
            "start_day",
            "last_day",
            "tenure_days",
            "days_since_last_activity",
            "events_per_30d",
            "cents_per_order_90d",
            "weekend_share_90d",
            "order_share_90d",
        ),
        rules=(
            at_least("tenure_days", 1),
            at_least("days_since_last_activity", 0),
            *rate("weekend_share_90d"),
        ),
        further=True,
    ),
    "exclusions": Promise(
        "tables", "aggregate", ("rule",), {"rule": TEXT, "n": WHOLE}, rules=(at_least("n", 0),)
    ),
    "data_quality": Promise(
        "00_data",
        "aggregate",
        ("table", "column", "measure"),
        {"table": TEXT, "column": TEXT, "measure": TEXT, "value": REAL},
        optional=("column",),
    ),
    "lifecycle": Promise(
        "10_customers", "customer", ("customer_id",), {"customer_id": TEXT, "lifecycle": TEXT}
    ),
    "lifecycle_shares": Promise(
        "10_customers",
        "aggregate",
        ("lifecycle",),
        {
            "lifecycle": TEXT,
            "n": WHOLE,
            "share": REAL,
            "ci_lower": REAL,
            "ci_upper": REAL,
            "share_of_amount": REAL,
        },
        optional=("n", "share", "ci_lower", "ci_upper", "share_of_amount"),
        rules=rate("share", "ci_lower", "ci_upper", "share_of_amount"),
    ),
    "survival_curves": Promise(
        "20_survival",
        "aggregate",
        ("by", "group", "duration_days"),
        {
            "by": TEXT,
            "group": TEXT,
            "duration_days": WHOLE,
            "at_risk": WHOLE,
            "events": WHOLE,
            "survival": REAL,
            "ci_lower": REAL,
            "ci_upper": REAL,
        },
        rules=rate("survival", "ci_lower", "ci_upper"),
    ),
    "survival_tests": Promise(
        "20_survival",
        "aggregate",
        ("by",),
        {"by": TEXT, "test": TEXT, "n": WHOLE, "statistic": REAL, "df": WHOLE, "p_value": REAL},
        rules=rate("p_value"),
    ),
    "hazard_ratios": Promise(
        "20_survival",
        "aggregate",
        ("cause", "term"),
        {
            "cause": TEXT,
            "term": TEXT,
            "n": WHOLE,
            "events": WHOLE,
            "hazard_ratio": REAL,
            "ci_lower": REAL,
            "ci_upper": REAL,
            "p_value": REAL,
        },
        rules=rate("p_value"),
    ),
    "clusters": Promise(
        "30_clusters",
        "customer",
        ("customer_id",),
        {"customer_id": TEXT, "cluster": WHOLE, "membership": REAL, "outlier_score": REAL},
        rules=(at_least("cluster", -1), *rate("membership", "outlier_score")),
    ),
    "members": Promise(
        "30_clusters",
        "customer",
        ("customer_id", "segment"),
        {"customer_id": TEXT, "segment": TEXT},
    ),
    "segments": Promise(
        "30_clusters",
        "aggregate",
        ("segment",),
        {
            "segment": TEXT,
            "name": TEXT,
            "kind": TEXT,
            "n": WHOLE,
            "share_of_customers": REAL,
            "share_of_amount": REAL,
        },
        optional=("share_of_amount",),
        rules=rate("share_of_customers", "share_of_amount"),
        further=True,
    ),
    "retention": Promise(
        "40_cohorts",
        "aggregate",
        ("definition", "cohort_by", "cohort", "age"),
        {
            "definition": TEXT,
            "cohort_by": TEXT,
            "cohort": TEXT,
            "age": WHOLE,
            "n_start": WHOLE,
            "n_active": WHOLE,
            "retention": REAL,
            "ci_lower": REAL,
            "ci_upper": REAL,
        },
        optional=("n_start", "n_active", "retention", "ci_lower", "ci_upper"),
        rules=rate("retention", "ci_lower", "ci_upper"),
    ),
    "findings": Promise(
        "99_summary",
        "aggregate",
        ("notebook", "name"),
        {
            "notebook": TEXT,
            "name": TEXT,
            "value": REAL,
            "unit": TEXT,
            "ci_lower": REAL,
            "ci_upper": REAL,
            "previous": REAL,
            "change": REAL,
            "comparable": TRUTH,
            "sentence": TEXT,
        },
        optional=("value", "ci_lower", "ci_upper", "previous", "change", "comparable"),
    ),
}


def check_inputs(events, customers, contracts, places, names=EMPTY) -> None:
    """Check a source's tables, each alone and then against the customers.

    ``places`` says where a table came from and ``names`` what its columns are called there, for
    the message; both by our name of the table. ``contracts`` may be None.

    Raises:
        Refused: any rule is broken; the message names every one, with the rows that break it.
    """
    tables = {"events": events, "customers": customers, "contracts": contracts}
    given = {name: frame for name, frame in tables.items() if frame is not None}
    faults = {name: broken(frame, PROMISES[name]) for name, frame in given.items()}
    if not any(faults.values()):
        faults = {
            name: _against_customers(given[name], customers, day)
            for name, day in (("events", "day"), ("contracts", "started_day"))
            if name in given
        }
    lines = [
        report(places.get(name, name), found, names.get(name, EMPTY))
        for name, found in faults.items()
        if found
    ]
    if lines:
        raise Refused("\n".join(lines))


def _against_customers(table, customers, day: str) -> list[Broken]:
    """Rows of unknown customers, and rows whose ``day`` is before their customer's start."""
    known = nw.from_native(customers).lazy().select("customer_id", first_day="started_day")
    joined = (
        nw.from_native(table)
        .lazy()
        .select("customer_id", day)
        .join(known.with_columns(known=nw.lit(1)), on="customer_id", how="left")
    )
    unknown, early = (
        joined.select(
            nw.col("known").is_null().cast(WHOLE).alias("unknown"),
            (nw.col(day) < nw.col("first_day")).fill_null(False).cast(WHOLE).alias("early"),
        )
        .select(nw.all().sum())
        .collect()
        .row(0)
    )
    faults = []
    if unknown:
        mend = "add them to the customers table, or leave that table out"
        faults.append(Broken("customer_id", "is in the customers table", unknown, mend))
    if early:
        mend = "correct `started`, or map another column to it"
        faults.append(Broken(day, "is not before the customer's start", early, mend))
    return faults
