"""Pages of a refresh that has been built: every executed notebook, and the manifest."""

import nbformat

from retention_runner import keys, notebooks, page, plan, publish, records
from retention_runner.errors import Failed


def pages(job: plan.Job) -> list[str]:
    """Render ``job``'s executed notebooks into its folder of pages; gives what changed, in words.

    Raises:
        Failed: a page breaks a rule of pages (see `page.problems`).
    """
    made = {task: records.read(job.stage, task) for task in plan.tasks(job, job.stage)}
    made.pop(plan.PAGES)
    titles, book = _titles(job, made), job.book
    label = f" ({book.label})" if book.label else ""
    links = {task: (_file(job, task), title) for task, title in titles.items()}
    for task in titles:
        others = [link for other, link in links.items() if other != task and "-" not in other]
        html = page.render(
            nbformat.read(job.stage / "notebooks" / f"{task}.ipynb", as_version=4),
            title=f"{book.title}{label}, {job.day}" + (f": {titles[task]}" if "-" in task else ""),
            facts=_facts(job, made, task),
            parameters=job.given(task),
            links=[*others, ("../../index.html", "All books and refreshes")],
            segments=[link for other, link in links.items() if "-" in other],
        )
        if problems := page.problems(html):
            raise Failed(f"{task}: the page is not fit to publish: {'; '.join(problems)}")
        (job.pages / _file(job, task)).write_text(html, encoding="utf-8")
    return _finish(job, made, titles)


def _finish(job: plan.Job, made: dict[str, records.Record], titles: dict[str, str]) -> list[str]:
    """Aggregate tables, manifest and the record of the pages; gives what changed."""
    own = {task: record["key"] for task, record in made.items()}
    changed = _changed(job, own)
    shown = [
        {"file": _file(job, task), "title": title} | ({"segment": True} if "-" in task else {})
        for task, title in titles.items()
    ]
    about = {
        "title": job.book.title,
        "label": job.book.label,
        "book": job.book.name,
        "refresh": job.next,
        "snapshot_date": job.day,
        "changed": changed if job.last else [],
        "hashes": keys.together(own),
        "parameters": job.parameters,
    }
    tables = publish.aggregates(job.workbook, job.stage, job.pages)
    publish.write_manifest(job.pages, about, shown + tables)
    records.end(job.stage, plan.PAGES, plan.key(job, plan.PAGES, made))
    return changed


def _changed(job: plan.Job, own: dict[str, keys.Key]) -> list[str]:
    """What differs from the last refresh of the day or, for the first, from the previous one."""
    before = job.last or job.previous
    if before is None:
        return ["the first refresh"]
    found = {task: records.read(job.places.work / before, task) for task in own}
    old = {task: record["key"] for task, record in found.items() if record}
    days = [] if job.last else [f"data up to {job.day}, before up to {before[:10]}"]
    return days + keys.summary(old, own)


def _titles(job: plan.Job, made: dict[str, records.Record]) -> dict[str, str]:
    """Titles of all pages, in their order: the front page, then by notebook, segments in theirs."""
    titles, front = {}, job.workbook.front
    names = job.workbook.segments(job.stage) if job.by_segment else {}
    place = {task: number for number, task in enumerate(made)}
    order = {task: (task != front, job.notebook(task).stem, place[task]) for task in made}
    for task in sorted(made.keys() - {plan.TABLES}, key=order.get):
        segment = task.partition("-")[2]
        question = notebooks.question(job.notebook(task))
        titles[task] = f"{names[segment]} ({segment})" if segment else question
    return titles


def _facts(job: plan.Job, made: dict[str, records.Record], task: str) -> dict[str, str]:
    """What a page was made from, for its foot."""
    hashes = keys.together({name: made[name]["key"] for name in (plan.TABLES, task)})
    return {
        "Book": job.book.title,
        **({"Label": job.book.label} if job.book.label else {}),
        "Data up to": job.day,
        **{f"Hash of {part}": value[:12] for part, value in hashes.items() if value},
        "Reproduce": f"retention refresh {job.book.name} --snapshot-date {job.day}",
    }


def _file(job: plan.Job, task: str) -> str:
    return "index.html" if task == job.workbook.front else f"{task}.html"
