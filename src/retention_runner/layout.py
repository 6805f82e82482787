"""The frame of every page, and the templates that pages are made of."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType

import jinja2
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates" / "report"


def page(
    *,
    title: str,
    body: str,
    contents: Sequence[tuple[str, str]] = (),
    links: Sequence[tuple[str, str]] = (),
    segments: Sequence[tuple[str, str]] = (),
    facts: Mapping[str, str] = MappingProxyType({}),
    parameters: Mapping[str, object] = MappingProxyType({}),
) -> str:
    """Give a whole page around ``body`` (trusted HTML with the one h1); the rest is escaped.

    ``title`` names book and refresh, above the h1 and in the browser's tab; ``contents`` are
    (anchor, text) of its sections; ``links`` are (relative address, text) of the other pages of
    the refresh, ``segments`` of those of segments, which are folded; ``facts`` (data up to,
    hashes, how to reproduce) and ``parameters`` make the footer.
    """
    parts = {"contents": contents, "links": links, "segments": segments}
    parts |= {"facts": facts, "parameters": parameters}
    css = Markup((TEMPLATES / "report.css").read_text(encoding="utf-8").strip())
    return template("shell.html.j2").render(
        title=title, css=css, body=Markup(body.strip()), **parts
    )


def template(name: str) -> jinja2.Template:
    """Give a template of the report; whatever is filled in is escaped."""
    return _environment().get_template(name)


@cache
def _environment() -> jinja2.Environment:
    """The one that keeps templates it has read."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
