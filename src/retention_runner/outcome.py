"""What a refresh leaves behind: pages, a record, a mark on the index, somebody who is told."""

import json
import shutil
import traceback
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
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
    say(f"{job.book.name} {job.last}: unchanged")
    return _good(attempt, job.last, [], new=False)


def good(attempt: Attempt, job: plan.Job, changed: list[str], say: Say) -> str:
    """Publish what was built, all or nothing, unless it equals what is; says what on_done did not.

    Raises:
        Failed: a secret stands in what was built.
    """
    if found := secrets.found([job.stage, job.pages], attempt.hidden):
        raise Failed(f"a secret would have been published: {'; '.join(found)}")
    _record(attempt, job.stage, "good")
    last, published, work = job.last, job.places.published, job.places.work
    if same := last and publish.same(job.pages, published / last):
        publish.put_back(job.pages, published / last)
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
        try:
            if records.mark_stale(places.published, attempt.day, clock.now(), why):
                publish.write_index(attempt.workbook.root, places.reports)
            notes.append(_leave_page(attempt, error))
        except Exception as further:
            notes.append(f"nor could that be noted: {errors.message(further)}")
    stale = records.stale(places.published)
    event = {
        "refresh": None,
        "state": "failed",
        "why": why,
        "page": str(page) if page.is_file() else None,
        "stale_since": stale and stale.since.isoformat(),
    }
    notes.append(_tell(attempt, event))
    for folder in (places.stages, places.pages):
        if secrets.found([folder], attempt.hidden):
            shutil.rmtree(folder)
    title = f"{places.name} {attempt.day}: " if attempt.day else ""
    return kind(title + "\n".join(filter(None, notes)))


def clear(attempt: Attempt, but: Collection[str] = ()) -> None:
    """Remove what attempts at the book have left, ``but`` those at some days."""
    for stages in (attempt.places.stages, attempt.places.pages):
        for folder in stages.glob("*"):
            if folder.name[:10] not in but:
                shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            stages.rmdir()
    if not but and not records.stale(attempt.places.published):
        shutil.rmtree(attempt.places.failed, ignore_errors=True)


def _leave_page(attempt: Attempt, error: BaseException) -> str:
    """Page, executed notebooks of what failed, record; what an earlier failure left goes first.
    Gives where to look."""
    from retention_runner import layout

    folder, places = attempt.places.failed, attempt.places
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "notebooks").mkdir(parents=True, mode=0o700)
    why = errors.message(error)
    if not errors.is_known(error):
        why = "".join(traceback.format_exception(error))
    day = f" --snapshot-date {attempt.day}" if attempt.day else ""
    stopped = attempt.bad and all(run.state == "stopped" for run in attempt.bad)
    html = layout.page(
        title=attempt.book.title if attempt.book else places.name,
        body=layout.template("failure.html.j2").render(
            what="The refresh was stopped" if stopped else "The refresh failed",
            why="" if attempt.bad else why,
            reproduce=f"retention refresh {places.name}{day}",
            bad=[(run, _leave_notebook(attempt, run.task)) for run in attempt.bad],
            runs=attempt.runs.values(),
        ),
    )
    (folder / "index.html").write_text(attempt.hide(html), encoding="utf-8")
    _record(attempt, folder, "failed")
    return f"see {(folder / 'index.html').relative_to(places.root)}"


def _leave_notebook(attempt: Attempt, task: str) -> str:
    """Keep the executed copy of a notebook as far as it came, and a page of it; gives the page's
    name, "" where the copy is missing or half written."""
    import nbformat

    from retention_runner import page

    folder = attempt.places.failed
    executed = attempt.places.stages / attempt.day / "notebooks" / f"{task}.ipynb"
    try:
        text = attempt.hide(executed.read_text(encoding="utf-8", errors="replace"))
        (folder / "notebooks" / executed.name).write_text(text, encoding="utf-8")
        html = page.render(nbformat.reads(text, as_version=4), title=task)
    except Exception:  # whatever a half written file makes of it
        return ""
    (folder / f"{task}.html").write_text(attempt.hide(html), encoding="utf-8")
    return f"{task}.html"


def _record(attempt: Attempt, folder: Path, state: str) -> None:
    """Write run.json: what depends on clock and machine, apart from all that must repeat."""
    told = {
        "book": attempt.places.name,
        "snapshot_date": attempt.day,
        "state": state,
        "began": attempt.began.isoformat(),
        "ended": clock.now().isoformat(),
        "tasks": [asdict(run) for run in attempt.runs.values()],
    }
    text = attempt.hide(json.dumps(told, indent=1))
    (folder / "run.json").write_text(text, encoding="utf-8")


def _tell(attempt: Attempt, event: dict) -> str:
    """Run the book's on_done, if it has one; what went wrong with it, in words."""
    if not (attempt.book and attempt.book.on_done):
        return ""
    whole = {"book": attempt.places.name, "snapshot_date": attempt.day, **event}
    return attempt.hide(notify.tell(attempt.book.on_done, whole, attempt.workbook.root))
