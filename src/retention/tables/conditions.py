"""The one grammar of conditions in a book: ``{column: value | [values] | {at_least, below}}``.

All must hold. A missing value meets no condition.
"""

from collections.abc import Mapping
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


def in_words(conditions: Conditions) -> str:
    """The conditions as people read them: "plan is pro, amount (365 days) at least 500.00"."""
    parts = []
    for name, condition in conditions.items():
        kind = "money" if "money" in schema.column(name).kind else "number"
        if isinstance(condition, Range):
            bounds = {"at least": condition.at_least, "below": condition.below}
            known = {key: bound for key, bound in bounds.items() if bound is not None}
            said = [f"{key} {words.printed(bound, kind)}" for key, bound in known.items()]
        else:
            wanted = condition if isinstance(condition, list) else [condition]
            said = ["is " + " or ".join(words.printed(one, kind) for one in wanted)]
        parts.append(f"{schema.label(name).lower()} {' and '.join(said) or 'is known'}")
    return ", ".join(parts)


def require(conditions: Conditions, columns: Mapping[str, nw.dtypes.DType], place: str) -> None:
    """Every condition names one of the ``columns``, and values of the kind that it holds.

    Raises:
        Refused: one does not; the message begins with the ``place`` where the conditions stand.
    """
    for name, condition in conditions.items():
        if name not in columns:
            raise Refused(f"{place}: customers have no column {name!r}{nearest(name, columns)}")
        if what := misfit(condition, columns[name]):
            raise Refused(f"{place}: column {name!r} {what}; write a value that it holds")


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
