"""What would have to be made, and why: nothing runs here, the records tell."""

import json
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from drawing import drawn

from retention import book as books
from retention.tables import workspace
from retention_runner import dates, records, status
from retention_runner import job as jobs

SEGMENTS = drawn("""
    | segment | name | kind    | n | share_of_customers | share_of_amount |
    | s1      | One  | cluster | 9 | 0.5                | 0.5             |
    | s10     | Ten  | cluster | 9 | 0.5                | 0.5             |
""")


def prepared(root: Path) -> jobs.Job:
    book = books.load("shop", root)
    (day,) = dates.of_book(book, None)
    return jobs.prepare("shop", books.at(book, day), root / "reports")


@pytest.fixture
def made(workbook) -> Path:
    """A workbook whose book `shop` counts as refreshed: every record, two segments, no kernel."""
    job = prepared(workbook)
    folder = job.work(job.day)
    space = workspace.Workspace("shop", job.day, "30_clusters", folder)
    workspace.write_table(space, "segments", SEGMENTS)
    needs, done = jobs.tasks(job, folder), {}
    for task in TopologicalSorter(needs).static_order():
        own = {name: done[name] for name in needs[task]}
        done[task] = records.end(folder, task, jobs.key(job, task, own))
    reports = workbook / "reports" / "shop" / job.day
    reports.mkdir(parents=True)
    (reports / "manifest.json").write_text('{"pages": [], "tables": []}')
    return workbook


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_where_nothing_changed_nothing_is_stale(made):
    assert jobs.stale(prepared(made)) == {}


def test_a_book_that_was_never_refreshed_is_stale_in_all(workbook):
    why = jobs.stale(prepared(workbook))

    assert {"tables", "95_segment", "99_summary", "pages"} <= why.keys()
    assert set(map(tuple, why.values())) == {("was not made yet",)}


def test_runs_of_segments_keep_the_order_of_the_table_and_are_told_their_segment(made):
    job = prepared(made)

    assert jobs.runs(job, job.work(job.day), "95_segment") == ["95_segment-s1", "95_segment-s10"]
    assert jobs.given(job, "95_segment-s10")["segment"] == "s10"
    assert "segment" not in jobs.given(job, "20_survival")


def test_a_changed_parameter_concerns_its_notebook_and_what_needs_that(made):
    change(
        made / "params" / "shop.yaml",
        "churn:",
        "parameters: {10_customers: {high_days: 7}}\nchurn:",
    )

    assert jobs.stale(prepared(made)) == {
        "10_customers": ["parameters: high_days"],
        "95_segment-s1": ["needs 10_customers"],
        "95_segment-s10": ["needs 10_customers"],
        "99_summary": ["needs 10_customers, 95_segment-s1, 95_segment-s10"],
        "pages": ["needs 10_customers, 95_segment-s1, 95_segment-s10, 99_summary"],
    }


def test_changed_data_concern_all_and_a_changed_title_as_well(made):
    events = made / "data" / "events.csv"
    events.write_text(events.read_text() + events.read_text().splitlines()[-1] + "\n")

    why = jobs.stale(prepared(made))

    assert why["tables"] == ["data"]
    assert why["20_survival"] == ["needs tables"]
    assert len(why) == len(jobs.tasks(prepared(made), made / "none")) + 1  # two segments, not one


def test_a_changed_notebook_and_a_harmed_table_are_named(made):
    change(made / "notebooks" / "40_cohorts.ipynb", "Do newer cohorts", "Do new cohorts")
    job = prepared(made)
    (job.work(job.day) / "tables" / "segments.parquet").write_bytes(b"harmed")

    assert jobs.stale(job) == {
        "30_clusters": ["its files are gone or were changed"],
        "40_cohorts": ["notebook"],
        "60_value": ["needs 30_clusters"],
        "95_segment": ["was not made yet"],
        "99_summary": ["needs 30_clusters, 40_cohorts, 60_value, 95_segment"],
        "pages": ["needs 30_clusters, 40_cohorts, 60_value, 95_segment, 99_summary"],
    }


def test_a_lost_page_makes_the_pages_stale_alone(made):
    job = prepared(made)
    manifest = made / "reports" / "shop" / job.day / "manifest.json"
    manifest.write_text(json.dumps({"pages": [{"file": "a.html", "sha256": "1"}], "tables": []}))

    assert jobs.stale(job) == {"pages": ["published files are gone or were changed"]}


def test_status_says_it_in_lines(made):
    lines = []
    status.status(["shop"], made / "reports", True, lines.append)
    (day,) = dates.of_book(books.load("shop", made), None)
    assert lines == [f"shop {day}: stands"]

    change(made / "params" / "shop.yaml", "churn:", "parameters: {40_cohorts: {ages: [2]}}\nchurn:")
    lines.clear()
    status.status(["shop"], made / "reports", True, lines.append)
    assert lines == [
        f"shop {day}: 2 of 12 tasks would run",
        "  40_cohorts: parameters: ages",
        "  99_summary: needs 40_cohorts",
        "  pages: needs 40_cohorts, 99_summary",
    ]
