"""Benchmarks run: on few customers here, so that they keep up with what they measure."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
SMALL = {
    "clusters": ["--customers", "20000"],
    "cohorts": ["--customers", "2000", "--days", "20"],
    "risk": ["--customers", "20000"],
    "segments": [],
    "simulate": ["500", "1000"],
    "value": ["--customers", "5000"],
}
WHOLE = {"engines", "refresh", "sets"}  # of no size, know one size alone, and take minutes


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_benchmark_says_how_far_it_is_from_each_of_its_goals(name):
    command = [sys.executable, f"benchmarks/{name}.py", *SMALL[name]]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "\ngoal " in done.stdout


def test_every_benchmark_is_run_here_or_known_to_take_minutes():
    found = {file.stem for file in (PROJECT / "benchmarks").glob("*.py")}
    assert found == SMALL.keys() | WHOLE
