"""The task `tables`: from a book's source to the customer tables that every notebook reads."""

import narwhals as nw
import polars as pl

from retention.book import Book
from retention.errors import Refused
from retention.tables import activity, calendar, features, sources, spells, workspace

LEAST_CUSTOMERS = 10  # below this nothing can be said that is not about a person


def build(book: Book, space: workspace.Workspace) -> None:
    """Read the source up to the snapshot once and write activity, habits, baskets, spells,
    customers_at and exclusions.

    Raises:
        Refused: the source breaks its promises, or holds nothing that can be analysed: no events,
            too few customers, a single cohort, nobody or everybody gone.
    """
    tables = sources.read(book, workspace.root())
    day, after_days = space.snapshot_day, book.churn.after_days
    known = activity.until(tables.events, day)
    acts = activity.activity(known).collect()
    if acts.is_empty():
        raise Refused(f"{tables.places['events']}: no event up to {space.snapshot_date}")
    _require_kinds(acts, book.churn.activity)
    customers = _seen(tables, acts, day)
    if book.churn.kind == "contract":
        if tables.contracts is None:
            raise Refused("churn: kind: contract needs the table contracts")
        stretches = spells.from_contracts(
            tables.contracts, snapshot_day=day, after_days=after_days
        ).collect()
    else:
        stretches = spells.from_activity(
            acts.lazy(),
            customers.lazy(),
            kinds=book.churn.activity,
            snapshot_day=day,
            after_days=after_days,
        ).collect()
    own = features.behaviour(acts.lazy(), book.churn.activity)
    at = features.customers_at(
        customers.lazy(),
        stretches.lazy(),
        features.counts_at(own, stretches.lazy(), day=day),
        day=day,
        after_days=after_days,
    ).collect()
    _require_variety(stretches, at, book)
    counted = {
        "after_snapshot": tables.events.select((pl.col("day") > day).sum()).collect().item(),
        "not_yet_seen": tables.customers.select(pl.len()).collect().item() - customers.height,
        "never_active": at["spell"].null_count(),
    }
    counted = pl.DataFrame({"rule": list(counted), "n": list(counted.values())})
    excluded = pl.concat([spells.exclusions(stretches), counted.cast({"n": pl.Int64})])
    small = pl.col("n").is_between(1, LEAST_CUSTOMERS - 1)
    excluded = excluded.with_columns(n=pl.when(~small).then("n"))
    workspace.write_table(space, "activity", acts)
    workspace.write_table(space, "habits", activity.habits(known).collect())
    workspace.write_table(space, "baskets", activity.baskets(known).collect())
    workspace.write_table(space, "spells", stretches)
    workspace.write_table(space, "customers_at", at)
    workspace.write_table(space, "exclusions", excluded)


def _seen(tables: sources.Tables, acts: pl.DataFrame, day: int) -> pl.DataFrame:
    """The customers known on ``day``: started by then or, with an unknown start, seen by then."""
    seen = [acts.lazy().select("customer_id")]
    if tables.contracts is not None:
        seen.append(tables.contracts.filter(pl.col("started_day") <= day).select("customer_id"))
    unknown = tables.customers.filter(pl.col("started_day").is_null())
    return (
        pl.concat(
            [
                tables.customers.filter(pl.col("started_day") <= day),
                unknown.join(pl.concat(seen), on="customer_id", how="semi"),
            ]
        )
        .sort("customer_id")
        .collect()
    )


def _require_kinds(acts: pl.DataFrame, kinds: list[str]) -> None:
    """Every kind of event that counts as activity occurs."""
    found = acts["kind"].unique().sort().to_list()
    if strange := sorted(set(kinds) - set(found)):
        raise Refused(
            f"churn: activity: no event is of kind {strange[0]!r} (found: {', '.join(found)})"
        )


def _require_variety(stretches: pl.DataFrame, at: pl.DataFrame, book: Book) -> None:
    """Something can be learnt: enough customers, more than one cohort, some gone and some not."""
    customers = stretches["customer_id"].n_unique()
    first = stretches.filter(pl.col("spell") == 1)
    judged = first.filter(pl.col("excluded").is_null())
    started = first.filter(pl.col("excluded").ne_missing("unknown_start"))
    cohorts = nw.from_native(started).select(month=calendar.month("start_day")).to_native()
    if customers < LEAST_CUSTOMERS:
        raise Refused(
            f"{customers} customer(s) with a spell: at least {LEAST_CUSTOMERS} are needed, "
            "since fewer would be shown person by person"
        )
    if judged.is_empty():
        raise Refused(
            "no first spell can be judged: all are too new or have an unknown start; choose a "
            "later snapshot_date, a smaller churn: after_days, or give customers a `started`"
        )
    if cohorts["month"].n_unique() < 2:
        raise Refused(
            "all customers started in one month: one cohort has nothing to be compared with; "
            "read data of a longer time"
        )
    if not judged["event_observed"].any():
        raise Refused(
            f"nobody has left by {book.snapshot_date}: there is no churn to learn from; choose a "
            "later snapshot_date or a smaller churn: after_days"
        )
    if not at["in_risk_set"].any():
        raise Refused(
            f"everybody has left by {book.snapshot_date}: nobody is in force to analyse; choose "
            "an earlier snapshot_date or a larger churn: after_days"
        )
