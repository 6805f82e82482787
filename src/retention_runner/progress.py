"""A refresh as it runs: a line when a task ends and, on a terminal, a bar for every refresh."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from threading import RLock
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from retention_runner.records import ENDED, Run

GOOD = ("done", "unchanged")


@dataclass(frozen=True)
class Watch:
    """What whoever runs refreshes may tell, from several threads."""

    say: Callable[[str], None]  # a line that stays
    seen: Callable[[str, dict[str, Run]], None]  # a run of the refresh of this title has changed


@contextmanager
def watching(stream: TextIO | None = None) -> Iterator[Watch]:
    """Show on ``stream``, by default standard output, how refreshes stand while the block runs.

    Other threads read a run at once, so its state is to be set last, after its seconds and why.
    Runs may be added at any time. A stream that breaks is silent from then on: whoever stops
    looking does not stop a refresh. Checked in tests/runner/test_progress.py.
    """
    stream = stream or sys.stdout
    console = Console(
        file=_Unbreakable(stream), force_terminal=_is_terminal(stream), color_system=None
    )
    columns = ("{task.description}", BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn())
    bars, told, lock = {}, {}, RLock()
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_interactive,
        redirect_stdout=_is_terminal(sys.stdout),
        redirect_stderr=_is_terminal(sys.stderr),
    ) as progress:

        def say(text: str) -> None:
            with lock:
                console.print(text, markup=False, highlight=False, soft_wrap=True)

        def seen(title: str, runs: dict[str, Run]) -> None:
            with lock:
                now = [replace(run) for run in list(runs.values())]
                before = told.get(title, {})
                told[title] = {run.task: run.state for run in now}
                fresh = [run for run in now if run.state != before.get(run.task)]
                good = sum(run.state in GOOD for run in now)
                for run in fresh:
                    if run.state in ENDED and run.state not in ("unchanged", "skipped"):
                        say(f"{title}: {_ending(run, f'{good} of {len(now)}')}")
                if skipped := sum(run.state == "skipped" for run in fresh):
                    say(f"{title}: {skipped} skipped")
                if title not in bars:
                    bars[title] = progress.add_task(title)
                running = ", ".join(run.task for run in now if run.state == "running")
                ended = sum(run.state in ENDED for run in now)
                words = f"{title} {running}".strip()
                progress.update(bars[title], total=len(now), completed=ended, description=words)
                if ended == len(now):
                    progress.remove_task(bars.pop(title))

        yield Watch(say, seen)


def _ending(run: Run, counted: str) -> str:
    """``20_survival done in 1.2 s, 293 MiB (3 of 8)``, ``20_survival failed after 1.2 s``."""
    done = run.state == "done"
    took = "" if run.seconds is None else f" {'in' if done else 'after'} {run.seconds:.1f} s"
    held = "" if run.peak_kib is None else f", {run.peak_kib / 1024:,.0f} MiB"
    return f"{run.task} {run.state}{took}{held}" + (f" ({counted})" if done else "")


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
