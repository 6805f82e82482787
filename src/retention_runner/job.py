"""One book at one snapshot date: what it depends on, and what of it would have to be made."""

from contextlib import suppress
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import polars as pl

from retention.book import Book
from retention.errors import Refused
from retention.tables import workspace
from retention_app import tables
from retention_intake import intake, sources
from retention_runner import keys, notebooks, plan, publish, records, run

PAGES = "pages"  # the last task: it shows what all others have made


@dataclass(frozen=True)
class Job:
    """A refresh that may have to be made: resolved, with hashes of what it comes from."""

    name: str
    book: Book
    root: Path
    reports: Path
    parameters: dict[str, dict[str, object]]  # of every notebook, by its stem
    data: str  # hash of the source's data
    previous: str  # hash of the previous refresh's manifest, "" for the first
    taken: intake.Taken | None  # from a database; files are read by the tables task
    last: str | None  # the newest refresh of the day that is published

    @property
    def day(self) -> str:
        return self.book.snapshot_date.isoformat()

    @property
    def title(self) -> str:
        return f"{self.name} {self.day}"

    @property
    def next(self) -> str:
        """The name under which this is published, if it differs from what is."""
        return publish.next_name(self.reports / self.name, self.day)

    @property
    def stage(self) -> Path:
        """Customer tables and executed notebooks, being built."""
        return stages(self.root / "work", self.name) / self.day

    @property
    def pages(self) -> Path:
        """Pages and aggregate tables, being built."""
        return stages(self.reports, self.name) / self.day

    def work(self, refresh: str) -> Path:
        """Customer tables of a published refresh."""
        return self.root / "work" / self.name / refresh


def stages(place: Path, name: str) -> Path:
    """Where in ``place``, work/ or reports/, the refreshes of a book are built."""
    return place / ".building" / name


def prepare(name: str, book: Book, reports: Path, *, ask: bool = True) -> Job:
    """Resolve all parameters and hash all inputs of ``book`` at its one snapshot date.

    Not to ``ask`` a database is quick: its data then count as those of the last refresh.

    Raises:
        Refused: a notebook's parameters, or the data of a database, are not as promised.
    """
    root, day = workspace.root(), book.snapshot_date.isoformat()
    parameters = {
        path.stem: run.resolve(
            path, {**book.parameters.get(path.stem, {}), "refresh": f"{name}/{day}"}
        )
        for path in sorted((root / "notebooks").glob("[0-9]*.ipynb"))
    }
    space = workspace.Workspace(name, day, "tables", root / "work" / name / day)
    before, last = workspace.previous(space), publish.newest(reports / name, day)
    taken = None
    if book.source.kind in sources.ON_DISK:
        data = tables.fingerprint(book, root)
    elif ask:
        taken = tables.take(book, root, space.snapshot_day)
        data = intake.fingerprint(taken)
    else:
        record = last and records.read(root / "work" / name / last, "tables")
        data = record["key"]["data"] if record else ""
    manifest = [reports / name / before.name / "manifest.json"] if before else []
    previous = keys.file_hash(manifest) if before else ""
    return Job(name, book, root, reports, parameters, data, previous, taken, last)


def given(job: Job, task: str) -> dict[str, object]:
    """The parameters of a run: its notebook's, and the segment it is about."""
    stem, _, segment = task.partition("-")
    return job.parameters[stem] | ({"segment": segment} if segment else {})


def key(job: Job, task: str, made: dict[str, records.Record]) -> keys.Key:
    """What ``task`` depends on, where ``made`` are the records of the tasks it needs."""
    if task == "tables":
        return keys.of_tables(job.name, job.book, job.root, job.data)
    if task == PAGES:
        made_from = {name: record["key"] for name, record in made.items()}
        return keys.of_pages(job.name, job.book, job.root, made_from)
    stem, needs = task.partition("-")[0], records.needed(made) | _questions(job, made)
    return keys.of_notebook(
        job.name,
        job.book,
        job.root,
        stem=stem,
        parameters=given(job, task),
        needs=needs,
        previous=job.previous,
    )


def _questions(job: Job, made: dict[str, records.Record]) -> dict[str, str]:
    """The questions of the notebooks that a task needs: the summary shows them."""
    stems = {task.partition("-")[0] for task in made} - {"tables"}
    files = {stem: job.root / "notebooks" / f"{stem}.ipynb" for stem in sorted(stems)}
    return {f"question of {stem}": notebooks.question(file) for stem, file in files.items()}


def by_segment(job: Job) -> list[str]:
    """The notebooks that are run once for every segment."""
    return [stem for stem, parameters in job.parameters.items() if "segment" in parameters]


def runs(job: Job, folder: Path, stem: str) -> list[str]:
    """The runs of a notebook that is run for every segment: 95_segment-s1, -s2, ..., -s10."""
    space = workspace.Workspace(job.name, job.day, stem, folder)
    segments = workspace.read_table(space, "segments")["segment"].to_list()
    return [f"{stem}-{segment}" for segment in sorted(segments, key=lambda name: (len(name), name))]


def tasks(job: Job, folder: Path) -> plan.Needs:
    """Every task with what it needs; runs by segment where ``folder`` can tell the segments."""
    needs = plan.tasks(job.parameters, by_segment(job))
    for stem in by_segment(job):
        with suppress(Refused, pl.exceptions.PolarsError):
            needs = plan.expanded(needs, stem, runs(job, folder, stem))
    return needs | {PAGES: set(needs)}


def stale(job: Job) -> dict[str, list[str]]:
    """Why each task would have to be made again, by task; empty where the last refresh stands."""
    folder = job.work(job.last or "none")
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
    if job.last and PAGES not in why and not publish.unharmed(job.reports / job.name / job.last):
        why[PAGES] = ["published files are gone or were changed"]
    return why
