"""Pages of a refresh that has been built: every executed notebook, and the manifest."""

import nbformat

from retention.errors import Failed
from retention.tables import workspace
from retention_runner import job as jobs
from retention_runner import keys, notebooks, page, publish, records

FRONT = "99_summary"  # its page is the front page of the refresh


def pages(job: jobs.Job) -> list[str]:
    """Render ``job``'s executed notebooks into its folder of pages; gives what changed, in words.

    Raises:
        Failed: a page breaks a rule of pages (see `page.problems`).
    """
    made = {task: records.read(job.stage, task) for task in jobs.tasks(job, job.stage)}
    made.pop(jobs.PAGES)
    titles, book = _titles(job, made), job.book
    label = f" ({book.label})" if book.label else ""
    links = {task: (_file(task), title) for task, title in titles.items()}
    for task in titles:
        others = [link for other, link in links.items() if other != task and "-" not in other]
        html = page.render(
            nbformat.read(job.stage / "notebooks" / f"{task}.ipynb", as_version=4),
            title=f"{book.title}{label}, {job.day}" + (f": {titles[task]}" if "-" in task else ""),
            facts=_facts(job, made, task),
            parameters=jobs.given(job, task),
            links=[*others, ("../../index.html", "All books and refreshes")],
            segments=[link for other, link in links.items() if "-" in other],
        )
        if problems := page.problems(html):
            raise Failed(f"{task}: the page is not fit to publish: {'; '.join(problems)}")
        (job.pages / _file(task)).write_text(html, encoding="utf-8")
    return _finish(job, made, titles)


def _finish(job: jobs.Job, made: dict[str, records.Record], titles: dict[str, str]) -> list[str]:
    """Aggregate tables, manifest and the record of the pages; gives what changed."""
    own = {task: record["key"] for task, record in made.items()}
    changed = _changed(job, own)
    shown = [
        {"file": _file(task), "title": title} | ({"segment": True} if "-" in task else {})
        for task, title in titles.items()
    ]
    about = {
        "title": job.book.title,
        "label": job.book.label,
        "book": job.name,
        "refresh": job.next,
        "snapshot_date": job.day,
        "changed": changed if job.last else [],
        "hashes": keys.together(own),
        "parameters": job.parameters,
    }
    publish.manifest(job.pages, about, shown + publish.aggregates(job.stage, job.pages))
    records.end(job.stage, jobs.PAGES, jobs.key(job, jobs.PAGES, made))
    return changed


def _changed(job: jobs.Job, own: dict[str, keys.Key]) -> list[str]:
    """What differs from the last refresh of the day or, for the first, from the previous one."""
    space = workspace.Workspace(job.name, job.day, "", job.stage)
    before = job.work(job.last) if job.last else workspace.previous(space)
    if before is None:
        return ["the first refresh"]
    old = {task: record["key"] for task in own if (record := records.read(before, task))}
    days = [] if job.last else [f"data up to {job.day}, before up to {before.name[:10]}"]
    return days + keys.summary(old, own)


def _titles(job: jobs.Job, made: dict[str, records.Record]) -> dict[str, str]:
    """Titles of all pages, in their order: the question, or the segment's name."""
    titles, names = {}, {}
    runs = list(made)  # segments in their order
    order = {task: (task.partition("-")[0], runs.index(task)) for task in runs}
    if jobs.by_segment(job):
        space = workspace.Workspace(job.name, job.day, "", job.stage)
        table = workspace.read_table(space, "segments").select("segment", "name")
        names = {segment: f"{name} ({segment})" for segment, name in table.iter_rows()}
    tasks = sorted(made.keys() - {"tables"}, key=lambda task: (task != FRONT, order[task]))
    for task in tasks:
        stem, _, segment = task.partition("-")
        file = job.root / "notebooks" / f"{stem}.ipynb"
        titles[task] = names[segment] if segment else notebooks.question(file)
    return titles


def _facts(job: jobs.Job, made: dict[str, records.Record], task: str) -> dict[str, str]:
    """What a page was made from, for its foot."""
    hashes = keys.together({"tables": made["tables"]["key"], task: made[task]["key"]})
    return {
        "Book": job.book.title,
        **({"Label": job.book.label} if job.book.label else {}),
        "Data up to": job.day,
        **{f"Hash of {part}": value[:12] for part, value in hashes.items() if value},
        "Reproduce": f"retention refresh {job.name} --snapshot-date {job.day}",
    }


def _file(task: str) -> str:
    return "index.html" if task == FRONT else f"{task}.html"
