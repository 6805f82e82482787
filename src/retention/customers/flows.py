"""Where customers have gone since an earlier day: who was kept, lost, came back or is new."""

from datetime import date

import polars as pl

from retention import charts
from retention.customers import lifecycle
from retention.exhibit import Exhibit, Finding
from retention.refresh import Refresh
from retention.stats.intervals import share
from retention.tables import calendar, task, workspace

OUT = ("gone", "never active")  # stages of who is not current
DEFINITION = (
    "Both days are judged by the rules of today and by what was known on that day. Kept: current "
    "on both days. Lost: current then, not now. New: current now, not yet active then. Returned: "
    "current now, gone then. Current then = kept + lost; current now = kept + new + returned."
)


def moves(r: Refresh, everybody: pl.DataFrame, compare_days: int) -> Exhibit:
    """Which part of each stage's customers is where now: the table "lifecycle_flows".

    Compares with the previous refresh, or with ``compare_days`` ago where there is none.
    """
    earlier, day = workspace.previous(r.space), r.day - compare_days
    if earlier:
        day = calendar.day_of(date.fromisoformat(earlier.name[:10]))
    activity, terms = r.tables.activity.lazy(), r.tables.terms.lazy()
    then, _ = task.as_of(r.tables.customers_at, activity, terms, r.book.churn, day)
    moved = flows(lifecycle.staged(then, r.book, r.confidence), everybody, r.confidence)
    sums = moved.filter(pl.col("flow") != "away").group_by("flow").agg(pl.col("n").sum())
    return Exhibit(
        moved,
        _stayed,
        draw=lambda table: charts.heat_map(
            table, "before", "lifecycle", "share", title="Of each row, per cent who are there now"
        ),
        behind=lambda table: table.filter(pl.col("n").ne_missing(0)),
        definition=DEFINITION,
        findings=_lost(r.hide(sums), day),
        name="lifecycle_flows",
    )


def flows(then: pl.DataFrame, now: pl.DataFrame, confidence: float = 0.95) -> pl.DataFrame:
    """How many customers went from each stage to each: the table "lifecycle_flows".

    Takes   customer_id, lifecycle (one of `lifecycle.STAGES`) on two days; who is not known then
            had not begun
    Returns one row for each stage that anybody was in and each that anybody is in, in their order:
            before, lifecycle, flow (kept, lost, new, returned; away: current on neither day), n,
            share (of those who were in ``before``), ci_lower, ci_upper (Wilson)

    Checked in tests/customers/test_flows.py: the identities of `DEFINITION` hold for any two days.
    """
    before = then.select("customer_id", before="lifecycle")
    moved = now.join(before, on="customer_id", how="left", validate="1:1")
    moved = moved.with_columns(pl.col("before").fill_null("never active"))
    counted = moved.group_by("before", "lifecycle").agg(n=pl.len())
    stages = pl.DataFrame({"before": lifecycle.STAGES})
    pairs = stages.join(stages.rename({"before": "lifecycle"}), how="cross")
    current_then, current_now = (~pl.col(name).is_in(OUT) for name in pairs.columns)
    flow = pl.coalesce(
        pl.when(current_then & current_now).then(pl.lit("kept")),
        pl.when(current_then).then(pl.lit("lost")),
        pl.when(~current_now).then(pl.lit("away")),
        pl.when(pl.col("before") == "gone").then(pl.lit("returned")),
        pl.lit("new"),
    )
    n, n_before = pl.col("n"), pl.col("n_before")
    return (
        pairs.join(counted, on=pairs.columns, how="left", maintain_order="left")
        .with_columns(n.fill_null(0).cast(pl.Int64))
        .with_columns(n_before=n.sum().over("before"))
        .filter(n_before > 0, n.sum().over("lifecycle") > 0)
        .select(*pairs.columns, flow.alias("flow"), "n", *share("n", "n_before", confidence))
    )


def _lost(moved: pl.DataFrame, day: int) -> list[Finding]:
    """How many customers were lost since ``day``, and how many came.

    Takes   flow, n, small counts hidden. No finding where one of them is
    """
    n = dict.fromkeys(("kept", "lost", "new", "returned"), 0) | dict(moved.rows())
    if None in n.values():
        return []
    sentence = (
        "Since {day} {value} customers were lost and {kept} were kept; {new} are new and "
        "{returned} came back."
    )
    further = n | {"day": str(calendar.date_of(day))}
    return [Finding("customers_lost", sentence, n["lost"], "customers", further=further)]


def _stayed(table: pl.DataFrame) -> str:
    active = table.filter(before="active", lifecycle="active").drop_nulls("share")["share"]
    if active.is_empty():
        return "Where customers of each stage are now"
    return f"{active.item():.1%} of the customers who were active then are active now"
