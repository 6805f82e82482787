"""Every table and every column, said once: in columns.csv and tables.csv beside this file.

A column's name means one thing wherever it stands: what people call it, how its values are
printed, what it means, and whether it counts people. A row ``table.column`` says what differs in
one table. A table lists its columns; a name with * belongs to the grain (no two rows are alike in
it), one with ? may be null, and ... allows more columns, such as attributes. From this come the
promises that tables keep, labels on axes and in tables, number formats, the tables of GLOSSARY.md,
`describe` and what disclosure must hide.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import narwhals as nw

from retention.tables.rules import Rule, Table, at_least, ordered, rate

KINDS = {  # how values are stored; the kind also says how they are printed
    "text": nw.String,
    "truth": nw.Boolean,
    "whole": nw.Int64,
    "day": nw.Int64,  # days since 1970-01-01, printed as a date
    "days": nw.Int64,
    "money": nw.Int64,  # minor units of the book's currency, printed as an amount
    "mean_money": nw.Float64,  # likewise
    "people": nw.Int64,  # counts customers: small ones are hidden
    "number": nw.Float64,
    "share": nw.Float64,  # 0 to 1, printed in per cent
    "points": nw.Float64,  # a share that may lie beyond 0 and 1, or a difference of two
    "estimate": nw.Float64,  # 0 to 1, printed in per cent; not a share of a count beside it
    "score": nw.Float64,  # 0 to 1, printed as it is
    "limit": nw.Float64,  # an end of the interval of the measure before it, printed like that one
}

RATES = ("share", "estimate", "score")  # lie between 0 and 1
KEYS = ("text", "truth", "whole", "day", "days")  # what is counted and measured is of other kinds


@dataclass(frozen=True)
class Column:
    """What a column is.

    ``of``, where stated: of a count, the count it is a part of; of a share, the count that it is a
    share of; of another measure, the count it rests on; of a limit, its measure.
    """

    name: str
    kind: str
    label: str
    means: str = ""
    of: str = ""


FIRST_DAY = -25_566  # 1900-01-02: databases write the day before where they know none
ADD = "add them to the customers table, or leave that table out"
REFUNDS = "book refunds as a kind of event of their own, or leave them out by `only:`"
ID = Rule(
    "customer_id",
    "has no space around it and is not empty",
    nw.col("customer_id").is_null()
    | (
        (nw.col("customer_id").str.strip_chars() == nw.col("customer_id"))
        & (nw.col("customer_id").str.len_chars() > 0)
    ),
    "trim the ids in every table of the source",
)
SCALES = {"nps": range(11), "csat": range(1, 6)}  # kinds of survey: the scores that there are
SCORE, ANSWERED = nw.col("score"), nw.col("answered_day")
ANSWERS = (
    Rule(
        "kind",
        "is nps or csat",
        nw.col("kind").is_in([*SCALES]),
        "write these two so, and leave other surveys out by `only:`",
    ),
    Rule(
        "score",
        "is a whole number from 0 to 10 (nps) or 1 to 5 (csat)",
        SCORE.is_null()
        | ~nw.col("kind").is_in([*SCALES])
        | ((nw.col("kind") == "nps") & SCORE.is_in([*map(float, SCALES["nps"])]))
        | ((nw.col("kind") == "csat") & SCORE.is_in([*map(float, SCALES["csat"])])),
        "bring scores to that scale, or leave these surveys out by `only:`",
    ),
    Rule(
        "answered_day",
        "is known where a score is",
        SCORE.is_null() | ~ANSWERED.is_null(),
        "give the day of every answer: without it nobody knows whether it came by the snapshot",
    ),
    Rule(
        "score",
        "is known for every answer to a kind of survey that has scores",
        SCORE.max().over("kind").is_null() | ANSWERED.is_null() | ~SCORE.is_null(),
        "leave the day of an answer empty where no score was given",
    ),
)

RULES = {
    "events": (
        ID,
        at_least("day", 0, "a date before 1970 is a placeholder: give the true one"),
        at_least("amount_cents", 0, REFUNDS),
        Rule(
            "amount_cents",
            "is known for every event of a kind that has amounts",
            nw.col("amount_cents").max().over("kind").is_null() | ~nw.col("amount_cents").is_null(),
            "give the missing amounts, or give these events another kind",
        ),
    ),
    "customers": (
        ID,
        at_least("started_day", FIRST_DAY, "a date this old is a placeholder: leave it empty"),
    ),
    "contracts": (
        ID,
        at_least("started_day", FIRST_DAY, "a date this old is a placeholder: give the true one"),
        ordered("started_day", "ended_day", "a contract cannot end before it starts"),
        ordered("started_day", "observed_until_day", "a planned end cannot come before the start"),
        at_least("amount_cents", 0, "give amounts per 30 days, not credits"),
    ),
    "surveys": (
        ID,
        at_least("sent_day", 0, "a date before 1970 is a placeholder: give the true one"),
        ordered("sent_day", "answered_day", "an answer cannot come before its question"),
        *ANSWERS,
    ),
    "spells": (
        at_least("spell", 1),
        at_least("duration_days", 1),
        ordered("start_day", "entry_day"),
        ordered("start_day", "end_day"),
        Rule(
            "duration_days",
            "is known unless the spell is excluded",
            nw.col("duration_days").is_null() == ~nw.col("excluded").is_null(),
        ),
    ),
}


def _rows(file: str) -> list[dict[str, str]]:
    with (Path(__file__).parent / file).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


COLUMNS = {
    row["column"]: Column(row["column"], row["kind"], row["label"], row["means"], row["of"])
    for row in _rows("columns.csv")
}


def column(name: str, table: str = "") -> Column:
    """What the column ``name`` is, in ``table`` if one is named. A name that the schema does not
    know, such as an attribute of the book's own, is labelled by itself."""
    usual = COLUMNS.get(name) or Column(name, "", plain(name))
    own = COLUMNS.get(f"{table}.{name}")
    if not own:
        return usual
    parts = {part: getattr(own, part) or getattr(usual, part) for part in ("kind", "label", "of")}
    return Column(name, means=own.means or usual.means, **parts)


def plain(name: str) -> str:
    """A name in words: "Household size"."""
    return name.replace("_", " ").capitalize()


def label(name: str) -> str:
    """What people call a column, on axes and in tables."""
    return column(name).label


def measures(names: Iterable[str]) -> dict[str, str]:
    """Of every end of an interval among ``names``, the measure whose interval it ends: the one it
    names, or else the nearest one before it."""
    found, last = {}, ""
    for name in names:
        known = column(name)
        if known.kind == "limit":
            found[name] = known.of or last
        elif known.kind != "people":
            last = name
    return found


def printed(names: Iterable[str]) -> dict[str, str]:
    """As which kind each column is printed: an end of an interval like its measure."""
    names = list(names)
    kinds = {name: column(name).kind for name in names}
    return kinds | {end: column(one).kind for end, one in measures(names).items()}


def _table(name: str, writer: str, level: str, columns: str, about: str) -> Table:
    drawn = {word.rstrip("*?"): word for word in columns.split() if word != "..."}
    kinds = {one: column(one, name).kind for one in drawn}
    ends = measures(kinds)
    made = [rate(one) for one in kinds if kinds.get(ends.get(one, one)) in RATES]
    made += [at_least(one, 0) for one in kinds if kinds[one] == "people"]
    return Table(
        name,
        writer,
        level,
        about,
        grain=tuple(one for one, word in drawn.items() if "*" in word),
        columns={one: KINDS[kind] for one, kind in kinds.items()},
        optional=tuple(
            one
            for one, word in drawn.items()
            if word.endswith("?") or (level == "aggregate" and kinds[one] not in KEYS)
        ),
        rules=(*(made if level != "source" else ()), *RULES.get(name, ())),
        further=columns.endswith(" ..."),
        unique=name != "events",  # two equal events are two events
    )


TABLES = {row["table"]: _table(*row.values()) for row in _rows("tables.csv")}


def described(table: str) -> list[Column]:
    """The columns of a table with their label, kind and meaning in it."""
    return [column(name, table) for name in TABLES[table].columns]
