"""What a refresh leaves behind: pages, a record, a mark on the index, somebody who is told."""

import json
import platform
import shutil
import socket
import traceback
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from retention_runner import clock, errors, notify, plan, publish, records, secrets
from retention_runner.errors import Failed, Refused
from retention_runner.places import MANIFEST, Places, refreshes
from retention_runner.records import Run
from retention_runner.workbook import Book, Say, Workbook


@dataclass
class Attempt:
    """A refresh that was begun: what is known of it so far, for all that has to be told."""

    workbook: Workbook
    places: Places
    book: Book | None = None  # at its one day, as soon as that is known
    asked: str = ""  # the day as it was asked for, such as yesterday
    began: datetime = field(default_factory=clock.now)
    runs: dict[str, Run] = field(default_factory=dict)

    @property
    def day(self) -> str:
        return self.book.day.isoformat() if self.book and self.book.day else ""

    @property
    def bad(self) -> list[Run]:
        return [run for run in self.runs.values() if run.bad]

    @property
    def hidden(self) -> dict[str, list[str]]:
        return secrets.named(self.book) if self.book else {}

    def hide(self, text: str) -> str:
        """A text without the secrets of the book."""
        return secrets.redact(text, self.hidden)


def unchanged(attempt: Attempt, job: plan.Job, say: Say) -> str:
    """The last refresh stands: nothing is done, and if the book was stale it no longer is."""
    made = "it was made"
    with suppress(*records.DAMAGED):
        record = (job.places.work / job.last / "run.json").read_text(encoding="utf-8")
        made = json.loads(record)["ended"]
    say(f"{job.book.name} {job.last}: unchanged since {made}")
    return _good(attempt, job.last, [], new=False)


def good(attempt: Attempt, job: plan.Job, changed: list[str], say: Say) -> str:
    """Publish what was built, all or nothing, unless it equals what is; says what on_done did not.

    Raises:
        Failed: a secret stands in what was built.
    """
    if found := _remove_secrets([job.stage, job.pages], attempt):
        raise Failed(f"a secret would have been published: {'; '.join(found)}")
    _record(attempt, job.stage, "good")
    last, published, work = job.last, job.places.published, job.places.work
    if same := last and publish.same(job.pages, published / last):
        publish.mend(job.pages, published / last)
        publish.replace(job.stage, work / last)
    refresh = last if same else job.next
    if not same:
        publish.publish(job.stage, job.pages, work / refresh, published / refresh)
    page = published / refresh / "index.html"
    words = "every page is the same; tables were made again" if same else f"published {page}"
    say(f"{job.book.name} {refresh}: {words}")
    return _good(attempt, refresh, changed, new=not same)


def _good(attempt: Attempt, refresh: str, changed: list[str], *, new: bool) -> str:
    """Clear what failures have left; tell, if anything is new; says what on_done did not."""
    published = attempt.places.published
    since = records.clear_stale(published, attempt.day)
    publish.write_index(attempt.workbook.root, attempt.places.reports)
    page = published / refresh / "index.html"
    event = {"refresh": refresh, "state": "good", "changed": changed, "page": str(page)}
    return _tell(attempt, event | {"stale_since": since}) if new or since else ""


def failed(attempt: Attempt, error: BaseException) -> Exception:
    """Leave the page for the analyst, mark the book as stale, tell; gives the error to show.

    What was made stays, for the next attempt to take over. Of a book that was never published and
    whose file or data are refused, nothing is left but the message.
    """
    places, page = attempt.places, attempt.places.failed / "index.html"
    why = [f"{run.task}: {run.said}" for run in attempt.bad] or [errors.publishable(error)]
    why = [attempt.hide(sentence) for sentence in why]
    notes, kind = [attempt.hide(errors.message(error))], errors.worst([error])
    at_once = kind is Refused and not any(run.task != plan.TABLES for run in attempt.bad)
    if at_once and not refreshes(places.published, holding=MANIFEST):
        clear(attempt)
    else:
        for leave in (_leave_page, partial(_mark, why=why)):
            try:
                notes.append(leave(attempt, error))
            except Exception as further:
                notes.append(f"nor could that be noted: {errors.message(further)}")
    since = records.stale_since(places.published)
    left = str(page) if page.is_file() else None
    event = {"refresh": None, "state": "failed", "why": why, "page": left}
    notes.append(_tell(attempt, event | {"stale_since": since}))
    _remove_secrets([places.stages, places.pages], attempt)
    title = f"{places.name} {attempt.day}: " if attempt.day else ""
    return kind(title + "\n".join(filter(None, notes)))


def clear(attempt: Attempt, but: Collection[str] = ()) -> None:
    """Remove what attempts at the book have left, ``but`` those at some days."""
    for stages in (attempt.places.stages, attempt.places.pages):
        for folder in stages.glob("*"):
            if folder.name not in but and folder.name[1:11] not in but:
                shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            stages.rmdir()
    if not but and not records.stale_since(attempt.places.published):
        shutil.rmtree(attempt.places.failed, ignore_errors=True)


def _mark(attempt: Attempt, error: BaseException, why: list[str]) -> str:
    """Mark the book as stale, if anything good stands."""
    published, moment = attempt.places.published, clock.now()
    if records.mark_stale(published, snapshot_date=attempt.day, moment=moment, why=why):
        publish.write_index(attempt.workbook.root, attempt.places.reports)
    return ""


def _leave_page(attempt: Attempt, error: BaseException) -> str:
    """Page, executed notebooks of what failed, record; what an earlier failure left goes first.

    Gives where to look, if that says more than the error.
    """
    from retention_runner import layout

    folder, places = attempt.places.failed, attempt.places
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "notebooks").mkdir(parents=True, mode=0o700)
    if not errors.is_known(error):
        trace = attempt.hide("".join(traceback.format_exception(error)))
        (folder / "traceback.txt").write_text(trace, encoding="utf-8")
    day = f" --snapshot-date {attempt.day}" if attempt.day else ""
    stopped = attempt.bad and all(run.state == "stopped" for run in attempt.bad)
    html = layout.page(
        title=attempt.book.title if attempt.book else places.name,
        body=layout.template("failure.html.j2").render(
            what="The refresh was stopped" if stopped else "The refresh failed",
            why="" if attempt.bad else errors.message(error),
            reproduce=f"retention refresh {places.name}{day}",
            bad=[(run, _leave_notebook(attempt, run.task)) for run in attempt.bad],
            runs=attempt.runs.values(),
        ),
    )
    (folder / "index.html").write_text(attempt.hide(html), encoding="utf-8")
    _record(attempt, folder, "failed")
    says_more = attempt.bad or not errors.is_known(error)
    return f"see {(folder / 'index.html').relative_to(places.root)}" if says_more else ""


def _leave_notebook(attempt: Attempt, task: str) -> str:
    """Keep the executed copy of a notebook as far as it came, and a page of it; gives the page's
    name, "" where there is none. The copy may be missing or half written."""
    folder, name = attempt.places.failed, f"{task}.ipynb"
    executed = attempt.places.stages / attempt.day / "notebooks" / name
    if not executed.is_file():
        return ""
    import nbformat

    from retention_runner import page

    text = attempt.hide(executed.read_text(encoding="utf-8", errors="replace"))
    (folder / "notebooks" / name).write_text(text, encoding="utf-8")
    try:
        notebook = page.up_to_error(nbformat.reads(text, as_version=4))
        html = page.render(notebook, title=task)
    except Exception:  # whatever a half written file makes of it
        return ""
    (folder / f"{task}.html").write_text(attempt.hide(html), encoding="utf-8")
    return f"{task}.html"


def _record(attempt: Attempt, folder: Path, state: str) -> None:
    """Write run.json: what depends on clock and machine, apart from all that must repeat."""
    told = {
        "book": attempt.places.name,
        "snapshot_date": attempt.day,
        "asked": attempt.asked,
        "state": state,
        "began": attempt.began.isoformat(),
        "ended": clock.now().isoformat(),
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "tasks": [asdict(run) for run in attempt.runs.values()],
    }
    text = attempt.hide(json.dumps(told, indent=1))
    (folder / "run.json").write_text(text, encoding="utf-8")


def _tell(attempt: Attempt, event: dict) -> str:
    """Run the book's on_done, if it has one; what went wrong with it, in words."""
    if not (attempt.book and attempt.book.on_done):
        return ""
    whole = {"book": attempt.places.name, "snapshot_date": attempt.day, **event}
    try:
        wrong = notify.tell(attempt.book.on_done, whole, attempt.workbook.root)
    except Exception as error:
        wrong = f"on_done: {errors.message(error)}"
    return attempt.hide(wrong)


def _remove_secrets(folders: list[Path], attempt: Attempt) -> list[str]:
    """Where a secret of the book stands; folders that held one are gone."""
    said = []
    for folder in folders:
        if found := secrets.found([folder], attempt.hidden):
            shutil.rmtree(folder)
            said += found
    return said
