"""What a refresh leaves behind: pages, a record, a mark on the index, somebody who is told."""

import json
import platform
import shutil
import socket
import subprocess
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from functools import partial
from pathlib import Path

from retention.book import Book
from retention.errors import Failed, Refused, Stopped
from retention.refresh import clock, publish, secrets, stale, states, tell
from retention.refresh import job as jobs
from retention.tables import workspace

Say = Callable[[str], None]


@dataclass
class Attempt:
    """A refresh that was begun: what is known of it so far, for all that has to be told."""

    name: str
    reports: Path
    book: Book | None = None  # at its one date, as soon as that is known
    asked: str = ""  # the day as it was asked for, such as yesterday
    began: datetime = field(default_factory=clock.now)
    runs: dict[str, states.Run] = field(default_factory=dict)

    @property
    def day(self) -> str:
        day = self.book and self.book.snapshot_date
        return day.isoformat() if isinstance(day, date) else ""

    @property
    def hidden(self) -> dict[str, list[str]]:
        return secrets.named(self.book) if self.book else {}

    @property
    def failed(self) -> Path:
        """Where the page for the analyst lies, if it fails."""
        return workspace.root() / "work" / "failed" / self.name

    @property
    def stage(self) -> Path:
        return workspace.root() / "work" / ".building" / self.name / self.day


def unchanged(attempt: Attempt, job: jobs.Job, say: Say) -> str:
    """The last refresh stands: nothing is done, and if the book was stale it no longer is."""
    made = "it was made"
    with suppress(OSError, ValueError, KeyError):
        made = json.loads((job.work(job.last) / "run.json").read_text(encoding="utf-8"))["ended"]
    say(f"{job.name} {job.last}: unchanged since {made}")
    return _good(attempt, job.last, [])


def good(attempt: Attempt, job: jobs.Job, changed: list[str], say: Say) -> str:
    """Publish what was built, all or nothing, unless it equals what is; says what on_done did not.

    Raises:
        Failed: a secret stands in what was built.
    """
    if found := _secrets_in([job.stage, job.pages], attempt):
        raise Failed(f"a secret would have been published: {'; '.join(found)}")
    _record(attempt, job.stage, "good")
    last, reports = job.last, job.reports / job.name
    if same := last and publish.same(job.pages, reports / last):
        publish.mend(job.pages, reports / last)
        publish.replace(job.stage, job.work(last))
    refresh = last if same else publish.next_name(job.day, last)
    if not same:
        publish.publish(job.stage, job.pages, job.work(refresh), reports / refresh)
    page = reports / refresh / "index.html"
    said = "every page is the same; tables were made again" if same else f"published {page}"
    say(f"{job.name} {refresh}: {said}")
    return _good(attempt, refresh, [] if same else changed)


def _good(attempt: Attempt, refresh: str, changed: list[str]) -> str:
    """Clear what failures have left; tell, if anything is new; says what on_done did not."""
    since = stale.since(attempt.reports, attempt.name)
    pages = attempt.reports / ".building" / attempt.name
    for left in (attempt.stage.parent, pages, attempt.failed):
        shutil.rmtree(left, ignore_errors=True)
    with suppress(OSError):  # another book is being built
        pages.parent.rmdir()
    stale.clear(attempt.reports, attempt.name)
    publish.write_index(attempt.reports)
    page = attempt.reports / attempt.name / refresh / "index.html"
    event = {"refresh": refresh, "state": "good", "changed": changed, "page": str(page)}
    return _tell(attempt, event | {"stale_since": since}) if changed or since else ""


def failed(attempt: Attempt, error: Exception) -> Exception:
    """Leave the page for the analyst, mark the book as stale, tell; gives the error to show.

    What was made stays, for the next attempt to take over. Of a book that was never published and
    whose file or data are refused, nothing is left but the message.
    """
    hidden, page = attempt.hidden, attempt.failed / "index.html"
    bad = [run for run in attempt.runs.values() if run.bad]
    first = next(iter(str(error).splitlines()), "") if _is_ours(error) else type(error).__name__
    why = [f"{run.task}: {run.said}" for run in bad] or [first]
    why = [secrets.redact(sentence, hidden) for sentence in why]
    notes = [secrets.redact(_message(error), hidden)]
    at_once = isinstance(error, Refused) and not any(run.task != "tables" for run in bad)
    if at_once and not stale.stands(attempt.reports, attempt.name):
        for left in (attempt.stage.parent, attempt.reports / ".building" / attempt.name):
            shutil.rmtree(left, ignore_errors=True)
    else:
        for leave in (_leave_page, partial(_mark, why=why)):
            try:
                notes.append(leave(attempt, error))
            except OSError as full:
                notes.append(f"nor could that be noted: {_message(full)}")
    since = stale.since(attempt.reports, attempt.name)
    event = {"refresh": None, "state": "failed", "why": why, "page": str(page)}
    notes.append(_tell(attempt, event | {"stale_since": since}))
    _secrets_in([attempt.stage], attempt)
    kind = type(error) if _is_ours(error) else Failed
    title = f"{attempt.name} {attempt.day}: " if attempt.day else ""
    return kind(title + "\n".join(filter(None, notes)))


def _mark(attempt: Attempt, error: Exception, why: list[str]) -> str:
    """Mark the book as stale, if anything good stands."""
    moment = clock.now()
    if stale.mark(attempt.reports, attempt.name, snapshot_date=attempt.day, moment=moment, why=why):
        publish.write_index(attempt.reports)
    return ""


def _is_ours(error: Exception) -> bool:
    return isinstance(error, Refused | Failed | Stopped)


def _message(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror or type(error).__name__}: {error.filename or 'no file is named'}"
    return str(error) if _is_ours(error) else f"{type(error).__name__}: {error}"


def _leave_page(attempt: Attempt, error: Exception) -> str:
    """Page, executed notebooks of what failed, record; what an earlier failure left goes first.

    Gives where to look, if that says more than the error.
    """
    from retention.refresh import failure

    folder, hidden = attempt.failed, attempt.hidden
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "notebooks").mkdir(parents=True, mode=0o700)
    bad = [run for run in attempt.runs.values() if run.bad]
    for run in bad:
        executed = attempt.stage / "notebooks" / f"{run.task}.ipynb"
        if executed.is_file():
            text = secrets.redact(executed.read_text(encoding="utf-8"), hidden)
            (folder / "notebooks" / executed.name).write_text(text, encoding="utf-8")
    if not _is_ours(error):
        trace = "".join(traceback.format_exception(error))
        (folder / "traceback.txt").write_text(secrets.redact(trace, hidden), encoding="utf-8")
    failure.write(
        folder,
        title=attempt.book.title if attempt.book else attempt.name,
        runs=list(attempt.runs.values()),
        parameters=attempt.book.parameters if attempt.book else {},
        reproduce=f"retention refresh {attempt.name} --snapshot-date {attempt.day}",
        hide=lambda text: secrets.redact(text, hidden),
        why="" if bad else _message(error),
    )
    _record(attempt, folder, "failed")
    page = (folder / "index.html").relative_to(workspace.root())
    return f"see {page}" if bad or not _is_ours(error) else ""


def _record(attempt: Attempt, folder: Path, state: str) -> None:
    """Write run.json: what depends on clock and machine, apart from all that must repeat."""
    told = {
        "book": attempt.name,
        "snapshot_date": attempt.day,
        "asked": attempt.asked,
        "state": state,
        "began": attempt.began.isoformat(),
        "ended": clock.now().isoformat(),
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "commit": _commit(),
        "tasks": [asdict(run) for run in attempt.runs.values()],
    }
    text = secrets.redact(json.dumps(told, indent=1), attempt.hidden)
    (folder / "run.json").write_text(text, encoding="utf-8")


def _commit() -> str:
    """The commit of the workbook, "" where it is in no repository."""
    git = ["git", "-C", str(workspace.root()), "rev-parse", "--short", "HEAD"]
    with suppress(OSError):
        return subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return ""


def _tell(attempt: Attempt, event: dict) -> str:
    """Run the book's on_done, if it has one; what went wrong with it, in words."""
    if not (attempt.book and attempt.book.on_done):
        return ""
    whole = {"book": attempt.name, "snapshot_date": attempt.day, **event}
    return tell.tell(attempt.book.on_done, whole, workspace.root())


def _secrets_in(folders: list[Path], attempt: Attempt) -> list[str]:
    """Where a secret of the book stands; folders that held one are gone."""
    said = []
    for folder in folders:
        if found := secrets.found([folder], attempt.hidden):
            shutil.rmtree(folder)
            said += found
    return said
