"""What shows only when tables are held against each other, texts against texts, times against a
zone."""

from collections.abc import Iterable, Mapping

import narwhals as nw
import polars as pl

from retention import schema
from retention.tables import calendar
from retention.tables.rules import Broken, Rule, examples

ADD = "add them to the customers table, or leave that table out"
ALIKE = "write them alike in the source"
LEAVE_OUT = f"{ALIKE}, or list only the columns you need as `attributes:`"


def on_the_clocks(timezone: str) -> list[Rule]:
    """Events happen at times that the clocks of ``timezone`` show: none in an hour they skip."""
    hour = nw.col("day") * 24 + nw.col("second") // 3600
    skipped = calendar.skipped_hours(timezone) if timezone else []
    mend = "the times are of another zone: state it as `timezone:`"
    words = f"is a time that the clocks of {timezone} show"
    return [Rule("day", words, ~hour.is_in(skipped).fill_null(False), mend)] if skipped else []


def across(
    taken: Mapping[str, pl.DataFrame], customers: pl.DataFrame, owner: str
) -> dict[str, list[Broken]]:
    """Rows that do not fit their customer and texts written in two ways, by the table to mend.

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
    rules = (
        Rule("customer_id", "is in the customers table", nw.col("known").fill_null(False), ADD),
        Rule(
            day,
            "is not before the customer's start",
            (nw.col(day) >= nw.col("since")).fill_null(True),
            "correct `started`, or map another column to it",
        ),
    )
    return [
        Broken(
            rule.column,
            rule.words,
            off["n"].sum(),
            rule.mend,
            examples(joined, schema.TABLES["customers"], rule),
        )
        for rule in rules
        if (off := nw.from_native(joined).filter(~rule.holds).to_native()).height
    ]


def one_spelling(frame: pl.DataFrame, columns: Iterable[str], mend: str = ALIKE) -> list[Broken]:
    """Texts of ``columns`` that differ from another one by capitals alone; n counts the texts."""
    words = "is written one way, capitals and all"
    return [
        Broken(name, words, n, mend, of="values")
        for name in columns
        if (n := _alike(frame[name], frame[name].str.to_lowercase()))
    ]


def one_id(ids: pl.Series) -> list[Broken]:
    """Customer ids that differ from another one by leading zeros alone."""
    mend = "some table has lost or gained zeros: write the ids one way everywhere"
    words = "differs from every other by more than leading zeros"
    n = _alike(ids, ids.str.strip_chars_start("0"))
    return [Broken("customer_id", words, n, mend, of="values")] if n else []


def _alike(texts: pl.Series, plain: pl.Series) -> int:
    """How many of the distinct ``texts`` are alike once they are ``plain``."""
    each = pl.DataFrame({"text": texts, "plain": plain}).drop_nulls().unique()
    return each.filter(pl.len().over("plain") > 1).height
