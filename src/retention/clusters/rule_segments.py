"""Segments by a rule of the book, beside those of the clusters; they may overlap."""

import narwhals as nw
import polars as pl

from retention.book import Rule
from retention.tables import conditions


def members(customers: pl.DataFrame, rules: dict[str, Rule]) -> pl.DataFrame:
    """Who meets which rule: customer_id, segment; of the current customers.

    Takes   customers_at; ``rules``: the book's ``segments:``

    Raises:
        Refused: a condition names no column of customers_at, or values of another kind than it
            holds; the message names segment, column and what is nearest.

    Checked on drawn customers in tests/clusters/test_rule_segments.py.
    """
    current = customers.filter(standing="current")
    columns, found = nw.from_native(current).collect_schema(), []
    for segment, rule in rules.items():
        conditions.require(rule.conditions, columns, f"segments: {segment}")
        who = nw.from_native(current).filter(conditions.holds(rule.conditions)).to_native()
        found.append(who.select("customer_id", segment=pl.lit(segment)))
    empty = pl.DataFrame(schema={"customer_id": pl.String, "segment": pl.String})
    return pl.concat([empty, *found]).sort("customer_id", "segment")


def large(members: pl.DataFrame, current: int, min_cell: int) -> pl.DataFrame:
    """``members`` of the segments that may be shown: of at least ``min_cell`` customers, and of the
    ``current`` ones none or as many are left."""
    n = pl.len().over("segment").cast(pl.Int64)
    rest = current - n
    return members.filter(n >= min_cell, (rest == 0) | (rest >= min_cell))


def definition(rules: dict[str, Rule], shown: pl.DataFrame) -> str:
    """The rules in words, and which have no segment among the members ``shown``."""
    if not rules:
        return ""
    said = [f"{rule.name}: {conditions.in_words(rule.conditions)}" for rule in rules.values()]
    absent = [rule.name for key, rule in rules.items() if key not in set(shown["segment"])]
    few = f" Too few customers meet, or do not meet, the rule: {', '.join(absent)}."
    return f"By rule, overlapping others: {'; '.join(said)}." + few * bool(absent)
