"""The page for the analyst: which cell failed, its traceback, and nothing that is secret."""

import json

import browser
import nbformat
import papermill
import pytest
from bs4 import BeautifulSoup
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from papermill.exceptions import PapermillExecutionError
from retention_runner.states import Run
from runner.test_page import EVIL, opened

from retention_runner import failure, page

REPRODUCE = "retention refresh shop --snapshot-date 2026-11-21"
RED = "\x1b[0;31mKeyError\x1b[0m"


def write(folder, runs, **more):
    given = {
        "parameters": {},
        "hide": lambda text: text,
        "title": f"Corner shop, 2026-11-21 {EVIL}",
    }
    failure.write(folder, runs=runs, reproduce=REPRODUCE, **given | more)
    html = (folder / "index.html").read_text(encoding="utf-8")
    assert page.problems(html) == []
    return html


def save(folder, task, notebook):
    (folder / "notebooks").mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / "notebooks" / f"{task}.ipynb")


def failed(traceback=("Traceback", f"{RED}: 'plan' {EVIL}"), source=f"table['plan']  # {EVIL}"):
    """An executed copy whose third cell raised."""
    hello = new_output("stream", name="stdout", text=f"read 5 rows {EVIL}\n")
    chart = new_output("display_data", {"text/html": "<svg/>", "text/plain": "<HTML object>"})
    error = new_output("error", ename="KeyError", evalue="'plan'", traceback=[*traceback])
    return new_notebook(
        cells=[
            new_markdown_cell(f"# How long do customers stay? {EVIL}"),
            new_code_cell("print(...)", execution_count=1, outputs=[hello]),
            new_code_cell("charts.curve(...)", execution_count=2, outputs=[chart]),
            new_code_cell(source, execution_count=3, outputs=[error]),
            new_code_cell("never = 'reached'"),
        ]
    )


def sample(folder):
    """One task that failed, in the midst of others."""
    save(folder, "20_survival", failed())
    return [
        Run("tables", "unchanged"),
        Run("20_survival", "failed", seconds=12.345, why=f"KeyError: 'plan' {EVIL}"),
        Run("40_cohorts", "done", seconds=3.0),
        Run("99_summary", "skipped", why="20_survival was not done"),
    ]


def test_what_failed_stands_on_the_page(tmp_path):
    parameters = {"20_survival": {"by": "plan", "covariates": [EVIL]}, "40_cohorts": {"x": 1}}
    html = write(tmp_path, sample(tmp_path), parameters=parameters)
    main = BeautifulSoup(html, "html.parser").main
    assert main.h1.text == "The refresh failed: 20_survival"
    assert main.find("code").text == REPRODUCE
    assert [h2.text for h2 in main.find_all("h2")] == ["20_survival", "All tasks"]
    assert main.find(class_="note").text == f"How long do customers stay? {EVIL}"
    assert main.find(class_="finding").text == f"Failed: KeyError: 'plan' {EVIL}"
    assert main.find("h3").text == "The cell that failed, In [3]"
    assert [pre.text for pre in main.find_all("pre")] == [
        f"table['plan']  # {EVIL}",
        f"Traceback\nKeyError: 'plan' {EVIL}",
        f"read 5 rows {EVIL}\n",
        f"by = 'plan'\ncovariates = [{EVIL!r}]",
    ]
    rows = [[cell.text for cell in row.find_all(["th", "td"])] for row in main.find_all("tr")]
    assert rows[1:] == [
        ["tables", "unchanged", "–"],
        ["20_survival", "failed", "12.3"],
        ["40_cohorts", "done", "3.00"],
        ["99_summary", "skipped", "–"],
    ]
    assert "<script" not in html
    assert "never" not in html


KILL = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
SLEEP = "import time\ntime.sleep(60)"


@pytest.mark.parametrize(
    ("code", "where", "traceback"),
    [
        ("{}['plan']", "The cell that failed, In [2]", "KeyError: 'plan'"),
        (SLEEP, "The cell that failed, In [2]", "KeyboardInterrupt"),
        (KILL, "The last cell that was begun", None),
    ],
    ids=["raised", "took too long", "killed"],
)
def test_the_cell_is_found_however_it_ended(tmp_path, code, where, traceback):
    cells = ["print('begun')", code, "print('never')"]
    save(tmp_path, "source", new_notebook(cells=[new_code_cell(cell) for cell in cells]))
    source, executed = (tmp_path / "notebooks" / f"{name}.ipynb" for name in ("source", "20_x"))
    how = {"execution_timeout": 2} if code == SLEEP else {}
    with pytest.raises((PapermillExecutionError, DeadKernelError, TimeoutError)):
        papermill.execute_notebook(
            source, executed, kernel_name="python3", progress_bar=False, **how
        )
    main = BeautifulSoup(write(tmp_path, [Run("20_x", "failed", why="why")]), "html.parser").main
    assert main.h3.text == where
    shown = [pre.text.strip() for pre in main.find_all("pre")]
    assert shown[0] == code
    assert shown[-1] == "begun"
    assert len(shown) == (3 if traceback else 2)
    assert not traceback or traceback in shown[1]
    assert "\x1b" not in main.text


def test_a_cell_whose_kernel_died_before_it_was_counted_is_found(tmp_path):
    notebook = failed()
    for cell, said in zip(notebook.cells[1:3], ("first", "second"), strict=True):
        cell.outputs = [new_output("execute_result", {"text/plain": said}), new_output("stream")]
    notebook.cells[3] |= {"execution_count": None, "outputs": []}
    notebook.cells[3].metadata["papermill"] = {"start_time": "2026-11-22T03:10:00"}
    notebook.cells[4].metadata["papermill"] = {"start_time": None}
    save(tmp_path, "20_x", notebook)
    main = BeautifulSoup(write(tmp_path, [Run("20_x", "failed")]), "html.parser").main
    assert main.h3.text == "The last cell that was begun"
    assert [pre.text for pre in main.find_all("pre")] == [f"table['plan']  # {EVIL}", "second"]
    assert main.find(class_="finding").text == "Failed"


DAMAGED = ["", "{", "[]", '{"cells": 1}', '{"cells": [{}]}', '{"cells": [{"cell_type": "code"}]}']


@pytest.mark.parametrize("held", [None, *DAMAGED, json.dumps(failed())[:-90]])
def test_without_a_whole_copy_the_rest_is_told(tmp_path, held):
    if held is not None:
        (tmp_path / "notebooks").mkdir()
        (tmp_path / "notebooks" / "20_survival.ipynb").write_text(held)
    run = Run("20_survival", "failed", why="the kernel died")
    main = BeautifulSoup(write(tmp_path, [run]), "html.parser").main
    assert main.find(class_="finding").text == "Failed: the kernel died"
    assert main.pre is None


@pytest.mark.parametrize("bad", [1, 60])
def test_however_much_failed_the_page_stays_small(tmp_path, bad):
    runs = [Run(f"95_segment-s{place}", "failed", why="<&>" * 9_000) for place in range(bad)]
    for run in runs:
        save(tmp_path, run.task, failed([f"head{'<' * 90_000}tail"], "x = '<'\n" * 2_000))
    html = write(tmp_path, runs)
    assert html.count("letters left out]") >= 2 * bad
    assert html.count("tail</pre>") == bad
    assert html.count(">95_segment-s0</h2>") == 1
    if bad == 1:
        traceback = BeautifulSoup(html, "html.parser").main.details.pre.text
        assert len(traceback) == failure.LONGEST + len("\n[70,008 letters left out]\n")


def test_the_headline_says_what_failed(tmp_path):
    def headline(*runs, **more):
        return BeautifulSoup(write(tmp_path, [*runs], **more), "html.parser").h1.text

    many = [Run(f"{place}0_x", "refused") for place in range(5)]
    assert headline(*many) == "The refresh failed: 00_x, 10_x, 20_x, 2 more"
    assert headline(Run("a", "stopped"), Run("b")) == "The refresh was stopped: a"
    assert headline(Run("a", "stopped"), Run("b", "failed")) == "The refresh failed: a, b"
    assert headline(Run("a", "done"), why="the page is too large") == "The refresh failed"
    assert "the page is too large" in (tmp_path / "index.html").read_text()


def test_secrets_are_hidden_everywhere_and_before_anything_is_cut(tmp_path):
    secret = "correct-horse"
    notebook = failed([f"{secret}\x1b[0m {secret[:7]}\x1b[31m{secret[7:]}"], f"x = '{secret}'")
    notebook.cells[0].source = f"# {secret}?"
    notebook.cells[1].outputs[0].text = secret + "x" * (failure.OUTPUT - 5)
    save(tmp_path, "20_survival", notebook)
    html = write(
        tmp_path,
        [Run("20_survival", "failed", why=secret)],
        title=secret,
        why=secret,
        parameters={"20_survival": {"url": secret}},
        hide=lambda text: text.replace(secret, "env:SHOP"),
    )
    assert secret not in html
    assert "horse" not in html
    assert html.count("env:SHOP") == 2 + 1 + 1 + 1 + 1 + 2 + 1  # title twice; traceback twice


@pytest.mark.chromium
@pytest.mark.parametrize(("width", "scheme"), browser.SETTINGS)
def test_a_browser_finds_nothing_wrong(tmp_path, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    write(tmp_path, sample(tmp_path), parameters={"20_survival": {"by": "plan"}})
    with browser.chromium() as chromium:
        tab, asked, complaints = opened(chromium, tmp_path / "index.html", width, scheme)
        assert len(asked) == 1
        assert complaints == []
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        tab, *_ = opened(chromium, tmp_path / "index.html", width, scheme, bypass_csp=True)
        assert Axe().run(tab).response["violations"] == []
