"""What a task depends on: every part of it tells, and nothing else does."""

import gc
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest

from retention import book as books
from retention_runner import keys, notebooks

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def shop(workbook) -> books.Book:
    return books.load("shop", workbook)


def of_notebook(root: Path, book: books.Book, **changed) -> keys.Key:
    given = {
        "stem": "20_survival",
        "parameters": {"refresh": "shop/2025-06-30", "days": [30]},
        "needs": {"tables/spells.parquet": "a"},
        "previous": "",
    }
    return keys.of_notebook("shop", book, root, **(given | changed))


def test_a_notebook_depends_on_what_it_imports_and_on_what_that_imports():
    code = of_notebook(PROJECT, books.load("cdnow", PROJECT))["code"]

    assert {"retention.survival.survival", "retention.show", "retention.tables.workspace"} <= {
        *code
    }
    assert "retention.words" in code  # by way of show
    assert not {"retention.clusters.clusters", "retention_runner.run", "retention_app.cli"} & {
        *code
    }


def test_the_tables_depend_on_no_analysis_and_no_page():
    code = keys.of_tables("cdnow", books.load("cdnow", PROJECT), PROJECT, "d")["code"]

    assert {"retention.tables.spells", "retention_intake.files", "retention_demo.readers"} <= {
        *code
    }
    assert not [name for name in code if name.startswith(("retention.survival", "retention.show"))]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"parameters": {"refresh": "shop/2025-06-30", "days": [60]}}, ["parameters: days"]),
        ({"parameters": {"refresh": "elsewhere", "days": [30]}}, []),
        ({"needs": {"tables/spells.parquet": "b"}}, ["needs: tables/spells.parquet"]),
        ({"previous": "p"}, ["previous refresh"]),
        ({"stem": "40_cohorts"}, ["code", "notebook"]),
    ],
)
def test_what_changed_is_named(workbook, shop, change, words):
    one, other = of_notebook(workbook, shop), of_notebook(workbook, shop, **change)

    found = keys.changes(one, other)

    assert [word.partition(": ")[0] if word.startswith("code") else word for word in found] == words


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"title": "Other"}, ["book: title"]),
        ({"timezone": "UTC"}, ["definition: timezone"]),
        ({"snapshot_date": date(2020, 1, 1)}, ["book: snapshot_date"]),
        ({"parameters": {"20_survival": {"days": [1]}}}, []),  # those of each task are its own part
        ({"keep": 3}, []),
        ({"on_done": "./tell.sh"}, []),
    ],
)
def test_of_a_book_what_a_notebook_can_see_counts(workbook, shop, change, words):
    other = shop.model_copy(update=change)

    assert keys.changes(of_notebook(workbook, shop), of_notebook(workbook, other)) == words


def test_text_of_notebook_lock_and_modules_counts(workbook, shop, tmp_path, monkeypatch):
    before = of_notebook(workbook, shop)
    notebook = workbook / "notebooks" / "20_survival.ipynb"
    notebook.write_text(notebook.read_text().replace("How long do", "For how long do"))
    (workbook / "requirements.lock").write_text("polars==0")

    assert keys.changes(before, of_notebook(workbook, shop)) == ["library versions", "notebook"]

    package = tmp_path / "retention"
    (package / "survival").mkdir(parents=True)
    (package / "survival" / "survival.py").write_text("from retention import words\n")
    (package / "words.py").write_text("x = 1\n")
    monkeypatch.setattr(keys, "SOURCES", tmp_path)
    first = keys.code(["retention.survival.survival"])
    keys._read.cache_clear()  # as in another process
    (package / "words.py").write_text("x = 2\n")
    second = keys.code(["retention.survival.survival"])
    assert keys.changes({"code": first}, {"code": second}) == ["code: words"]


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
        "code: tables.spells",
        "data",
    ]


def test_hashes_of_files_are_of_names_and_bytes(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    two.write_text("2")
    whole = keys.file_hash([two, one])

    assert whole == keys.file_hash([one, two])
    one.rename(tmp_path / "three")
    assert whole != keys.file_hash([tmp_path / "three", two])


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
