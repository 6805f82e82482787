"""A small book for tests of whole refreshes, and the command as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat

from retention_runner import page

SHOP = """\
title: Corner shop
source: {kind: demo, data: simulated, customers: 1000, seed: 2}
timezone: Europe/Berlin
snapshot_date: 2025-06-30
churn: {kind: contract, after_days: 30}
parameters:
  20_survival: {by: plan, covariates: [onboarding], causes: [voluntary]}
  30_clusters:
    features: [events_per_30d, cents_per_order_90d, weekend_share_90d, order_share_90d]
    logged: [events_per_30d, cents_per_order_90d]
    min_events_90d: 10
    min_cluster_size: 40
    min_samples: 10
"""


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


def files(folder: Path) -> dict[str, bytes]:
    """Content of every file under ``folder``, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def outputs(notebook: Path) -> list[str]:
    """What the cells of an executed notebook show."""
    cells = page.canonical(nbformat.read(notebook, as_version=4)).cells
    return [
        output["data"].get("text/html", output["data"].get("text/plain"))
        for cell in cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "data" in output
    ]
