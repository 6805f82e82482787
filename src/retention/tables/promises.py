"""The promise of every table, in and out: columns, types, grain and rules, counted in one query.

A promise holds for a table on any engine: its rules are Narwhals expressions on integers and text.
What each column means, with its unit, is in GLOSSARY.md (tests/test_glossary.py holds them equal).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import narwhals as nw

from retention.errors import Refused

TEXT, WHOLE, REAL, TRUTH = nw.String, nw.Int64, nw.Float64, nw.Boolean


@dataclass(frozen=True)
class Rule:
    """What every row keeps, in words and as an expression; ``mend`` is advice to the user."""

    column: str
    words: str
    holds: nw.Expr
    mend: str = ""


@dataclass(frozen=True)
class Promise:
    """Columns with types, the columns that may be null, the grain (unique rows), and rules.

    ``level``: "in" = a source's table, "customer" = stays in work/, "aggregate" = is published.
    ``further``: whether columns beyond the promised ones (attributes, profiles) are allowed.
    """

    writer: str
    level: str
    grain: tuple[str, ...]
    columns: dict[str, type]
    optional: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    further: bool = False
    unique: bool = True


@dataclass(frozen=True)
class Broken:
    """A broken rule: how many rows of the table break it."""

    column: str
    words: str
    n: int
    mend: str = field(default="")


def at_least(column: str, least: int, mend: str = "") -> Rule:
    """Every known value of ``column`` is ``least`` or more."""
    value = nw.col(column)
    return Rule(column, f"is at least {least}", value.is_null() | (value >= least), mend)


def rate(*columns: str) -> tuple[Rule, ...]:
    """Every known value of ``columns`` lies between 0 and 1."""
    return tuple(
        Rule(
            column,
            "lies between 0 and 1",
            nw.col(column).is_null() | ((nw.col(column) >= 0) & (nw.col(column) <= 1)),
        )
        for column in columns
    )


def ordered(first: str, second: str, mend: str = "") -> Rule:
    """``second`` is never before ``first`` where both are known."""
    one, two = nw.col(first), nw.col(second)
    return Rule(
        second, f"is not before {first}", one.is_null() | two.is_null() | (two >= one), mend
    )


def no_script(*columns: str) -> tuple[Rule, ...]:
    """No text holds a script tag: it comes from an attack or a broken export, not from a name."""
    return tuple(
        Rule(
            column,
            "holds no <script> tag",
            nw.col(column).is_null()
            | ~nw.col(column).str.to_lowercase().str.contains("<script", literal=True),
            "clean these values in the source",
        )
        for column in columns
    )


EVENT_TEXT = ("kind", "order_id", "product", "category", "channel")
CONTRACT_TEXT = ("cause", "plan")

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
            *no_script(*EVENT_TEXT),
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
            *no_script(*CONTRACT_TEXT),
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
        {
            "customer_id": TEXT,
            "channel": TEXT,
            "weekday": WHOLE,
            "hour": WHOLE,
            "events": WHOLE,
        },
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
        "10_customers",
        "customer",
        ("customer_id",),
        {"customer_id": TEXT, "lifecycle": TEXT},
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


def broken(frame, promise: Promise) -> list[Broken]:
    """Every rule of ``promise`` that ``frame`` (any frame Narwhals reads) breaks, with its rows.

    Types and missing columns are reported first, since no row can be judged without them; then
    nulls, further rules and the grain, counted in one query. A rule that comes out null is broken.
    """
    table = nw.from_native(frame).lazy()
    schema = table.collect_schema()
    faults = [
        Broken(name, f"is {dtype.__name__}" + (f", got {schema[name]}" if name in schema else ""), 0)
        for name, dtype in promise.columns.items()
        if schema.get(name) != dtype
    ]
    if not promise.further:
        further = [name for name in schema if name not in promise.columns]
        faults += [Broken(name, "is not a column of this table", 0) for name in further]
    if promise.level == "aggregate" and "customer_id" in schema:
        faults.append(Broken("customer_id", "is not in a published table", 0))
    if faults:
        return faults
    rules = [
        *(
            Rule(name, "is known", ~nw.col(name).is_null())
            for name in promise.columns
            if name not in promise.optional
        ),
        *promise.rules,
        *(no_script(*_further_text(schema, promise)) if promise.level == "in" else ()),
    ]
    breaks = table.select(
        (~rule.holds).fill_null(True).alias(f"{number}") for number, rule in enumerate(rules)
    )
    counts = breaks.select(nw.all().cast(WHOLE).sum()).collect().row(0) if rules else ()
    faults = [
        Broken(rule.column, rule.words, int(n), rule.mend)
        for rule, n in zip(rules, counts, strict=True)
        if n
    ]
    if promise.unique:
        twice = table.group_by(*promise.grain).agg(nw.len().alias("n")).filter(nw.col("n") > 1)
        if n := twice.select(nw.col("n").sum()).collect().item():
            words = "is unique" if len(promise.grain) == 1 else "are unique together"
            faults.append(Broken(", ".join(promise.grain), words, int(n), "remove the duplicates"))
    return faults


def _further_text(schema, promise: Promise) -> list[str]:
    return [name for name in schema if name not in promise.columns and schema[name] == TEXT]


def report(table: str, faults: Iterable[Broken], place: str = "") -> str:
    """The message for broken rules, one a line: table, column, rule, rows, how to mend it."""
    return "\n".join(
        f"{place or table}: {fault.column}: promise broken: '{fault.column} {fault.words}'"
        + (f", {fault.n:,} rows break it" if fault.n else "")
        + (f"; {fault.mend}" if fault.mend else "")
        for fault in faults
    )


def check_inputs(events, customers, contracts, places: dict[str, str]) -> None:
    """Check a source's tables, each alone and then together.

    ``places`` says where a table came from, for the message. ``contracts`` may be None.

    Raises:
        Refused: any rule is broken; the message names every one, with the rows that break it.
    """
    tables = {"events": events, "customers": customers, "contracts": contracts}
    lines = [
        report(name, faults, places.get(name, name))
        for name, frame in tables.items()
        if frame is not None and (faults := broken(frame, PROMISES[name]))
    ]
    if not lines:
        lines = [
            report("events", faults, places.get("events", "events"))
            for faults in [_events_against_customers(events, customers)]
            if faults
        ]
    if lines:
        raise Refused("\n".join(lines))


def _events_against_customers(events, customers) -> list[Broken]:
    """Events of unknown customers, and events before their customer's start."""
    known = nw.from_native(customers).lazy().select("customer_id", "started_day")
    joined = (
        nw.from_native(events)
        .lazy()
        .select("customer_id", "day")
        .join(known.with_columns(known=nw.lit(1)), on="customer_id", how="left")
    )
    unknown, early = (
        joined.select(
            nw.col("known").is_null().cast(WHOLE).alias("unknown"),
            (nw.col("day") < nw.col("started_day")).fill_null(False).cast(WHOLE).alias("early"),
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
        faults.append(Broken("at", "is not before the customer's start", early, mend))
    return faults
