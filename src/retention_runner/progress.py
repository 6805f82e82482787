"""A refresh as it runs: a live table on a terminal; elsewhere a line for every task that ended."""

import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from threading import Event, RLock, Thread
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from retention_runner.states import ENDED, Run

GOOD = ("done", "unchanged")
LOOKS = {  # sign and style of every state, in the order in which they matter
    "running": ("> running", "bold cyan"),
    "failed": ("✗ failed", "bold red"),
    "refused": ("✗ refused", "bold red"),
    "stopped": ("✗ stopped", "bold red"),
    "waiting": ("· waiting", ""),
    "skipped": ("- skipped", "yellow"),
    "done": ("✓ done", "green"),
    "unchanged": ("= unchanged", "green"),
}
URGENCY = list(LOOKS)
REDRAWN = 0.25  # seconds from one drawing of a live table to the next
UNPRINTABLE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x1f\x7f-\x9f]")  # colours, controls


@dataclass(frozen=True)
class Watch:
    """What whoever runs refreshes may tell, from several threads."""

    say: Callable[[str], None]  # a line that stays
    seen: Callable[[str, dict[str, Run]], None]  # a run of the refresh of this title has changed


@contextmanager
def watching(stream: TextIO | None = None) -> Iterator[Watch]:
    """Show on ``stream``, by default standard output, how refreshes stand while the block runs.

    Other threads read a run at once, so its state is to be set last, after its seconds and why.
    Runs may be added at any time. On a terminal, the table of a refresh that has ended stays
    above the next line that is said, or at the end. A stream that breaks is silent from then on:
    whoever stops looking does not stop a refresh. Checked in tests/test_progress.py.
    """
    stream = stream or sys.stdout
    console = Console(file=_Unbreakable(stream), force_terminal=_is_terminal(stream))
    if console.is_interactive:
        with _live(console) as watch:
            yield watch
    else:
        yield _lines(console.file.write)


def _is_terminal(stream: TextIO | None) -> bool:
    with suppress(AttributeError, ValueError):  # there is none, or it is closed
        return stream.isatty()
    return False


@dataclass(frozen=True)
class _Unbreakable:
    """A stream to write to that may be closed, gone or lack a letter at any time."""

    stream: TextIO

    def write(self, text: str) -> None:
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        with suppress(AttributeError, OSError, ValueError):
            try:
                self.stream.write(text.encode(encoding, "replace").decode(encoding))
                self.stream.flush()
            except OSError:  # what its buffer still holds must not fail again when Python ends
                with open(os.devnull, "w") as nowhere:
                    os.dup2(nowhere.fileno(), self.stream.fileno())

    def flush(self) -> None:
        """Nothing is left to flush."""


def _lines(write: Callable[[str], None]) -> Watch:
    """Plain lines: what is said, and every task when it ends, if it is not unchanged."""
    told, lock = {}, RLock()

    def say(text: str) -> None:
        with lock:
            write(f"{text}\n")

    def seen(title: str, runs: dict[str, Run]) -> None:
        with lock:
            skipped = 0
            for run in map(replace, list(runs.values())):
                before, told[title, run.task] = told.get((title, run.task)), run.state
                if run.state == "skipped" != before:
                    skipped += 1
                elif run.state in ENDED and run.state not in (before, "unchanged"):
                    good = sum(told.get((title, task)) in GOOD for task in list(runs))
                    say(f"{title}: {_ending(run, f'{good} of {len(runs)}')}")
            if skipped:
                say(f"{title}: {skipped} skipped")

    return Watch(say, seen)


def _ending(run: Run, counted: str) -> str:
    """``20_survival done in 1.2 s (3 of 8)``, ``20_survival failed after 1.2 s``."""
    done = run.state == "done"
    took = "" if run.seconds is None else f" {'in' if done else 'after'} {run.seconds:.1f} s"
    return f"{run.task} {run.state}{took}" + (f" ({counted})" if done else "")


def _reason(run: Run) -> str:
    """Of a bad run, the first line of why, as plain text."""
    first = UNPRINTABLE.sub("", run.why.strip().partition("\n")[0]).strip()
    return f": {first}" if run.bad and first else ""


@contextmanager
def _live(console: Console) -> Iterator[Watch]:
    """Tables that are drawn again and again; above them what was said, and what has ended.

    Rich counts the lines to go back over when it draws, and writes later: whoever draws holds
    ``lock`` until it is written, so rich's own thread, which would not, is left out.
    """
    shown, began, settled, lock, over = {}, {}, {}, RLock(), Event()

    def seen(title: str, runs: dict[str, Run]) -> None:
        for run in list(runs.values()):
            if run.state == "running":
                began.setdefault((title, run.task), time.perf_counter())
            else:
                began.pop((title, run.task), None)
        with lock:  # a thread may tell of an end only after the table was settled with it
            if settled.get(title) != [(run.task, run.state) for run in list(runs.values())]:
                settled.pop(title, None)
                shown[title] = runs

    def seconds(title: str, run: Run) -> float | None:
        start = began.get((title, run.task))
        return run.seconds if start is None else time.perf_counter() - start

    def so_far() -> dict[str, list[Run]]:
        """Copies: other threads change runs, and add some, while they are drawn."""
        return {
            title: [replace(run, seconds=seconds(title, run)) for run in list(runs.values())]
            for title, runs in list(shown.items())
        }

    def settle(ended: Callable[[Run], bool]) -> None:
        """Tables whose runs have all ended leave the live ones and stay as they are."""
        with lock, console:
            ends = {title: runs for title, runs in so_far().items() if all(map(ended, runs))}
            for title, runs in ends.items():
                settled[title] = [(run.task, run.state) for run in runs]
                del shown[title]
                live.refresh()
                console.print(Group(*table(title, runs)))

    def say(text: str) -> None:
        with lock, console:
            settle(lambda run: run.state in ENDED)
            console.print(Text(text), soft_wrap=True)

    def redraw() -> None:
        while not over.wait(REDRAWN):
            with lock:
                live.refresh()

    live = Live(
        auto_refresh=False,
        get_renderable=lambda: Group(*board(so_far(), console.height - 1)),
        console=console,
        redirect_stdout=_is_terminal(sys.stdout),
        redirect_stderr=_is_terminal(sys.stderr),
    )
    drawing = Thread(target=redraw, daemon=True)
    with live:
        drawing.start()
        try:
            yield Watch(say, seen)
        finally:
            over.set()
            drawing.join()
            settle(lambda run: True)


def board(refreshes: dict[str, list[Run]], height: int) -> list[Text]:
    """The tables of refreshes by title, together at most ``height`` lines."""
    lines = []
    for number, (title, runs) in enumerate(refreshes.items()):
        lines += table(title, runs, (height - len(lines)) // (len(refreshes) - number))
    return lines


def table(title: str, runs: list[Run], room: int = sys.maxsize) -> list[Text]:
    """A line for the refresh and one for every task, together at most ``room`` lines.

    All segments of a notebook are one line, but for bad ones. Where there is no room for all,
    what runs or is bad stands first, and the last line counts the rest.
    """
    good = sum(run.state in GOOD for run in runs)
    lines, rows = [Text(f"{title}: {good} of {len(runs)} done", "bold", no_wrap=True)], _rows(runs)
    if len(rows) < room:
        return [*lines, *map(_row, rows)]
    rows.sort(key=lambda run: URGENCY.index(run.state))
    kept = max(room - 2, 0)
    rest = Counter(run.state for run in rows[kept:])
    more = Text(f"  ... and {', '.join(f'{n} {state}' for state, n in rest.items())}", no_wrap=True)
    return [*lines, *map(_row, rows[:kept]), more][: max(room, 0)]


def _rows(runs: list[Run]) -> list[Run]:
    rows = {}
    for run in runs:
        notebook, segment = run.task.partition("-")[::2]
        if run.bad or not segment:
            rows[run.task] = run
        elif notebook not in rows:
            rows[notebook] = _together(notebook, runs)
    return list(rows.values())


def _together(notebook: str, runs: list[Run]) -> Run:
    """Segments as one: ``95_segment: 12 of 50``, all their seconds, the largest of their peaks."""
    runs = [run for run in runs if run.task.startswith(f"{notebook}-")]
    good = sum(run.state in GOOD for run in runs)
    return Run(
        f"{notebook}: {good} of {len(runs)}",
        min((run.state for run in runs if not run.bad), key=URGENCY.index),
        seconds=sum(run.seconds or 0 for run in runs) or None,
        peak_kib=max(run.peak_kib or 0 for run in runs) or None,
    )


def _row(run: Run) -> Text:
    sign, style = LOOKS[run.state]
    took = "" if run.seconds is None else f"{run.seconds:.1f} s"
    peak = "" if run.peak_kib is None else f"{run.peak_kib / 1024:,.0f} MiB"
    rest = f"{took:>8}{peak:>11}  {run.task}{_reason(run)}"
    return Text.assemble((f"  {sign:<11}", style), rest, no_wrap=True, overflow="ellipsis")
