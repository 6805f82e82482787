"""What the notebooks declare: their question and the parameters of their `parameters` cell."""

import ast
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Lock

from retention_runner.errors import Refused, nearest

_PARSING = Lock()


def cells(notebook: Path, kind: str, tag: str | None = None) -> list[str]:
    """Sources of the cells of one ``kind`` ("code", "markdown"), of those with ``tag`` if given."""
    return [
        "".join(cell["source"])
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == kind
        and (tag is None or tag in cell.get("metadata", {}).get("tags", []))
    ]


def parsed(source: str) -> ast.Module:
    """``source`` as Python's own tree. One thread at a time: CPython 3.11 counts the depth of all
    trees that are being made together, and fails where two threads make one each."""
    with _PARSING:
        return ast.parse(source)


def question(notebook: Path) -> str:
    """The notebook's H1, which is the question it answers."""
    lines = "\n".join(cells(notebook, "markdown")).splitlines()
    return next((line[2:].strip() for line in lines if line.startswith("# ")), notebook.stem)


def declared(notebook: Path) -> dict[str, object]:
    """Names and defaults of the parameters that ``notebook`` declares, in its own order.

    The same names that `papermill --help-notebook` shows (tests/test_notebooks.py compares them).

    Raises:
        Refused: not exactly one cell is tagged ``parameters``, or a line of it is not
            ``name = literal``.
    """
    found = cells(notebook, "code", "parameters")
    if len(found) != 1:
        raise Refused(
            f"{notebook.name}: expected exactly one code cell tagged 'parameters', "
            f"found {len(found)}"
        )
    defaults = {}
    for statement in parsed(found[0]).body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        target = statement.target if isinstance(statement, ast.AnnAssign) else target
        try:
            defaults[target.id] = ast.literal_eval(statement.value)
        except (AttributeError, ValueError, TypeError):
            raise Refused(
                f"{notebook.name}: line {statement.lineno} of the parameters cell is not "
                "`name = literal  # meaning`"
            ) from None
    return defaults


def resolved(notebook: Path, given: Mapping[str, object]) -> dict[str, object]:
    """All parameters of ``notebook``: its defaults, overridden by what is ``given``."""
    return {name: given.get(name, default) for name, default in declared(notebook).items()}


def faults(root: Path, parameters: Mapping[str, Mapping]) -> Iterator[tuple[tuple[str, ...], str]]:
    """What is wrong with the ``parameters`` of a book, by notebook, as (place, words): no notebook
    in ``root`` declares them, or it declares them of another type."""
    found = {path.stem: path for path in sorted((root / "notebooks").glob("*.ipynb"))}
    for stem, given in parameters.items():
        if stem not in found:
            yield (stem,), f"no such notebook{nearest(stem, found)}"
            continue
        defaults = declared(found[stem])
        for name, value in given.items():
            if fault := _fault(name, value, defaults):
                yield (stem, name), fault


def _fault(name: str, given: object, defaults: dict[str, object]) -> str | None:
    if name == "refresh":
        return "is set by the refresh itself; leave it out"
    if name not in defaults:
        return f"no such parameter{nearest(name, defaults)}"
    default = defaults[name]
    fits = isinstance(given, type(default)) and isinstance(given, bool) == isinstance(default, bool)
    if fits or (isinstance(default, float) and type(given) is int):
        return None
    return f"expected {type(default).__name__} (such as {default!r}), got {given!r}"
