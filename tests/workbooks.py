"""A small book for tests of whole refreshes, and the command as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

SHOP = """\
title: Corner shop
source: {kind: demo, data: simulated, customers: 1000, seed: 2}
timezone: Europe/Berlin
snapshot_date: 2025-06-30
churn: {kind: contract, after_days: 30}
covariates: [onboarding]
parameters:
  20_survival: {by: plan, causes: [voluntary]}
  30_clusters:
    features: [events_per_30d, cents_per_order_90d, weekend_share_90d, order_share_90d]
    logged: [events_per_30d, cents_per_order_90d]
    min_events_90d: 10
    min_cluster_size: 40
    min_samples: 10
"""


# A front page that takes no time: the table that it promises, and a sentence.
FRONT = """\
import os, polars
findings = polars.DataFrame({"finding": ["none"]})
findings.write_parquet(os.environ["RETENTION_STAGE"] + "/tables/findings.parquet")"""
REFRESH = 'refresh = "cdnow"  # a book'


def notebook(file: Path, *cells: str, parameters: tuple[str, ...] = (REFRESH,)) -> Path:
    """Write a notebook of these code cells after its parameters cells."""
    tagged = [new_code_cell(text, metadata={"tags": ["parameters"]}) for text in parameters]
    own = [new_markdown_cell("# Does it run?"), *tagged, *map(new_code_cell, cells)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=own, metadata={"kernelspec": kernel}), file)
    return file


def light(root: Path, *cells: str) -> Path:
    """The workbook with two notebooks that take no time instead of its own: 50_light has these
    cells, and the front page needs it."""
    with_only(root, "none")
    notebook(root / "notebooks" / "50_light.ipynb", *(cells or ["print('so far')"]))
    notebook(root / "notebooks" / "99_summary.ipynb", FRONT)
    return root


def with_only(root: Path, *stems: str) -> Path:
    """The workbook without all other notebooks: what takes long, and is no matter to a test."""
    for notebook in (root / "notebooks").glob("*.ipynb"):
        if not notebook.stem.startswith(stems):
            notebook.unlink()
    return root


def retention(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess:
    """The command as a user runs it, in ``folder``."""
    return subprocess.run(
        [sys.executable, "-m", "retention_app", *words],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def lightly(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess:
    """A refresh of light notebooks, for whose kernels no server need be warmed."""
    return retention(folder, "refresh", *words, "--ordinary-kernels", **environment)


def files(folder: Path) -> dict[str, bytes]:
    """Content of every file under ``folder``, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def outputs(notebook: Path) -> list[str]:
    """What the cells of an executed notebook show."""
    return [
        output["data"].get("text/html", output["data"].get("text/plain"))
        for cell in nbformat.read(notebook, as_version=4).cells
        for output in cell.get("outputs", ())
        if "data" in output
    ]
