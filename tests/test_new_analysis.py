"""A new analysis is three files: a module, a notebook and a test; and it runs into a page."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from workbooks import notebook, retention, with_only

PROJECT = Path(__file__).parents[1]
MODULE = '''"""On which days of the week do customers come?"""

from functools import partial

import polars as pl

from retention import charts
from retention.exhibit import Exhibit, Finding
from retention.refresh import Refresh

DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def by_weekday(habits: pl.DataFrame) -> pl.DataFrame:
    """How many customers came at least once on each day of the week.

    Takes   the table habits: customer_id, weekday (0 = Monday)
    Returns one row per weekday: weekday, n (customers)
    """
    counted = habits.group_by("weekday").agg(n=pl.col("customer_id").n_unique().cast(pl.Int64))
    named = pl.col("weekday").replace_strict(dict(enumerate(DAYS)), return_dtype=pl.String)
    return counted.sort("weekday").with_columns(named)


def busiest(r: Refresh) -> Exhibit:
    """The day of the week on which most customers come."""
    return Exhibit(
        by_weekday(r.tables.habits),
        lambda table: f"Most customers come on a {_first(table)}",
        draw=partial(charts.bars, label="weekday", value="n"),
        findings=lambda table: [Finding("busiest_day", "{value} customers.", table["n"].max())],
    )


def _first(table: pl.DataFrame) -> str:
    return table.sort("n", "weekday", descending=[True, False])["weekday"][0]
'''
CELL = """\
import retention
from retention import weekdays

r = retention.open(refresh)
r.show(weekdays.busiest(r))"""
TEST = """import polars as pl

from retention import weekdays


def test_customers_are_counted_once_a_day():
    habits = pl.DataFrame({"customer_id": ["a", "a", "b"], "weekday": [0, 0, 6]})
    assert weekdays.by_weekday(habits).rows() == [("Monday", 1), ("Sunday", 1)]
"""


def test_three_files_make_a_new_page(workbook):
    with_only(workbook, "none")
    shutil.copytree(PROJECT / "src", workbook / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (workbook / "src" / "retention" / "weekdays.py").write_text(MODULE)
    notebook(workbook / "notebooks" / "45_weekdays.ipynb", CELL)
    (workbook / "test_weekdays.py").write_text(TEST)
    path = {"PYTHONPATH": str(workbook / "src")}

    done = retention(workbook, "refresh", "shop", **path)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (workbook / "reports" / "shop" / "2024-12-31" / "45_weekdays.html").read_text()
    assert "Most customers come on a " in page
    findings = workbook / "work" / "shop" / "2024-12-31" / "findings" / "45_weekdays.json"
    assert "busiest_day" in findings.read_text()
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_weekdays.py"],
        cwd=workbook,
        env=os.environ | path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout
