"""An executed notebook becomes one self-contained HTML page.

The page asks the network for nothing, runs no script and reads the same on a phone, in the dark,
on paper and aloud; ``problems`` holds it to that before it is published.
"""

import copy
import hashlib
import re
from collections import Counter

import mistune
from bs4 import BeautifulSoup, Tag
from markupsafe import Markup
from nbconvert.exporters.templateexporter import TemplateExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from retention_runner import layout

LIMIT = 300_000  # bytes of a page
UNSEEN = {"parameters", "injected-parameters"}  # cells whose values stand in the footer instead
ADDRESSES = {"src", "srcset", "href", "data", "action", "poster"}
EXTERNAL = r"\s*(?!data:image/)([a-z][a-z0-9+.-]*:|//)"
STYLE_REQUEST = r"@import|url\(\s*['\"]?(?!#|data:)"
MARKDOWN = mistune.create_markdown(escape=True, plugins=["table"])


def canonical(notebook: NotebookNode) -> NotebookNode:
    """Give the executed notebook without anything that varies between identical runs.

    Gone are papermill's and the kernel's notes on time, widgets' state, stderr, and memory
    addresses in outputs; cell ids come from position and source. ``notebook`` is not changed.
    """
    notebook = copy.deepcopy(notebook)
    for key in ("papermill", "widgets"):
        notebook.metadata.pop(key, None)
    for number, cell in enumerate(notebook.cells):
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        cell["id"] = f"{number:02d}-{hashlib.sha256(cell.source.encode()).hexdigest()[:8]}"
        if cell.cell_type == "code":
            cell.outputs = [
                _without_addresses(output)
                for output in cell.outputs
                if output.get("name") != "stderr"
            ]
    return notebook


def render(notebook: NotebookNode, **frame) -> str:
    """Give the page of an executed notebook: findings first, code folded, facts in the footer.

    ``frame`` is what else `layout.page` takes. Text and Markdown are escaped; HTML outputs are
    trusted: only what escapes by itself writes any. The code of cells that show nothing is folded
    into the next cell that does.
    """
    notebook = canonical(notebook)
    notebook.cells = _folded(notebook.cells)
    exporter = TemplateExporter(
        template_name=layout.TEMPLATES.name,
        template_extension=".html.j2",
        extra_template_basedirs=[str(layout.TEMPLATES.parent)],
        filters={"prose": _prose, "markdown": MARKDOWN, "python": _python},
    )
    body, _ = exporter.from_notebook_node(notebook)
    headings = re.findall(r'<h2 id="([^"]+)">(.*?)</h2>', body)
    contents = [(anchor, Markup(text)) for anchor, text in headings]
    return layout.page(body=body, contents=contents, **frame)


def up_to_error(notebook: NotebookNode) -> NotebookNode:
    """The notebook up to the cell that failed, without the words that papermill has added."""
    cells = [
        cell
        for cell in notebook.cells
        if "papermill-error-cell-tag" not in cell.metadata.get("tags", [])
    ]
    raised = [
        any(part.output_type == "error" for part in cell.get("outputs", [])) for cell in cells
    ]
    notebook.cells = cells[: raised.index(True) + 1] if True in raised else cells
    return notebook


FORBIDDEN = {  # what no page may hold, by its CSS selector
    "script, iframe, object, embed, base, form": "is not allowed on a page",
    "img:not([alt]), img[alt='']": "has no text alternative",
    "img[alt='No description has been provided for this image']": "has an empty description",
    "figure:not(:has(svg, img, table))": "has neither drawing nor table",
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
    words, missing lang or title or content security policy, doubled ids, more than 300 kB.
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
    for tag in page.find_all(True):
        style = tag.get("style", "") + (tag.get_text() if tag.name == "style" else "")
        if re.search(STYLE_REQUEST, style, re.IGNORECASE):
            found.append(f"{tag.name}: external address in its style")
        for name, value in tag.attrs.items():
            if name.startswith("on"):
                found.append(f"{tag.name}: runs a script in {name}")
            elif name.split(":")[-1] in ADDRESSES and re.match(EXTERNAL, value, re.IGNORECASE):
                found.append(f"{tag.name}: external address {value[:80]!r} in {name}")
        if tag.name == "svg" and tag.get("aria-hidden") != "true" and not _is_named(tag):
            found.append("svg: has no role img with a text alternative")
    return found


def _is_named(svg: Tag) -> bool:
    """Whether a drawing is one image to a screen reader, and every name it refers to has words."""
    names = [svg.find(id=name) for name in svg.get("aria-labelledby", "").split()]
    words = [name is not None and bool(name.get_text(strip=True)) for name in names]
    labelled = all(words) if words else bool(svg.get("aria-label", "").strip())
    return svg.get("role") == "img" and labelled


def _folded(cells: list[NotebookNode]) -> list[NotebookNode]:
    """The cells to show; code that shows nothing waits for the next code that does."""
    shown, waiting = [], []
    for cell in cells:
        if UNSEEN & set(cell.metadata.get("tags", [])):
            continue
        if cell.cell_type == "code":
            waiting.append(cell.source.strip())
            if not cell.outputs:
                continue
            cell.source = "\n\n".join(filter(None, waiting))
            waiting = []
        shown.append(cell)
    if any(waiting):
        shown.append(new_code_cell("\n\n".join(filter(None, waiting)), id="last"))
    return shown


def _without_addresses(output: NotebookNode) -> NotebookNode:
    def clean(text):
        return re.sub(r" at 0x[0-9a-fA-F]+", "", text) if isinstance(text, str) else text

    if "text" in output:
        output.text = clean(output.text)
    for kind, text in output.get("data", {}).items():
        output.data[kind] = clean(text)
    return output


def _prose(source: str) -> str:
    """Markdown as HTML, its h2 with an id for the table of contents."""
    return re.sub(r"<h2>(.*?)</h2>", _with_id, MARKDOWN(source))


def _with_id(heading: re.Match) -> str:
    words = re.sub(r"<[^>]+>|&\w+;", "", heading[1]).lower()
    return f'<h2 id="{re.sub(r"[^a-z0-9]+", "-", words).strip("-")}-section">{heading[1]}</h2>'


def _python(source: str) -> str:
    return highlight(source, PythonLexer(), HtmlFormatter(nowrap=True))
