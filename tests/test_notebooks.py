"""Rules of the committed notebooks: a cell may choose, call, show and say; a module computes.

Every rule takes one notebook and gives what offends, in words, so that each is seen to fail below
on a planted offence as well as to hold for every notebook.
"""

import ast
import copy
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import papermill
import pytest
from nbformat import NotebookNode

from retention import schema
from retention_runner import notebooks, run

ROOT = Path(__file__).resolve().parents[1]
FILES = {file.stem: file for file in sorted((ROOT / "notebooks").glob("*.ipynb"))}
LINES = 5  # of a code cell that is not the parameters
METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": run.KERNEL,
    },
    "language_info": {"name": "python"},
}
BRANCHES = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda),
    *(ast.For, ast.AsyncFor, ast.While, ast.If, ast.IfExp, ast.Match, ast.Try, ast.TryStar),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)


def read(file: Path) -> NotebookNode:
    return nbformat.reads(file.read_text(encoding="utf-8"), as_version=4)


def is_parameters(cell: NotebookNode) -> bool:
    return "parameters" in cell.metadata.get("tags", [])


def code(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells other than the parameters."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and not is_parameters(cell)]


def prose(notebook: NotebookNode) -> str:
    cells = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return "\n\n".join(cells)


def parsed(notebook: NotebookNode) -> Iterator[ast.AST]:
    """Every node of the code cells, in no order."""
    for cell in code(notebook):
        yield from ast.walk(ast.parse(cell.source))


def calls(source: str, *names: str) -> list[ast.Call]:
    """Calls of functions by their written name, in no order."""
    nodes = ast.walk(ast.parse(source))
    return [
        node for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func) in names
    ]


def the_title_is_one_question(notebook: NotebookNode) -> list[str]:
    titles = [line for line in prose(notebook).splitlines() if re.match(r"# ", line)]
    first = notebook.cells[0].source.partition("\n")[0]
    is_question = titles == [first] and first.endswith("?")
    return [] if is_question else [f"not one question at the top: {titles}"]


def one_parameters_cell_that_begins_with_refresh(notebook: NotebookNode) -> list[str]:
    cells = [cell for cell in notebook.cells if is_parameters(cell)]
    if [cell.cell_type for cell in cells] != ["code"]:
        return [f"{len(cells)} cells are tagged parameters"]
    first = cells[0].source.partition("=")[0].strip()
    is_early = all(
        cell.cell_type != "code" for cell in notebook.cells[: notebook.cells.index(cells[0])]
    )
    return ([] if first == "refresh" else [f"the first parameter is {first}"]) + (
        [] if is_early else ["code stands before the parameters"]
    )


def cells_are_short(notebook: NotebookNode) -> list[str]:
    sizes = {cell.id: len(cell.source.splitlines()) for cell in code(notebook)}
    return [f"{name}: {size} lines" for name, size in sizes.items() if size > LINES]


def nothing_branches_or_is_defined(notebook: NotebookNode) -> list[str]:
    return [ast.unparse(node) for node in parsed(notebook) if isinstance(node, BRANCHES)]


def only_the_refresh_shows_anything(notebook: NotebookNode) -> list[str]:
    """A frame that a cell ends with would be shown as it is, with every customer in it."""
    last = [ast.parse(cell.source).body[-1] for cell in code(notebook)]
    shown = [ast.unparse(one.value) for one in last if isinstance(one, ast.Expr)]
    return [one for one in shown if not one.startswith(("r.show(", "r.say(", "r.findings("))]


def nothing_is_stored(notebook: NotebookNode) -> list[str]:
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [cell.id for cell in cells if cell.outputs or cell.execution_count is not None]


def no_result_is_typed_into_prose(notebook: NotebookNode) -> list[str]:
    """Digits in Markdown outside of `code`: a number is printed by a cell, or goes stale."""
    lines = re.sub(r"`[^`]*`", "", prose(notebook)).splitlines()
    return [line for line in lines if re.search(r"\d", line)]


def no_place_or_date_is_typed_into_code(notebook: NotebookNode) -> list[str]:
    nodes = list(parsed(notebook))
    texts = {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    place = r"[^\s<>]*[/\\][^\s<>]+|\S+\.(csv|parquet|ipynb|json|yaml|html|png|db)"
    dates = {text for text in texts if re.search(r"\b\d{4}-\d\d(-\d\d)?\b", text)}
    found = sorted(dates | {text for text in texts if re.fullmatch(place, text)})
    makers = ("open", "Path", "pathlib.Path", "date", "datetime", "datetime.date", "pl.date")
    made = [calls(cell.source, *makers) for cell in code(notebook)]
    return found + [ast.unparse(call) for found in made for call in found]


def kernel_and_form_are_pinned(notebook: NotebookNode) -> list[str]:
    form = (notebook.nbformat, notebook.nbformat_minor)
    return ([] if notebook.metadata == METADATA else [f"metadata: {notebook.metadata}"]) + (
        [] if form == (4, 5) else [f"form {form}"]
    )


def cells_have_only_tags(notebook: NotebookNode) -> list[str]:
    return [cell.id for cell in notebook.cells if set(cell.metadata) - {"tags"}]


def it_ends_with_its_limits(notebook: NotebookNode) -> list[str]:
    sections = re.split(r"^## ", prose(notebook), flags=re.MULTILINE)
    title, _, text = sections[-1].partition("\n")
    return [] if title == "Limits" and len(text.split()) > 5 else [f"the last section is {title!r}"]


def it_imports_our_package_alone(notebook: NotebookNode) -> list[str]:
    """`retention` and folders of it by name: no other library computes here."""
    return [
        ast.unparse(node)
        for node in parsed(notebook)
        if (isinstance(node, ast.Import) and ast.unparse(node) != "import retention")
        or (isinstance(node, ast.ImportFrom) and node.module != "retention")
    ]


RULES = (
    the_title_is_one_question,
    one_parameters_cell_that_begins_with_refresh,
    cells_are_short,
    nothing_branches_or_is_defined,
    only_the_refresh_shows_anything,
    nothing_is_stored,
    no_result_is_typed_into_prose,
    no_place_or_date_is_typed_into_code,
    kernel_and_form_are_pinned,
    cells_have_only_tags,
    it_ends_with_its_limits,
    it_imports_our_package_alone,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("stem", FILES)
def test_of(stem, rule):
    assert rule(read(FILES[stem])) == []


@pytest.mark.parametrize("stem", FILES)
def test_a_notebook_is_stored_in_one_form(stem):
    text = FILES[stem].read_text(encoding="utf-8")
    notebook = read(FILES[stem])
    nbformat.validate(notebook)
    assert text == nbformat.writes(notebook) + "\n"
    assert re.fullmatch(r"\d\d_[a-z]+", stem)


def declarations() -> dict[str, dict[str, object]]:
    return {stem: notebooks.declared(file) for stem, file in FILES.items()}


def test_a_parameter_has_the_same_default_in_every_notebook():
    defaults = {}
    for stem, declared in declarations().items():
        for name, default in declared.items():
            defaults.setdefault(name, {}).setdefault(repr(default), []).append(stem)
    assert {name: values for name, values in defaults.items() if len(values) > 1} == {}


@pytest.mark.parametrize("stem", FILES)
def test_papermill_sees_the_parameters_that_we_see(stem):
    seen = papermill.inspect_notebook(str(FILES[stem]))
    assert list(seen) == list(declarations()[stem])
    assert {
        name: ast.literal_eval(parameter["default"]) for name, parameter in seen.items()
    } == declarations()[stem]
    assert [name for name, parameter in seen.items() if not parameter["help"]] == []


@pytest.mark.parametrize("stem", FILES)
def test_a_notebook_opens_its_refresh_and_its_segment(stem):
    segment = ", segment" if "segment" in declarations()[stem] else ""
    found = [
        call for cell in code(read(FILES[stem])) for call in calls(cell.source, "retention.open")
    ]
    assert list(map(ast.unparse, found)) == [f"retention.open(refresh{segment})"]


def test_every_writer_of_a_promised_table_exists():
    writers = {promise.writer for promise in schema.TABLES.values()}
    assert writers - {"the source", "tables"} - set(FILES) == set()


GOOD = nbformat.v4.new_notebook(
    metadata=METADATA,
    cells=[
        nbformat.v4.new_markdown_cell("# Who stays?"),
        nbformat.v4.new_code_cell(
            'refresh = "cdnow/1998-06-30"  # a book or a refresh', metadata={"tags": ["parameters"]}
        ),
        nbformat.v4.new_code_cell("import retention\nfrom retention import survival"),
        nbformat.v4.new_markdown_cell("## Who is in?\n\nEverybody, see `orders_90d`."),
        nbformat.v4.new_code_cell('r.say("This and/or more.")\nr.show(survival.curves(names))'),
        nbformat.v4.new_markdown_cell("## Limits\n\nThis is not all that there is to say."),
    ],
)
PLANTED = [
    (the_title_is_one_question, 0, "# Who stays"),
    (the_title_is_one_question, 3, "# And who leaves?"),
    (one_parameters_cell_that_begins_with_refresh, 1, "days = 3\nrefresh = 'cdnow'"),
    (cells_are_short, 2, "x = 1\n" * 6),
    (only_the_refresh_shows_anything, 2, "r.keep('value', table)"),
    (only_the_refresh_shows_anything, 2, "r.tables.value"),
    (nothing_branches_or_is_defined, 2, "def f():\n    pass"),
    (nothing_branches_or_is_defined, 2, "for x in y:\n    pass"),
    (nothing_branches_or_is_defined, 2, "x = 1 if y else 2"),
    (nothing_branches_or_is_defined, 2, "f = lambda x: x"),
    (nothing_branches_or_is_defined, 2, "names = [name for name in columns]"),
    (no_result_is_typed_into_prose, 5, "## Limits\n\nHalf are gone after 90 days, we think."),
    (no_place_or_date_is_typed_into_code, 2, "x = 'reports/cdnow'"),
    (no_place_or_date_is_typed_into_code, 2, "x = 'customers.csv'"),
    (no_place_or_date_is_typed_into_code, 2, "x = 'until 1998-06-30'"),
    (no_place_or_date_is_typed_into_code, 2, "x = date(1998, 6, 30)"),
    (it_ends_with_its_limits, 5, "## More\n\nThis is not all that there is to say."),
    (it_ends_with_its_limits, 5, "## Limits"),
    (it_imports_our_package_alone, 2, "import polars as pl"),
    (it_imports_our_package_alone, 2, "from retention.survival import curves"),
    (it_imports_our_package_alone, 2, "from retention_runner import run"),
]


def test_a_good_notebook_breaks_no_rule():
    assert [rule.__name__ for rule in RULES if rule(GOOD)] == []


@pytest.mark.parametrize(("rule", "cell", "source"), PLANTED)
def test_a_planted_offence_is_found(rule, cell, source):
    notebook = copy.deepcopy(GOOD)
    notebook.cells[cell].source = source
    assert rule(notebook)


@pytest.mark.parametrize(
    ("rule", "cell", "change"),
    [
        (one_parameters_cell_that_begins_with_refresh, 1, {"metadata": {}}),
        (one_parameters_cell_that_begins_with_refresh, 2, {"metadata": {"tags": ["parameters"]}}),
        (nothing_is_stored, 2, {"execution_count": 1}),
        (nothing_is_stored, 2, {"outputs": [{"output_type": "stream"}]}),
        (cells_have_only_tags, 2, {"metadata": {"collapsed": True}}),
    ],
)
def test_a_planted_change_of_a_cell_is_found(rule, cell, change):
    notebook = copy.deepcopy(GOOD)
    notebook.cells[cell].update(nbformat.from_dict(change))
    assert rule(notebook)


def test_another_kernel_is_found():
    notebook = copy.deepcopy(GOOD)
    notebook.metadata.kernelspec.name = "my-venv"
    assert kernel_and_form_are_pinned(notebook)
