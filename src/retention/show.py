"""Finished HTML for notebooks and pages: a figure with its headline, a table with its caption."""

import base64
import hashlib
import io
import re
from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import jinja2
import polars as pl
import polars.selectors as cs
from IPython.display import HTML
from markupsafe import Markup
from matplotlib import pyplot as plt
from matplotlib import rc_context, rc_params_from_file
from matplotlib.figure import Figure
from PIL import Image

from retention import words

HERE = Path(__file__).parent
_STYLE = rc_params_from_file(HERE / "charts" / "charts.mplstyle", use_default_template=True)
LOOK = {key: value for key, value in _STYLE.items() if "backend" not in key}  # no one's own rc
TEXT = "#010203"  # stands for the colour of the text around a drawing: see `_in_page`
PNG = "data:image/png;base64,"


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
        svg=_svg(drawing, title, alt),
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


def _svg(drawing: Figure, title: str, alt: str) -> Markup:
    """The drawing as inline SVG: text in the page's font and colour, named by title and alt.

    Ids are numbered after a hash of the whole, so that several drawings share a page and equal
    drawings are equal bytes. Namespaces, metadata and unused ids, which a page does not need, go.
    """
    buffer = io.BytesIO()
    with rc_context(LOOK):
        drawing.savefig(buffer, format="svg", dpi=128, metadata={"Date": None})
    svg = buffer.getvalue()
    name = "c" + hashlib.sha256(svg + title.encode() + alt.encode()).hexdigest()[:10]
    used = re.findall(r'(?:url\(#|href="#)([^)"]+)', svg.decode())
    ids = {old: f"{name}-{number}" for number, old in enumerate(dict.fromkeys(used))}
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in parent.findall("{*}metadata") + parent.findall("{*}style"):
            parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {
            attribute.rpartition("}")[2]: ids[text] if attribute == "id" else _in_page(text, ids)
            for attribute, text in element.items()
            if attribute != "id" or text in ids
        }
    root.attrib = {
        "viewBox": root.get("viewBox"),
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-desc",
        "style": "max-width:34rem;stroke-linejoin:round;stroke-linecap:butt",
    }
    for place, (tag, said) in enumerate({"title": title, "desc": alt}.items()):
        root.insert(place, ElementTree.Element(tag, id=f"{name}-{tag}"))
        root[place].text = said
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _in_page(text: str, ids: dict[str, str]) -> str:
    if text.startswith(PNG):
        return PNG + _smaller(text.removeprefix(PNG))
    text = re.sub(r"(?<=#)[\w-]+", lambda match: ids.get(match[0], match[0]), text)
    text = re.sub(r"\d+\.\d{2,}", lambda match: f"{float(match[0]):.1f}", text)
    return text.replace(TEXT, "currentColor").replace("'DejaVu Sans'", "system-ui, sans-serif")


def _smaller(png: str) -> str:
    """A picture of many points in 128 colours, a third of the bytes; heat maps stay exact."""
    if len(png) < 20_000:
        return png.replace("\n", "")
    picture = Image.open(io.BytesIO(base64.b64decode(png)))
    smaller = io.BytesIO()
    picture.quantize(128).save(smaller, format="png", optimize=True)
    return base64.b64encode(smaller.getvalue()).decode()
