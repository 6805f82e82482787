"""How a task of a refresh stands: what run.json, the live table and the failure page tell."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Run:
    """One task of one refresh, from waiting to its end.

    ``state`` is one of waiting, running, done, unchanged (made before, from the same), failed,
    refused (what the user can mend), skipped (something it needs was not done), stopped (by a
    signal). ``why`` is for the terminal and the analyst; ``said`` holds no value of the data and
    may be published.
    """

    task: str  # tables, 20_survival, 95_segment-s1
    state: str = "waiting"
    seconds: float | None = None  # from its start to its end
    cell_seconds: float | None = None  # of these, in the notebook's cells
    peak_kib: int | None = None  # the largest memory that its kernel held
    kernel: str = ""  # forked or ordinary
    why: str = ""
    said: str = ""

    @property
    def bad(self) -> bool:
        return self.state in ("failed", "refused", "stopped")


ENDED = ("done", "unchanged", "failed", "refused", "skipped", "stopped")


def seconds(record: Path) -> dict[str, float]:
    """What each task took that was run, from a run.json; nothing from one that cannot be read."""
    try:
        told = json.loads(record.read_text(encoding="utf-8"))["tasks"]
        return {run["task"]: run["seconds"] for run in told if run["state"] == "done"}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
