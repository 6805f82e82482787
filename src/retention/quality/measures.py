"""What was read, what was left out, what is unknown, and what is kept of it to compare later."""

from collections.abc import Iterator

import polars as pl

from retention.exhibit import Exhibit, Finding
from retention.quality import drift
from retention.refresh import Refresh
from retention.tables import calendar, workspace

MEASURE = {"table": pl.String, "column": pl.String, "measure": pl.String, "value": pl.Float64}
UNKNOWN = "share of nulls"
TABLES = ("activity", "habits", "baskets", "spells", "customers_at")


def measure(r: Refresh) -> pl.DataFrame:
    """Measure the tables of a refresh; writes the tables "data_quality" and "data_profile".

    Returns the first: table, column (null = the whole table), measure, value: per column "share of
            nulls" (0 to 1); "snapshot day"; "events"; "current customers" (customers); "median" of
            every number of current customers, where any is known
    """
    tables = {name: getattr(r.tables, name) for name in TABLES}
    now = drift.in_force(tables["customers_at"])
    r.keep("data_profile", drift.profile(now, r.min_cell))
    numbers = [column for column in now if column.dtype == pl.Float64 and column.count()]
    rows = [
        ("activity", None, "snapshot day", r.day),
        ("activity", None, "events", tables["activity"]["events"].sum()),
        ("customers_at", None, "current customers", now.height),
        *(("customers_at", column.name, "median", column.median()) for column in numbers),
    ]
    for name, frame in tables.items():
        # whole per cents: exact shares would count single customers
        shares = ((one.name, one.null_count() / max(frame.height, 1)) for one in frame)
        rows += [(name, column, UNKNOWN, round(share, 2)) for column, share in shares]
    return r.keep("data_quality", pl.DataFrame(rows, MEASURE, orient="row", strict=False))


def kinds(r: Refresh) -> pl.DataFrame:
    """The activity without kinds of event of so few customers that they are never named."""
    return r.tables.activity.filter(pl.col("customer_id").n_unique().over("kind") >= r.min_cell)


def coverage(r: Refresh) -> Exhibit:
    """What was read, one row per kind of event."""
    activity, day, customers = r.tables.activity, pl.col("day"), pl.col("customer_id").n_unique()
    first, last = (calendar.date_of(end) for end in (activity["day"].min(), activity["day"].max()))
    held = "The data hold {value} customers and {events} events, from {first} to {last}."
    silent = "The last event was {value} days before the snapshot date."
    n, quiet = r.tables.customers_at.height, (r.snapshot_date - last).days
    further = {"events": activity["events"].sum(), "first": str(first), "last": str(last)}
    by_kind = (
        kinds(r)
        .group_by("kind")
        .agg(
            customers.alias("customers"),
            pl.col("events", "orders", "amount_cents").sum(),
            first_day=day.min(),
            last_day=day.max(),
        )
        .sort("kind")
    )
    return Exhibit(
        by_kind,
        f"Events by kind, up to {r.snapshot_date}",
        findings=[
            Finding("customers", held, n, "customers", further=further),
            Finding("days_without_events", silent, quiet, "days"),
        ],
    )


def left_out(r: Refresh) -> Iterator[Exhibit]:
    """What was read from the source, and what was left out, by rule."""
    yield Exhibit(r.tables.intake.rename({"n": "rows"}), "Read from the source, in rows")
    excluded = r.tables.exclusions.rename({"n": "customers_or_spells"})
    yield Exhibit(excluded, "Left out, by rule")


def unknown(r: Refresh) -> Exhibit:
    """Columns with unknown values now or at the previous refresh."""
    some = pl.max_horizontal("unknown", "unknown_before") > 0
    title = "Columns with unknown values, as shares of rows"
    return Exhibit(unknowns(r).filter(some), title, empty="All values are known.", limit=200)


def unknowns(r: Refresh) -> pl.DataFrame:
    """The share of unknown values of every column: table, column, unknown, unknown_before (null: no
    such column at this, or the previous, refresh)."""
    now, then = r.tables.data_quality, workspace.read_previous(r.space, "data_quality")
    key = ["table", "column"]
    now = now.filter(measure=UNKNOWN).select(*key, unknown="value")
    then = then.filter(measure=UNKNOWN).select(*key, unknown_before="value")
    return now.join(then, on=key, how="full", coalesce=True).sort(key)
