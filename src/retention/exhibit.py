"""An exhibit: one section of a page, as a value, and what it looks like in JupyterLab and on pages.

An exhibit holds a tidy table and says what to make of it. Everything that is made of the table (the
drawing, the headline, the findings) is a function of it, called only once small counts are hidden:
nothing that is hidden can be drawn or said.
"""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

import jinja2
import polars as pl
from markupsafe import Markup
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from retention import schema, words
from retention.charts import svg

TEMPLATES = jinja2.Environment(  # whatever is filled in is escaped
    loader=jinja2.PackageLoader("retention"), autoescape=True, undefined=jinja2.StrictUndefined
)


@dataclass(frozen=True)
class Finding:
    """A number that is said in a sentence, recorded, and compared with the previous refresh.

    ``sentence`` may hold {value} and {ci}, printed by ``unit`` ("share": in per cent), and whatever
    ``further`` names.
    """

    name: str
    sentence: str
    value: float | None = None
    unit: str = ""
    ci: tuple[float, float] | None = None
    further: dict[str, object] = field(default_factory=dict)


def said_of(
    rows: pl.DataFrame, name: str, sentence: str, value: str = "share", unit: str = "share"
) -> list[Finding]:
    """A finding for every row whose ``value`` is not hidden, with its interval; ``name`` (made
    small letters) and ``sentence`` may hold any other column of the row."""
    return [
        Finding(name.format(**row).lower(), sentence, row[value], unit, limits, row)
        for row in rows.drop_nulls(value).iter_rows(named=True)
        for limits in [(row["ci_lower"], row["ci_upper"])]
    ]


def apart(table: pl.DataFrame, label: str, value: str) -> str:
    """From the lowest to the highest ``value`` in words, where their intervals do not touch:
    "from 12.0% (web) to 34.0% (app)"; else nothing. An unknown end of an interval is the value."""
    limits = pl.col("ci_lower", "ci_upper").fill_null(pl.col(value))
    ordered = table.drop_nulls(value).with_columns(limits).sort(value, label)
    if ordered.is_empty() or ordered["ci_upper"][0] >= ordered["ci_lower"][-1]:
        return ""
    kind = schema.column(value).kind
    low, high = (
        f"{words.printed(ordered[value][end], kind)} ({ordered[label][end]})" for end in (0, -1)
    )
    return f"from {low} to {high}"


Made = Callable[[pl.DataFrame], object]


@dataclass(frozen=True)
class Exhibit:
    """A section of a page: a table and what is drawn and said of it.

    ``headline`` states what is found; ``draw`` makes the drawing, without which the table alone is
    shown; ``behind`` gives the rows printed behind a drawing (all of them if not stated);
    ``definition`` says what is measured, and on whom; ``findings`` are recorded and said above;
    ``empty`` is said instead where there is nothing to show. ``name`` is that of a table of the
    schema, if the table is one: it is written and published. At most ``limit`` rows are printed.
    """

    table: pl.DataFrame
    headline: str | Made
    draw: Callable[[pl.DataFrame], Figure] | None = None
    behind: Made | None = None
    definition: str = ""
    findings: Sequence[Finding] | Made = ()
    empty: str = "Nothing can be shown."
    name: str = ""
    limit: int = 50


def shown(exhibit: Exhibit, table: pl.DataFrame, currency: str = "") -> str:
    """The exhibit of a ``table`` in which small counts are hidden, as HTML; everything is escaped.

    The text alternative of a drawing is its headline and the key figures behind it.
    """
    if table.is_empty():
        return note(exhibit.empty)
    headline = of(exhibit.headline, table)
    behind = exhibit.behind(table) if exhibit.behind else table
    printed = "" if behind.is_empty() else rows(behind, headline, exhibit.limit, currency)
    if exhibit.draw is None:
        return printed + (note(exhibit.definition) if exhibit.definition else "")
    drawing = exhibit.draw(table)
    figure = TEMPLATES.get_template("figure.html.j2").render(
        title=headline,
        svg=svg.inline(drawing, headline, f"{headline}. {key_figures(behind)}"),
        definition=exhibit.definition,
        table=Markup(printed),
    )
    plt.close(drawing)
    return figure


def of(made: object, table: pl.DataFrame) -> object:
    """What an exhibit makes of its table: said as it is, or by a function of the table."""
    return made(table) if callable(made) else made


def note(text: str) -> str:
    """A sentence that is no finding: who is counted, a definition, why a section is empty."""
    return TEMPLATES.get_template("note.html.j2").render(text=text)


def said(sentence: str) -> str:
    """A finding's sentence."""
    return f'<p class="finding">{html.escape(sentence)}</p>'


def rows(table: pl.DataFrame, caption: str, limit: int = 50, currency: str = "") -> str:
    """A table for readers, its first column as the name of each row.

    Headings and formats are the schema's: shares in per cent, amounts in whole units of the
    ``currency``, days as dates, other numbers with three significant figures; null is a dash,
    explained beneath. At most ``limit`` rows are printed, and a note says how many there are.
    """
    kinds, printed = schema.printed(table.columns), table.head(limit)
    notes = {
        f"The first {limit:,} of {table.height:,} rows.": table.height > limit,
        "– means not observed, not applicable or hidden.": sum(printed.null_count().row(0)),
        f"Amounts in {currency}.": currency and any("money" in kind for kind in kinds.values()),
    }
    return TEMPLATES.get_template("table.html.j2").render(
        caption=caption,
        columns=[(schema.label(one.name), one.dtype.is_numeric()) for one in printed],
        rows=[
            [words.printed(value, kinds[name]) for name, value in row.items()]
            for row in printed.iter_rows(named=True)
        ],
        note=" ".join(note for note, is_so in notes.items() if is_so),
    )


def key_figures(table: pl.DataFrame) -> str:
    """The first twelve rows in words: what names each row, and its first measure."""
    kinds = schema.printed(table.columns)
    counted = ("people", "limit", *schema.KEYS)
    measured = [name for name, kind in kinds.items() if kind not in counted]
    measured = [name for name in measured if table[name].dtype.is_numeric()]
    measured = (measured or [name for name, kind in kinds.items() if kind == "people"])[:1]
    named = list(takewhile(lambda name: kinds[name] in schema.KEYS, kinds))[:3]
    figures = [
        f"{', '.join(words.printed(row[name], kinds[name]) for name in named)}: "
        + " ".join(words.printed(row[name], kinds[name]) for name in measured)
        for row in table.drop_nulls(measured).head(12).iter_rows(named=True)
    ]
    return f"{schema.label(measured[0])}: {'; '.join(figures)}." if figures and measured else ""
