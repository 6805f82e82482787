"""The one grammar of conditions in a book: ``{column: value | [values] | {at_least, below}}``.

All must hold. A missing value meets no condition.
"""

from datetime import date

import narwhals as nw

from retention import schema, words
from retention.book import Conditions, Range
from retention.errors import Refused, nearest


def holds(conditions: Conditions) -> nw.Expr:
    """Whether a row meets all ``conditions``, as an expression on its columns; never null."""
    parts = [part for name, condition in conditions.items() for part in _parts(name, condition)]
    if not parts:
        return nw.lit(True)
    return nw.all_horizontal(*parts, ignore_nulls=False).fill_null(False)


def _parts(name: str, condition) -> list[nw.Expr]:
    value = nw.col(name)
    if not isinstance(condition, Range):
        wanted = condition if isinstance(condition, list) else [condition]
        return [nw.any_horizontal(*(value == one for one in wanted), ignore_nulls=False)]
    bounds = [~value.is_null()]
    if condition.at_least is not None:
        bounds.append(value >= condition.at_least)
    if condition.below is not None:
        bounds.append(value < condition.below)
    return bounds


def misfit(condition, dtype: nw.dtypes.DType) -> str | None:
    """In words, that ``condition`` speaks of values of another kind than a column of ``dtype``."""
    spoken, held = kinds(condition), _kind(dtype)
    if held is None or spoken <= {held}:
        return None
    return f"holds {held}, and the condition speaks of {' and '.join(sorted(spoken - {held}))}"


def kinds(condition) -> set[str]:
    """The kinds of values that a condition speaks of: truths, numbers, dates, text."""
    if isinstance(condition, Range):
        condition = [bound for bound in (condition.at_least, condition.below) if bound is not None]
    wanted = condition if isinstance(condition, list) else [condition]
    names = {bool: "truths", int: "numbers", float: "numbers", date: "dates"}
    return {names.get(type(value), "text") for value in wanted}


def _kind(dtype: nw.dtypes.DType) -> str | None:
    if dtype.is_numeric():
        return "numbers"
    text = dict.fromkeys((nw.String, nw.Categorical, nw.Enum), "text")
    kinds = text | {nw.Boolean: "truths", nw.Date: "dates", nw.Datetime: "dates"}
    return next((kind for known, kind in kinds.items() if dtype == known), None)


def require_known(rule: Conditions, held: nw.Schema, whose: str) -> None:
    """Refuse a ``rule`` that speaks of a column that is not ``held``, or of values of another kind
    than it holds. ``whose`` names the rule in the message."""
    for name, condition in rule.items():
        if name not in held:
            hint = nearest(name, held)
            raise Refused(f"{whose}: customers have no column {name!r}{hint}")
        if what := misfit(condition, held[name]):
            raise Refused(f"{whose}: column {name!r} {what}; write a value that it holds")


def in_words(rule: Conditions) -> str:
    """A rule as people read it: "region is north or south, amount (365 days) at least 200"."""
    said = []
    for name, condition in rule.items():
        if isinstance(condition, Range):
            bounds = {"at least": condition.at_least, "below": condition.below}
            parts = [f"{word} {_value(v, name)}" for word, v in bounds.items() if v is not None]
            said.append(f"{schema.label(name).lower()} {' and '.join(parts) or 'is known'}")
        else:
            wanted = condition if isinstance(condition, list) else [condition]
            values = " or ".join(_value(value, name) for value in wanted)
            said.append(f"{schema.label(name).lower()} is {values}")
    return ", ".join(said)


def _value(value, column: str) -> str:
    if "money" in schema.column(column).kind:
        return words.money(value)
    return words.printed(value, "number")
