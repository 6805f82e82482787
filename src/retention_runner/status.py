"""How every book stands: its last good refresh, whether it is stale, and what would run and why."""

from collections.abc import Callable
from pathlib import Path

from retention import book as books
from retention.errors import Refused
from retention.tables import workspace
from retention_intake import sources
from retention_runner import clock, dates, stale
from retention_runner import job as jobs


def status(names: list[str], reports: Path, why: bool, say: Callable[[str], None]) -> None:
    """Say a line for each of ``names``, or of all books, and each of its dates; with ``why`` also
    a line for every task that would run, with what changed. Nothing is run, no database asked.

    Raises:
        Refused: there is no such book, or a book is not as promised; the others were said.
    """
    known = sorted(file.stem for file in (workspace.root() / "params").glob("*.yaml"))
    refused = []
    for name in names or known:
        try:
            book = books.load(name, workspace.root())
            for day in dates.of_book(book, clock.today(book.timezone)):
                _say(jobs.prepare(name, books.at(book, day), reports, ask=False), why, say)
        except Refused as error:
            refused.append(str(error))
        if since := stale.since(reports, name):
            say(f"{name}: stale since {since}: the last attempt failed; see work/failed/{name}/")
    if refused:
        raise Refused("\n".join(refused))


def _say(job: jobs.Job, why: bool, say: Callable[[str], None]) -> None:
    if job.last is None:
        say(f"{job.title}: not made yet")
        return
    moved = jobs.stale(job)
    n, of = len(moved.keys() - {jobs.PAGES}), len(jobs.tasks(job, job.work(job.last))) - 1
    said = "only its pages would be made again" if moved else "stands"
    said = f"{n} of {of} tasks would run" if n else said
    asked = "" if job.book.source.kind in sources.ON_DISK else "; its database was not asked"
    say(f"{job.name} {job.last}: {said}{asked}")
    for task, changed in moved.items() if why else ():
        say(f"  {task}: {'; '.join(changed)}")
