"""Rules for the package's own text: arrows run one way, it stays small, and it repeats.

Every rule reads one module's source and gives what offends, so that each is seen to fail below on
planted offences as well as to hold for the package.
"""

import ast
import importlib
import inspect
import io
import re
import tokenize
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import retention

PACKAGE = Path(retention.__file__).parent
MODULES = {
    ".".join(("retention", *file.relative_to(PACKAGE).with_suffix("").parts)): file.read_text(
        encoding="utf-8"
    )
    for file in sorted(PACKAGE.rglob("*.py"))
}
BUDGET = 14_720  # lines of code, without docstrings, blanks and comments

LEAVES = ("errors", "intervals", "estimators", "notebooks", "book")
LAYERS = ("tables", "analysis", "pages", "refresh")
ARROWS = {  # part of the package: the parts it may import
    "errors": set(),
    "intervals": set(),
    "estimators": {"errors", "estimators"},
    "notebooks": {"errors"},
    "book": {"errors", "notebooks"},
    **{name: {*LEAVES, *LAYERS[: number + 1]} for number, name in enumerate(LAYERS)},
    "numbers": {"errors", "book", "estimators", "numbers", "tables", "analysis"},
    "cli": {"errors", "numbers", "refresh"},
    "__main__": {"cli"},
    "__init__": set(),
}
ARROWS["analysis"].remove("analysis")  # siblings never import each other


def imports(source: str) -> Iterator[tuple[ast.stmt, str]]:
    """Every import of the package's own, wherever it stands, with the module it names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            whole = "." * node.level + (node.module or "")
            names = [f"{whole}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((node, name) for name in names if re.match(r"retention\.|\.", name))


def part(module: str) -> str:
    return module.split(".")[1]


def wrong_arrows(module: str, source: str) -> list[str]:
    """Imports upwards, between siblings of analysis, or relative; eager ones in the commands."""
    allowed = ARROWS.get(part(module), set())
    return [
        ast.unparse(node)
        for node, name in imports(source)
        if name.startswith(".")
        or part(name) not in allowed
        or (part(module) == "cli" and part(name) in LAYERS and node.col_offset == 0)
    ]


CLOCKS = {"now", "today", "utcnow", "utcfromtimestamp", "getmtime", "st_mtime", "st_ctime"}
SQL_CLOCKS = re.compile(r"\bnow\s*\(|\bcurrent_(date|time|timestamp)\b", re.IGNORECASE)
SEEDED = {"Generator", "SeedSequence", "PCG64", "Philox"}  # of numpy.random, with default_rng
SEEDS = {"seed", "random_state", "rng"}
MODELS = ("sklearn", "scipy", "hdbscan", "lifelines", "sksurv")


def spoken(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Every name and dotted name, those that were imported in full."""
    full = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                full |= {alias.asname: alias.name} if alias.asname else {first: first}
        elif isinstance(node, ast.ImportFrom):
            full |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
            yield from ((node, f"{node.module}.{a.name}") for a in node.names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            name = ast.unparse(node)
            first, dot, rest = name.partition(".")
            yield node, full.get(first, first) + dot + rest


def clocks(module: str, source: str) -> list[str]:
    """Whatever tells the time. A refresh may measure how long it took, and ask its one clock."""
    tree = ast.parse(source)
    allowed = {"datetime.datetime.now"} if module == "retention.refresh.clock" else set()
    if part(module) in ("refresh", "cli"):
        allowed |= {"retention.refresh.clock.now", "retention.refresh.clock.today"}
    if part(module) == "refresh":
        allowed |= {"time.perf_counter"}
    found = [
        name
        for _, name in spoken(tree)
        if name not in allowed
        and (name.startswith("time.") or ("." in name and name.rpartition(".")[2] in CLOCKS))
    ]
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return found + [text for text in texts if isinstance(text, str) and SQL_CLOCKS.search(text)]


def _takes_a_seed(name: str) -> bool:
    """Whether an imported function or class of a library of models has a parameter for a seed."""
    if not name.startswith(tuple(f"{library}." for library in MODELS)):
        return False
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute)
        return bool(SEEDS & set(inspect.signature(found).parameters))
    except (ImportError, AttributeError, TypeError, ValueError):
        return False


def _is_seeded(call: ast.Call) -> bool:
    given = [keyword.value for keyword in call.keywords if keyword.arg in SEEDS]
    return any(not (isinstance(value, ast.Constant) and value.value is None) for value in given)


# A forked kernel must not repeat the randomness of its sisters.
RESEEDED = {"retention.refresh.warm": {"random.seed", "numpy.random.seed"}}


def unseeded(module: str, source: str) -> list[str]:
    """Randomness whose seed is not stated where it is used."""
    tree = ast.parse(source)
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = []
    for node, name in spoken(tree):
        head, _, last = name.rpartition(".")
        if name in RESEEDED.get(module, ()):
            continue
        call = calls.get(id(node))
        loose = name in ("hash", "os.urandom") or name.startswith(("random.", "uuid.", "secrets."))
        if loose or (head == "numpy.random" and last not in {*SEEDED, "default_rng"}):
            found.append(name)
        elif name == "numpy.random.default_rng" and not isinstance(node, ast.ImportFrom):
            given = [*call.args, *(keyword.value for keyword in call.keywords)] if call else []
            if not given or ast.unparse(given[0]) == "None":
                found.append(name)
        elif call and ((last in ("sample", "shuffle") and head != "rng") or _takes_a_seed(name)):
            found += [] if _is_seeded(call) else [name]
    return found


# What gives rows in no order, and what, done before a sort, would let that order show.
ORDERLESS = {"group_by", "group_by_dynamic", "unique", "partition_by", "value_counts"}
ORDERLESS |= {"mode", "top_k", "bottom_k"}
SHOWS = {"head", "tail", "first", "last", "limit", "slice", "gather", "shift", "with_row_index"}
NARWHALS = "a Narwhals frame: engines keep no order, and write_table sorts what it becomes"
COUNTED = "a Narwhals frame: counts of one block of customers, added up and sorted by its caller"
UNORDERED = {  # functions that may leave an order open: why nobody sees it
    "tables.activity.activity": NARWHALS,
    "tables.activity.habits": NARWHALS,
    "tables.activity.baskets": NARWHALS,
    "tables.spells.from_activity": NARWHALS,
    "tables.spells.from_contracts": NARWHALS,
    "tables.spells.exclusions": NARWHALS,
    "tables.features.counts_at": NARWHALS,
    "tables.rules.broken": "a Narwhals frame: only the number of duplicates is asked",
    "tables.intake.take": "a Narwhals frame: only the number of distinct events is asked",
    "tables.demo.cdnow": "customers are sorted when they are handed on",
    **{f"analysis.retention.{name}": COUNTED for name in ("presence", "last_seen", "stretches")},
    **{f"analysis.retention.{name}": COUNTED for name in ("furthest", "within")},
    **{f"analysis.revenue.{name}": COUNTED for name in ("paid", "accrued", "summed")},
}


def _words(call: ast.Call) -> set[str]:
    """Column names in a call's arguments, as texts or as variables."""
    inside = [node for argument in call.args for node in ast.walk(argument)]
    texts = {node.value for node in inside if isinstance(node, ast.Constant)}
    return texts | {node.id for node in inside if isinstance(node, ast.Name)} - {"pl", "nw"}


def _keeps_order(call: ast.Call) -> bool:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    kept = given.get("maintain_order")
    return isinstance(kept, ast.Constant) and kept.value is True


def _is_sorted(call: ast.Call, chain: list[ast.Call]) -> bool:
    """Whether the chain after ``call`` sorts by all its keys before anything shows the order."""
    verb = call.func.attr
    keys = _words(call) if verb != "value_counts" else set()
    for number, later in enumerate(chain):
        if later.func.attr == "sort":
            return keys <= _words(later) or not later.args
        if later.func.attr in SHOWS and not (number == 0 and verb == "group_by"):
            return False
    return False


def open_orders(module: str, source: str) -> list[str]:
    """``module.function`` of everything that leaves the order of its rows open.

    Fine is ``maintain_order=True``, or a sort in the same chain by at least the keys that were
    grouped by, before anything shows the order.
    """
    tree = ast.parse(source)
    above = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}

    def chain(node: ast.AST) -> Iterator[ast.Call]:
        up = above.get(node)
        if isinstance(up, ast.Subscript) and up.value is node:
            yield from chain(up)
        elif isinstance(up, ast.Attribute) and isinstance(above.get(up), ast.Call):
            yield above[up]
            yield from chain(above[up])

    def function(node: ast.AST) -> str:
        names = []
        while node := above.get(node):
            names += [node.name] if isinstance(node, ast.FunctionDef) else []
        return ".".join([module.removeprefix("retention."), *names[::-1]])

    return [
        function(call)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in ORDERLESS
        and ast.unparse(call.func.value) not in ("np", "numpy")
        and not _keeps_order(call)
        and not _is_sorted(call, list(chain(call)))
    ]


def unexcused_orders(module: str, source: str) -> list[str]:
    return [name for name in open_orders(module, source) if name not in UNORDERED]


ENGINES = {"ibis", "duckdb", "_duckdb", "psycopg", "pyspark", "py4j", "pyarrow", "sqlglot"}
ENGINES |= {"sqlalchemy", "sqlite3", "pyodbc", "adbc_driver_manager"}
OURS = "what this package has written itself"
READERS = {  # modules that may read a file as a table: whose
    "tables.files": "the files of a source",
    "tables.demo": "the files of installed packages",
    "tables.simulate": OURS,
    "tables.workspace": OURS,
    "pages.findings": OURS,
    "refresh.forget": OURS,
    "refresh.publish": OURS,
}
READS = re.compile(r"(polars|narwhals|pandas)\.(scan|read)_\w+")


def engines(module: str, source: str) -> list[str]:
    """What knows a database, outside of the one module for them; what reads a file as a table,
    outside of those that may. A definition that needs an engine would differ between engines."""
    tree, name = ast.parse(source), module.removeprefix("retention.")
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.append(node.module)
    known = [found_ for found_ in found if found_.partition(".")[0] in ENGINES]
    reads = [spoken_ for _, spoken_ in spoken(tree) if READS.fullmatch(spoken_)]
    return (known if name != "tables.databases" else []) + (reads if name not in READERS else [])


MACHINE = re.compile(r"(?<![\w.>)}*\]/-])/(home|root|Users|tmp|work|usr|opt|var|mnt|srv|etc)/")
UNDONE = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def machine_paths(module: str, source: str) -> list[str]:
    """Absolute paths of one machine."""
    return [line for line in source.splitlines() if MACHINE.search(line) or ":\\\\" in line]


def unfinished(module: str, source: str) -> list[str]:
    """Notes that something is still to be done: it is done, or it stands in no file."""
    return [line for line in source.splitlines() if UNDONE.search(line)]


def prints(module: str, source: str) -> list[str]:
    """``print`` outside of the commands: others say through a function they are given."""
    names = (name for _, name in spoken(ast.parse(source)) if part(module) != "cli")
    return [name for name in names if name in ("print", "pprint.pprint", "sys.stdout.write")]


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


RULES = (
    *(wrong_arrows, engines, clocks, unseeded),
    *(unexcused_orders, machine_paths, unfinished, prints),
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_module_offends_against(rule):
    offences = {module: rule(module, source) for module, source in MODULES.items()}
    assert {module: found for module, found in offences.items() if found} == {}


def test_every_part_of_the_package_has_its_arrows():
    assert {part(module) for module in MODULES} == set(ARROWS)


def test_no_module_imports_itself_by_a_detour():
    known = set(MODULES)
    needs = {
        module: {name if name in known else name.rpartition(".")[0] for _, name in imports(source)}
        for module, source in MODULES.items()
    }
    assert list(TopologicalSorter(needs).static_order())


def test_no_excuse_for_an_open_order_is_left_over():
    open_ones = {name for item in MODULES.items() for name in open_orders(*item)}
    assert set(UNORDERED) - open_ones == set()


def test_no_reader_of_files_is_left_over():
    reading = {name for name, source in MODULES.items() if engines("retention.other", source)}
    assert {f"retention.{name}" for name in READERS} | {"retention.tables.databases"} == reading


def test_the_package_is_small():
    sizes = {module: code_lines(source) for module, source in MODULES.items()}
    whole = sum(sizes.values())
    print(f"\n{whole:,} of {BUDGET:,} lines of code")
    assert whole <= BUDGET, sorted(sizes.items(), key=lambda size: -size[1])


def test_code_is_counted_without_docstrings_blanks_and_comments():
    source = '"""Doc.\n\nMore."""\n\n# why\nX = """a\n\nb"""  # b\n\n\ndef f():\n    """Doc."""\n'
    assert code_lines(source) == 4
    assert code_lines(source + "    return (\n        # no\n        1\n    )\n") == 7


PLANTED = [
    (wrong_arrows, "tables.spells", "from retention.analysis import survival"),
    (wrong_arrows, "analysis.risk", "def f():\n    from retention.pages import charts"),
    (wrong_arrows, "analysis.risk", "from retention.analysis.survival import observed"),
    (wrong_arrows, "analysis.risk", "from . import survival"),
    (wrong_arrows, "pages.page", "import retention.refresh.run as run"),
    (wrong_arrows, "book", "from retention.tables import promises"),
    (wrong_arrows, "errors", "from retention.book import Book"),
    (wrong_arrows, "cli", "from retention.refresh import refresh"),
    (wrong_arrows, "cli", "def f():\n    from retention.tables import workspace"),
    (wrong_arrows, "utils", "from retention.errors import Failed"),
    (engines, "tables.sources", "import ibis"),
    (engines, "tables.sources", "def f():\n    import ibis.expr.datatypes as types"),
    (engines, "analysis.risk", "from pyspark.sql import functions"),
    (engines, "tables.files", "import duckdb"),
    (
        engines,
        "refresh.plan",
        "def f():\n    with psycopg() as x:\n        from psycopg import sql",
    ),
    (engines, "tables.sources", "import polars as pl\nx = pl.scan_parquet(file)"),
    (engines, "tables.task", "import polars\nx = polars.read_csv(file)"),
    (engines, "tables.task", "from polars import read_database as get"),
    (engines, "analysis.risk", "import pandas as pd\nx = pd.read_sql(query)"),
    (engines, "tables.databases", "import polars as pl\nread = pl.read_parquet"),
    (clocks, "tables.spells", "from datetime import date\nday = date.today()"),
    (clocks, "tables.spells", "import datetime as dt\nnow = dt.datetime.now"),
    (clocks, "tables.spells", "from time import time\nt = time()"),
    (clocks, "analysis.risk", "import time\nt = time.perf_counter()"),
    (clocks, "refresh.run", "import time\nt = time.time()"),
    (clocks, "refresh.run", "from datetime import UTC, datetime\nt = datetime.now(UTC)"),
    (clocks, "refresh.dates", "import datetime as dt\nday = dt.date.today()"),
    (clocks, "refresh.other", "from retention.refresh import clock\nt = clock.datetime.now()"),
    (clocks, "refresh.clock", "from datetime import date\nday = date.today()"),
    (clocks, "refresh.clock", "import time\nt = time.time()"),
    (clocks, "tables.spells", "from retention.refresh import clock\nt = clock.now()"),
    (clocks, "cli", "import time\nt = time.perf_counter()"),
    (clocks, "tables.sources", "q = 'select now(), current_date'"),
    (clocks, "tables.sources", "age = path.stat().st_mtime"),
    (unseeded, "analysis.risk", "import numpy as np\nx = np.random.rand(3)"),
    (unseeded, "analysis.risk", "import numpy as np\nx = np.random.default_rng()"),
    (unseeded, "analysis.risk", "from numpy.random import default_rng\nx = default_rng(None)"),
    (unseeded, "analysis.risk", "from random import choice"),
    (unseeded, "analysis.risk", "import uuid\nx = uuid.uuid4()"),
    (unseeded, "analysis.risk", "import os\nx = os.urandom(8)"),
    (unseeded, "analysis.risk", "x = frame.sample(5)"),
    (unseeded, "analysis.risk", "x = series.shuffle(seed=None)"),
    (unseeded, "analysis.risk", "x = hash(name)"),
    (unseeded, "analysis.risk", "from sklearn.cluster import KMeans\nx = KMeans(3)"),
    (unexcused_orders, "analysis.risk", "def f(t):\n    return t.group_by('a').agg(x)"),
    (unexcused_orders, "analysis.risk", "x = t.group_by('a', 'b').len().sort('a')"),
    (unexcused_orders, "analysis.risk", "x = t.group_by('a').len().head(3).sort('a')"),
    (unexcused_orders, "analysis.risk", "x = t.unique(['a'], maintain_order=False)"),
    (unexcused_orders, "analysis.risk", "x = t.sort('a').partition_by('a')"),
    (unexcused_orders, "analysis.risk", "x = t['a'].value_counts(sort=True)"),
    (unexcused_orders, "analysis.risk", "x = [k for k, g in t.group_by('a')]"),
    (machine_paths, "tables.demo", "x = '/home/me/data'"),
    (machine_paths, "tables.demo", "x = Path('C:\\\\data')"),
    (unfinished, "tables.demo", "x = 1  # TODO: more"),
    (prints, "tables.demo", "print(1)"),
    (prints, "tables.demo", "say = print"),
]
HARMLESS = [
    (wrong_arrows, "analysis.risk", "import polars\nfrom retention.tables import calendar"),
    (wrong_arrows, "cli", "def f():\n    from retention.refresh import refresh"),
    (engines, "tables.databases", "def f():\n    import ibis\n    from pyspark import sql"),
    (engines, "tables.files", "import polars as pl\nx = pl.scan_csv(file)"),
    (engines, "tables.sources", "x = files.scan(book)\ny = self.read_csv(file)  # import ibis"),
    (clocks, "refresh.run", "import time\nt = time.perf_counter()"),
    (clocks, "refresh.run", "from retention.refresh import clock\nt = clock.now()"),
    (clocks, "refresh.clock", "from datetime import UTC, datetime\nt = datetime.now(UTC)"),
    (clocks, "cli", "def f():\n    from retention.refresh import clock\n    clock.today('')"),
    (clocks, "tables.spells", "from datetime import date\nday = date(2025, 6, 30)"),
    (unseeded, "analysis.risk", "import numpy as np\nrng = np.random.default_rng((seed, 1))"),
    (unseeded, "refresh.warm", "import random\nrandom.seed()"),
    (unseeded, "analysis.risk", "rng.shuffle(x)\ny = t.sample(5, seed=seed)"),
    (unseeded, "analysis.risk", "from sklearn.cluster import KMeans\nKMeans(3, random_state=s)"),
    (unexcused_orders, "analysis.risk", "x = t.group_by('a').first().filter(y).sort('b', 'a')"),
    (unexcused_orders, "analysis.risk", "x = t.group_by('a', maintain_order=True).len()"),
    (unexcused_orders, "analysis.risk", "x = t['a'].unique().sort().to_list()"),
    (machine_paths, "tables.demo", "x = root / 'work/lab'  # see work/tmp/"),
    (prints, "cli", "print(1)"),
]


@pytest.mark.parametrize(("rule", "module", "source"), PLANTED)
def test_a_planted_offence_is_found(rule, module, source):
    assert rule(f"retention.{module}", source)


@pytest.mark.parametrize(("rule", "module", "source"), HARMLESS)
def test_what_is_harmless_is_left_alone(rule, module, source):
    assert rule(f"retention.{module}", source) == []
