"""A refresh beside the shell loop it replaces: papermill, then nbconvert, notebook by notebook.

Usage: python benchmarks/refresh.py [--times N]   (default 3; medians; 5,000 customers, 10 segments)
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from statistics import median

import nbformat
import yaml

PROJECT = Path(__file__).parent.parent
PROGRAMS = Path(sys.executable).parent
REFRESH = "2025-06-30"
TEN = """\
import polars as pl
ten = r.tables.customers_at.filter(standing="current").sort("customer_id").select("customer_id")
ten = ten.with_columns(segment=pl.concat_str(pl.lit("s"), 1 + pl.int_range(pl.len()) % 10))
share = pl.lit(0.1)
segments = ten.group_by("segment").agg(
    name="Segment " + pl.first("segment"), kind=pl.lit("stratum"), grade=pl.lit("fair"),
    n=pl.len().cast(pl.Int64),
    share_of_customers=share, share_of_amount=share,
)
r.keep("members", ten.with_columns(confidence=pl.lit(None, pl.Float64)))
r.keep("segments", segments.sort("segment"))"""
LOOP = """\
set -e
for given in loop/*.yaml; do
    name=$(basename $given .yaml)
    papermill notebooks/${name%%-*}.ipynb loop/$name.ipynb -k python3 -f $given
    jupyter nbconvert --to html loop/$name.ipynb
done"""


def workbook(root: Path) -> None:
    """A workbook with the book "simulated" at one day, in ten segments."""
    for folder in ("params", "notebooks"):
        shutil.copytree(PROJECT / folder, root / folder, ignore=shutil.ignore_patterns(".*"))
    shutil.copy(PROJECT / "requirements.lock", root)
    notebook = root / "notebooks" / "30_clusters.ipynb"
    whole = nbformat.read(notebook, as_version=4)
    whole.cells.append(nbformat.v4.new_code_cell(TEN))
    nbformat.write(whole, notebook)
    source = {"kind": "demo", "data": "simulated", "customers": 5000, "seed": 1}
    change(root, lambda book: book.update(source=source, snapshot_date=date.fromisoformat(REFRESH)))


def change(root: Path, edit) -> None:
    """Change the book "simulated"."""
    file = root / "params" / "simulated.yaml"
    book = yaml.safe_load(file.read_text(encoding="utf-8"))
    edit(book)
    file.write_text(yaml.safe_dump(book), encoding="utf-8")


def timed(root: Path, *command: str) -> float:
    """Seconds that ``command`` takes in ``root``, with the programs of this environment."""
    path = os.pathsep.join([str(PROGRAMS), os.environ["PATH"]])
    env = os.environ | {"PATH": path, "JUPYTER_PREFER_ENV_PATH": "1"}
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begun
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return seconds


def refresh(root: Path, jobs: int = 2) -> float:
    return timed(root, "retention", "refresh", "simulated", "--jobs", str(jobs))


def cold(root: Path, jobs: int = 2) -> tuple[float, list[dict]]:
    """Seconds of a refresh of which nothing was there, and its runs; see `records.Run`."""
    for folder in ("work", "reports"):
        shutil.rmtree(root / folder, ignore_errors=True)
    return refresh(root, jobs), runs(root)


def runs(root: Path, refresh: str = REFRESH) -> list[dict]:
    record = root / "work" / "simulated" / refresh / "run.json"
    return json.loads(record.read_text(encoding="utf-8"))["tasks"]


def cell_seconds(root: Path, task: str) -> float:
    """Seconds that papermill has noted for the cells of a notebook."""
    file = root / "work" / "simulated" / REFRESH / "notebooks" / f"{task}.ipynb"
    cells = nbformat.read(file, as_version=4).cells
    return sum(
        cell.metadata.papermill.duration or 0 for cell in cells if "papermill" in cell.metadata
    )


def loop(root: Path) -> float:
    """Seconds of the shell loop, over the tables of the refresh that is there."""
    manifest = root / "reports" / "simulated" / REFRESH / "manifest.json"
    parameters = json.loads(manifest.read_text(encoding="utf-8"))["parameters"]
    (root / "loop").mkdir()
    for task in [run["task"] for run in runs(root) if run["task"] != "tables"]:
        stem, _, segment = task.partition("-")
        given = parameters[stem] | ({"segment": segment} if segment else {})
        (root / "loop" / f"{task}.yaml").write_text(yaml.safe_dump(given), encoding="utf-8")
    seconds = timed(root, "sh", "-c", LOOP)
    shutil.rmtree(root / "loop")
    shutil.rmtree(root / "work" / "lab")  # what notebooks write outside of a refresh
    return seconds


def unchanged(root: Path) -> float:
    """Seconds of a refresh that has nothing to do; it must not touch what is there."""
    before = {file: file.stat().st_mtime_ns for file in (root / "work" / "simulated").rglob("*")}
    seconds = refresh(root)
    after = {file: file.stat().st_mtime_ns for file in (root / "work" / "simulated").rglob("*")}
    if before != after:
        sys.exit("a refresh that had nothing to do has done something")
    return seconds


def changed(root: Path) -> tuple[float, list[str]]:
    """Seconds of a refresh after a parameter of one notebook was changed, and what was run."""
    change(root, lambda book: book["parameters"]["20_survival"].update(days=[30, 90]))
    seconds = refresh(root)
    change(root, lambda book: book["parameters"]["20_survival"].pop("days"))
    return seconds, [run["task"] for run in runs(root, f"{REFRESH}-r2") if run["state"] == "done"]


def spent(root: Path, seconds: float, tasks: list[dict]) -> dict[str, float]:
    """Where the time of a refresh with one job went."""
    notebooks = {run["task"]: run["seconds"] for run in tasks}
    tables = notebooks.pop("tables")
    in_cells = {task: cell_seconds(root, task) for task in notebooks}
    cells = sum(in_cells.values())
    waits = [notebooks[task] - in_cells[task] for task in notebooks]
    return {
        "the tables": tables,
        "cells of all notebooks": cells,
        "kernels: start, wait, end": sum(waits),
        "of these the first, which waits for the server": max(waits),
        "all else: plan, pages, publish": seconds - tables - cells - sum(waits),
        "overhead per notebook": (seconds - tables - cells) / len(notebooks),
    }


def measure(root: Path) -> Iterator[tuple[str, float]]:
    """One round of everything: names and figures."""
    seconds, _ = cold(root)
    yield "refresh, 2 jobs", seconds
    yield "nothing to do", unchanged(root)
    slower = loop(root)
    yield "the shell loop, without tables", slower
    yield "speed-up", slower / seconds
    seconds, tasks = cold(root, jobs=1)
    yield "refresh, 1 job", seconds
    yield from spent(root, seconds, tasks).items()
    seconds, done = changed(root)
    yield f"one parameter changed ({', '.join(done)})", seconds


def main(times: int) -> None:
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        workbook(Path(folder))
        for _ in range(times):
            for name, figure in measure(Path(folder)):
                figures.setdefault(name, []).append(figure)
                print(f"{name:55} {figure:9.2f}", flush=True)
            print()
    figures = {name: median(found) for name, found in figures.items()}
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"medians of {times}")
    for name, figure in figures.items():
        print(f"{name:55} {figure:9.2f}")
    print(f"{'largest process that is no kernel, GiB':55} {largest:9.2f}")
    print(f"goal refresh_speedup: {figures['speed-up']:.2f}, wanted >= 5")
    print(f"goal refresh_overhead_seconds: {figures['overhead per notebook']:.2f}, wanted <= 1.5")
    print(f"goal refresh_unchanged_seconds: {figures['nothing to do']:.2f}, wanted <= 2")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--times", type=int, default=3)
    main(arguments.parse_args().times)
