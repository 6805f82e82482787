"""The promise of every table, in and out.

A name with * belongs to the grain: no two rows are alike in it. A type with ? may be null.
What each column means, with its unit, is in GLOSSARY.md (tests/test_glossary.py holds them equal).
"""

import narwhals as nw

from retention.errors import Refused
from retention.tables.rules import (
    EMPTY,
    WHOLE,
    Broken,
    Rule,
    at_least,
    broken,
    ordered,
    promise,
    rate,
    report,
)

PROMISES = {
    "events": promise(
        "the source",
        "in",
        "customer_id* text, day* whole, hour whole?, kind text, order_id text?, "
        "amount_cents whole?, product text?, category text?, channel text?",
        at_least("amount_cents", 0, "book refunds as a kind of event of their own"),
        Rule(
            "amount_cents",
            "is known for every event of a kind that has amounts",
            nw.col("amount_cents").max().over("kind").is_null() | ~nw.col("amount_cents").is_null(),
            "give the missing amounts, or give these events another kind",
        ),
        unique=False,
    ),
    "customers": promise("the source", "in", "customer_id* text, started_day whole?", further=True),
    "contracts": promise(
        "the source",
        "in",
        "customer_id* text, started_day* whole, ended_day whole?, booked_day whole?, "
        "cause text?, plan text?, amount_cents whole?",
        ordered("started_day", "ended_day", "a contract cannot end before it starts"),
        at_least("amount_cents", 0, "give amounts per 30 days, not credits"),
    ),
    "activity": promise(
        "tables",
        "customer",
        "customer_id* text, day* whole, kind* text, events whole, orders whole, amount_cents whole",
        at_least("events", 1),
        at_least("orders", 0),
        at_least("amount_cents", 0),
    ),
    "habits": promise(
        "tables",
        "customer",
        "customer_id* text, channel* text?, weekday* whole, hour* whole?, events whole",
        at_least("events", 1),
    ),
    "baskets": promise(
        "tables",
        "customer",
        "customer_id* text, day* whole, product* text?, category* text?, amount_cents whole",
        at_least("amount_cents", 0),
    ),
    "spells": promise(
        "tables",
        "customer",
        "customer_id* text, spell* whole, entry_day whole, start_day whole, end_day whole?, "
        "duration_days whole?, event_observed truth?, cause text?, plan text?, excluded text?",
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
    "customers_at": promise(
        "tables",
        "customer",
        "customer_id* text, spell whole?, start_day whole?, last_day whole?, in_risk_set "
        "truth, tenure_days whole?, days_since_last_activity whole?, active_days_total whole, "
        "orders_total whole, amount_cents_total whole, active_days_90d whole, events_90d "
        "whole, orders_90d whole, amount_cents_90d whole, amount_cents_365d whole, "
        "events_per_30d real?, cents_per_order_90d real?, weekend_share_90d real?, "
        "order_share_90d real?",
        at_least("tenure_days", 1),
        at_least("days_since_last_activity", 0),
        *rate("weekend_share_90d"),
        further=True,
    ),
    "exclusions": promise("tables", "aggregate", "rule* text, n whole?", at_least("n", 0)),
    "data_quality": promise(
        "00_data", "aggregate", "table* text, column* text?, measure* text, value real"
    ),
    "lifecycle": promise("10_customers", "customer", "customer_id* text, lifecycle text"),
    "lifecycle_shares": promise(
        "10_customers",
        "aggregate",
        "lifecycle* text, n whole?, share real?, ci_lower real?, ci_upper real?, "
        "share_of_amount real?",
        *rate("share", "ci_lower", "ci_upper", "share_of_amount"),
    ),
    "survival_curves": promise(
        "20_survival",
        "aggregate",
        "by* text, group* text, duration_days* whole, at_risk whole, events whole, survival "
        "real, ci_lower real, ci_upper real",
        *rate("survival", "ci_lower", "ci_upper"),
    ),
    "survival_tests": promise(
        "20_survival",
        "aggregate",
        "by* text, test text, n whole, statistic real, df whole, p_value real",
        *rate("p_value"),
    ),
    "hazard_ratios": promise(
        "20_survival",
        "aggregate",
        "cause* text, term* text, n whole, events whole, hazard_ratio real, ci_lower real, "
        "ci_upper real, p_value real",
        *rate("p_value"),
    ),
    "clusters": promise(
        "30_clusters",
        "customer",
        "customer_id* text, cluster whole, membership real, outlier_score real",
        at_least("cluster", -1),
        *rate("membership", "outlier_score"),
    ),
    "members": promise("30_clusters", "customer", "customer_id* text, segment* text"),
    "segments": promise(
        "30_clusters",
        "aggregate",
        "segment* text, name text, kind text, n whole, share_of_customers real, "
        "share_of_amount real?",
        *rate("share_of_customers", "share_of_amount"),
        further=True,
    ),
    "retention": promise(
        "40_cohorts",
        "aggregate",
        "definition* text, cohort_by* text, cohort* text, age* whole, n_start whole?, "
        "n_active whole?, retention real?, ci_lower real?, ci_upper real?",
        *rate("retention", "ci_lower", "ci_upper"),
    ),
    "findings": promise(
        "99_summary",
        "aggregate",
        "notebook* text, name* text, value real?, unit text, ci_lower real?, ci_upper real?, "
        "previous real?, change real?, comparable truth?, sentence text",
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
