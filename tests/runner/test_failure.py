"""The page for the analyst: what failed, as far as it came, and nothing that is secret."""

from types import SimpleNamespace

import browser
import nbformat
import papermill
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from papermill.exceptions import PapermillExecutionError
from runner.test_page import EVIL
from workbooks import notebook

from retention_runner import outcome, page, places
from retention_runner.errors import Failed
from retention_runner.records import Run

SECRET = "correct-horse"


@pytest.fixture
def attempt(tmp_path, monkeypatch):
    """A refresh that was begun of a book with a secret."""
    monkeypatch.setenv("SHOP", SECRET)
    book = SimpleNamespace(title=f"Corner shop {EVIL}", day=None, parameters={"a": "env:SHOP"})
    own = places.Places(tmp_path, tmp_path / "reports", "shop")
    return outcome.Attempt(SimpleNamespace(root=tmp_path), own, book)


def leave(attempt, *runs: Run, error: Exception | None = None) -> BeautifulSoup:
    attempt.runs |= {run.task: run for run in runs}
    outcome._leave_page(attempt, error or Failed("it failed"))
    html = (attempt.places.failed / "index.html").read_text()
    assert page.problems(html) == []
    assert SECRET not in html
    return BeautifulSoup(html, "html.parser").main


def save(attempt, task: str, notebook) -> None:
    folder = attempt.places.stages / attempt.day / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    text = notebook if isinstance(notebook, str) else nbformat.writes(notebook)
    (folder / f"{task}.ipynb").write_text(text)


def notebook_page(attempt, task: str) -> BeautifulSoup:
    html = (attempt.places.failed / f"{task}.html").read_text()
    assert "<script" not in html
    assert SECRET not in html
    return BeautifulSoup(html, "html.parser").main


def failed(traceback: str = f"KeyError: 'plan' {EVIL}"):
    """An executed copy whose third cell raised."""
    hello = new_output("stream", name="stdout", text=f"read 5 rows {SECRET}\n")
    error = new_output("error", ename="KeyError", evalue="'plan'", traceback=[traceback])
    return new_notebook(
        cells=[
            new_markdown_cell(f"# How long do customers stay? {EVIL}"),
            new_code_cell("print(...)", execution_count=1, outputs=[hello]),
            new_code_cell(f"table['plan']  # {EVIL}", execution_count=3, outputs=[error]),
            new_code_cell("never = 'reached'"),
        ]
    )


def test_what_failed_stands_on_the_page_with_the_notebook_as_far_as_it_came(attempt):
    save(attempt, "20_survival", failed(f"\x1b[0;31mKeyError\x1b[0m: {SECRET}"))
    main = leave(
        attempt,
        Run("tables", "unchanged"),
        Run("20_survival", "failed", seconds=12.345, why=f"KeyError: 'plan' {EVIL}"),
        Run("40_cohorts", "done", seconds=3.0),
        Run("99_summary", "skipped"),
    )
    assert main.h1.text == "The refresh failed: 20_survival"
    assert main.find("code").text == "retention refresh shop"
    assert [h2.text for h2 in main.find_all("h2")] == ["20_survival", "All tasks"]
    assert main.find(class_="finding").text == f"Failed: KeyError: 'plan' {EVIL}"
    rows = [[cell.text for cell in row.find_all(["th", "td"])] for row in main.find_all("tr")]
    assert rows[1:] == [
        ["tables", "unchanged", "–"],
        ["20_survival", "failed", "12.3"],
        ["40_cohorts", "done", "3.0"],
        ["99_summary", "skipped", "–"],
    ]
    assert main.find("a")["href"] == "20_survival.html"
    shown = notebook_page(attempt, "20_survival")
    assert [pre.text.strip() for pre in shown.find_all("pre", class_="out")] == [
        "read 5 rows env:SHOP", "KeyError: env:SHOP"
    ]  # fmt: skip
    assert shown.find_all("details")[-1].has_attr("open")
    assert shown.find_all("pre")[-1].text.strip() == f"table['plan']  # {EVIL}"
    assert "never" not in shown.text


def test_a_real_notebook_ends_with_the_cell_that_raised(attempt, tmp_path):
    source = notebook(tmp_path / "source.ipynb", "1", "{}['plan']", "'no'")
    executed = attempt.places.stages / "notebooks" / "20_x.ipynb"
    executed.parent.mkdir(parents=True)
    with pytest.raises(PapermillExecutionError):
        papermill.execute_notebook(source, executed, progress_bar=False)
    leave(attempt, Run("20_x", "failed"))
    shown = notebook_page(attempt, "20_x")
    assert "KeyError: 'plan'" in shown.find_all("pre", class_="out")[-1].text
    assert shown.find_all("details")[-1].pre.text.strip().endswith("{}['plan']")
    assert "papermill" not in shown.text


@pytest.mark.parametrize("held", [None, "", "[]", '{"cells": [{}]}', "\x00"])
def test_without_a_whole_copy_the_rest_is_told(attempt, held):
    if held is not None:
        save(attempt, "20_survival", held)
    main = leave(attempt, Run("20_survival", "failed", why="the kernel died"))
    assert main.find(class_="finding").text == "Failed: the kernel died"
    assert main.a is None


def test_the_headline_says_what_failed(attempt):
    assert leave(attempt, Run("a", "stopped")).h1.text == "The refresh was stopped: a"
    assert leave(attempt, Run("b", "failed")).h1.text == "The refresh failed: a, b"


def test_what_no_task_is_to_blame_for_is_told_with_its_traceback(attempt):
    main = leave(attempt, Run("a", "done"), error=KeyError(SECRET))
    assert main.h1.text == "The refresh failed"
    assert main.find(class_="finding").text.rstrip().endswith("KeyError: 'env:SHOP'")


@pytest.mark.chromium
@pytest.mark.parametrize(("width", "scheme"), browser.SETTINGS)
def test_a_browser_finds_nothing_wrong(attempt, width, scheme):
    save(attempt, "20_survival", failed())
    leave(attempt, Run("20_survival", "failed", why="why"), Run("tables", "done"))
    with browser.chromium() as chromium:
        for name in ("index.html", "20_survival.html"):
            browser.require_sound(chromium, attempt.places.failed / name, width, scheme)
