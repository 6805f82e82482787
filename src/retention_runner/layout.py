"""The frame of every page, and the templates that pages are made of."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

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
    facts: dict[str, str] | None = None,
    parameters: dict[str, object] | None = None,
) -> str:
    """Give a whole page around ``body`` (trusted HTML with the one h1); the rest is escaped."""
    css = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    return template("shell.html.j2").render(
        title=title,
        css=Markup(css.strip()),
        body=Markup(body.strip()),
        contents=contents,
        links=links,
        segments=segments,
        facts=facts or {},
        parameters=parameters or {},
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
