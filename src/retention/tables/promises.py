"""Rules that rows of a source keep beside those of their table."""

from collections.abc import Iterable

import narwhals as nw
import polars as pl

from retention.schema import ADD, REFUNDS, SCALES  # noqa: F401
from retention.schema import TABLES as PROMISES
from retention.tables import calendar
from retention.tables.rules import Broken, Rule, examples


def on_the_clocks(timezone: str) -> list[Rule]:
    """Events happen at times that the clocks of ``timezone`` show: none in an hour they skip."""
    hour = nw.col("day") * 24 + nw.col("second") // 3600
    skipped = calendar.skipped_hours(timezone) if timezone else []
    mend = "the times are of another zone: state that one as `timezone:`, or write theirs"
    words = f"is a time that the clocks of {timezone} show"
    return [Rule("day", words, ~hour.is_in(skipped).fill_null(False), mend)] if skipped else []


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
            examples(joined, PROMISES["customers"], rule),
        )
        for rule in rules
        if (off := nw.from_native(joined).filter(~rule.holds).to_native()).height
    ]


def one_spelling(frame: pl.DataFrame, columns: Iterable[str], mend: str = "") -> list[Broken]:
    """Texts of ``columns`` that differ from another one by capitals alone; n counts the texts."""
    alike = {name: _alike(frame[name], pl.col(name).str.to_lowercase()) for name in columns}
    mend = mend or "write them alike in the source"
    return [
        Broken(name, "is written one way, capitals and all", same.height, mend, of="values")
        for name, same in alike.items()
        if same.height
    ]


def one_id(ids: pl.Series) -> list[Broken]:
    """Customer ids that differ from another one by leading zeros alone."""
    same = _alike(ids.alias("customer_id"), pl.col("customer_id").str.strip_chars_start("0"))
    mend = "some table has lost or gained zeros: write the ids one way everywhere"
    words = "differs from every other by more than leading zeros"
    return [Broken("customer_id", words, same.height, mend, of="values")] if same.height else []


def _alike(texts: pl.Series, plain: pl.Expr) -> pl.DataFrame:
    """The distinct ``texts`` that are alike once made ``plain``."""
    each = texts.drop_nulls().unique().sort().to_frame()
    return each.filter(pl.len().over(plain) > 1)
