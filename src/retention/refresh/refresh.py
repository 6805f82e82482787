"""From a book to a published refresh: plan it, build it aside, publish it whole."""

import json
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from retention import book as books
from retention.errors import Failed, Refused
from retention.refresh import forget, keys, lock, plan, publish, run
from retention.tables import intake, sources, workspace

Say = Callable[[str], None]
# Kernels inherit these: hash order, threads and a user's own settings must not show in any page.
STEADY = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "JUPYTER_PREFER_ENV_PATH": "1",
}


@dataclass(frozen=True)
class Job:
    """One book at one snapshot date: what it depends on, and where it is built."""

    name: str
    book: books.Book
    parameters: dict[str, dict[str, object]]  # of every notebook, by its name
    facts: dict[str, str]  # hashes of all it depends on
    space: workspace.Workspace  # customer tables and executed notebooks, being built
    pages: Path  # pages and aggregate tables, being built
    reports: Path
    taken: intake.Intake | None  # from a database; files are read by the tables task

    @property
    def day(self) -> str:
        return self.space.refresh


def refresh(
    name: str, dates: list[date], reports: Path, jobs: int, say: Say, *, again: bool = False
) -> None:
    """Build and publish the book ``name`` at ``dates``, or at its own snapshot dates if none.

    Then refreshes older than the book's ``keep`` are pruned. ``again``: also what has not changed
    is built, and nothing is pruned, so that pruned customer tables are there again.

    Raises:
        Refused: the book, its notebooks or its data are not as promised.
        Failed: a task failed; work/failed/ keeps the executed notebooks.
    The message names the date that failed, of which nothing is published; earlier ones stay.
    """
    book = books.load(name, workspace.root())
    with lock.alone(name):
        for snapshot_date in sorted(dates) or books.snapshot_dates(book):
            try:
                _refresh_at(name, books.at(book, snapshot_date), reports, jobs, say, again=again)
            except (Refused, Failed) as error:
                raise type(error)(f"{name} {snapshot_date}: {error}") from error
        if book.keep and not again:
            forget.prune_held(name, book.keep, say)
    if not (reports / "index.html").is_file():
        publish.write_index(reports)


def _refresh_at(
    name: str, book: books.Book, reports: Path, jobs: int, say: Say, *, again: bool
) -> None:
    """Build and publish ``book`` at its one snapshot date, unless what is published stands."""
    job = prepare(name, book, reports)
    last = publish.newest(reports / name, job.day)
    stood = last and publish.stands(reports / name / last, _work(name, last), job.facts)
    if stood and not again:
        say(f"{name} {last}: nothing has changed")
    else:
        _make(job, last, jobs, say)


def prepare(name: str, book: books.Book, reports: Path) -> Job:
    """Resolve all parameters and hash all inputs of ``book`` at its one snapshot date."""
    root, day = workspace.root(), book.snapshot_date.isoformat()
    notebooks = sorted((root / "notebooks").glob("[0-9]*.ipynb"))
    parameters = {
        path.stem: run.resolve(
            path, {**book.parameters.get(path.stem, {}), "refresh": f"{name}/{day}"}
        )
        for path in notebooks
    }
    space = workspace.Workspace(name, day, "tables", root / "work" / ".building" / f"{name}-{day}")
    before = workspace.previous(space)
    on_disk = book.source.kind in sources.ON_DISK
    taken = None if on_disk else intake.take(book, root, space.snapshot_day)
    facts = keys.facts(name, book, root, before and reports / name / before.name, taken)
    pages = reports / ".building" / f"{name}-{day}"
    return Job(name, book, parameters, facts, space, pages, reports, taken)


def _make(job: Job, last: str | None, jobs: int, say: Say) -> None:
    """Build ``job`` aside and publish it as a further revision of its day."""
    from retention.refresh import render

    name = publish.next_name(job.day, last)
    try:
        _build(job, jobs, say)
        render.pages(job, name)
    except BaseException:
        _keep_failed(job)
        raise
    if last and publish.same(job.pages, job.reports / job.name / last):
        publish.mend(job.pages, job.reports / job.name / last)
        shutil.rmtree(job.pages)
        publish.replace(job.space.folder, _work(job.name, last))
        say(f"{job.name} {last}: every page is the same; customer tables were made again")
        return
    target = job.reports / job.name / name
    publish.publish(job.space.folder, job.pages, _work(job.name, name), target)
    publish.write_index(job.reports)
    shutil.rmtree(workspace.root() / "work" / "failed" / job.name, ignore_errors=True)
    say(f"{job.name} {name}: published {target / 'index.html'}")


def _build(job: Job, jobs: int, say: Say) -> None:
    """Run the tables task and every notebook, each once what it needs is done."""
    stage, root = job.space.folder, workspace.root()
    for folder, mode in ((stage, 0o700), (job.pages, 0o755)):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=mode)
    (root / "work").chmod(0o700)
    (stage / "facts.json").write_text(json.dumps(job.facts, indent=1))
    (stage / "book.json").write_text(job.book.model_dump_json(indent=1), encoding="utf-8")
    (stage / "parameters.json").write_text(json.dumps(_own_parameters(job), indent=1))
    needs, times = plan.tasks(job.parameters), {}

    def work(task: str) -> None:
        begun = time.perf_counter()
        if task == "tables":
            from retention.tables import task as tables

            tables.build(job.book, job.space, job.taken)
        else:
            source, executed = (folder / "notebooks" / f"{task}.ipynb" for folder in (root, stage))
            run.run_notebook(source, executed, job.parameters[task])
        times[task] = round(time.perf_counter() - begun, 3)
        done = f"{len(times)} of {len(needs)}"
        say(f"{job.name} {job.day}: {task} done in {times[task]:.1f} s ({done})")

    with tempfile.TemporaryDirectory() as nobody:
        os.environ |= STEADY | {"IPYTHONDIR": nobody, workspace.STAGE: str(stage)}
        try:
            plan.run(needs, work, jobs)
        finally:
            os.environ.pop(workspace.STAGE)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    record = {"seconds": times, "peak_kernel_kib": peak}  # clock facts stay out of the pages
    (stage / "run.json").write_text(json.dumps(record, indent=1))


def _own_parameters(job: Job) -> dict[str, dict[str, object]]:
    """Parameters of every notebook but for the refresh they name: the same method, the same."""
    return {
        stem: {name: value for name, value in given.items() if name != "refresh"}
        for stem, given in job.parameters.items()
    }


def _work(name: str, refresh: str) -> Path:
    """Where the customer tables of a published refresh lie."""
    return workspace.root() / "work" / name / refresh


def _keep_failed(job: Job) -> None:
    """Keep the executed notebooks of a failed refresh for the analyst; drop the rest."""
    kept = workspace.root() / "work" / "failed" / job.name
    shutil.rmtree(kept, ignore_errors=True)
    executed = job.space.folder / "notebooks"
    if executed.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        executed.rename(kept)
    for folder in (job.space.folder, job.pages):
        shutil.rmtree(folder, ignore_errors=True)
