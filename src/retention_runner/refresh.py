"""Refreshes of books, side by side: all of each or nothing; and how every book stands."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from retention_runner import (
    build,
    clock,
    dates,
    errors,
    forget,
    lock,
    outcome,
    plan,
    progress,
    publish,
    records,
    server,
)
from retention_runner.build import Order
from retention_runner.errors import Failed, Refused
from retention_runner.places import Places
from retention_runner.workbook import Say, Workbook

# jsonschema, where it finds this, compiles a grammar of addresses: seconds that no notebook needs.
sys.modules.setdefault("rfc3987_syntax", None)
ENOUGH = 10  # seconds that tasks have to end once they were stopped


def refresh(workbook: Workbook, names: list[str], order: Order, watch: progress.Watch) -> None:
    """Build and publish the books ``names``, each at its dates; they share ``order.jobs`` workers.

    Raises:
        Refused: a book, its notebooks or its data are not as promised.
        Failed: a task failed; work/failed/<book>/index.html says what and where.
        Stopped: by a signal; every kernel has ended.
    The message names book and date of all that was not published; what else could be, was.
    """
    dates.chosen(order.dates, order.every, clock.today(""))  # a slip: before any book
    attempts = [
        outcome.Attempt(workbook, Places(workbook.root, order.reports, name)) for name in names
    ]
    work = workbook.root / "work"
    work.mkdir(mode=0o700, exist_ok=True)
    work.chmod(0o700)
    stop, pools = threading.Event(), [ThreadPoolExecutor(n) for n in (order.jobs, len(names))]
    with (
        lock.private() as private,
        server.serving(build.environment(private), workbook.warm, watch.say) as warm,
    ):
        workers = build.Workers(pools[0], warm, private, watch, stop, order)
        running = [pools[1].submit(_book, attempt, workers, watch.say) for attempt in attempts]
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
        found = [error for future in running for error in future.result()]
    if found:
        raise errors.worst(found)("\n".join(map(str, found)))


def _book(attempt: outcome.Attempt, workers: build.Workers, say: Say) -> list[Exception]:
    """Refresh one book at all its dates, oldest first, up to the first that fails; gives why."""
    workbook, places, order = attempt.workbook, attempt.places, workers.order
    with ExitStack() as held:
        try:
            held.enter_context(lock.alone(places.root, places.name))
        except Refused as error:  # no failure of this book: another refresh of it is at work
            return [error]
        found = []
        try:
            book = attempt.book = workbook.load(places.name)
            today = clock.today(book.timezone)
            days = dates.chosen(order.dates, order.every, today)
            days = days or dates.of_book(book, today)
            publish.heal(places)
            outcome.clear(attempt, but=[day.isoformat() for day in days])
            for day in days:
                attempt = outcome.Attempt(workbook, places, replace(book, day=day))
                if untold := _refresh(attempt, workers, say):
                    found.append(Failed(f"{places.name} {day}: {untold}"))
            outcome.clear(attempt)
        except BaseException as error:  # what Polars calls a panic is no Exception
            return [*found, outcome.failed(attempt, error)]
        if book.keep and not order.again:
            forget.prune_held(workbook, places, book.keep, say)
    return found


def _refresh(attempt: outcome.Attempt, workers: build.Workers, say: Say) -> str:
    """Publish a book at one date, unless what is published stands; says what on_done did not."""
    job = plan.prepare(attempt.workbook, attempt.book, workers.order.reports)
    why = plan.stale(job)
    if not why and not workers.order.again:
        return outcome.unchanged(attempt, job, say)
    from retention_runner import render

    build.build(job, why, workers, attempt.runs)
    return outcome.good(attempt, job, render.pages(job), say)


def status(workbook: Workbook, names: list[str], reports: Path, why: bool, say: Say) -> None:
    """Say a line for each of ``names``, or of all books, and each of its dates; with ``why`` also
    a line for every task that would run, with what changed. Nothing is run, no database asked.

    Raises:
        Refused: there is no such book, or a book is not as promised; the others were said.
    """
    known = sorted(file.stem for file in (workbook.root / "params").glob("*.yaml"))
    refused = []
    for name in names or known:
        try:
            places = Places(workbook.root, reports, name)
            if stale := records.stale(places.published):
                since = f"{name}: stale since {stale.since.isoformat()}"
                say(f"{since}: the last attempt failed; see work/failed/{name}/")
            book = workbook.load(name)
            for day in dates.of_book(book, clock.today(book.timezone)):
                _say(plan.prepare(workbook, replace(book, day=day), reports, ask=False), why, say)
        except Exception as error:
            if errors.worst([error]) is not Refused:
                raise
            refused.append(str(error))
    if refused:
        raise Refused("\n".join(refused))


def _say(job: plan.Job, why: bool, say: Say) -> None:
    if job.last is None:
        say(f"{job.title}: not made yet")
        return
    moved = plan.stale(job)
    n, of = len(moved.keys() - {plan.PAGES}), len(plan.tasks(job, job.places.work / job.last)) - 1
    words = "only its pages would be made again" if moved else "stands"
    words = f"{n} of {of} tasks would run" if n else words
    asked = "; its database was not asked" if job.unasked else ""
    say(f"{job.book.name} {job.last}: {words}{asked}")
    for task, changed in moved.items() if why else ():
        say(f"  {task}: {'; '.join(changed)}")
