"""What a task depends on, part by part: equal parts, equal results."""

import ast
import hashlib
import importlib.util
import json
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

from retention_runner import notebooks
from retention_runner.errors import Refused
from retention_runner.workbook import Book, Workbook

WORDS = {  # parts of a key whose names say too little
    "files": "files beside the code",
    "lock": "library versions",
    "previous": "previous refresh",
    "templates": "page templates",
}
Key = dict[str, object]


def common(workbook: Workbook, book: Book) -> Key:
    """What every task depends on: the book at its day, and the versions of libraries."""
    settings = {"name": book.name, "snapshot_date": book.day.isoformat(), **book.settings}
    return {
        "definition": dict(book.definition),
        "book": settings,
        "lock": file_hash([workbook.root / "requirements.lock"]),
        "installed": _installed(workbook.libraries),
        "files": files(workbook.packages),
    }


def code(packages: tuple[str, ...], modules: Iterable[str]) -> dict[str, str]:
    """Hashes of ``modules`` of ``packages`` and of all that they import of these, by name.

    A module is read once: what is changed while a refresh runs is not what it runs with.
    """
    found, ahead = {}, list(modules)
    while ahead:
        name = ahead.pop()
        file = _file(name) if name.partition(".")[0] in packages else None
        if file and name not in found:
            found[name], imported = _read(file)
            ahead += imported
    return dict(sorted(found.items()))


@cache
def files(packages: tuple[str, ...], *, templates: bool = False) -> str:
    """Hash of everything in ``packages`` that is no module: of templates, or of what is none."""
    found = (file for name in packages for file in _folder(name).rglob("*"))
    found = (file for file in found if file.suffix not in (".py", ".pyc"))
    return file_hash(file for file in found if ("templates" in file.parts) == templates)


def imports_of(notebook: Path) -> list[str]:
    """Names of modules, perhaps of things in them, that a notebook imports.

    Raises:
        Refused: its cells are not plain Python.
    """
    try:
        return list(_imports("\n".join(notebooks.cells(notebook, "code"))))
    except SyntaxError as error:
        raise Refused(f"{notebook.name}: its cells are not plain Python: {error.text}") from None


def changes(old: Key, new: Key) -> list[str]:
    """Which parts differ, in words: "data", "parameters: by, days", "code: package.module"."""
    found = []
    for part in sorted(old.keys() | new.keys()):
        then, now = old.get(part), new.get(part)
        if then != now:
            names = []
            if isinstance(then, dict) and isinstance(now, dict):
                names = [name for name in sorted(then | now) if then.get(name) != now.get(name)]
            found.append(WORDS.get(part, part) + (f": {', '.join(names)}" if names else ""))
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
        "code": over("notebook", "code", "files", "templates"),
        "lock": first["lock"],
        "previous": next((key["previous"] for key in parts.values() if "previous" in key), ""),
    }


def text_hash(value: object) -> str:
    """Hash (sha256) of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def file_hash(files: Iterable[Path]) -> str:
    """Hash (sha256) of files' names and bytes, in order of name."""
    digest = hashlib.sha256()
    for file in sorted((file for file in files if file.is_file()), key=lambda file: file.parts):
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


@cache
def _installed(libraries: tuple[str, ...]) -> dict[str, str]:
    """Versions of Python and of libraries, as they are, whatever the lock says."""
    found = {name: metadata.version(name) for name in libraries}
    return found | {"python": ".".join(map(str, sys.version_info[:2]))}


def _folder(package: str) -> Path:
    """Where a package lies, found without importing it."""
    return Path(importlib.util.find_spec(package).submodule_search_locations[0])


def _file(module: str) -> Path | None:
    package, *parts = module.split(".")
    path = _folder(package).joinpath(*parts)
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


@cache
def _read(file: Path) -> tuple[str, list[str]]:
    """Hash and imports of a module."""
    return file_hash([file]), list(_imports(file.read_text(encoding="utf-8")))


def _imports(source: str) -> Iterator[str]:
    for node in ast.walk(notebooks.parsed(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
