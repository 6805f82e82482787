"""What a refresh leaves behind: pages, a record, a mark on the index, somebody who is told."""

import json
import platform
import shutil
import socket
import subprocess
import traceback
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from functools import partial
from pathlib import Path

from retention.book import Book
from retention.errors import Failed, Refused, Stopped, said
from retention.tables import workspace
from retention_runner import clock, notify, publish, secrets, stale, states
from retention_runner import job as jobs

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
    def work(self) -> Path:
        """Customer tables of the book's published refreshes."""
        return workspace.root() / "work" / self.name

    @property
    def failed(self) -> Path:
        """Where the page for the analyst lies, if it fails."""
        return workspace.root() / "work" / "failed" / self.name

    @property
    def stages(self) -> list[Path]:
        """Where refreshes of the book are being built."""
        places = (workspace.root() / "work", self.reports)
        return [jobs.stages(place, self.name) for place in places]


def unchanged(attempt: Attempt, job: jobs.Job, say: Say) -> str:
    """The last refresh stands: nothing is done, and if the book was stale it no longer is."""
    made = "it was made"
    with suppress(OSError, ValueError, KeyError):
        made = json.loads((job.work(job.last) / "run.json").read_text(encoding="utf-8"))["ended"]
    say(f"{job.name} {job.last}: unchanged since {made}")
    return _good(attempt, job.last, [], new=False)


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
    refresh = last if same else job.next
    if not same:
        publish.publish(job.stage, job.pages, job.work(refresh), reports / refresh)
    page = reports / refresh / "index.html"
    words = "every page is the same; tables were made again" if same else f"published {page}"
    say(f"{job.name} {refresh}: {words}")
    return _good(attempt, refresh, changed, new=not same)


def _good(attempt: Attempt, refresh: str, changed: list[str], *, new: bool) -> str:
    """Clear what failures have left; tell, if anything is new; says what on_done did not."""
    since = stale.clear(attempt.reports, attempt.name, attempt.day)
    publish.write_index(attempt.reports)
    page = attempt.reports / attempt.name / refresh / "index.html"
    event = {"refresh": refresh, "state": "good", "changed": changed, "page": str(page)}
    return _tell(attempt, event | {"stale_since": since}) if new or since else ""


def failed(attempt: Attempt, error: BaseException) -> Exception:
    """Leave the page for the analyst, mark the book as stale, tell; gives the error to show.

    What was made stays, for the next attempt to take over. Of a book that was never published and
    whose file or data are refused, nothing is left but the message.
    """
    hidden, page = attempt.hidden, attempt.failed / "index.html"
    bad = [run for run in attempt.runs.values() if run.bad]
    why = [f"{run.task}: {run.said}" for run in bad] or [said(error)]
    why = [secrets.redact(sentence, hidden) for sentence in why]
    notes = [secrets.redact(_message(error), hidden)]
    at_once = isinstance(error, Refused) and not any(run.task != "tables" for run in bad)
    if at_once and not stale.days(attempt.reports, attempt.name):
        clear(attempt)
    else:
        for leave in (_leave_page, partial(_mark, why=why)):
            try:
                notes.append(leave(attempt, error))
            except Exception as further:
                notes.append(f"nor could that be noted: {_message(further)}")
    since = stale.since(attempt.reports, attempt.name)
    left = str(page) if page.is_file() else None
    event = {"refresh": None, "state": "failed", "why": why, "page": left}
    notes.append(_tell(attempt, event | {"stale_since": since}))
    _secrets_in(attempt.stages, attempt)
    kind = type(error) if _is_ours(error) else Failed
    title = f"{attempt.name} {attempt.day}: " if attempt.day else ""
    return kind(title + "\n".join(filter(None, notes)))


def clear(attempt: Attempt, but: Collection[str] = ()) -> None:
    """Remove what attempts at the book have left, ``but`` those at some days."""
    for stages in attempt.stages:
        for folder in stages.glob("*"):
            if folder.name not in but and folder.name[1:11] not in but:
                shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            stages.rmdir()
    if not but and not stale.since(attempt.reports, attempt.name):
        shutil.rmtree(attempt.failed, ignore_errors=True)


def _mark(attempt: Attempt, error: BaseException, why: list[str]) -> str:
    """Mark the book as stale, if anything good stands."""
    moment = clock.now()
    if stale.mark(attempt.reports, attempt.name, snapshot_date=attempt.day, moment=moment, why=why):
        publish.write_index(attempt.reports)
    return ""


def _is_ours(error: BaseException) -> bool:
    return isinstance(error, Refused | Failed | Stopped)


def _message(error: BaseException) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror or type(error).__name__}: {error.filename or 'no file is named'}"
    return str(error) if _is_ours(error) else f"{type(error).__name__}: {error}"


def _leave_page(attempt: Attempt, error: BaseException) -> str:
    """Page, executed notebooks of what failed, record; what an earlier failure left goes first.

    Gives where to look, if that says more than the error.
    """
    from retention_runner import failure

    folder, hidden = attempt.failed, attempt.hidden
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "notebooks").mkdir(parents=True, mode=0o700)
    bad = [run for run in attempt.runs.values() if run.bad]
    for run in bad:
        executed = attempt.stages[0] / attempt.day / "notebooks" / f"{run.task}.ipynb"
        if executed.is_file():
            text = secrets.redact(executed.read_text(encoding="utf-8", errors="replace"), hidden)
            (folder / "notebooks" / executed.name).write_text(text, encoding="utf-8")
    if not _is_ours(error):
        trace = "".join(traceback.format_exception(error))
        (folder / "traceback.txt").write_text(secrets.redact(trace, hidden), encoding="utf-8")
    failure.write(
        folder,
        title=attempt.book.title if attempt.book else attempt.name,
        runs=list(attempt.runs.values()),
        parameters={run.task: _own_parameters(attempt, run.task) for run in bad},
        reproduce=f"retention refresh {attempt.name}"
        + (f" --snapshot-date {attempt.day}" if attempt.day else ""),
        hide=lambda text: secrets.redact(text, hidden),
        why="" if bad else _message(error),
    )
    _record(attempt, folder, "failed")
    page = (folder / "index.html").relative_to(workspace.root())
    return f"see {page}" if bad or not _is_ours(error) else ""


def _own_parameters(attempt: Attempt, task: str) -> dict[str, object]:
    """What the book sets for a run, and its segment."""
    stem, _, segment = task.partition("-")
    return attempt.book.parameters.get(stem, {}) | ({"segment": segment} if segment else {})


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
    try:
        wrong = notify.tell(attempt.book.on_done, whole, workspace.root())
    except Exception as error:
        wrong = f"on_done: {_message(error)}"
    return secrets.redact(wrong, attempt.hidden)


def _secrets_in(folders: list[Path], attempt: Attempt) -> list[str]:
    """Where a secret of the book stands; folders that held one are gone."""
    said = []
    for folder in folders:
        if found := secrets.found([folder], attempt.hidden):
            shutil.rmtree(folder)
            said += found
    return said
