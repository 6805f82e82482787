"""Making the tasks of a refresh: taken over where nothing changed, else made, each to its end."""

import os
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, wait
from dataclasses import dataclass
from pathlib import Path

from retention_runner import errors, plan, progress, records, run, secrets, server
from retention_runner.errors import Failed, Refused, Stopped
from retention_runner.places import STAGE, TASK, save_text
from retention_runner.records import Record, Run

# Kernels inherit these: hash order, threads and a user's own settings must not show in any page.
STEADY = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # or Arrow's thread forbids to fork
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "JUPYTER_PREFER_ENV_PATH": "1",
}


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


@dataclass(frozen=True)
class Workers:
    """What all books of one command share."""

    pool: Executor
    warm: server.Server
    private: Path  # a folder for what kernels leave beside them
    watch: progress.Watch
    stop: threading.Event
    order: Order


def environment(private: Path) -> dict[str, str]:
    """What kernels are started with, whoever starts the refresh."""
    return os.environ | STEADY | dict.fromkeys(("IPYTHONDIR", "TMPDIR"), str(private))


def build(job: plan.Job, why: dict[str, list[str]], workers: Workers, runs: dict[str, Run]) -> None:
    """Make every task of ``job`` in its stage, or take it over; ``runs`` learns how each went.

    Taken over is what an earlier attempt at this day, or its last refresh, made from the same; if
    the order says again, nothing is. What fails keeps only that from being made which needs it.

    Raises:
        Stopped, Failed, Refused: what kept tasks from being done, all in one message.
    """
    order, watch = workers.order, workers.watch
    earlier = _make_stage(job, order.again)
    if order.forks and (order.again or len(why.keys() - {plan.TABLES, plan.PAGES}) > 1):
        workers.warm.start()
    made: dict[str, Record] = {}

    def work(task: str, needed: set[str]) -> bool:
        told, begun = runs[task], time.perf_counter()
        told.state = "running"
        watch.seen(job.title, runs)
        try:
            before = {name: made[name] for name in needed}
            made[task], state = _made(job, task, before, earlier, workers)
        except BaseException as error:  # what Polars calls a panic is no Exception
            state = _record_failure(told, error, stopped=workers.stop.is_set())
        told.seconds = round(time.perf_counter() - begun, 3)
        told.state = state
        watch.seen(job.title, runs, told)
        return task in made

    def needs() -> plan.Needs:
        found = plan.tasks(job, job.stage)
        found.pop(plan.PAGES)
        for task in runs.keys() - found.keys():
            del runs[task]
        runs.update({task: Run(task) for task in found if task not in runs})
        return found

    skipped = run_all(needs, work, workers.pool)
    stopped = workers.stop.is_set()
    state, said = ("stopped", "it was stopped") if stopped else ("skipped", "")
    for task in skipped:
        runs[task].state, runs[task].said = state, said
    watch.seen(job.title, runs)
    if skipped:
        watch.say(f"{job.title}: {len(skipped)} {state}")
    bad = [run for run in runs.values() if run.bad]
    for state, kind in (("stopped", Stopped), ("failed", Failed), ("refused", Refused)):
        if any(run.state == state for run in bad):
            raise kind("\n".join(run.why for run in bad if run.why))


def run_all(
    current: Callable[[], plan.Needs], work: Callable[[str, set[str]], bool], pool: Executor
) -> set[str]:
    """Call ``work(task, needed)`` in ``pool`` for every task once all it needs are done; gives the
    skipped.

    ``work`` tells whether the task was done; what needs one that was not is skipped, all else goes
    on. ``current`` gives every task with what it needs, as is known so far: once all that a
    notebook needs are done, the runs that it is are known.
    """
    ended, good, running = set(), set(), {}
    while True:
        needs = current()
        ready = {name for name in needs if needs[name] <= good} - ended - set(running.values())
        for name in sorted(ready):
            running[pool.submit(work, name, needs[name])] = name
        if not running:
            return needs.keys() - ended
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            name = running.pop(future)
            ended.add(name)
            if future.result():
                good.add(name)


def _make_stage(job: plan.Job, again: bool) -> list[Path]:
    """Make a fresh stage; gives the folders from which tasks may be taken over."""
    before = job.stage.with_name(f"{job.day}.before")
    if job.stage.exists():
        shutil.rmtree(before, ignore_errors=True)
        job.stage.rename(before)
    shutil.rmtree(job.pages, ignore_errors=True)
    job.pages.mkdir(parents=True)
    job.stage.mkdir(parents=True, mode=0o700)
    save_text(job.book.text, job.stage / "book.json")
    return [] if again else [before, *([job.places.work / job.last] if job.last else [])]


def _made(
    job: plan.Job, task: str, before: dict[str, Record], earlier: list[Path], workers: Workers
) -> tuple[Record, str]:
    """Take ``task`` over or make it; its record, and which of the two was done.

    Raises:
        Refused, Failed: it did not do what it promised.
        Stopped: there was no more time.
    """
    if workers.stop.is_set():
        raise Stopped(f"{task} was not begun")
    key = plan.key(job, task, before)
    for folder in earlier:
        record = records.read(folder, task)
        if record and record["key"] == key and records.intact(folder, record):
            records.take_over(folder, job.stage, task, record)
            return record, "unchanged"
    records.begin(job.stage, task, key)
    if task == plan.TABLES:
        job.workbook.build(job.book, job.stage, job.taken)
        if job.taken is None and job.workbook.fingerprint(job.book) != job.data:
            raise Failed("the source changed while it was read; refresh again")
    else:
        hidden = secrets.variables(job.book.definition)  # those of the source are not a kernel's
        env = environment(workers.private) | {STAGE: str(job.stage), TASK: task.partition("-")[0]}
        run.run_notebook(
            job.notebook(task),
            job.stage / "notebooks" / f"{task}.ipynb",
            job.given(task),
            env={name: value for name, value in env.items() if name not in hidden},
            timeout=workers.order.timeout,
        )
    for table in job.writes(task):
        if not (job.stage / "tables" / f"{table}.parquet").is_file():
            raise Failed(f"{task} did not write the table {table!r}")
    return records.end(job.stage, task, key, job.writes(task)), "done"


def _record_failure(told: Run, error: BaseException, stopped: bool) -> str:
    """Note why a task failed, for the analyst and as it may be published; gives its state."""
    told.why = errors.message(error)
    told.said = "it was stopped" if stopped else errors.publishable(error)
    if stopped:
        return "stopped"
    return "refused" if errors.worst([error]) is Refused else "failed"
