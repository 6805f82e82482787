"""A refresh as it runs: a line when a task ends and, on a terminal, a bar for every refresh."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import RLock
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from retention_runner.records import ENDED, Run


@dataclass(frozen=True)
class Watch:
    """What whoever runs refreshes may tell, from several threads."""

    say: Callable[[str], None]  # a line that stays
    seen: Callable[..., None]  # how the runs of the refresh of this title stand; which one ended


@contextmanager
def watching(stream: TextIO | None = None) -> Iterator[Watch]:
    """Show on ``stream``, by default standard output, how refreshes stand while the block runs.

    Runs may be added at any time. A pipe that breaks is silent from then on (rich sees to that and
    asks for the end, which is not heard): whoever stops looking does not stop a refresh.
    """
    stream = stream or sys.stdout
    with suppress(AttributeError, ValueError):  # there is none, or it is closed
        stream.reconfigure(errors="replace")
    console = Console(file=stream, force_terminal=_is_terminal(stream), color_system=None)
    columns = ("{task.description}", BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn())
    bars, lock = {}, RLock()
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_interactive,
        redirect_stdout=_is_terminal(sys.stdout),
        redirect_stderr=_is_terminal(sys.stderr),
    ) as progress:

        def say(text: str) -> None:
            with lock, suppress(OSError, ValueError, SystemExit):
                console.print(text, markup=False, highlight=False, soft_wrap=True)

        def seen(title: str, runs: dict[str, Run], ended: Run | None = None) -> None:
            with lock:
                states = [run.state for run in list(runs.values())]
                if ended and ended.state != "unchanged":
                    say(f"{title}: {_ending(ended, states)}")
                if title not in bars:
                    bars[title] = progress.add_task(title)
                running = [run.task for run in list(runs.values()) if run.state == "running"]
                progress.update(
                    bars[title],
                    total=len(states),
                    completed=sum(state in ENDED for state in states),
                    description=f"{title} {', '.join(running)}".strip(),
                )
                if set(states) <= {*ENDED}:
                    progress.remove_task(bars.pop(title))

        yield Watch(say, seen)


def _ending(run: Run, states: list[str]) -> str:
    """``20_survival done in 1.2 s (3 of 8)``, ``20_survival failed after 1.2 s``."""
    if run.state != "done":
        return f"{run.task} {run.state} after {run.seconds:.1f} s"
    good = sum(state in ("done", "unchanged") for state in states)
    return f"{run.task} done in {run.seconds:.1f} s ({good} of {len(states)})"


def _is_terminal(stream: TextIO | None) -> bool:
    with suppress(AttributeError, ValueError):  # there is none, or it is closed
        return stream.isatty()
    return False
