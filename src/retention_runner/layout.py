"""The frame of every page, and the templates that pages are made of."""

from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates" / "report"
NOTHING = {"contents": (), "links": (), "segments": (), "facts": {}, "parameters": {}}


def page(*, title: str, body: str, **parts) -> str:
    """Give a whole page around ``body`` (trusted HTML with the one h1); the rest is escaped.

    ``title`` names book and refresh, above the h1 and in the browser's tab. ``parts`` may be
    ``contents``, (anchor, text) of its sections; ``links``, (relative address, text) of the other
    pages of the refresh, and ``segments``, those of segments, which are folded; ``facts`` (data up
    to, hashes, how to reproduce) and ``parameters``, which make the footer.
    """
    css = Markup((TEMPLATES / "report.css").read_text(encoding="utf-8").strip())
    frame = template("shell.html.j2")
    return frame.render(title=title, css=css, body=Markup(body.strip()), **NOTHING | parts)


def template(name: str) -> jinja2.Template:
    """Give a template of the report; whatever is filled in is escaped."""
    return _environment().get_template(name)


@cache
def _environment() -> jinja2.Environment:
    """The one that keeps templates it has read."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
