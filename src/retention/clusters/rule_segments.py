"""Segments by a rule of the book, beside those of the clusters; they may overlap."""

import narwhals as nw
import polars as pl

from retention.book import Rule
from retention.errors import Refused, nearest
from retention.tables import conditions


def members(customers: pl.DataFrame, rules: dict[str, Rule]) -> pl.DataFrame:
    """Who meets which rule: customer_id, segment; of the current customers.

    Takes   customers_at; ``rules``: the book's ``segments:``

    Raises:
        Refused: a condition names no column of customers_at, or values of another kind than it
            holds; the message names segment, column and what is nearest.

    Checked on drawn customers in tests/test_rule_segments.py.
    """
    current = customers.filter(pl.col("in_risk_set"))
    found = [
        current.filter(_holds(current, segment, rule)).select(
            "customer_id", segment=pl.lit(segment, pl.String)
        )
        for segment, rule in rules.items()
    ]
    empty = pl.DataFrame(schema={"customer_id": pl.String, "segment": pl.String})
    return pl.concat([empty, *found]).sort("customer_id", "segment")


def large(members: pl.DataFrame, current: int, min_cell: int) -> pl.DataFrame:
    """``members`` of the segments that may be shown: of at least ``min_cell`` customers, and of the
    ``current`` ones none or as many are left."""
    n = pl.len().over("segment").cast(pl.Int64)
    rest = current - n
    return members.filter(n >= min_cell, (rest == 0) | (rest >= min_cell))


def names(rules: dict[str, Rule]) -> list[str]:
    """What the rules' segments are called."""
    return [rule.name for rule in rules.values()]


def definition(rules: dict[str, Rule], shown: pl.DataFrame) -> str:
    """The rules in words, for the page, and which have no segment among the members ``shown``."""
    said = [f"{rule.name}: {_words(rule)}" for rule in rules.values()]
    absent = [rule.name for key, rule in rules.items() if key not in set(shown["segment"])]
    few = f" Met by too few customers, or by all but too few, to be shown: {', '.join(absent)}."
    whole = f"By rule, overlapping others: {'; '.join(said)}." if said else ""
    return whole + (few if absent else "")


def _holds(current: pl.DataFrame, segment: str, rule: Rule) -> pl.Series:
    schema = nw.from_native(current).collect_schema()
    for name, condition in rule.conditions.items():
        if name not in schema:
            hint = nearest(name, schema)
            raise Refused(f"segments: {segment}: customers_at has no column {name!r}{hint}")
        if what := conditions.misfit(condition, schema[name]):
            raise Refused(f"segments: {segment}: column {name!r} {what}; write what stands there")
    holds = nw.from_native(current).select(holds=conditions.holds(rule.conditions))
    return holds.to_native()["holds"]


def _words(rule: Rule) -> str:
    parts = []
    for name, condition in rule.conditions.items():
        plain = name.replace("_", " ")
        if isinstance(condition, list):
            parts.append(f"{plain} is {' or '.join(map(str, condition))}")
        elif hasattr(condition, "model_fields_set"):
            given = condition.model_dump(exclude_none=True, exclude={"known"}).items()
            shown = ((key, f"{v:g}" if isinstance(v, float) else v) for key, v in given)
            said = [f"{key.replace('_', ' ')} {value}" for key, value in shown]
            parts.append(f"{plain} {' and '.join(said) or 'is known'}")
        else:
            parts.append(f"{plain} is {condition}")
    return ", ".join(parts)
