"""Making the tasks of a refresh: taken over where nothing changed, else made, each to its end."""

import os
import resource
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from retention.errors import Failed, Refused, Stopped, said
from retention.tables import promises, rules, workspace
from retention_app import tables
from retention_runner import job as jobs
from retention_runner import keys, plan, records, run, secrets, server, states

# Kernels inherit these: hash order, threads and a user's own settings must not show in any page.
STEADY = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # or Arrow's thread forbids to fork
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "JUPYTER_PREFER_ENV_PATH": "1",
}
Seen = Callable[[str, dict[str, states.Run]], None]


@dataclass(frozen=True)
class Crew:
    """What all books of one command share."""

    pool: Executor
    warm: server.Server
    private: Path  # a folder for what kernels leave beside them
    seen: Seen
    stop: threading.Event
    timeout: int  # seconds for one cell
    forks: bool


def environment(private: Path) -> dict[str, str]:
    """What kernels are started with, whoever starts the refresh."""
    return os.environ | STEADY | dict.fromkeys(("IPYTHONDIR", "TMPDIR"), str(private))


def build(
    job: jobs.Job, why: dict[str, list[str]], crew: Crew, again: bool, runs: dict[str, states.Run]
) -> None:
    """Make every task of ``job`` in its stage, or take it over; ``runs`` learns how each went.

    Taken over is what an earlier attempt at this day, or its last refresh, made from the same;
    with ``again`` nothing is. What fails keeps only that from being made which needs it.
    """
    earlier = _cleared(job, again)
    if crew.forks and (again or len(why.keys() - {"tables", jobs.PAGES}) > 1):
        crew.warm.start()
    needs = plan.tasks(job.parameters, jobs.by_segment(job))
    runs |= {task: states.Run(task) for task in needs}
    made: dict[str, records.Record] = {}
    crew.seen(job.title, runs)
    later = {stem: partial(_planned, job, stem, runs) for stem in jobs.by_segment(job)}

    def work(task: str, needed: set[str]) -> bool:
        told = runs[task]
        told.state = "running"
        crew.seen(job.title, runs)
        begun = time.perf_counter()
        try:
            before = {name: made[name] for name in needed}
            made[task], state = _made(job, task, before, earlier=earlier, crew=crew, told=told)
        except BaseException as error:  # what Polars calls a panic is no Exception
            state = _befell(job, told, error, stopped=crew.stop.is_set())
        told.seconds = round(time.perf_counter() - begun, 3)
        told.state = state
        crew.seen(job.title, runs)
        return task in made

    for task in plan.run(needs, work, crew.pool, later, _seconds(job)):
        runs[task].said = "it was stopped" if crew.stop.is_set() else ""
        runs[task].state = "stopped" if crew.stop.is_set() else "skipped"
    crew.seen(job.title, runs)


def require_good(runs: dict[str, states.Run]) -> None:
    """Every task was done.

    Raises:
        Stopped, Failed, Refused: what befell those that were not, all in one message.
    """
    bad = [run for run in runs.values() if run.bad]
    kinds = {"stopped": Stopped, "failed": Failed, "refused": Refused}
    for state, kind in kinds.items():
        if any(run.state == state for run in bad):
            raise kind("\n".join(run.why for run in bad))


def _cleared(job: jobs.Job, again: bool) -> list[Path]:
    """Make a fresh stage; gives the folders from which tasks may be taken over."""
    before = job.stage.with_name(f".{job.day}.before")
    if job.stage.exists():
        shutil.rmtree(before, ignore_errors=True)
        job.stage.rename(before)
    shutil.rmtree(job.pages, ignore_errors=True)
    job.pages.mkdir(parents=True)
    job.stage.mkdir(parents=True, mode=0o700)
    book = job.book.model_dump_json(exclude=keys.UNSEEN, indent=1)
    (job.stage / "book.json").write_text(book, encoding="utf-8")
    return [] if again else [before, *([job.work(job.last)] if job.last else [])]


def _planned(job: jobs.Job, stem: str, runs: dict[str, states.Run]) -> list[str]:
    """The runs of ``stem``, now that the segments are known."""
    found = jobs.runs(job, job.stage, stem)
    del runs[stem]
    runs |= {task: states.Run(task) for task in found}
    return found


def _made(
    job: jobs.Job,
    task: str,
    before: dict[str, records.Record],
    *,
    earlier: list[Path],
    crew: Crew,
    told: states.Run,
) -> tuple[records.Record, str]:
    """Take ``task`` over or make it; its record, and which of the two was done.

    Raises:
        Refused, Failed: it did not do what it promised.
        Stopped: there was no more time.
    """
    if crew.stop.is_set():
        raise Stopped(f"{task} was not begun")
    key = jobs.key(job, task, before)
    for folder in earlier:
        record = records.read(folder, task)
        if record and record["key"] == key and records.intact(folder, record):
            records.take_over(folder, job.stage, task, record)
            return record, "unchanged"
    records.begin(job.stage, task, key)
    space = workspace.Workspace(job.name, job.day, task.partition("-")[0], job.stage)
    if task == "tables":
        tables.build(job.book, space, job.taken)
        if job.taken is None and tables.fingerprint(job.book, job.root) != job.data:
            raise Failed("the source changed while it was read; refresh again")
        told.peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    else:
        run.run_notebook(
            job.root / "notebooks" / f"{space.task}.ipynb",
            job.stage / "notebooks" / f"{task}.ipynb",
            jobs.given(job, task),
            env=_without_secrets(job, crew) | {workspace.STAGE: str(job.stage)},
            timeout=crew.timeout,
            told=told,
        )
    _require_promised(space)
    return records.end(job.stage, task, key), "done"


def _without_secrets(job: jobs.Job, crew: Crew) -> dict[str, str]:
    """What kernels are started with; the secrets of a source are not theirs."""
    hidden, env = secrets.variables(job.book.source), environment(crew.private)
    return {name: value for name, value in env.items() if name not in hidden}


def _require_promised(space: workspace.Workspace) -> None:
    """Every table that the task has promised is there and keeps its promise."""
    for table in records.written(space.task):
        if workspace.path(space, table) is None:
            raise Failed(f"{space.task} did not write the table {table!r}")
        frame = workspace.read_table(space, table)
        if broken := rules.broken(frame, promises.PROMISES[table]):
            raise Failed(rules.report(table, broken), f"the table {table} breaks its promise")


def _befell(job: jobs.Job, told: states.Run, error: BaseException, stopped: bool) -> str:
    """Note what befell a task, for the analyst and as it may be published; gives its state."""
    hidden, ours = secrets.named(job.book), isinstance(error, Refused | Failed | Stopped)
    why = (str(error) if ours else f"{type(error).__name__}: {error}").strip()
    told.why = secrets.redact(why, hidden)
    told.said = secrets.redact("it was stopped" if stopped else said(error), hidden)
    state = "refused" if isinstance(error, Refused) else "failed"
    return "stopped" if stopped else state


def _seconds(job: jobs.Job) -> dict[str, float]:
    """What each task took when this book was last refreshed, so that the longest come first."""
    known = workspace.refreshes(job.name)
    past = job.work(known[-1]) / "run.json" if known else None
    return states.seconds(past) if past and past.is_file() else {}
