"""Verify: two refreshes in two clean folders give the same bytes, or it says what differs."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from workbooks import with_only

PROJECT = Path(__file__).parents[1]


@pytest.fixture
def whole(workbook) -> Path:
    """A workbook with a package of its own, as verify copies it."""
    shutil.copytree(PROJECT / "src", workbook / "src")
    shutil.copy2(PROJECT / "pyproject.toml", workbook)
    return workbook


def verify(folder: Path, book: str) -> subprocess.CompletedProcess:
    """As `make verify` runs it, in ``folder``."""
    command = [sys.executable, PROJECT / "tests" / "verify.py", book]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)


KERNEL = "print('ipykernel' in open('/proc/self/cmdline').read())"  # of either kind


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (KERNEL, "not the same in both runs: reports/shop/2024-12-31/00_data.html"),
        ("1 / 0", "shop: run 1 failed:"),
    ],
)
def test_what_differs_between_runs_and_a_run_that_fails_are_said(whole, cell, said):
    file = with_only(whole, "00_data", "05_definition") / "notebooks" / "00_data.ipynb"
    notebook = nbformat.read(file, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(cell))
    nbformat.write(notebook, file)

    done = verify(whole, "shop")

    assert done.returncode == 1, done.stdout
    assert said in done.stderr


@pytest.mark.slow
def test_a_book_of_files_repeats_byte_for_byte(whole):
    done = verify(with_only(whole, "00_data", "10_customers", "40_cohorts"), "shop")

    assert done.returncode == 0, done.stderr
    assert "the same byte for byte in both runs" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("book", ["cdnow", "simulated", "complete-journey"])
def test_every_book_that_ships_repeats_byte_for_byte(book):
    done = verify(PROJECT, book)

    assert done.returncode == 0, done.stderr
    assert "the same byte for byte in both runs" in done.stdout
