"""Goes once every notebook shows exhibits."""

from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path

import jinja2
import polars as pl
import polars.selectors as cs
from IPython.display import HTML
from markupsafe import Markup
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from retention import words
from retention.charts import svg

HERE = Path(__file__).parent


def figure(
    drawing: Figure,
    *,
    title: str,
    alt: str,
    rows: pl.DataFrame | None = None,
    definition: str | None = None,
    percent: Collection[str] = (),
    limit: int = 50,
) -> HTML:
    """Finish a chart for the page: headline, drawing, text alternative, definition, table.

    ``title`` states the finding; ``alt`` says in words what the drawing shows, with its key
    figures; ``rows`` is the table behind the chart, its first ``limit`` rows printed, columns
    named in ``percent`` as per cent; ``definition`` says what is measured, and on whom.
    Returns one ``<figure>`` and closes the figure. Equal charts give equal bytes.

    Raises:
        ValueError: ``title`` or ``alt`` is empty.
    """
    if not title.strip() or not alt.strip():
        raise ValueError("a figure needs a title that states the finding and an alt text")
    behind = rows if rows is None else table(rows, title, percent=percent, limit=limit).data
    html = _template("figure.html.j2").render(
        title=title,
        svg=svg.inline(drawing, title, alt),
        definition=definition,
        table=behind and Markup(behind),
    )
    plt.close(drawing)
    return HTML(html)


def chart(
    draw: Callable[..., Figure], drawn: pl.DataFrame, *, empty: str = "", by: str = "", **finish
) -> HTML:
    """`figure` of ``draw(drawn)``; where there are no rows to draw, say ``empty`` instead.

    ``by`` is handed to drawings that need it; ``finish`` are the words and rows of `figure`.
    """
    if drawn.is_empty():
        return HTML(_template("note.html.j2").render(text=empty or "Nothing can be shown."))
    return figure(draw(drawn, by) if by else draw(drawn), **finish)


def table(
    frame: pl.DataFrame,
    caption: str,
    *,
    percent: Collection[str] = (),
    names: dict[str, str] | None = None,
    limit: int = 50,
) -> HTML:
    """Print a table for readers, its first column as the name of each row.

    Whole numbers get thousands separators, columns named in ``percent`` (shares, 0 to 1) per
    cent, other numbers three significant figures; columns with ``cents`` in their names are
    amounts in whole units of the currency, which the caption or a definition names; null is a
    dash, explained beneath; text such as "<10" stands as it is. ``names`` gives headings, by
    default the column's name in words. At most ``limit`` rows are printed, and a note says how
    many there are.

    Raises:
        ValueError: the caption is empty, or ``percent`` or ``names`` name an unknown column.
    """
    names = names or {}
    if not caption.strip():
        raise ValueError("a table needs a caption")
    if unknown := {*percent, *names} - set(frame.columns):
        raise ValueError(f"table {caption!r} has no column {', '.join(sorted(unknown))}")
    shown = frame.head(limit)
    cents = {one.name for one in frame.select(cs.numeric()) if words.CENTS.search(one.name)}
    notes = {
        f"The first {limit:,} of {frame.height:,} rows.": frame.height > limit,
        "No rows.": frame.is_empty(),
        "– means not observed, not applicable or hidden.": sum(shown.null_count().row(0)),
    }
    names = {name: words.heading(words.amount(name)) for name in cents} | names
    columns = [(names.get(one.name, words.heading(one.name)), _is_number(one)) for one in shown]
    rows = [
        [
            words.money(value) if name in cents else words.text(value, name in percent)
            for name, value in row.items()
        ]
        for row in shown.iter_rows(named=True)
    ]
    note = " ".join(note for note, is_so in notes.items() if is_so)
    html = _template("table.html.j2").render(caption=caption, columns=columns, rows=rows, note=note)
    return HTML(html)


@cache
def _templates() -> jinja2.Environment:
    """The templates of exhibits; whatever is filled in is escaped."""
    loader = jinja2.FileSystemLoader(HERE / "templates")
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)


def _template(name: str) -> jinja2.Template:
    return _templates().get_template(name)


def _is_number(column: pl.Series) -> bool:
    if column.dtype == pl.String:
        return column.str.contains(r"^<\d+$").any()  # a count with small cells hidden
    return column.dtype.is_numeric()
