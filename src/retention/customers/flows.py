"""Where customers have gone since an earlier day: who was kept, lost, came back or is new."""

from datetime import date
from pathlib import Path

import polars as pl

from retention.stats.intervals import wilson
from retention.tables import calendar

OUT = ("gone", "never active")  # stages of who is not in the risk set
BALANCE = {  # customers counted: the flows that add up to them
    "current before": ("kept", "lost"),
    "lost since": ("lost",),
    "kept": ("kept",),
    "new since": ("new",),
    "returned since": ("returned",),
    "current now": ("kept", "new", "returned"),
}
DEFINITION = (
    "Both days are judged by the rules of today and by what was known then, so that customers move "
    "and rules do not. Kept: current on both days. Lost: current then, not now. New: current now, "
    "without a spell then. Returned: current now, gone then. Current before = kept + lost; current "
    "now = kept + new + returned."
)


def since(previous: Path | None, snapshot_day: int, compare_days: int) -> int:
    """The day to compare with: the snapshot of the ``previous`` refresh, or ``compare_days``
    before this one where there is none."""
    if previous is None:
        return snapshot_day - compare_days
    return calendar.day_of(date.fromisoformat(previous.name[:10]))


def flows(
    then: pl.DataFrame, now: pl.DataFrame, stages: tuple[str, ...], confidence: float = 0.95
) -> pl.DataFrame:
    """How many customers went from each stage to each: the table "lifecycle_flows".

    Takes   customer_id, lifecycle (one of ``stages``) on two days; who is not known then had not
            begun
    Returns one row for each stage that anybody stood in and each that anybody stands in, in the
            order of ``stages``: before, lifecycle, flow (kept, lost, new, returned; away: current
            on neither day), n, share (of those who stood in ``before``), ci_lower, ci_upper
            (Wilson)

    Checked in tests/test_flows.py: the identities of `balance` hold for any two days.
    """
    before = then.select("customer_id", before="lifecycle")
    moved = (
        now.select("customer_id", "lifecycle")
        .join(before, on="customer_id", how="left", validate="1:1")
        .with_columns(pl.col("before").fill_null("never active"))
    )
    counted = moved.group_by("before", "lifecycle").agg(n=pl.len()).sort("before", "lifecycle")
    place = {name: number for number, name in enumerate(stages)}
    was, stands = (counted.select(name).unique().sort(name) for name in ("before", "lifecycle"))
    return (
        was.join(stands, how="cross")
        .join(counted, on=["before", "lifecycle"], how="left")
        .with_columns(pl.col("n").fill_null(0).cast(pl.Int64), flow=_flow())
        .with_columns(n_before=pl.col("n").sum().over("before"))
        .with_columns(share=pl.col("n") / pl.col("n_before"))
        .with_columns(*wilson("n", "n_before", confidence))
        .sort(pl.col("before", "lifecycle").replace_strict(place))
        .select("before", "lifecycle", "flow", "n", "share", "ci_lower", "ci_upper")
    )


def _flow() -> pl.Expr:
    was, stands = (~pl.col(name).is_in(OUT) for name in ("before", "lifecycle"))
    return (
        pl.when(was)
        .then(pl.when(stands).then(pl.lit("kept")).otherwise(pl.lit("lost")))
        .when(~stands)
        .then(pl.lit("away"))
        .when(pl.col("before") == "gone")
        .then(pl.lit("returned"))
        .otherwise(pl.lit("new"))
    )


def balance(flows: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """What the flows add up to: the table "lifecycle_balance", in the order of `BALANCE`.

    Takes   what `flows` gives, nothing hidden
    Returns customers (a key of `BALANCE`), n: null for all where any is smaller than ``min_cell``,
            as each can be had from the others
    """
    n, flow = pl.col("n"), pl.col("flow")
    sums = flows.select(n.filter(flow.is_in(of)).sum().alias(name) for name, of in BALANCE.items())
    table = sums.unpivot(variable_name="customers", value_name="n")
    return table.with_columns(n=pl.when(~n.is_between(1, min_cell - 1).any()).then(n))


def stayed(flows: pl.DataFrame) -> str:
    """Where the active customers of then are now, in a sentence."""
    were = flows.filter(pl.col("before") == "active", pl.col("share") > 0)
    most = were.sort("share", "lifecycle", descending=[True, False]).head(2)
    known = [f"{share:.1%} are {name} now" for name, share in most["lifecycle", "share"].rows()]
    if not known:
        return "Where customers of each stage are now"
    return f"Of the customers who were active then {' and '.join(known)}"


def headline(balance: pl.DataFrame, day: int) -> str:
    """How many were lost and how many came since ``day``, in a sentence."""
    n, since = dict(balance.rows()), f"Since {calendar.date_of(day)}"
    if n["kept"] is None:
        return f"{since} too few customers have moved to be shown"
    came = n["new since"] + n["returned since"]
    return f"{since} {n['lost since']:,} customers were lost, {came:,} are new or came back"
