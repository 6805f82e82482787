"""A refresh gives the same bytes, whatever kernels, jobs and hash seed it is made with.

For the books that ship `make verify` sees to it.
"""

import json
import shutil
from pathlib import Path

import pytest
from workbooks import files, retention

DAY = "2025-06-30"


def made(root: Path, kernel: str) -> dict[str, bytes]:
    """Published files and customer tables of a refresh whose kernels were all of one kind."""
    work = root / "work" / "shop" / DAY
    runs = json.loads((work / "run.json").read_text(encoding="utf-8"))["tasks"]
    assert {run["kernel"] for run in runs if run["task"] != "tables"} == {kernel}
    return files(root / "reports") | files(work / "tables")


@pytest.mark.slow
def test_pages_and_tables_are_the_same_from_any_kernels_jobs_and_hash_seed(
    refreshed, make_workbook
):
    """Forked kernels, two jobs and a random seed, against what differs in all three: whatever lets
    one of them show, shows here."""
    other = make_workbook()
    shutil.copy(refreshed / "params" / "shop.yaml", other / "params")
    ways = ("--jobs", "1", "--ordinary-kernels")
    done = retention(other, "refresh", "shop", *ways, PYTHONHASHSEED="1")
    assert done.returncode == 0, done.stderr

    first, second = made(refreshed, "forked"), made(other, "ordinary")

    assert {"index.html", f"shop/{DAY}/95_segment-s1.html", "clusters.parquet"} <= first.keys()
    assert [file for file in first | second if first.get(file) != second.get(file)] == []
