"""How a promise of a table is written and checked: types, nulls, ranges and grain in one query.

A promise holds for a table on any engine: its rules are Narwhals expressions on integers and text.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import narwhals as nw

TEXT, WHOLE, REAL, TRUTH = nw.String, nw.Int64, nw.Float64, nw.Boolean
TYPES = {"text": TEXT, "whole": WHOLE, "real": REAL, "truth": TRUTH}
EMPTY = MappingProxyType({})
FILL = "fill the gaps in the source, or leave these rows out"


@dataclass(frozen=True)
class Rule:
    """What every row keeps, in words and as an expression; ``mend`` is advice to the user."""

    column: str
    words: str
    holds: nw.Expr
    mend: str = ""


@dataclass(frozen=True)
class Promise:
    """Columns with types, the columns that may be null, the grain (unique rows), and rules.

    ``level``: "in" = a source's table, "customer" = stays in work/, "aggregate" = is published.
    ``further``: whether columns beyond the promised ones (attributes, profiles) are allowed.
    """

    writer: str
    level: str
    grain: tuple[str, ...]
    columns: dict[str, type]
    optional: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    further: bool = False
    unique: bool = True


@dataclass(frozen=True)
class Broken:
    """A broken rule: how many rows of the table break it."""

    column: str
    words: str
    n: int
    mend: str = field(default="")


def promise(
    writer: str, level: str, columns: str, *rules: Rule, further: bool = False, unique: bool = True
) -> Promise:
    """A promise whose columns are drawn: "customer_id* text, day* whole, cause text?"."""
    words = [column.split() for column in columns.split(",")]
    types = {name.rstrip("*"): TYPES[kind.rstrip("?")] for name, kind in words}
    grain = tuple(name.rstrip("*") for name, _ in words if name.endswith("*"))
    optional = tuple(name.rstrip("*") for name, kind in words if kind.endswith("?"))
    return Promise(writer, level, grain, types, optional, rules, further, unique)


def at_least(column: str, least: int, mend: str = "") -> Rule:
    """Every known value of ``column`` is ``least`` or more."""
    value = nw.col(column)
    return Rule(column, f"is at least {least}", value.is_null() | (value >= least), mend)


def rate(*columns: str) -> tuple[Rule, ...]:
    """Every known value of ``columns`` lies between 0 and 1."""
    return tuple(
        Rule(
            column,
            "lies between 0 and 1",
            nw.col(column).is_null() | ((nw.col(column) >= 0) & (nw.col(column) <= 1)),
        )
        for column in columns
    )


def ordered(first: str, second: str, mend: str = "") -> Rule:
    """``second`` is never before ``first`` where both are known."""
    one, two = nw.col(first), nw.col(second)
    return Rule(
        second, f"is not before {first}", one.is_null() | two.is_null() | (two >= one), mend
    )


def no_script(*columns: str) -> tuple[Rule, ...]:
    """No text holds a script tag: it comes from an attack or a broken export, not from a name."""
    return tuple(
        Rule(
            column,
            "holds no <script> tag",
            nw.col(column).is_null()
            | ~nw.col(column).str.to_lowercase().str.contains("<script", literal=True),
            "clean these values in the source",
        )
        for column in columns
    )


def broken(frame, promise: Promise) -> list[Broken]:
    """Every rule of ``promise`` that ``frame`` (any frame Narwhals reads) breaks, with its rows.

    Types and missing columns are reported first, since no row can be judged without them; then
    nulls, further rules and the grain, counted in one query. A rule that comes out null is broken.
    """
    table = nw.from_native(frame).lazy()
    schema = table.collect_schema()
    faults = [
        Broken(
            name,
            f"is {dtype.__name__}, got {schema[name]}"
            if name in schema
            else "is a column of this table",
            0,
        )
        for name, dtype in promise.columns.items()
        if schema.get(name) != dtype
    ]
    if not promise.further:
        further = [name for name in schema if name not in promise.columns]
        faults += [Broken(name, "is not a column of this table", 0) for name in further]
    if promise.level == "aggregate" and "customer_id" in schema:
        faults.append(Broken("customer_id", "is not in a published table", 0))
    if faults:
        return faults
    made = promise.level != "in"
    rules = [
        *(
            Rule(name, "is known", ~nw.col(name).is_null(), "" if made else FILL)
            for name in promise.columns
            if name not in promise.optional
        ),
        *promise.rules,
        *(() if made else no_script(*(name for name in schema if schema[name] == TEXT))),
    ]
    breaks = table.select(
        (~rule.holds).fill_null(True).alias(f"{number}") for number, rule in enumerate(rules)
    )
    counts = breaks.select(nw.all().cast(WHOLE).sum()).collect().row(0) if rules else ()
    faults = [
        Broken(rule.column, rule.words, int(n), rule.mend)
        for rule, n in zip(rules, counts, strict=True)
        if n
    ]
    if promise.unique:
        rows = table.group_by(*promise.grain).agg(nw.len().alias("rows of it"))
        twice = rows.filter(nw.col("rows of it") > 1)
        if n := twice.select(nw.col("rows of it").sum()).collect().item():
            words = "is unique" if len(promise.grain) == 1 else "are unique together"
            faults.append(Broken(", ".join(promise.grain), words, int(n), "remove the duplicates"))
    return faults


def report(place: str, faults: Iterable[Broken], names: Mapping[str, str] = EMPTY) -> str:
    """The message for broken rules, one a line: place, column, rule, rows, how to mend it.

    ``names`` says what the user calls a column, where that differs. No value is ever repeated.
    """

    def line(fault: Broken) -> str:
        column = ", ".join(names.get(name, name) for name in fault.column.split(", "))
        return (
            f"{place}: {column}: promise broken: '{column} {fault.words}'"
            + (f", {fault.n:,} rows break it" if fault.n else "")
            + (f"; {fault.mend}" if fault.mend else "")
        )

    return "\n".join(map(line, faults))
