"""Verify: two refreshes in two clean folders give the same bytes, or it says what differs."""

import random
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import nbformat
import pytest
from workbooks import SHOP, with_only

PROJECT = Path(__file__).parents[1]


@pytest.fixture
def workbook(make_workbook) -> Path:
    """A workbook with a package of its own, as verify copies it."""
    folder = make_workbook()
    shutil.copytree(PROJECT / "src", folder / "src")
    shutil.copy2(PROJECT / "pyproject.toml", folder)
    return folder


def verify(folder: Path, book: str) -> subprocess.CompletedProcess:
    """As `make verify` runs it, in ``folder``."""
    command = [sys.executable, PROJECT / "tests" / "verify.py", book]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (
            "print('ipykernel' in open('/proc/self/cmdline').read())",  # a kernel of either kind
            "not the same in both runs: reports/shop/2025-06-30/00_data.html",
        ),
        ("1 / 0", "shop: run 1 failed:"),
    ],
)
def test_what_differs_between_runs_and_a_run_that_fails_are_said(workbook, cell, said):
    (workbook / "params" / "shop.yaml").write_text(SHOP.partition("parameters:")[0])
    notebook = with_only(workbook, "00_data", "05_definition") / "notebooks" / "00_data.ipynb"
    whole = nbformat.read(notebook, as_version=4)
    whole.cells.append(nbformat.v4.new_code_cell(cell))
    nbformat.write(whole, notebook)

    done = verify(workbook, "shop")

    assert done.returncode == 1, done.stdout
    assert said in done.stderr


@pytest.mark.slow
def test_a_book_of_files_repeats_byte_for_byte(workbook):
    rng = random.Random(1)
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(540)]
    lines = [
        f"c{n:03},{rng.choice(days)},{rng.randint(1, 90)}" for n in range(150) for _ in range(9)
    ]
    with_only(workbook, "00_data", "10_customers", "40_cohorts")
    (workbook / "data").mkdir()
    (workbook / "data" / "orders.csv").write_text("\n".join(["customer_id,at,amount", *lines]))
    (workbook / "params" / "shop.yaml").write_text(
        "title: Shop\nsource: {kind: files}\ntables: {events: data/orders.csv}\n"
        "snapshot_date: 2025-06-23\n"
        "churn: {kind: activity, activity: [purchase], after_days: 45}\n"
    )

    done = verify(workbook, "shop")

    assert done.returncode == 0, done.stderr
    assert "the same byte for byte in both runs" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("book", ["cdnow", "simulated", "complete-journey"])
def test_every_book_that_ships_repeats_byte_for_byte(book):
    done = verify(PROJECT, book)

    assert done.returncode == 0, done.stderr
    assert "the same byte for byte in both runs" in done.stdout
