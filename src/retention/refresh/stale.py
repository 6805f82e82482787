"""A book whose newest refresh failed is stale: its last good one stands, and the index says so."""

import json
from datetime import UTC, datetime
from pathlib import Path

from retention.tables import workspace


def mark(reports: Path, name: str, *, snapshot_date: str, moment: datetime, why: list[str]) -> bool:
    """Write reports/<name>/stale.json, if a good refresh stands there; says whether it does.

    ``snapshot_date`` is that of the refresh that failed at ``moment`` (with its zone); ``why`` are
    sentences without any value of the data, as they will be published. Since when the book is
    stale stays, however often it fails again.
    """
    if not stands(reports, name):
        return False
    attempted = moment.astimezone(UTC).isoformat(timespec="seconds")
    before = since(reports, name)
    record = {"snapshot_date": snapshot_date, "since": before or attempted}
    record |= {"attempted": attempted, "why": why}
    workspace.save_text(
        json.dumps(record, indent=1, ensure_ascii=False) + "\n", _file(reports, name)
    )
    return True


def stands(reports: Path, name: str) -> bool:
    """Whether a good refresh of the book has been published."""
    return any((reports / name).glob("[!.]*/manifest.json"))


def since(reports: Path, name: str) -> str | None:
    """The moment of the first failure since the last good refresh; None where nobody knows any."""
    try:
        moment = json.loads(_file(reports, name).read_text(encoding="utf-8"))["since"]
        return datetime.fromisoformat(moment).astimezone(UTC).isoformat(timespec="seconds")
    except (OSError, ValueError, KeyError, TypeError):
        return None


def clear(reports: Path, name: str) -> None:
    """The book is no longer stale: a refresh of it was good."""
    _file(reports, name).unlink(missing_ok=True)


def _file(reports: Path, name: str) -> Path:
    return reports / name / "stale.json"
