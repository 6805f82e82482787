"""What a task depends on: every part of it tells, and nothing else does."""

import gc
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from retention_runner import keys, notebooks


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({"a": 1}, {"a": 1}, []),
        (
            {"parameters": {"days": 1, "by": 2}},
            {"parameters": {"days": 2}},
            ["parameters: by, days"],
        ),
        (
            {"needs": {"x": "a"}, "lock": 1},
            {"needs": {"x": "b"}, "lock": 2},
            ["library versions", "needs: x"],
        ),
        ({"previous": "p"}, {"notebook": "n"}, ["notebook", "previous refresh"]),
    ],
)
def test_what_changed_is_named(old, new, words):
    assert keys.changes(old, new) == words


def test_a_module_counts_with_all_that_it_imports_of_the_packages_alone(tmp_path, monkeypatch):
    package = tmp_path / "ours" / "inside"
    package.mkdir(parents=True)
    (tmp_path / "ours" / "words.py").write_text("import polars\nx = 1\n")
    (package / "deep.py").write_text("from ours import words\nfrom theirs import other\n")
    (tmp_path / "ours" / "unused.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    first = keys.code(("ours",), ["ours.inside.deep", "polars"])
    assert list(first) == ["ours.inside.deep", "ours.words"]
    (tmp_path / "ours" / "words.py").write_text("x = 2\n")
    assert keys.code(("ours",), ["ours.inside.deep"]) == first  # read once
    keys._read.cache_clear()  # as in another process
    changed = keys.changes({"code": first}, {"code": keys.code(("ours",), ["ours.inside.deep"])})
    assert changed == ["code: ours.words"]


def test_what_lies_beside_the_code_counts_templates_apart(tmp_path, monkeypatch):
    (tmp_path / "theirs" / "templates").mkdir(parents=True)
    table, template = tmp_path / "theirs" / "a.csv", tmp_path / "theirs" / "templates" / "a.j2"
    for file in (table, template, tmp_path / "theirs" / "a.py"):
        file.write_text("1")
    monkeypatch.syspath_prepend(tmp_path)

    def hashes() -> tuple[str, str]:
        keys.files.cache_clear()
        return keys.files(("theirs",)), keys.files(("theirs",), templates=True)

    first = hashes()
    (tmp_path / "theirs" / "a.py").write_text("2")
    assert hashes() == first
    template.write_text("2")
    assert [now == then for now, then in zip(hashes(), first, strict=True)] == [True, False]
    table.write_text("2")
    assert hashes()[0] != first[0]


def test_a_summary_names_each_thing_once():
    old = {
        "tables": {"data": "a", "code": {"retention.tables.spells": "1"}, "lock": "l"},
        "20_survival": {"parameters": {"days": 1, "by": 2}, "needs": {"x": "1"}, "lock": "l"},
        "gone": {"lock": "l"},
    }
    new = {
        "tables": {"data": "b", "code": {"retention.tables.spells": "2"}, "lock": "m"},
        "20_survival": {"parameters": {"days": 2, "by": 3}, "needs": {"x": "2"}, "lock": "m"},
        "come": {"lock": "m"},
    }

    assert keys.summary(old, new) == [
        "library versions",
        "parameters of 20_survival: by, days",
        "code: retention.tables.spells",
        "data",
    ]


class Litter:
    """Cleaned up by Python at any time, when other threads get their turn."""

    def __init__(self):
        self.own = self

    def __del__(self):
        sum(range(10))


def test_modules_are_read_by_many_threads_at_once():
    """CPython 3.11 fails where one thread makes a syntax tree while another one does."""
    source = "\n".join(f"from retention import m{n}\nx = [[{n}, f(a)[{n}]]]" for n in range(200))
    before = sys.getswitchinterval(), gc.get_threshold()

    def parsed(_) -> int:
        Litter()
        return len(notebooks.parsed(source).body)

    sys.setswitchinterval(1e-6)
    gc.set_threshold(10)
    try:
        with ThreadPoolExecutor(8) as pool:
            sizes = set(pool.map(parsed, range(60)))
    finally:
        sys.setswitchinterval(before[0])
        gc.set_threshold(*before[1])
    assert sizes == {400}
