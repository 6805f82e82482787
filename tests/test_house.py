"""The house: what may import what, how large it may be, and that it repeats.

Every rule reads one module's source and gives what offends, so that each is seen to fail below on
planted offences as well as to hold for the packages.
"""

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
MODULES = {
    ".".join(file.relative_to(SOURCE).with_suffix("").parts): file.read_text(encoding="utf-8")
    for file in sorted(SOURCE.rglob("*.py"))
}
# Lines of code, without docstrings, blanks and comments. They only fall; wanted are 7,500 for the
# helper package, 1,800 for the runner with the app, 200 for the app, and 15,000 for the tests.
CAPS = {
    ("retention",): 8_550,
    ("retention_runner", "retention_app"): 2_027,
    ("retention_app",): 211,
    ("retention_intake",): 1_227,
    ("retention_demo",): 447,
}
TESTS, NOTEBOOKS, NAMES = 15_901, 208, 107  # lines of tests and of notebooks, names these use

PACKAGES = {  # package: the packages it may import
    "retention": set(),
    "retention_runner": set(),
    "retention_intake": {"retention"},
    "retention_demo": {"retention"},
    "retention_app": {"retention", "retention_runner", "retention_intake", "retention_demo"},
}
QUESTIONS = {"quality", "definition", "customers", "survival", "clusters", "cohorts"}
QUESTIONS |= {"risk", "value", "segments"}
SHARED = {"errors", "book", "schema", "stats", "words", "disclosure", "charts", "exhibit"}
SHARED |= {"tables", "findings", "refresh"}
INSIDE = {  # part of the helper package: the parts it may import; a question: itself, all shared
    "errors": set(),
    "words": set(),
    "stats": {"errors"},
    "book": {"errors"},
    "schema": {"tables"},  # for the rules that tables keep
    "tables": {"errors", "book", "schema", "words"},
    "disclosure": {"schema", "stats"},
    "charts": {"errors", "schema", "words"},
    "exhibit": {"schema", "words", "charts"},
    "findings": {"errors", "schema", "words", "exhibit", "tables"},
    "refresh": SHARED - {"refresh", "charts", "words", "stats"},
    "__init__": {"refresh"},
    **dict.fromkeys(QUESTIONS, SHARED),
}
INTAKE_SEES = {"schema", "book", "errors", "tables"}  # of the helper package


def imports(source: str) -> Iterator[tuple[ast.stmt, str]]:
    """Every import of our own packages, wherever it stands, with the module it names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            whole = "." * node.level + (node.module or "")
            names = [f"{whole}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((node, name) for name in names if re.match(r"retention(_\w+)?\b|\.", name))


def part(module: str) -> str:
    """The package of a module or, in the helper package, the part: "retention_runner", "risk"."""
    package, *rest = module.split(".")
    return (rest or ["__init__"])[0] if package == "retention" else package


def wrong_arrows(module: str, source: str) -> list[str]:
    """Imports that the house does not allow: upwards, sideways between questions, or relative."""
    package, own = module.partition(".")[0], part(module)
    found = []
    for node, name in imports(source):
        other = name.partition(".")[0]
        if name.startswith(".") or other not in PACKAGES[package] | {package}:
            found.append(ast.unparse(node))
        elif other == "retention":
            theirs = part(name)
            allowed = INSIDE.get(own, set()) | {own} if package == "retention" else INSIDE.keys()
            allowed = INTAKE_SEES if package == "retention_intake" else allowed
            found += [ast.unparse(node)] if theirs not in allowed else []
    return found


MACHINE = re.compile(r"(?<![\w.>)}*\]/-])/(home|root|Users|tmp|work|usr|opt|var|mnt|srv|etc)/")


def machine_paths(module: str, source: str) -> list[str]:
    """Absolute paths of one machine."""
    return [line for line in source.splitlines() if MACHINE.search(line) or ":\\\\" in line]


def unseeded(module: str, source: str) -> list[str]:
    """Random numbers whose seed is not stated; ruff finds what else draws any (pyproject.toml)."""
    return re.findall(r"default_rng\((?:None)?\)|\.sample\((?!.*seed)|\bhash\(", source)


def code_lines(source: str) -> int:
    """Lines of code, without docstrings, blanks and comments."""
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {
        line
        for token in tokens
        if token.type not in silent and token.type != tokenize.ENDMARKER
        for line in range(token.start[0], token.end[0] + 1)
    }
    for node in ast.walk(ast.parse(source)):
        documented = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            lines -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(lines)


def cells() -> list[str]:
    """The code cells of all notebooks."""
    files = sorted((ROOT / "notebooks").glob("*.ipynb"))
    every = [cell for file in files for cell in json.loads(file.read_text("utf-8"))["cells"]]
    return ["".join(cell["source"]) for cell in every if cell["cell_type"] == "code"]


def names(sources: list[str]) -> set[str]:
    """The dotted names of our package, and of an opened refresh ``r``, that notebooks use."""
    trees = [ast.parse(source) for source in sources]
    ours = {"r", "retention"} | {
        alias.asname or alias.name
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module.startswith("retention")
        for alias in node.names
    }
    dotted = (n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Attribute))
    spoken = {ast.unparse(node) for node in dotted}
    return {name for name in spoken if "(" not in name and name.split(".")[0] in ours}


RULES = (wrong_arrows, machine_paths, unseeded)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_module_offends_against(rule):
    offences = {module: rule(module, source) for module, source in MODULES.items()}
    assert {module: found for module, found in offences.items() if found} == {}


def test_ruff_finds_nothing_that_tells_the_time_draws_unseeded_prints_or_knows_an_engine():
    """What is banned, and where it is allowed, stands in pyproject.toml."""
    command = [sys.executable, "-m", "ruff", "check", "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_house_has_no_circle():
    needs = {module: {name for _, name in imports(source)} for module, source in MODULES.items()}
    for module, names in needs.items():
        needs[module] = {name if name in MODULES else name.rpartition(".")[0] for name in names}
    assert list(TopologicalSorter(needs).static_order())


@pytest.mark.parametrize("packages", CAPS, ids="+".join)
def test_packages_are_small(packages):
    sizes = {
        module: code_lines(source)
        for module, source in MODULES.items()
        if module.split(".")[0] in packages
    }
    print(f"\n{' + '.join(packages)}: {sum(sizes.values()):,} of {CAPS[packages]:,} lines of code")
    assert sum(sizes.values()) <= CAPS[packages], sorted(sizes.items(), key=lambda one: -one[1])


def test_notebooks_are_small():
    lines = [line for cell in cells() for line in cell.splitlines()]
    code = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    used = names(cells())
    print(f"\nnotebooks: {len(code)} of {NOTEBOOKS} lines, {len(used)} of {NAMES} names")
    assert len(code) <= NOTEBOOKS
    assert len(used) <= NAMES, sorted(used)


def test_the_tests_are_small():
    sizes = {
        file.relative_to(ROOT).as_posix(): code_lines(file.read_text("utf-8"))
        for file in (ROOT / "tests").rglob("*.py")
    }
    print(f"\ntests: {sum(sizes.values()):,} of {TESTS:,} lines of code")
    assert sum(sizes.values()) <= TESTS, sorted(sizes.items(), key=lambda one: -one[1])[:40]


def test_code_is_counted_without_docstrings_blanks_and_comments():
    source = '"""Doc.\n\nMore."""\n\n# why\nX = """a\n\nb"""  # b\n\n\ndef f():\n    """Doc."""\n'
    assert code_lines(source) == 4


def test_names_are_those_of_our_package_and_of_the_refresh():
    source = "from retention import risk\nr.show(risk.gate(table.x), r.tables.spells.height)\nf().y"
    assert names([source]) == {
        *("r.show", "risk.gate", "r.tables", "r.tables.spells", "r.tables.spells.height")
    }


PLANTED = [
    (wrong_arrows, "retention.tables.spells", "from retention.survival import curves"),
    (wrong_arrows, "retention.risk.risk", "def f():\n    from retention.survival import hazards"),
    (wrong_arrows, "retention.risk.risk", "from . import landmarks"),
    (wrong_arrows, "retention.book", "from retention.tables import workspace"),
    (wrong_arrows, "retention.charts.bars", "from retention import exhibit"),
    (wrong_arrows, "retention.unheard_of", "from retention import errors"),
    (wrong_arrows, "retention_runner.run", "from retention.errors import Failed"),
    (wrong_arrows, "retention_intake.guess", "from retention.definition import gaps"),
    (wrong_arrows, "retention_demo.simulate", "from retention_app import cli"),
    (unseeded, "retention.risk.risk", "x = np.random.default_rng()"),
    (unseeded, "retention.risk.risk", "x = frame.sample(5)"),
    (unseeded, "retention.risk.risk", "x = hash(name)"),
    (machine_paths, "retention_demo.readers", "x = '/home/me/data'"),
    (machine_paths, "retention_demo.readers", "x = Path('C:\\\\data')"),
]


@pytest.mark.parametrize(("rule", "module", "source"), PLANTED)
def test_a_planted_offence_is_found(rule, module, source):
    assert rule(module, source)
