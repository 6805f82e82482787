"""How a promise of a table is written and checked: types, nulls, ranges and grain in one query.

A promise holds for a table on any engine: its rules are Narwhals expressions on integers and text.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import narwhals as nw

from retention.tables import calendar

TEXT, WHOLE, REAL, TRUTH = nw.String, nw.Int64, nw.Float64, nw.Boolean
EMPTY = MappingProxyType({})
FILL = "fill the gaps in the source, or leave these rows out by `only:`"
FAULT = "fault "  # before a column's name: what was wrong with its value, "reason|shape", or null
REASONS = {  # what may be wrong with a value: the rule it breaks, and how to mend it
    "unread": ("can be read as {}", "correct these values, or state how they are written"),
    "zoneless": (
        "holds no times without a zone to count days in",
        "state `timezone:` in the book (such as Europe/Berlin)",
    ),
    "mixed": ("carries a zone, as other values do", "write the zone everywhere or nowhere"),
    "amount": ("is an amount (a number below 10,000,000,000,000)", "correct it in the source"),
}


@dataclass(frozen=True)
class Rule:
    """What every row keeps, in words and as an expression; ``mend`` is advice to the user."""

    column: str
    words: str
    holds: nw.Expr
    mend: str = ""


@dataclass(frozen=True)
class Table:
    """What a table promises: its writer, level, grain and columns, and what every row keeps.

    ``level``: "source" = read from a source, "customer" = stays in work/, "kept" = an aggregate
    that stays there for the next refresh to compare itself with, "aggregate" = published.
    What is counted or measured in an aggregate table may be null: then it is hidden.
    ``further``: whether it may hold more columns. ``unique``: whether the grain is unique.
    """

    name: str
    writer: str
    level: str
    about: str
    grain: tuple[str, ...]
    columns: dict[str, type]
    optional: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    further: bool = False
    unique: bool = True


@dataclass(frozen=True)
class Broken:
    """A broken rule: how many rows (or values) break it, and some of them in words."""

    column: str
    words: str
    n: int
    mend: str = ""
    examples: tuple[str, ...] = ()
    of: str = "rows"


def at_least(column: str, least: int, mend: str = "") -> Rule:
    """Every known value of ``column`` is ``least`` or more."""
    value, shown = nw.col(column), calendar.date_of(least) if _is_day(column) else least
    return Rule(column, f"is at least {shown}", value.is_null() | (value >= least), mend)


def rate(column: str) -> Rule:
    """Every known value of ``column`` lies between 0 and 1."""
    value = nw.col(column)
    return Rule(column, "lies between 0 and 1", value.is_null() | value.is_between(0, 1))


def ordered(first: str, second: str, mend: str = "") -> Rule:
    """``second`` is never before ``first`` where both are known."""
    one, two = nw.col(first), nw.col(second)
    holds = one.is_null() | two.is_null() | (two >= one)
    return Rule(second, f"is not before {first}", holds, mend)


def no_script(column: str) -> Rule:
    """No text holds a script tag: it comes from an attack or a broken export, not from a name."""
    text = nw.col(column).str.to_lowercase()
    clean = text.is_null() | ~text.str.contains("<script", literal=True)
    return Rule(column, "holds no <script> tag", clean, "clean these values in the source")


def misfits(schema: Mapping[str, object], promise: Table) -> list[Broken]:
    """Columns that are missing, of another type or too many: without them no row can be judged."""
    given = {name: dtype for name, dtype in schema.items() if not name.startswith(FAULT)}
    wrong = {name: dtype for name, dtype in promise.columns.items() if given.get(name) != dtype}
    faults = []
    for name, dtype in wrong.items():
        got = f"is {dtype.__name__}, got {given.get(name)}"
        words = got if name in given else "is a column of this table"
        faults.append(Broken(name, words, 0))
    if not promise.further:
        further = [name for name in given if name not in promise.columns]
        faults += [Broken(name, "is not a column of this table", 0) for name in further]
    if promise.level == "aggregate" and "customer_id" in given:
        faults.append(Broken("customer_id", "is not in a published table", 0))
    return faults


def row_rules(schema: Mapping[str, object], promise: Table) -> list[Rule]:
    """Every rule that the rows of a table with this ``schema`` keep."""
    made = promise.level != "source"
    rules = [
        Rule(name, "is known", ~nw.col(name).is_null(), "" if made else FILL)
        for name in promise.columns
        if name not in promise.optional
    ]
    rules = [_if_read(rule, schema) for rule in (*rules, *promise.rules)]
    if not made:
        rules += [no_script(name) for name in schema if schema[name] == TEXT]
        rules += [rule for name in schema if name.startswith(FAULT) for rule in readable(name)]
    if promise.unique:
        words = "is unique" if len(promise.grain) == 1 else "are unique together"
        once = nw.len().over(*promise.grain) == 1
        rules.append(Rule(", ".join(promise.grain), words, once, "remove the duplicates"))
    return rules


def _if_read(rule: Rule, schema: Mapping[str, object]) -> Rule:
    """``rule`` as it stands, but what could not be read breaks only the rule that it can be."""
    fault = FAULT + rule.column
    holds = rule.holds | ~nw.col(fault).is_null() if fault in schema else rule.holds
    return replace(rule, holds=holds)


def readable(fault: str) -> list[Rule]:
    """Rules on a column that says what was wrong with the values of another: "reason|shape"."""
    column, none = fault.removeprefix(FAULT), nw.col(fault).is_null()
    numbers = {"amount_cents": "a number such as 12.50", "score": "a number such as 9"}
    kind = numbers.get(column, "a date such as 2025-06-30")
    return [
        Rule(column, words.format(kind), none | ~nw.col(fault).str.starts_with(reason), mend)
        for reason, (words, mend) in REASONS.items()
    ]


def breaks(frame, rules: Iterable[Rule]):
    """How many rows break each rule: a lazy frame of one row, one column for each rule in order.

    A rule that comes out null is broken.
    """
    table, one, none = nw.from_native(frame).lazy(), nw.lit(1), nw.lit(0)
    rows = table.select(
        nw.when(rule.holds.fill_null(False)).then(none).otherwise(one).alias(f"{n}")
        for n, rule in enumerate(rules)
    )
    return rows.select(nw.all().sum().cast(WHOLE))


def named(frame, promise: Table, rules: Iterable[Rule], counts: Iterable[int]) -> list[Broken]:
    """The broken ones of ``rules`` by their ``counts``, each with three examples from ``frame``."""
    return [
        Broken(rule.column, rule.words, int(n), rule.mend, examples(frame, promise, rule))
        for rule, n in zip(rules, counts, strict=True)
        if n
    ]


def broken(frame, promise: Table) -> list[Broken]:
    """Every rule of ``promise`` that ``frame`` (any frame Narwhals reads) breaks, with its rows.

    Types and missing columns come first; then nulls, further rules and the grain, in one query.
    """
    table = nw.from_native(frame).lazy()
    schema = table.collect_schema()
    if faults := misfits(schema, promise):
        return faults
    rules = row_rules(schema, promise)
    return named(table, promise, rules, breaks(table, rules).collect().row(0)) if rules else []


def examples(frame, promise: Table, rule: Rule) -> tuple[str, ...]:
    """Three rows that break ``rule``, without a text from the data and with ids hashed."""
    table = nw.from_native(frame).lazy()
    schema = table.collect_schema()
    if "customer_id" not in schema:
        return ()
    wanted = [*promise.grain, *rule.column.split(", "), FAULT + rule.column]
    columns = [
        name
        for name in dict.fromkeys(wanted)
        if name in schema and (schema[name] != TEXT or name.startswith((FAULT, "customer_id")))
    ]
    judged = table.with_columns(breaks_it=(~rule.holds).fill_null(True))
    rows = judged.filter("breaks_it").select(*columns).unique()
    first = rows.sort(*columns).head(3).collect("polars")
    return tuple(
        ", ".join(filter(None, (_word(*one) for one in row.items() if one[1] is not None)))
        for row in first.iter_rows(named=True)
    )


def _word(name: str, value: object) -> str:
    if name == "customer_id":
        return f"customer #{hashlib.sha256(str(value).encode()).hexdigest()[:8]}"
    if name.startswith(FAULT):
        return str(value).partition("|")[2]
    return f"{name} {calendar.date_of(value) if _is_day(name) else value}"


def _is_day(name: str) -> bool:
    return name == "day" or name.endswith("_day")


def report(place: str, faults: Iterable[Broken], names: Mapping[str, str] = EMPTY) -> str:
    """The message for broken rules, one a line: place, column, rule, rows, examples, how to mend.

    ``names`` says what the user calls a column, where that differs. No text of the data is
    repeated: customers by a hash (the first 8 hex digits of sha256 of the id), dates and numbers
    that could not be read by their shape (9 for a digit, a for a letter).
    """

    def line(fault: Broken) -> str:
        column = ", ".join(names.get(name, name) for name in fault.column.split(", "))
        words = " ".join(names.get(word, word) for word in fault.words.split(" "))
        rows = f"{fault.of} break it", f"{fault.of.removesuffix('s')} breaks it"
        return (
            f"{place}: {column}: promise broken: '{column} {words}'"
            + (f", {fault.n:,} {rows[fault.n == 1]}" if fault.n else "")
            + (f" (such as {'; '.join(fault.examples)})" if fault.examples else "")
            + (f"; {fault.mend}" if fault.mend else "")
        )

    return "\n".join(map(line, faults))
