"""The index of everything that has been published."""

from contextlib import suppress
from datetime import UTC
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel, Field

from retention_runner import layout, places, records

SHOWN = 3  # reasons why a book is stale


class Page(BaseModel):
    """A page of a refresh: of a notebook or, where there are many, of one segment."""

    file: str
    title: str
    segment: bool = False


class Manifest(BaseModel):
    """What the index shows of a refresh's manifest.json."""

    title: str
    label: str | None = None
    headline: str | None = None
    refresh: str = Field(pattern=f"^{places.REFRESH.pattern}$")
    snapshot_date: str
    pages: list[Page]
    changed: list[str] = []
    address: str = ""


def index(reports: Path) -> str:
    """Give ``reports/index.html``: every book, its newest refresh first, then the earlier ones.

    Reads ``reports/<book>/<refresh>/manifest.json`` (`Manifest`; any other file of that name is
    passed over) and ``reports/<book>/stale.json``, by which a book is marked as stale. Without any
    refresh the page says how to make one.
    """
    books = {}
    for path in sorted(reports.glob("[!.]*/*/manifest.json")):
        with suppress(OSError, ValueError):  # damaged, or somebody else's
            manifest = Manifest.model_validate_json(path.read_bytes())
            manifest.address = quote(path.parent.relative_to(reports).as_posix())
            books.setdefault(path.parent.parent, []).append(manifest)
    for refreshes in books.values():
        refreshes.sort(key=lambda manifest: places.order(manifest.refresh), reverse=True)
    shown = [(refreshes, _stale(folder)) for folder, refreshes in books.items()]
    body = layout.template("books.html.j2").render(books=shown)
    return layout.page(title="Retention Workbook", body=body)


def _stale(published: Path) -> list[str]:
    """Since when a book is stale, and why; nothing where it is not."""
    if not (stale := records.stale(published)):
        return []
    since, rest = stale.since.astimezone(UTC), len(stale.why) - SHOWN
    reasons = [*(why.rstrip(".") for why in stale.why[:SHOWN]), *([f"{rest} more"] * (rest > 0))]
    why = f": {'; '.join(reasons)}" if reasons else ""
    return [
        f"Stale since {since.day} {since:%B %Y, %H:%M} UTC.",
        f"The refresh for {stale.snapshot_date} failed{why}.",
    ]
