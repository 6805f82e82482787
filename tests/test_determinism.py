"""A refresh gives the same bytes, whatever kernels, jobs and hash seed it is made with."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from workbooks import SHOP, files, retention

DAY = "2025-06-30"
WAYS = {  # two that differ in all three: whatever lets one of them show, shows here
    "ordinary": ["--jobs", "1", "--ordinary-kernels"],
    "forked": ["--jobs", "2"],
}
SEEDS = ["1", "2"]


def made(root: Path, kernel: str, seed: str) -> dict[str, bytes]:
    """Published files and customer tables of a refresh whose kernels were all of one kind."""
    (root / "params" / "shop.yaml").write_text(SHOP, encoding="utf-8")
    done = retention(root, "refresh", "shop", *WAYS[kernel], PYTHONHASHSEED=seed)
    assert done.returncode == 0, done.stderr
    work = root / "work" / "shop" / DAY
    runs = json.loads((work / "run.json").read_text(encoding="utf-8"))["tasks"]
    assert {run["kernel"] for run in runs if run["task"] != "tables"} == {kernel}
    return files(root / "reports") | files(work / "tables")


def test_pages_and_tables_are_the_same_from_any_kernels_jobs_and_hash_seed(make_workbook):
    roots = [make_workbook() for _ in WAYS]
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(made, roots, WAYS, SEEDS)

    assert {"index.html", f"shop/{DAY}/95_segment-s1.html", "clusters.parquet"} <= first.keys()
    assert [file for file in first | second if first.get(file) != second.get(file)] == []
