"""The index of everything that has been published."""

import json
from pathlib import Path
from urllib.parse import quote

from retention.pages import page, show


def index(reports: Path) -> str:
    """Give ``reports/index.html``: every book, its newest refresh first, then the earlier ones.

    Reads ``reports/<book>/<refresh>/manifest.json``: title, book, refresh, snapshot_date, pages
    (a list of file and title) [, label, headline]. Without any it says how to make one.
    """
    books = {}
    for path in sorted(reports.glob("[!.]*/*/manifest.json")):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        manifest["address"] = quote(path.parent.relative_to(reports).as_posix())
        books.setdefault(manifest["book"], []).append(manifest)
    for refreshes in books.values():
        refreshes.sort(key=_age, reverse=True)
    body = show.template("books.html.j2").render(books=list(books.values()))
    return page.shell(title="Retention Workbook", body=body)


def _age(manifest: dict) -> tuple[str, int, str]:
    """Sorts 1998-06-30-r2 after 1998-06-30 and before 1998-06-30-r10."""
    return manifest["snapshot_date"], len(manifest["refresh"]), manifest["refresh"]
