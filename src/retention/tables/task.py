"""The task `tables`: from what was taken of a source to the tables that every notebook reads."""

from collections.abc import Mapping

import narwhals as nw
import polars as pl

from retention import schema
from retention.book import Book, Churn
from retention.errors import Refused
from retention.tables import calendar, features, spells, workspace
from retention.tables.workspace import none

LEAST_CUSTOMERS = 10  # below this nothing can be said that is not about a person


def build(book: Book, space: workspace.Workspace, taken: Mapping[str, pl.DataFrame]) -> None:
    """Write every table of the task, as `tables` makes them.

    Raises:
        Refused: as `tables`.
    """
    for name, frame in tables(book, taken).items():
        workspace.write_table(space, name, frame)


def tables(book: Book, taken: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The tables activity, habits, baskets, terms, surveys_at, spells, customers_at, exclusions and
    intake at the book's snapshot date.

    Takes   what was taken from the source up to that day, as promised: activity, habits, baskets,
            customers, intake, and where the source has them contracts and surveys

    Raises:
        Refused: what was taken holds nothing that can be analysed: no events, too few customers, a
            single cohort, nobody or everybody gone.
    """
    day = calendar.day_of(book.snapshot_date)
    if taken["activity"].is_empty():
        kept = " that `only:` keeps" if book.only else ""
        place = book.tables.get("events", "events")
        raise Refused(f"{place}: no event up to {book.snapshot_date}{kept}")
    _require_kinds(taken["activity"], book.churn.activity)
    acts, customers = _with_orders(taken["activity"], book.churn), _seen(taken, day)
    contracts = taken["contracts"].lazy() if "contracts" in taken else None
    whole = acts.lazy(), customers.lazy(), contracts, book.churn, day
    derived = derive(*whole, held=True)
    made = {name: frame.collect().to_native() for name, frame in derived.items()}
    _require_variety(made["spells"], made["customers_at"], book)
    terms = none("terms")  # in a book whose churn needs no contracts
    if book.churn.kind == "contract":
        terms = spells.terms_at(contracts, snapshot_day=day).collect()
    counted = {
        "not_yet_seen": taken["customers"].height - customers.height,
        "never_active": made["customers_at"]["spell"].null_count(),
    }
    counted = pl.DataFrame({"rule": list(counted), "n": list(counted.values())})
    excluded = pl.concat([made["exclusions"], counted.cast({"n": pl.Int64})])
    small = pl.col("n").is_between(1, LEAST_CUSTOMERS - 1)
    return made | {
        "exclusions": excluded.with_columns(n=pl.when(~small).then("n")),
        "intake": taken["intake"].with_columns(n=pl.when(~small).then("n")),
        "activity": acts,
        **{name: taken[name] for name in ("habits", "baskets")},
        "terms": terms,
        "surveys_at": taken["surveys"] if "surveys" in taken else none("surveys_at"),
    }


def derive(
    activity, customers, contracts, churn: Churn, day: int, *, held: bool = False
) -> dict[str, nw.LazyFrame]:
    """Spells, customers_at and exclusions as of ``day``, lazy, on the engine of what is given.

    Takes   the table "activity"; customers: customer_id, started_day, attributes; contracts as
            promised, or None; ``held``: whether later ends that the source holds without saying
            when they became known count as booked, as they do today and not in the past

    So that an earlier day can be learnt from, the tables customers_at (those three) and terms of a
    later refresh may stand for customers and contracts. Checked in tests/tables/test_task.py.
    """
    if churn.kind == "contract":
        if contracts is None:
            raise Refused("churn: kind: contract needs the table contracts")
        stretches = spells.from_contracts(contracts, snapshot_day=day, after_days=churn.after_days)
        booked = spells.booked_ends(contracts, snapshot_day=day, held=held)
        prices = spells.prices(contracts, snapshot_day=day)
    else:
        booked = prices = None
        stretches = spells.from_activity(
            activity, customers, kinds=churn.activity, snapshot_day=day, after_days=churn.after_days
        )
    own = features.behaviour(activity, churn.activity)
    counts = features.counts_at(own, stretches, day=day)
    at = features.customers_at(
        customers, stretches, counts, booked, prices, day=day, after_days=churn.after_days
    )
    derived = {"spells": stretches, "customers_at": at, "exclusions": spells.exclusions(stretches)}
    return {name: nw.from_native(frame).lazy() for name, frame in derived.items()}


def as_of(
    customers: pl.DataFrame, activity: pl.LazyFrame, terms: pl.LazyFrame, churn: Churn, day: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The tables "customers_at" and "spells" of an earlier ``day``, by what was known then.

    Takes   the tables customers_at, activity and terms of a later refresh. Attributes are as they
            stand there; who began later is in it as never active
    """
    computed = {*schema.TABLES["customers_at"].columns} - {"customer_id", "started_day"}
    computed |= {"plan"} if churn.kind == "contract" else set()
    own = customers.lazy().drop(computed, strict=False)
    derived = derive(activity, own, terms, churn, day)
    at, stretches = (derived[name].collect().to_native() for name in ("customers_at", "spells"))
    return at.sort("customer_id"), stretches.sort("customer_id", "spell")


def _with_orders(acts: pl.DataFrame, churn: Churn) -> pl.DataFrame:
    """The table "activity"; in an activity book without any order id or amount each event of the
    kinds that count is an order."""
    own = pl.col("kind").is_in(churn.activity)
    if churn.kind == "contract" or acts.filter(own)["orders"].sum():
        return acts
    return acts.with_columns(orders=pl.when(own).then("events").otherwise("orders"))


def _seen(taken: Mapping[str, pl.DataFrame], day: int) -> pl.DataFrame:
    """The customers known on ``day``: started by then or, with an unknown start, seen by then."""
    tables = (taken[name] for name in ("activity", "contracts", "surveys") if name in taken)
    seen = [table.select("customer_id") for table in tables]
    started, people = pl.col("started_day"), taken["customers"]
    known = people.filter(started.is_null()).join(pl.concat(seen), on="customer_id", how="semi")
    return pl.concat([people.filter(started <= day), known]).sort("customer_id")


def _require_kinds(acts: pl.DataFrame, kinds: list[str]) -> None:
    """Every kind of event that counts as activity occurs."""
    if strange := sorted(set(kinds) - set(acts["kind"])):
        people = acts.group_by("kind").agg(n=pl.col("customer_id").n_unique()).sort("kind")
        found = people.filter(pl.col("n") >= LEAST_CUSTOMERS)["kind"].to_list()
        shown = ", ".join(found) or f"none of {LEAST_CUSTOMERS} customers or more"
        raise Refused(f"churn: activity: no event is of kind {strange[0]!r} (found: {shown})")


def _require_variety(stretches: pl.DataFrame, at: pl.DataFrame, book: Book) -> None:
    """Something can be learnt: enough customers, more than one cohort, some gone and some not."""
    customers = stretches["customer_id"].n_unique()
    first = stretches.filter(pl.col("spell") == 1)
    judged = first.filter(pl.col("excluded").is_null())
    started = first.filter(pl.col("excluded").ne_missing("unknown_start"))
    cohorts = nw.from_native(started).select(month=calendar.month("start_day")).to_native()
    faults = {
        f"{customers} customer(s) with a spell: at least {LEAST_CUSTOMERS} are needed, "
        "since fewer would be shown person by person": customers < LEAST_CUSTOMERS,
        "no first spell can be judged: all are too new or have an unknown start; choose a later "
        "snapshot_date, a smaller churn: after_days, or give a `started`": judged.is_empty(),
        "all customers started in one month: one cohort has nothing to be compared with; "
        "read data of a longer time": cohorts["month"].n_unique() < 2,
        f"nobody has left by {book.snapshot_date}: there is no churn to learn from; choose a "
        "later snapshot_date or a smaller churn: after_days": not judged["event_observed"].any(),
        f"everybody has left by {book.snapshot_date}: nobody is in force to analyse; choose an "
        "earlier snapshot_date or a larger churn: after_days": "current" not in at["standing"],
    }
    for fault, is_so in faults.items():
        if is_so:
            raise Refused(fault)
