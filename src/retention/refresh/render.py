"""Pages of a refresh that has been built: every executed notebook, and the manifest."""

import nbformat

from retention import notebooks
from retention.errors import Failed
from retention.pages import page
from retention.refresh import publish
from retention.tables import workspace

FRONT = "99_summary"  # its page is the front page of the refresh


def pages(job, name: str) -> None:
    """Render ``job``'s executed notebooks into its folder of pages, to be published as ``name``.

    Raises:
        Failed: a page breaks a rule of pages (see `page.problems`).
    """
    root = workspace.root()
    titles = {
        stem: notebooks.question(root / "notebooks" / f"{stem}.ipynb") for stem in job.parameters
    }
    files = {stem: "index.html" if stem == FRONT else f"{stem}.html" for stem in titles}
    facts = {
        "Book": job.book.title,
        **({"Label": job.book.label} if job.book.label else {}),
        "Data up to": job.day,
        **{f"Hash of {key}": value[:12] for key, value in job.facts.items() if value},
        "Reproduce": f"retention refresh {job.name} --snapshot-date {job.day}",
    }
    label = f" ({job.book.label})" if job.book.label else ""
    for stem in titles:
        executed = job.space.folder / "notebooks" / f"{stem}.ipynb"
        html = page.render(
            nbformat.read(executed, as_version=4),
            title=f"{job.book.title}{label}, {job.day}",
            facts=facts,
            parameters=job.parameters[stem],
            links=[
                *((files[other], titles[other]) for other in titles if other != stem),
                ("../../index.html", "All books and refreshes"),
            ],
        )
        if problems := page.problems(html):
            raise Failed(f"{stem}: the page is not fit to publish: {'; '.join(problems)}")
        (job.pages / files[stem]).write_text(html, encoding="utf-8")
    records = [{"file": files[stem], "title": titles[stem]} for stem in titles]
    records += publish.aggregates(job.space.folder, job.pages)
    about = {
        "title": job.book.title,
        "label": job.book.label,
        "book": job.name,
        "refresh": name,
        "snapshot_date": job.day,
        "hashes": job.facts,
        "parameters": job.parameters,
    }
    publish.manifest(job.pages, about, records)
