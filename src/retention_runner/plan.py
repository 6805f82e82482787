"""One book at one snapshot date: its tasks, what each depends on, what would have to be made."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import polars as pl

from retention_runner import keys, notebooks, places, publish, records
from retention_runner.errors import Refused
from retention_runner.workbook import Book, Taken, Workbook

TABLES, PAGES = "tables", "pages"  # the first task, and the last: it shows what all have made
RENDER = ("retention_runner.render",)  # modules that the pages depend on
UNREADABLE = (OSError, pl.exceptions.PolarsError)
Needs = dict[str, set[str]]


@dataclass(frozen=True)
class Job:
    """A refresh that may have to be made: resolved, with hashes of what it comes from."""

    workbook: Workbook
    book: Book
    places: places.Places
    parameters: dict[str, dict[str, object]]  # of every notebook, by its stem
    data: str  # hash of the source's data
    taken: Taken | None  # what was read to know that hash; otherwise the task `tables` reads
    previous: str | None  # the newest refresh with an earlier snapshot date
    last: str | None  # the newest refresh of the day that is published
    unasked: bool  # whether the data may have changed since: nobody has looked

    @property
    def day(self) -> str:
        return self.book.day.isoformat()

    @property
    def title(self) -> str:
        return f"{self.book.name} {self.day}"

    @property
    def next(self) -> str:
        """The name under which this is published, if it differs from what is."""
        return places.next_name(self.places.published, self.day)

    @property
    def stage(self) -> Path:
        """Customer tables and executed notebooks, being built."""
        return self.places.stages / self.day

    @property
    def pages(self) -> Path:
        """Pages and aggregate tables, being built."""
        return self.places.pages / self.day

    @property
    def by_segment(self) -> list[str]:
        """The notebooks that are run once for every segment."""
        return [stem for stem, given in self.parameters.items() if "segment" in given]

    def notebook(self, task: str) -> Path:
        """The notebook that a task runs: 95_segment-s1 is one of the runs of 95_segment."""
        return self.workbook.root / "notebooks" / f"{task.partition('-')[0]}.ipynb"

    def given(self, task: str) -> dict[str, object]:
        """The parameters of a run: its notebook's, and the segment it is about."""
        stem, _, segment = task.partition("-")
        return self.parameters[stem] | ({"segment": segment} if segment else {})

    def writes(self, task: str) -> list[str]:
        """The tables that a task promises to write."""
        return self.workbook.writes.get(task.partition("-")[0], [])


def prepare(workbook: Workbook, book: Book, reports: Path, *, ask: bool = True) -> Job:
    """Resolve all parameters and hash all inputs of ``book`` at its one day.

    Not to ``ask`` a source that must be read to be known is quick: its data then count as those of
    the last refresh.

    Raises:
        Refused: a notebook's parameters, or the data, are not as promised.
    """
    refresh = f"{book.name}/{book.day}"
    parameters = {
        path.stem: notebooks.resolved(
            path, {**book.parameters.get(path.stem, {}), "refresh": refresh}
        )
        for path in sorted((workbook.root / "notebooks").glob("[0-9]*.ipynb"))
    }
    own, day = places.Places(workbook.root, reports, book.name), book.day.isoformat()
    earlier = [name for name in places.refreshes(own.work) if name[:10] < day]
    last = places.newest(own.published, day)
    data, taken = workbook.fingerprint(book), None
    unasked = data is None and not ask
    if unasked:
        record = last and records.read(own.work / last, TABLES)
        data = record["key"]["data"] if record else ""
    elif data is None:
        taken = workbook.take(book)
        data = taken.fingerprint()
    previous = earlier[-1] if earlier else None
    return Job(workbook, book, own, parameters, data, taken, previous, last, unasked)


def tasks(job: Job, folder: Path) -> Needs:
    """Every task with the tasks it needs; notebooks that are run by segment are as many runs,
    95_segment-s1, -s2, ..., -s10, where ``folder`` can tell the segments.

    Raises:
        Refused: a notebook needs one that is not there.
    """
    runs = {stem: {stem: None} for stem in (TABLES, *sorted(job.parameters))}  # in their order
    with suppress(*UNREADABLE):
        for stem in job.by_segment:
            segments = sorted(job.workbook.segments(folder), key=lambda name: (len(name), name))
            runs[stem] = {f"{stem}-{segment}": None for segment in segments}
    every = {run for those in runs.values() for run in those}
    needs = {}
    for stem, those in runs.items():
        usual = job.workbook.per_segment if stem in job.by_segment else {TABLES} - {stem}
        own = job.workbook.needs.get(stem, usual)
        if missing := sorted(own - runs.keys() - {"*"}):
            raise Refused(f"{stem} needs {missing[0]}, which is not among the notebooks")
        needed = {run for need in own - {"*"} for run in runs[need]}
        needs |= dict.fromkeys(those, every - those.keys() if "*" in own else needed)
    return needs | {PAGES: every}


def key(job: Job, task: str, made: dict[str, records.Record]) -> keys.Key:
    """What ``task`` depends on, where ``made`` are the records of the tasks it needs."""
    packages = job.workbook.packages
    if task == TABLES:
        own = {"data": job.data, "code": keys.code(packages, job.workbook.builders)}
    elif task == PAGES:
        made_from = {name: keys.text_hash(made[name]["key"]) for name in sorted(made)}
        own = {"tasks": made_from, "code": keys.code(packages, RENDER)}
    else:
        notebook, modules = job.notebook(task), job.workbook.always
        manifest = job.places.published / (job.previous or "") / places.MANIFEST
        own = {
            "notebook": keys.file_hash([notebook]),
            "parameters": {k: v for k, v in job.given(task).items() if k != "refresh"},
            "code": keys.code(packages, [*modules, *keys.imports_of(notebook)]),
            "needs": records.needed(made) | _questions(job, made),
            "previous": keys.file_hash([manifest]) if job.previous else "",
        }
    if task != TABLES:
        own["templates"] = keys.files(packages, templates=True)
    return own | keys.common(job.workbook, job.book)


def _questions(job: Job, made: Iterable[str]) -> dict[str, str]:
    """The questions of the notebooks that a task needs: the front page shows them."""
    files = {job.notebook(task) for task in set(made) - {TABLES}}
    return {f"question of {file.stem}": notebooks.question(file) for file in files}


def stale(job: Job) -> dict[str, list[str]]:
    """Why each task would have to be made again, by task; empty where the last refresh stands."""
    folder = job.places.work / (job.last or "none")
    needs, made, why = tasks(job, folder), {}, {}
    for task in TopologicalSorter({name: sorted(needs[name]) for name in needs}).static_order():
        record, moved = records.read(folder, task), sorted(needs[task] & why.keys())
        if record is None:
            why[task] = ["was not made yet"]
            continue
        now = key(job, task, {name: made[name] for name in needs[task] - why.keys()})
        own = ("needs", "tasks") if moved else ()
        changed = [words for words in keys.changes(record["key"], now) if not words.startswith(own)]
        if moved:
            changed.append(f"needs {', '.join(moved)}")
        if not changed and not records.stands(folder, record):
            changed.append("its files are gone or were changed")
        if changed:
            why[task] = changed
        made[task] = record
    if job.last and PAGES not in why and not publish.unharmed(job.places.published / job.last):
        why[PAGES] = ["published files are gone or were changed"]
    return why
