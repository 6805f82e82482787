"""A drawing as inline SVG, which looks like the page around it and has equal bytes every time."""

import hashlib
import io
import re
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

from retention.charts.style import LOOK, TEXT


def inline(drawing: Figure, title: str, alt: str) -> Markup:
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
    if text.startswith("data:image/png;base64,"):
        return text.replace("\n", "")
    text = re.sub(r"(?<=#)[\w-]+", lambda match: ids.get(match[0], match[0]), text)
    text = re.sub(r"\d+\.\d{2,}", lambda match: f"{float(match[0]):.1f}", text)
    return text.replace(TEXT, "currentColor").replace("'DejaVu Sans'", "system-ui, sans-serif")
