"""Waiting for what other processes do, and seeing that they have ended."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

T = TypeVar("T")


def wait_for(true: Callable[[], T], seconds: float = 60) -> T:
    """What it gives, as soon as that is something."""
    ends = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.02)
    return found


def line_of(file: Path) -> str:
    """What a file holds, as soon as it holds a line."""
    wait_for(lambda: file.exists() and file.read_text().endswith("\n"))
    return file.read_text().strip()


def gone(pid: int) -> bool:
    """Whether a process has ended, waited for by its parent or not."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
