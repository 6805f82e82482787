"""What a task depends on, what would have to be made, and why: nothing runs here."""

from dataclasses import replace
from datetime import date
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml
from drawing import drawn

from retention.tables import workspace
from retention_app.workbook import workbook as the_workbook
from retention_runner import dates, keys, plan, records, refresh

SEGMENTS = drawn("""
    | segment | name | kind    | grade | n | share_of_customers | share_of_amount |
    | s1      | One  | stratum | fair  | 9 | 0.5                | 0.5             |
    | s10     | Ten  | stratum | fair  | 9 | 0.5                | 0.5             |
""")


def prepared(root: Path) -> plan.Job:
    workbook = the_workbook()
    book = workbook.load("shop")
    (day,) = dates.of_book(book, None)
    return plan.prepare(workbook, replace(book, day=day), root / "reports")


@pytest.fixture
def made(workbook) -> Path:
    """A workbook whose book `shop` counts as refreshed: every record, two segments, no kernel."""
    job = prepared(workbook)
    folder = job.places.work / job.day
    space = workspace.Workspace("shop", job.day, "30_clusters", folder)
    workspace.write_table(space, "segments", SEGMENTS)
    needs, done = plan.tasks(job, folder), {}
    for task in TopologicalSorter(needs).static_order():
        own = {name: done[name] for name in needs[task]}
        key = plan.key(job, task, own)
        done[task] = records.end(folder, task, key, job.writes(task))
    reports = workbook / "reports" / "shop" / job.day
    reports.mkdir(parents=True)
    (reports / "manifest.json").write_text('{"pages": [], "tables": []}')
    return workbook


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_book_that_was_never_refreshed_is_stale_in_all(workbook):
    why = plan.stale(prepared(workbook))

    assert {"tables", "95_segment", "99_summary", "pages"} <= why.keys()
    assert set(map(tuple, why.values())) == {("was not made yet",)}


def test_runs_of_segments_are_told_their_segment(made):
    job = prepared(made)

    assert {"95_segment-s1", "95_segment-s10"} <= plan.tasks(job, job.places.work / job.day).keys()
    assert job.given("95_segment-s10")["segment"] == "s10"
    assert "segment" not in job.given("20_survival")


def test_a_changed_parameter_concerns_its_notebook_and_what_needs_that(made):
    change(
        made / "params" / "shop.yaml",
        "churn:",
        "parameters: {10_customers: {high_days: 7}}\nchurn:",
    )

    assert plan.stale(prepared(made)) == {
        "10_customers": ["parameters: high_days"],
        "30_clusters": ["needs 10_customers"],
        "60_value": ["needs 30_clusters"],
        "95_segment-s1": ["needs 10_customers, 30_clusters"],
        "95_segment-s10": ["needs 10_customers, 30_clusters"],
        "99_summary": ["needs 10_customers, 30_clusters, 60_value, 95_segment-s1, 95_segment-s10"],
        "pages": [
            "needs 10_customers, 30_clusters, 60_value, 95_segment-s1, 95_segment-s10, 99_summary"
        ],
    }


def test_changed_data_concern_all_and_a_changed_title_as_well(made):
    events = made / "data" / "events.csv"
    events.write_text(events.read_text() + events.read_text().splitlines()[-1] + "\n")

    why = plan.stale(prepared(made))

    assert why["tables"] == ["data"]
    assert why["20_survival"] == ["needs tables"]
    assert len(why) == len(plan.tasks(prepared(made), made / "none")) + 1  # two segments, not one


def test_a_changed_notebook_and_a_harmed_table_are_named(made):
    change(made / "notebooks" / "40_cohorts.ipynb", "Do newer cohorts", "Do new cohorts")
    job = prepared(made)
    (job.places.work / job.day / "tables" / "segments.parquet").write_bytes(b"harmed")

    assert plan.stale(job) == {
        "30_clusters": ["its files are gone or were changed"],
        "40_cohorts": ["notebook"],
        "60_value": ["needs 30_clusters"],
        "95_segment": ["was not made yet"],
        "99_summary": ["needs 30_clusters, 40_cohorts, 60_value, 95_segment"],
        "pages": ["needs 30_clusters, 40_cohorts, 60_value, 95_segment, 99_summary"],
    }


def test_status_says_it_in_lines(made):
    lines = []
    refresh.status(the_workbook(), ["shop"], made / "reports", True, lines.append)
    day = prepared(made).day
    assert lines == [f"shop {day}: stands"]

    change(made / "params" / "shop.yaml", "churn:", "parameters: {40_cohorts: {ages: [2]}}\nchurn:")
    lines.clear()
    refresh.status(the_workbook(), ["shop"], made / "reports", True, lines.append)
    assert lines == [
        f"shop {day}: 2 of 12 tasks would run",
        "  40_cohorts: parameters: ages",
        "  99_summary: needs 40_cohorts",
        "  pages: needs 40_cohorts, 99_summary",
    ]


def key_of(job: plan.Job, task: str = "20_survival", **changed) -> keys.Key:
    return plan.key(replace(job, **changed), task, {})


def test_a_notebook_depends_on_what_it_imports_and_on_what_that_imports(workbook):
    code = key_of(prepared(workbook))["code"]

    assert {"retention.survival.survival", "retention.tables.workspace"} <= code.keys()
    assert "retention.words" in code  # by way of show
    assert not {"retention.clusters.clusters", "retention_app.cli"} & code.keys()


def test_the_tables_depend_on_no_analysis_and_no_page(workbook):
    code = key_of(prepared(workbook), "tables")["code"]

    assert {"retention.tables.spells", "retention_intake.files"} <= code.keys()
    assert not [name for name in code if name.startswith(("retention.survival", "retention.exh"))]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"title": "Other"}, ["book: title"]),
        ({"timezone": "UTC"}, ["definition: timezone"]),
        ({"snapshot_date": date(2020, 1, 1)}, ["book: snapshot_date"]),
        ({"parameters": {"40_cohorts": {"ages": [1]}}}, []),  # of another task
        ({"parameters": {"20_survival": {"days": [1]}}}, ["parameters: days"]),
        ({"keep": 3}, []),
        ({"on_done": "./tell.sh"}, []),
    ],
)
def test_of_a_book_what_a_notebook_can_see_counts(workbook, change, words):
    before, book = prepared(workbook), workbook / "params" / "shop.yaml"
    told = yaml.safe_load(book.read_text()) | change
    book.write_text(yaml.safe_dump(told))

    assert keys.changes(key_of(before), key_of(prepared(workbook))) == words
