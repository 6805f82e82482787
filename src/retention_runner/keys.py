"""What a task depends on, part by part: equal parts, equal results."""

import ast
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

from retention.book import Book
from retention.errors import Refused
from retention_runner import notebooks

SOURCES = Path(__file__).parents[1]  # where the packages of the workbook lie
DEFINITION = ("source", "columns", "attributes", "only", "timezone", "churn")  # keys of a book
UNSEEN = {"parameters", "keep", "on_done"}  # keys of a book that no notebook can see
TABLES, PAGES = "retention_app.tables", "retention_runner.render"  # modules that are tasks
MATTER = (
    "polars",
    "numpy",
    "scipy",
    "pandas",
    "lifelines",
    "hdbscan",
    "scikit-learn",
    "matplotlib",
)
WORDS = {"lock": "library versions", "previous": "previous refresh", "templates": "page templates"}
Key = dict[str, object]


def settings(book: Book) -> dict:
    """Of the book what tasks can see."""
    return book.model_dump(mode="json", exclude=UNSEEN)


def of_tables(name: str, book: Book, root: Path, data: str) -> Key:
    """What the customer tables depend on; ``data`` is a hash of the source's."""
    return {"data": data, "code": code([TABLES]), **_common(name, book, root)}


def of_notebook(
    name: str,
    book: Book,
    root: Path,
    *,
    stem: str,
    parameters: dict[str, object],
    needs: dict[str, str],
    previous: str,
) -> Key:
    """What a notebook depends on: its text, parameters, modules and templates, the tables and
    findings it ``needs`` (hashes by file), and the previous refresh (hash of its manifest)."""
    file = root / "notebooks" / f"{stem}.ipynb"
    return {
        "notebook": file_hash([file]),
        "parameters": {key: value for key, value in parameters.items() if key != "refresh"},
        "code": code(_imports_of_notebook(file)),
        "templates": _templates(),
        "needs": needs,
        "previous": previous,
        **_common(name, book, root),
    }


def of_pages(name: str, book: Book, root: Path, keys: dict[str, Key]) -> Key:
    """What the pages depend on beside what they show: every task's key, and how pages are made."""
    tasks = {task: text_hash(key) for task, key in sorted(keys.items())}
    common = _common(name, book, root)
    return {"tasks": tasks, "code": code([PAGES]), "templates": _templates(), **common}


def changes(old: Key, new: Key) -> list[str]:
    """Which parts differ, in words: "data", "parameters: by, days", "code: analysis.survival"."""
    found = []
    for part in sorted(old.keys() | new.keys()):
        then, now = old.get(part), new.get(part)
        if then != now:
            inside = isinstance(then, dict) and isinstance(now, dict)
            names = (
                [k for k in sorted({*then, *now}) if then.get(k) != now.get(k)] if inside else []
            )
            short = [name.removeprefix("retention.") for name in names]
            found.append(WORDS.get(part, part) + (f": {', '.join(short)}" if short else ""))
    return found


def summary(old: dict[str, Key], new: dict[str, Key]) -> list[str]:
    """What differs between two refreshes, each thing once, by the keys of their tasks."""
    found: dict[str, set[str]] = {}
    for task in sorted(old.keys() & new.keys()):
        for words in changes(old[task], new[task]):
            part, _, names = words.partition(": ")
            if part != "needs":
                part = f"{part} of {task}" if part in ("parameters", "notebook") else part
                found.setdefault(part, set()).update(filter(None, names.split(", ")))
    return [
        part + (f": {', '.join(sorted(names))}" if names else "") for part, names in found.items()
    ]


def together(parts: dict[str, Key]) -> dict[str, str]:
    """Hashes over the keys of several tasks, for people to compare."""
    first = next(iter(parts.values()))

    def over(*names: str) -> str:
        return text_hash({task: [key.get(name) for name in names] for task, key in parts.items()})

    return {
        "data": parts["tables"]["data"],
        "definition": text_hash(first["definition"]),
        "parameters": over("parameters"),
        "code": over("notebook", "code", "templates"),
        "lock": first["lock"],
        "previous": next((key["previous"] for key in parts.values() if "previous" in key), ""),
    }


def code(modules: Iterable[str]) -> dict[str, str]:
    """Hashes of ``modules`` of this package and all that they import of it, by name.

    A module is read once: what is changed while a refresh runs is not what it runs with.
    """
    found, ahead = {}, list(modules)
    while ahead:
        name = ahead.pop()
        file = _file(name)
        if file and name not in found:
            found[name], imported = _read(file)
            ahead += imported
    return dict(sorted(found.items()))


def text_hash(value: object) -> str:
    """Hash (sha256) of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def file_hash(files: Iterable[Path]) -> str:
    """Hash (sha256) of files' names and bytes, in order of name."""
    digest = hashlib.sha256()
    for file in sorted((file for file in files if file.is_file()), key=lambda file: file.parts):
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _common(name: str, book: Book, root: Path) -> Key:
    seen = settings(book)
    definition = {key: seen.pop(key) for key in DEFINITION}
    return {
        "definition": definition,
        "book": {"name": name, **seen},
        "lock": file_hash([root / "requirements.lock"]),
        "installed": _installed(),
    }


@cache
def _installed() -> dict[str, str]:
    """Versions of Python and of the libraries that compute, as they are, whatever the lock says."""
    found = {name: metadata.version(name) for name in MATTER}
    return found | {"python": ".".join(map(str, sys.version_info[:2]))}


@cache
def _templates() -> str:
    return file_hash(SOURCES.glob("retention*/**/*[!.py]"))


def _file(module: str) -> Path | None:
    path = SOURCES.joinpath(*module.split("."))
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


@cache
def _read(file: Path) -> tuple[str, list[str]]:
    """Hash and imports of a module."""
    return file_hash([file]), list(_imports(file.read_text(encoding="utf-8")))


def _imports_of_notebook(file: Path) -> list[str]:
    try:
        return list(_imports("\n".join(notebooks.cells(file, "code"))))
    except SyntaxError as error:
        raise Refused(f"{file.name}: its cells are not plain Python: {error.text}") from None


def _imports(source: str) -> Iterator[str]:
    """Names of this package's modules, perhaps of things in them, that ``source`` imports."""
    for node in ast.walk(notebooks.parsed(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("retention"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("retention"):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
