"""An executed notebook becomes one self-contained HTML page.

The page asks the network for nothing, runs no script and reads the same on a phone, in the dark,
on paper and aloud; ``problems`` holds it to that before it is published.
"""

import copy
import re
from collections import Counter

import mistune
from bs4 import BeautifulSoup
from markupsafe import Markup
from nbconvert.exporters.templateexporter import TemplateExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from retention_runner import layout

LIMIT = 300_000  # bytes of a page
# Cells whose values stand in the footer instead, and what papermill adds where a cell failed.
UNSEEN = {"parameters", "injected-parameters", "papermill-error-cell-tag"}
# A drawing that is one image to a screen reader, in words.
NAMED = "[role='img']:is([aria-label], [aria-labelledby]:has(> title:not(:empty)))"
MARKDOWN = mistune.create_markdown(escape=True, plugins=["table"])


def render(notebook: NotebookNode, **frame) -> str:
    """Give the page of an executed notebook: findings first, code folded, facts in the footer.

    ``frame`` is what else `layout.page` takes. Text and Markdown are escaped; HTML outputs are
    trusted: only what escapes by itself writes any. The code of cells that show nothing is folded
    into the next cell that does. A page ends with a cell that failed. Nothing that varies between
    identical runs is on it: no time, warning or memory address.
    """
    notebook = copy.deepcopy(notebook)
    notebook.cells = _folded(notebook.cells)
    exporter = TemplateExporter(
        template_name=layout.TEMPLATES.name,
        template_extension=".html.j2",
        extra_template_basedirs=[str(layout.TEMPLATES.parent)],
        filters={"prose": _prose, "markdown": MARKDOWN, "python": _python},
    )
    body, _ = exporter.from_notebook_node(notebook)
    body = re.sub(" at 0x[0-9a-fA-F]+", "", body)
    headings = re.findall(r'<h2 id="([^"]+)">(.*?)</h2>', body)
    contents = [(anchor, Markup(text)) for anchor, text in headings]
    return layout.page(body=body, contents=contents, **frame)


FORBIDDEN = {  # what no page may hold, by its CSS selector
    "script, iframe, object, embed, base, form": "is not allowed on a page",
    ":is([src], [srcset], [poster]):not([src^='data:image/'])": "has an external address",
    ":is([href*=':'], [href^='//']):not([href^='data:image/'])": "has an external address",
    "img:not([alt]), img[alt='']": "has no text alternative",
    "img[alt='No description has been provided for this image']": "has an empty description",
    "figure:not(:has(svg, img, table))": "has neither drawing nor table",
    f"svg:not([aria-hidden='true'], {NAMED})": "has no role img with a text alternative",
}
EXACTLY_ONE = (
    "html[lang]",
    "head > title:not(:empty)",
    "h1",
    "meta[http-equiv=Content-Security-Policy]",
)


def problems(html: str) -> list[str]:
    """Say what keeps a page from being published, a sentence each; nothing when all is well.

    Looked for: requests that leave the page, scripts, a missing or second h1, figures without
    words, missing lang or title or content security policy, doubled ids, more than 300 kB. What
    else a page could ask for or run, its content security policy stops.
    """
    page = BeautifulSoup(html, "html.parser")
    found = []
    if (size := len(html.encode())) > LIMIT:
        found.append(f"the page has {size:,} bytes, more than {LIMIT:,}")
    for selector in EXACTLY_ONE:
        if (number := len(page.select(selector))) != 1:
            found.append(f"the page has {number} {selector}, not one")
    for selector, words in FORBIDDEN.items():
        found += [f"{tag.name}: {words}" for tag in page.select(selector)]
    ids = Counter(tag["id"] for tag in page.find_all(id=True))
    found += [f"id {name} is given {times} times" for name, times in ids.items() if times > 1]
    return found


def _folded(cells: list[NotebookNode]) -> list[NotebookNode]:
    """The cells to show; code that shows nothing waits for the next code that does."""
    shown, waiting = [], []
    for cell in cells:
        if UNSEEN & set(cell.metadata.get("tags", [])):
            continue
        if cell.cell_type == "code":
            waiting.append(cell.source.strip())
            cell.outputs = [part for part in cell.outputs if part.get("name") != "stderr"]
            if not cell.outputs:
                continue
            cell.source = "\n\n".join(filter(None, waiting))
            waiting = []
        shown.append(cell)
        if any(part.output_type == "error" for part in cell.get("outputs", ())):
            return shown
    if any(waiting):
        shown.append(new_code_cell("\n\n".join(filter(None, waiting)), id="last"))
    return shown


def _prose(source: str) -> str:
    """Markdown as HTML, its h2 with an id for the table of contents."""
    return re.sub(r"<h2>(.*?)</h2>", _with_id, MARKDOWN(source))


def _with_id(heading: re.Match) -> str:
    words = re.sub(r"<[^>]+>|&\w+;", "", heading[1]).lower()
    return f'<h2 id="{re.sub(r"[^a-z0-9]+", "-", words).strip("-")}-section">{heading[1]}</h2>'


def _python(source: str) -> str:
    return highlight(source, PythonLexer(), HtmlFormatter(nowrap=True))
