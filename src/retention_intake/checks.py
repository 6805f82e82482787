"""Faults that show only when tables or texts are compared, or times with a time zone."""

from collections.abc import Iterable, Mapping

import narwhals as nw
import polars as pl

from retention import schema
from retention.tables import calendar
from retention.tables.rules import Broken, Rule, named

ADD = "add them to the customers table, or leave that table out"
ALIKE = "spell them the same way in the source"
LEAVE_OUT = f"{ALIKE}, or list only the columns you need as `attributes:`"


def on_the_clocks(timezone: str) -> list[Rule]:
    """Events happen at times that exist in ``timezone``: none in an hour that its clocks skip."""
    hour = nw.col("day") * 24 + nw.col("second") // 3600
    skipped = calendar.skipped_hours(timezone) if timezone else []
    words = f"is a time that exists in {timezone}"
    mend = "the times may be in another time zone: set it as `timezone:`"
    return [Rule("day", words, ~hour.is_in(skipped).fill_null(False), mend)] if skipped else []


def across(
    taken: Mapping[str, pl.DataFrame], customers: pl.DataFrame, owner: str
) -> dict[str, list[Broken]]:
    """Rows that do not fit their customer and texts spelled in two ways, by the table to fix.

    Takes   taken: activity, habits, baskets, perhaps contracts and surveys; customers, and the
            ``owner`` of their ids: "customers", or "events" where the source has no such table
    """
    one = pl.lit(1).alias("n")
    acts = taken["activity"].rename({"events": "n"})
    faults = {
        "events": [
            *against_customers(acts, customers, "day"),
            *one_spelling(taken["activity"], ["kind"]),
            *one_spelling(taken["habits"], ["channel"]),
            *one_spelling(taken["baskets"], ["category"]),
        ]
    }
    texts = [c.name for c in customers.drop("customer_id") if c.dtype == pl.String]
    own = [*one_id(customers["customer_id"]), *one_spelling(customers, texts, LEAVE_OUT)]
    faults[owner] = [*faults.get(owner, ()), *own]
    if "contracts" in taken:
        terms = taken["contracts"].with_columns(one)
        strange = against_customers(terms, customers, "started_day")
        faults["contracts"] = [*strange, *one_spelling(terms, ["cause", "plan"])]
    if "surveys" in taken:
        sent = taken["surveys"].with_columns(one)
        faults["surveys"] = against_customers(sent, customers, "sent_day")
    return faults


def against_customers(rows: pl.DataFrame, customers: pl.DataFrame, day: str) -> list[Broken]:
    """Rows of unknown customers, and rows whose ``day`` is before their customer's start.

    Takes   rows: customer_id, ``day``, n (rows of the source); customers: customer_id, started_day
    """
    known = customers.select("customer_id", since=pl.col("started_day"), known=True)
    joined = rows.join(known, on="customer_id", how="left")
    kept = (
        Rule("customer_id", "is in the customers table", nw.col("known").fill_null(False), ADD),
        Rule(
            day,
            "is not before the customer's start",
            (nw.col(day) >= nw.col("since")).fill_null(True),
            "correct `started`, or map another column to it",
        ),
    )
    table = nw.from_native(joined)
    counts = [table.filter(~rule.holds)["n"].sum() for rule in kept]
    return named(table, schema.TABLES["customers"], kept, counts)


def one_spelling(frame: pl.DataFrame, columns: Iterable[str], mend: str = ALIKE) -> list[Broken]:
    """Texts of ``columns`` that differ from another one by capitals alone; n counts the texts."""
    words = "is spelled with the same capitals everywhere"
    return [
        Broken(name, words, n, mend, of="values")
        for name in columns
        if (n := _alike(frame[name], frame[name].str.to_lowercase()))
    ]


def one_id(ids: pl.Series) -> list[Broken]:
    """Customer ids that differ from another one by leading zeros alone."""
    mend = "a table may have lost leading zeros: write each id the same way everywhere"
    words = "differs from other ids by more than leading zeros"
    n = _alike(ids, ids.str.strip_chars_start("0"))
    return [Broken("customer_id", words, n, mend, of="values")] if n else []


def _alike(texts: pl.Series, plain: pl.Series) -> int:
    """How many of the distinct ``texts`` are alike once they are ``plain``."""
    each = pl.DataFrame({"text": texts, "plain": plain}).drop_nulls().unique()
    return each.filter(pl.len().over("plain") > 1).height
