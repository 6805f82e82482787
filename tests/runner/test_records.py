"""What a task has made is taken over only as it was made."""

import json

import polars as pl
import pytest
from drawing import drawn

from retention.tables import workspace
from retention_runner import records

MEMBERS = drawn("| customer_id | segment |\n| ann | s1 |\n| bob | s2 |")


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

    record = records.end(folder, "30_clusters", {"data": "a"})

    assert record == records.read(folder, "30_clusters")
    assert list(record["outputs"]) == [
        "tables/members.parquet", "findings/30_clusters.json", "notebooks/30_clusters.ipynb"
    ]  # fmt: skip
    assert records.names(folder) == ["30_clusters"]


def test_runs_of_segments_have_files_of_their_own(folder):
    for n in (1, 2):
        (folder / "findings" / f"95_segment-s{n}.json").write_text(str(n))

    record = records.end(folder, "95_segment-s1", {})

    assert list(record["outputs"]) == ["findings/95_segment-s1.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": {}}', '{"key": {}, "outputs": null}'])
def test_a_damaged_record_is_none(folder, text):
    (folder / "tasks").mkdir()
    (folder / "tasks" / "30_clusters.json").write_text(text)

    assert records.read(folder, "30_clusters") is None


def test_what_is_handed_on_is_tables_and_findings(folder):
    record = records.end(folder, "30_clusters", {})

    assert list(records.needed({"30_clusters": record})) == [
        "findings/30_clusters.json", "tables/members.parquet"
    ]  # fmt: skip


def test_taken_over_are_the_same_bytes_without_a_second_copy(folder, tmp_path):
    record, stage = records.end(folder, "30_clusters", {"data": "a"}), tmp_path / "stage"

    records.take_over(folder, stage, "30_clusters", record)

    assert records.read(stage, "30_clusters") == record
    assert records.intact(stage, record)
    table = "tables/members.parquet"
    assert (stage / table).samefile(folder / table)
    workspace.save(MEMBERS.head(1), stage / table)  # written anew, never into
    assert pl.read_parquet(folder / table).height == 2


@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_what_is_gone_or_changed_is_not_intact(folder, harm):
    record = records.end(folder, "30_clusters", {})
    file = folder / "tables" / "members.parquet"
    file.unlink() if harm == "gone" else file.write_bytes(file.read_bytes() + b"\0")

    assert not records.intact(folder, record)
    assert not records.stands(folder, record)
    if harm == "gone":
        (folder / workspace.PRUNED).touch()
        assert records.stands(folder, record)
        assert not records.intact(folder, record)


def test_what_was_erased_stands_but_is_not_taken_over(folder):
    records.end(folder, "30_clusters", {})
    file = folder / "tables" / "members.parquet"
    for left in (MEMBERS.head(1), MEMBERS.head(0)):
        workspace.save(left, file)
        records.erased(folder, file)

        record = records.read(folder, "30_clusters")
        assert records.stands(folder, record)
        assert not records.intact(folder, record)


def test_a_record_is_readable_by_people(folder):
    records.end(folder, "30_clusters", {"data": "a"})

    text = (folder / "tasks" / "30_clusters.json").read_text()

    assert json.loads(text)["key"] == {"data": "a"}
    assert "\n " in text
