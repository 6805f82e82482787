"""From a book to a published refresh."""

import json
import os
import resource
import shutil
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import nbformat

from retention import book as books
from retention import notebooks
from retention.errors import Failed
from retention.pages import page
from retention.refresh import keys, plan, publish, run
from retention.tables import task, workspace

Say = Callable[[str], None]
# Kernels inherit these: hash order and threads must not show in any page.
STEADY = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "JUPYTER_PREFER_ENV_PATH": "1",
}


def refresh(name: str, dates: list[date], reports: Path, jobs: int, say: Say) -> None:
    """Build and publish the book ``name`` at ``dates``, or at its own snapshot dates if none.

    Raises:
        Refused: the book, its notebooks or its data are not as promised.
        Failed: a task failed. Refreshes of earlier dates stay published.
    """
    book = books.load(name, workspace.root())
    for snapshot_date in sorted(dates) or books.snapshot_dates(book):
        refresh_at(name, books.at(book, snapshot_date), reports, jobs, say)


def refresh_at(name: str, book: books.Book, reports: Path, jobs: int, say: Say) -> Path | None:
    """Build and publish ``book`` at its one snapshot date; None if nothing has changed.

    Raises:
        Refused: the book, its notebooks or its data are not as promised; nothing is published.
        Failed: a task failed; nothing is published, and work/failed/ keeps the executed notebooks.
    """
    root = workspace.root()
    needs = plan.tasks(root / "notebooks")
    day = book.snapshot_date.isoformat()
    given = {stem: {**book.parameters.get(stem, {}), "refresh": f"{name}/{day}"} for stem in needs}
    parameters = {
        stem: run.resolve(root / "notebooks" / f"{stem}.ipynb", given[stem])
        for stem in sorted(needs)
        if stem != "tables"
    }
    last = publish.newest(name, day, reports)
    here = workspace.Workspace(name, day, "tables", root / "work" / ".building" / f"{name}-{day}")
    before = workspace.previous(here)
    facts = keys.facts(name, book, root, before and reports / name / before.name)
    if last and _unchanged(reports / name / last, root / "work" / name / last, facts):
        say(f"{name} {last}: nothing has changed")
        return None
    stage, pages = here.folder, reports / ".building" / f"{name}-{day}"
    for folder in (stage, pages):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700 if folder is stage else 0o755)
    (root / "work").chmod(0o700)
    (stage / "facts.json").write_text(json.dumps(facts, indent=1))
    (stage / "book.json").write_text(book.model_dump_json(indent=1), encoding="utf-8")
    os.environ |= STEADY | {workspace.STAGE: str(stage)}
    started, times = time.perf_counter(), {}

    def work(stem: str) -> None:
        begun = time.perf_counter()
        if stem == "tables":
            task.build(book, here)
        else:
            run.run_notebook(
                root / "notebooks" / f"{stem}.ipynb",
                stage / "notebooks" / f"{stem}.ipynb",
                parameters[stem],
            )
        times[stem] = round(time.perf_counter() - begun, 3)
        say(f"{name} {day}: {stem} done in {times[stem]:.1f} s ({len(times)} of {len(needs)})")

    try:
        plan.run(needs, work, jobs)
        folder = _pages(name, book, facts, parameters, here, pages, last)
    except Exception:
        _keep_failed(stage, root / "work" / "failed" / name)
        shutil.rmtree(pages, ignore_errors=True)
        raise
    finally:
        os.environ.pop(workspace.STAGE)
    _record_run(stage, times, time.perf_counter() - started)
    if last and publish.same(pages, reports / name / last):
        say(f"{name} {last}: built again, every page and table is the same")
        shutil.rmtree(pages)
        shutil.rmtree(stage)
        return None
    target = reports / name / folder
    publish.publish(stage, pages, root / "work" / name / folder, target)
    publish.write_index(reports)
    say(f"{name} {folder}: published {target / 'index.html'}")
    return target


def _unchanged(published: Path, work: Path, facts: dict[str, str]) -> bool:
    """Whether a published refresh stands for these facts and its tables are still there."""
    manifest = json.loads((published / "manifest.json").read_text(encoding="utf-8"))
    return manifest["hashes"] == facts and (work / "tables").is_dir()


def _pages(name, book, facts, parameters, here, pages, last) -> str:
    """Render every executed notebook, copy the aggregate tables, write the manifest."""
    root = workspace.root()
    folder = publish.next_name(here.refresh, last)
    records = publish.aggregates(here.folder, pages)
    titles = {stem: notebooks.question(root / "notebooks" / f"{stem}.ipynb") for stem in parameters}
    files = {stem: "index.html" if stem == "99_summary" else f"{stem}.html" for stem in titles}
    hashes = {f"{key} hash": value[:12] for key, value in facts.items() if value}
    about = {
        "Book": book.title,
        "Data up to": here.refresh,
        **({"Label": book.label} if book.label else {}),
        **hashes,
        "Reproduce": f"retention refresh {name} --snapshot-date {here.refresh}",
    }
    for stem, title in titles.items():
        executed = nbformat.read(here.folder / "notebooks" / f"{stem}.ipynb", as_version=4)
        links = [(files[other], titles[other]) for other in titles if other != stem]
        html = page.render(
            executed,
            title=f"{book.title}, {here.refresh}",
            facts=about,
            parameters=parameters[stem],
            links=links,
        )
        if problems := page.problems(html):
            raise Failed(f"{stem}: the page is not fit to publish: {'; '.join(problems)}")
        (pages / files[stem]).write_text(html, encoding="utf-8")
        records.append({"file": files[stem], "title": title})
    whole = {
        "title": book.title,
        "label": book.label,
        "book": name,
        "refresh": folder,
        "snapshot_date": here.refresh,
        "hashes": facts,
        "parameters": parameters,
    }
    publish.manifest(pages, whole, records)
    return folder


def _record_run(stage: Path, times: dict[str, float], seconds: float) -> None:
    """Wall-clock facts, kept apart from everything that must repeat."""
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    record = {"seconds": round(seconds, 3), "peak_child_kib": peak, "tasks": times}
    (stage / "run.json").write_text(json.dumps(record, indent=1))


def _keep_failed(stage: Path, target: Path) -> None:
    """Keep the executed notebooks of a failed refresh for the analyst; drop the rest."""
    shutil.rmtree(target, ignore_errors=True)
    if (stage / "notebooks").is_dir():
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        (stage / "notebooks").rename(target)
    shutil.rmtree(stage, ignore_errors=True)
