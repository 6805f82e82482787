"""What a test needs and does not find: it skips and says so, and it fails where it is forced."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]


@pytest.mark.parametrize(("options", "exit_code"), [([], 0), (["--forced"], 1)])
def test_what_is_missing_skips_a_test_and_fails_a_forced_one(options, exit_code):
    """With an empty PATH, on which there is neither Chromium nor Java."""
    asked = ["tests/test_lab.py", "tests/intake/test_databases.py", "-m", "chromium or spark"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rsfE", *asked, *options]
    done = subprocess.run(
        command, cwd=PROJECT, env={"PATH": ""}, capture_output=True, text=True, check=False
    )

    assert done.returncode == exit_code, done.stdout
    assert "no Chromium on this machine: apt-get install chromium" in done.stdout
    assert "make spark" in done.stdout or "Spark needs Java 17" in done.stdout
    assert " passed" not in done.stdout
