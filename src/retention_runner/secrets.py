"""Secrets of a book, ``env:NAME`` in its file: kept out of all that is written or said."""

import html
import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote, urlsplit

import markupsafe

from retention_runner.workbook import Book

SHORTEST = 6  # letters; anything shorter would be found by chance
ESCAPES = (
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: repr(text)[1:-1],
    lambda text: str(markupsafe.escape(text)),
    html.escape,
    lambda text: html.escape(text, quote=False),
    lambda text: quote(text, errors="surrogateescape"),
    lambda text: quote(text, safe="", errors="surrogateescape"),
    lambda text: quote_plus(text, errors="surrogateescape"),
)


def named(book: Book) -> dict[str, list[str]]:
    """Give what to keep secret by the name of its variable: its value, and any password in it.

    A password is that of an address, or what follows ``password=`` or ``token=``; as written and
    percent-decoded. Variables that are not set are left out, and so is what has fewer than 6
    letters or stands in ``env:NAME`` itself: it would be found by chance.
    """
    found = {}
    for name in sorted(variables(vars(book)) & os.environ.keys()):
        parts = {part for part in _parts(os.environ[name].strip()) if len(part) >= SHORTEST}
        if told := sorted(part for part in parts if part not in f"env:{name}"):
            found[name] = told
    return found


def variables(part: Mapping) -> set[str]:
    """The variables that a part of a book names as ``env:NAME``."""
    return set(re.findall(r'"env:([^"]+)"', json.dumps(part, default=str)))


def redact(text: str, hidden: dict[str, list[str]]) -> str:
    """Give ``text`` with ``env:NAME`` in place of what `named` found, the longest first.

    Found is it also where it was escaped for JSON, HTML, Python or an address, even twice.
    """
    names = {form: name for name, values in hidden.items() for form in _forms(values)}
    for form in sorted(names, key=lambda form: (-len(form), form)):
        text = text.replace(form, f"env:{names[form]}")
    return text


def found(folders: Iterable[Path], hidden: dict[str, list[str]]) -> list[str]:
    """Say where under ``folders`` a secret stands, as it is or escaped; never what it is.

    Every file is read but Parquet, whose bytes are packed.
    """
    forms = {
        name: [form.encode("utf-8", "surrogateescape") for form in _forms(values)]
        for name, values in hidden.items()
    }
    said = set()
    for folder in folders if forms else ():
        for file in folder.rglob("*"):
            if file.is_file() and file.suffix != ".parquet":
                held = file.read_bytes()
                said |= {
                    f"env:{name} stands in {file.relative_to(folder).as_posix()}"
                    for name, escaped in forms.items()
                    if any(form in held for form in escaped)
                }
    return sorted(said)


def _parts(value: str) -> set[str]:
    """A value and the passwords in it."""
    written = set(re.findall(r"\b(?:password|token)=([^\s&;]+)", value))
    with suppress(ValueError):  # not an address
        written.add(urlsplit(value).password or "")
    return {value, *written, *map(unquote, written)}


def _forms(values: list[str]) -> set[str]:
    """Values as they are, escaped, and escaped twice: HTML within a notebook is JSON."""
    forms = set(values)
    for _ in range(2):
        forms |= {escape(form) for form in forms for escape in ESCAPES}
    return forms
