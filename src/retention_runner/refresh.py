"""From books to published refreshes, side by side: all of each or nothing, and whoever is told."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from retention import book as books
from retention.errors import Failed, Refused, Stopped
from retention.tables import workspace
from retention_runner import build, clock, dates, forget, lock, outcome, progress, publish, server
from retention_runner import job as jobs

# jsonschema, where it finds this, compiles a grammar of addresses: seconds that no notebook needs.
sys.modules.setdefault("rfc3987_syntax", None)
DONE = f"tasks/{jobs.PAGES}.json"  # in a stage of which everything was made
ENOUGH = 10  # seconds that tasks have to end once they were stopped


@dataclass(frozen=True)
class Order:
    """What one command asks for."""

    dates: tuple[str, ...] = ()  # days, words and ranges; none: those of each book
    every: str | None = None  # a range's step
    reports: Path = Path("reports")
    jobs: int = 2  # notebooks at a time, all books together
    timeout: int = 1800  # seconds for one cell
    again: bool = False  # make what is unchanged as well, and prune nothing
    forks: bool = True  # kernels from a warm server


def refresh(names: list[str], order: Order, watch: progress.Watch) -> None:
    """Build and publish the books ``names``, each at its dates; they share ``order.jobs`` workers.

    Raises:
        Refused: a book, its notebooks or its data are not as promised.
        Failed: a task failed; work/failed/<book>/index.html says what and where.
        Stopped: by a signal; every kernel has ended.
    The message names book and date of all that was not published; what else could be, was.
    """
    for name in names:
        books.require_name(name)
    work = workspace.root() / "work"
    work.mkdir(mode=0o700, exist_ok=True)
    work.chmod(0o700)
    stop, pools = threading.Event(), [ThreadPoolExecutor(n) for n in (order.jobs, len(names))]
    with (
        lock.private(work / ".running") as private,
        server.serving(build.environment(private), watch.say) as warm,
    ):
        crew = build.Crew(pools[0], warm, private, watch.seen, stop, order.timeout, order.forks)
        running = [pools[1].submit(_book, name, order, crew, watch) for name in names]
        try:
            while wait(running, timeout=0.2).not_done:
                pass  # once Polars is imported, Ctrl-C does not wake who waits without an end
        except KeyboardInterrupt:
            stop.set()
            server.stop_all()
            if wait(running, timeout=ENOUGH).not_done:
                raise  # a task that nothing can stop; the command ends without it
        finally:
            for pool in pools:
                pool.shutdown(wait=not stop.is_set(), cancel_futures=True)
        errors = [error for future in running for error in future.result()]
    if errors:
        raise _worst(errors)("\n".join(map(str, errors)))


def _worst(errors: list[Exception]) -> type[Exception]:
    kinds = (Stopped, Failed, Refused)
    return next(kind for kind in kinds if any(isinstance(error, kind) for error in errors))


def _book(name: str, order: Order, crew: build.Crew, watch: progress.Watch) -> list[Exception]:
    """Refresh one book at all its dates, oldest first, up to the first that fails; gives why."""
    with ExitStack() as held:
        try:
            held.enter_context(lock.alone(name))
        except Refused as error:  # no failure of this book: another refresh of it is at work
            return [error]
        errors, attempt = [], outcome.Attempt(name, order.reports)
        try:
            book = attempt.book = books.load(name, workspace.root())
            today = clock.today(book.timezone)
            asked = ", ".join(order.dates) or str(book.snapshot_date)
            days = dates.chosen(list(order.dates), order.every, today)
            days = days or dates.of_book(book, today)
            publish.heal(attempt.stages[0], attempt.work, order.reports / name, DONE)
            outcome.clear(attempt, but=[day.isoformat() for day in days])
            for day in days:
                attempt = outcome.Attempt(name, order.reports, books.at(book, day), asked)
                if untold := _refresh(attempt, order, crew, watch):
                    errors.append(Failed(f"{name} {day}: {untold}"))
            outcome.clear(attempt)
        except BaseException as error:  # what Polars calls a panic is no Exception
            return [*errors, outcome.failed(attempt, error)]
        if book.keep and not order.again:
            forget.prune_held(name, book.keep, watch.say)
    return errors


def _refresh(
    attempt: outcome.Attempt, order: Order, crew: build.Crew, watch: progress.Watch
) -> str:
    """Publish a book at one date, unless what is published stands; says what on_done did not."""
    job = jobs.prepare(attempt.name, attempt.book, order.reports)
    why = jobs.stale(job)
    if not why and not order.again:
        return outcome.unchanged(attempt, job, watch.say)
    from retention_runner import render

    build.build(job, why, crew, order.again, attempt.runs)
    build.require_good(attempt.runs)
    return outcome.good(attempt, job, render.pages(job), watch.say)
