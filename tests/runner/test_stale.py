"""A book whose newest refresh failed is marked, and since when."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from retention_runner import stale

FIRST = datetime(2026, 11, 22, 4, 10, tzinfo=timezone(timedelta(hours=1)))
WHY = ["20_survival: a cell failed (KeyError)"]


@pytest.fixture
def reports(tmp_path):
    (tmp_path / "shop" / "2026-11-20").mkdir(parents=True)
    (tmp_path / "shop" / "2026-11-20" / "manifest.json").write_text("{}")
    return tmp_path


def mark(reports, days=0, **more):
    moment = FIRST + timedelta(days=days)
    return stale.mark(
        reports, "shop", **{"snapshot_date": "2026-11-21", "moment": moment, "why": WHY} | more
    )


def written(reports):
    return json.loads((reports / "shop" / "stale.json").read_text(encoding="utf-8"))


def test_a_failure_is_written_down_in_utc(reports):
    assert mark(reports)
    assert written(reports) == {
        "snapshot_date": "2026-11-21",
        "since": "2026-11-22T03:10:00+00:00",
        "attempted": "2026-11-22T03:10:00+00:00",
        "why": WHY,
    }
    assert sorted(path.name for path in (reports / "shop").iterdir()) == [
        "2026-11-20", "stale.json"
    ]  # fmt: skip


def test_since_when_stays_until_a_refresh_is_good(reports):
    mark(reports)
    assert mark(reports, days=1, snapshot_date="2026-11-22", why=["30_clusters: überall"])
    assert written(reports) == {
        "snapshot_date": "2026-11-22",
        "since": "2026-11-22T03:10:00+00:00",
        "attempted": "2026-11-23T03:10:00+00:00",
        "why": ["30_clusters: überall"],
    }
    assert stale.since(reports, "shop") == "2026-11-22T03:10:00+00:00"
    assert stale.clear(reports, "shop", "2026-11-21") is None  # an earlier day was good
    assert stale.since(reports, "shop") == "2026-11-22T03:10:00+00:00"
    assert stale.clear(reports, "shop", "2026-11-22") == "2026-11-22T03:10:00+00:00"
    assert stale.clear(reports, "shop", "2026-11-22") is None
    assert stale.since(reports, "shop") is None
    mark(reports, days=2)
    assert written(reports)["since"] == "2026-11-24T03:10:00+00:00"


def test_an_earlier_day_that_fails_makes_nothing_stale(reports):
    assert not mark(reports, snapshot_date="2026-11-19")
    assert mark(reports, snapshot_date="2026-11-20")
    assert mark(reports, snapshot_date="")  # the book could not be read


def test_without_a_good_refresh_nothing_is_stale(tmp_path):
    assert not mark(tmp_path)
    (tmp_path / "shop" / ".building").mkdir(parents=True)
    (tmp_path / "shop" / ".building" / "manifest.json").write_text("{}")
    assert not mark(tmp_path)
    assert [path.name for path in (tmp_path / "shop").iterdir()] == [".building"]


@pytest.mark.parametrize("held", ["", "{", "[]", "{}", '{"since": 1}', '{"since": "long ago"}'])
def test_a_damaged_file_is_begun_anew(reports, held):
    (reports / "shop" / "stale.json").write_text(held)
    assert stale.since(reports, "shop") is None
    mark(reports)
    assert datetime.fromisoformat(written(reports)["since"]) == FIRST.astimezone(UTC)
