"""A book whose newest refresh failed is stale: its last good one stands, and the index says so."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from retention.tables import workspace


def mark(reports: Path, name: str, *, snapshot_date: str, moment: datetime, why: list[str]) -> bool:
    """Write reports/<name>/stale.json, if what stands there should have been made newer.

    Says whether it is so. A refresh of an earlier day may fail: what stands is not older for that.

    ``snapshot_date`` is that of the refresh that failed at ``moment`` (with its zone); ``why`` are
    sentences without any value of the data, as they will be published. Since when the book is
    stale stays, however often it fails again.
    """
    if not (published := days(reports, name)) or "" < snapshot_date < max(published):
        return False
    attempted = moment.astimezone(UTC).isoformat(timespec="seconds")
    before = since(reports, name)
    record = {"snapshot_date": snapshot_date, "since": before or attempted}
    record |= {"attempted": attempted, "why": why}
    workspace.save_text(
        json.dumps(record, indent=1, ensure_ascii=False) + "\n", _file(reports, name)
    )
    return True


def days(reports: Path, name: str) -> list[str]:
    """The days of which good refreshes of the book have been published."""
    return [file.parent.name[:10] for file in (reports / name).glob("[!.]*/manifest.json")]


def since(reports: Path, name: str) -> str | None:
    """The moment of the first failure since the last good refresh; None where nobody knows any."""
    try:
        moment = json.loads(_file(reports, name).read_text(encoding="utf-8"))["since"]
        return datetime.fromisoformat(moment).astimezone(UTC).isoformat(timespec="seconds")
    except (OSError, ValueError, KeyError, TypeError):
        return None


def clear(reports: Path, name: str, snapshot_date: str) -> str | None:
    """A refresh was good, and the book is no longer stale if that was of the day that had failed
    or a later one; gives since when it was."""
    moment = since(reports, name)
    with suppress(OSError, ValueError, KeyError, TypeError):
        if snapshot_date < json.loads(_file(reports, name).read_text())["snapshot_date"]:
            return None
    _file(reports, name).unlink(missing_ok=True)
    return moment


def _file(reports: Path, name: str) -> Path:
    return reports / name / "stale.json"
