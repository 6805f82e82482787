"""What a task has made is taken over only as it was made."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from drawing import drawn

from retention.tables import workspace
from retention_runner import places, records

MEMBERS = drawn("| customer_id | segment | confidence |\n| ann | s1 | 0.5 |\n| bob | s2 | 1.0 |")


@pytest.fixture
def folder(tmp_path):
    """A refresh in which 30_clusters has written one table, its findings and its notebook."""
    place = tmp_path / "2025-06-30"
    workspace.write_table(
        workspace.Workspace("shop", "d", "30_clusters", place), "members", MEMBERS
    )
    for file in ("findings/30_clusters.json", "notebooks/30_clusters.ipynb"):
        (place / file).parent.mkdir()
        (place / file).write_text(file)
    (place / "findings" / "00_data.json").write_text("another's")
    return place


def test_a_record_holds_the_tasks_own_files(folder):
    records.begin(folder, "30_clusters", {"data": "a"})
    assert records.read(folder, "30_clusters") is None  # not made to its end

    record = records.end(folder, "30_clusters", {"data": "a"}, ["members", "none"])

    assert record == records.read(folder, "30_clusters")
    assert list(record["outputs"]) == [
        "tables/members.parquet", "findings/30_clusters.json", "notebooks/30_clusters.ipynb"
    ]  # fmt: skip


def test_runs_of_segments_have_files_of_their_own(folder):
    for n in (1, 2):
        (folder / "findings" / f"95_segment-s{n}.json").write_text(str(n))

    record = records.end(folder, "95_segment-s1", {})

    assert list(record["outputs"]) == ["findings/95_segment-s1.json"]


@pytest.mark.parametrize("text", ["", "[]", '{"key": {}}'])
def test_a_damaged_record_is_none(folder, text):
    (folder / "tasks").mkdir()
    (folder / "tasks" / "30_clusters.json").write_text(text)

    assert records.read(folder, "30_clusters") is None


def test_what_is_handed_on_is_tables_and_findings(folder):
    record = records.end(folder, "30_clusters", {}, ["members"])

    assert list(records.needed({"30_clusters": record})) == [
        "findings/30_clusters.json", "tables/members.parquet"
    ]  # fmt: skip


def test_taken_over_are_the_same_bytes_without_a_second_copy(folder, tmp_path):
    record, stage = (
        records.end(folder, "30_clusters", {"data": "a"}, ["members", "none"]),
        tmp_path / "stage",
    )

    records.take_over(folder, stage, "30_clusters", record)

    assert records.read(stage, "30_clusters") == record
    assert records.intact(stage, record)
    table = "tables/members.parquet"
    assert (stage / table).samefile(folder / table)
    workspace.save(MEMBERS.head(1), stage / table)  # written anew, never into
    assert pl.read_parquet(folder / table).height == 2


@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_what_is_gone_or_changed_is_not_intact(folder, harm):
    record = records.end(folder, "30_clusters", {}, ["members"])
    file = folder / "tables" / "members.parquet"
    file.unlink() if harm == "gone" else file.write_bytes(file.read_bytes() + b"\0")

    assert not records.intact(folder, record)
    assert not records.stands(folder, record)
    (folder / places.PRUNED).touch()
    assert records.stands(folder, record)
    assert not records.intact(folder, record)


# A book whose newest refresh failed is stale


FIRST = datetime(2026, 11, 22, 4, 10, tzinfo=UTC)
WHY = ["20_survival: a cell failed (KeyError)"]


@pytest.fixture
def shop(tmp_path):
    (tmp_path / "2026-11-20").mkdir()
    (tmp_path / "2026-11-20" / "manifest.json").write_text("{}")
    return tmp_path


def mark(shop, day="2026-11-21", days=0):
    return records.mark_stale(shop, day, FIRST + timedelta(days=days), WHY)


def test_since_when_stays_until_a_refresh_is_good(shop):
    assert mark(shop)
    assert mark(shop, "2026-11-22", days=1)
    held = records.stale(shop)
    assert (held.snapshot_date, held.since, held.why) == ("2026-11-22", FIRST, WHY)
    assert records.clear_stale(shop, "2026-11-21") is None  # an earlier day was good
    assert records.stale(shop) == held
    assert records.clear_stale(shop, "2026-11-22") == "2026-11-22T04:10:00+00:00"
    assert records.clear_stale(shop, "2026-11-22") is None
    assert records.stale(shop) is None
    assert [path.name for path in shop.iterdir()] == ["2026-11-20"]
    mark(shop, days=2)
    assert records.stale(shop).since == FIRST + timedelta(days=2)


def test_an_earlier_day_that_fails_makes_nothing_stale(shop):
    assert not mark(shop, "2026-11-19")
    assert mark(shop, "2026-11-20")
    assert mark(shop, "")  # the book could not be read


def test_without_a_good_refresh_nothing_is_stale(tmp_path):
    (tmp_path / ".building").mkdir()
    (tmp_path / ".building" / "manifest.json").write_text("{}")
    assert not mark(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".building"]


def test_a_damaged_file_is_begun_anew(shop):
    (shop / "stale.json").write_text("{")
    assert records.stale(shop) is None
    mark(shop)
    assert records.stale(shop).since == FIRST
