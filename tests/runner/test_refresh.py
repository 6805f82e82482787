"""From a book to published pages, through the command line; and what must never be published."""

import csv
import fcntl
import hashlib
import json
import re
import shutil
import tempfile
from pathlib import Path

import polars as pl
import pytest
from workbooks import SHOP, files, retention, with_only

from retention_runner import page, places, publish

PROJECT = Path(__file__).parents[2]
PAGES = {
    "00_data.html",
    "05_definition.html",
    "10_customers.html",
    "20_survival.html",
    "30_clusters.html",
    "40_cohorts.html",
    "50_risk.html",
    "60_value.html",
    *(f"95_segment-s{n}.html" for n in range(1, 5)),
    "index.html",
}


TASKS = {"tables"} | {page.removesuffix(".html") for page in PAGES} - {"index"} | {"99_summary"}


def states(folder: Path, refresh: str = "2025-06-30") -> dict[str, str]:
    """How every task of a refresh went, by its run.json."""
    places = (folder / "run.json", folder / "work" / "shop" / refresh / "run.json")
    record = next(place for place in places if place.is_file())
    return {run["task"]: run["state"] for run in json.loads(record.read_text())["tasks"]}


@pytest.fixture(scope="module")
def shop(refreshed, tmp_path_factory) -> Path:
    """The workbook whose book `shop` has been refreshed once."""
    return shutil.copytree(refreshed, tmp_path_factory.mktemp("refresh") / "shop", symlinks=True)


def test_a_refresh_publishes_pages_tables_manifest_and_index(shop):
    folder = shop / "reports" / "shop" / "2025-06-30"

    assert {path.name for path in folder.glob("*.html")} == PAGES
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["snapshot_date"] == manifest["refresh"] == "2025-06-30"
    records = manifest["pages"] + manifest["tables"]
    for record in records:
        content = (folder / record["file"]).read_bytes()
        assert record["sha256"] == hashlib.sha256(content).hexdigest()
    published = {str(path.relative_to(folder)) for path in folder.rglob("*.*")}
    assert published == {record["file"] for record in records} | {"manifest.json"}
    assert "Corner shop" in (shop / "reports" / "index.html").read_text()
    assert not (shop / "work" / ".building").exists() or not files(shop / "work" / ".building")


def test_a_record_says_when_how_long_how_much_and_which_day_was_meant(shop):
    record = json.loads((shop / "work" / "shop" / "2025-06-30" / "run.json").read_text())

    assert record["asked"] == "last_month_end"
    assert record["snapshot_date"] == "2025-06-30"
    assert record["began"] == record["ended"] == "2025-07-15T00:00:00+00:00"
    assert record["state"] == "good"
    for run in record["tasks"]:
        assert run["seconds"] > 0, run
        assert run["peak_kib"] > 50_000, run
        assert run["kernel"] == ("" if run["task"] == "tables" else "forked")
        assert run["task"] == "tables" or run["seconds"] > run["cell_seconds"] > 0


def test_every_page_keeps_its_rules(shop):
    for path in (shop / "reports").rglob("*.html"):
        html = path.read_text()
        assert page.problems(html) == [], path.name
        assert len(re.findall("<h1[ >]", html)) == 1
        assert not re.search(r"""(src|href|url\(|@import)\s*=?\s*["']?\s*(https?:)?//""", html)
        assert tempfile.gettempdir() not in html


def test_no_customer_id_is_published(shop):
    ids = set(
        pl.read_parquet(shop / "work" / "shop" / "2025-06-30" / "tables" / "customers_at.parquet")[
            "customer_id"
        ]
    )
    assert len(ids) == 1000

    for name, content in files(shop / "reports").items():
        words = set(re.findall(r"[A-Za-z0-9_-]+", content.decode()))
        assert not words & ids, name
        if name.endswith(".csv"):
            assert "customer_id" not in next(csv.reader(content.decode().splitlines()))


def test_the_second_time_nothing_happens(shop):
    before = files(shop / "reports")

    again = retention(shop, "refresh", "shop")

    assert again.returncode == 0
    assert re.fullmatch(r"shop 2025-06-30: unchanged since \S+\n", again.stdout)
    assert files(shop / "reports") == before
    assert states(shop) == dict.fromkeys(TASKS, "done")  # of the first refresh: nothing ran since


def test_a_lost_or_harmed_page_is_put_back_and_the_rest_stays(shop):
    folder, before = shop / "reports" / "shop" / "2025-06-30", files(shop / "reports")
    (folder / "20_survival.html").unlink()
    (folder / "40_cohorts.html").write_text("hacked")
    (shop / "reports" / "index.html").unlink()

    again = retention(shop, "refresh", "shop")

    assert again.returncode == 0, again.stderr
    assert files(shop / "reports") == before


def test_two_refreshes_of_one_book_never_share_a_folder(shop):
    with (shop / "work" / ".locks" / "shop").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = retention(shop, "refresh", "shop")

    assert done.returncode == 2
    assert "another refresh of this book is running" in done.stderr


def test_a_persons_own_plot_settings_do_not_show(shop, tmp_path):
    (tmp_path / "matplotlibrc").write_text("axes.grid: True\nfont.size: 30\n")
    tables = shop / "work" / "shop" / "2025-06-30" / "tables"
    (tables / "survival_curves.parquet").unlink()  # the pages whose charts are drawn again
    (tables / "clusters.parquet").unlink()
    before = files(shop / "reports")

    done = retention(shop, "refresh", "shop", MATPLOTLIBRC=str(tmp_path / "matplotlibrc"))

    assert "every page is the same" in done.stdout
    assert files(shop / "reports") == before


def test_one_parameter_of_one_notebook_runs_it_and_what_needs_it_as_a_revision(shop):
    book, reports = shop / "params" / "shop.yaml", shop / "reports" / "shop"
    first = files(reports / "2025-06-30")
    book.write_text(SHOP.replace("[voluntary]", "[payment_failure]"))
    try:
        why = retention(shop, "status", "shop", "--why")
        done = retention(shop, "refresh", "shop")
    finally:
        book.write_text(SHOP)

    assert why.stdout.splitlines() == [
        "shop 2025-06-30: 2 of 14 tasks would run",
        "  20_survival: parameters: causes",
        "  99_summary: needs 20_survival",
        "  pages: needs 20_survival, 99_summary",
    ]
    assert done.returncode == 0, done.stderr
    ran = {task for task, state in states(shop, "2025-06-30-r2").items() if state == "done"}
    assert ran == {"20_survival", "99_summary"}
    assert files(reports / "2025-06-30") == first
    second = files(reports / "2025-06-30-r2")
    changed = {name for name in first if first[name] != second[name]}
    assert changed >= {"20_survival.html", "manifest.json"}
    assert changed <= {"20_survival.html", "index.html", "manifest.json"} | {
        "tables/hazard_ratios.csv", "tables/friction.csv", "tables/findings.csv"
    }  # fmt: skip
    manifest = json.loads(second["manifest.json"])
    assert manifest["changed"] == ["parameters of 20_survival: causes"]
    index = (shop / "reports" / "index.html").read_text()
    assert "parameters of 20_survival: causes" in index


def test_what_a_task_made_is_taken_over_only_where_it_is_whole(shop):
    """The last refresh is r2; back at the first parameters, whose tables are made again."""
    work = shop / "work" / "shop" / "2025-06-30-r2"
    (work / "tables" / "lifecycle.parquet").write_bytes(b"harmed")

    done = retention(shop, "refresh", "shop")

    assert done.returncode == 0, done.stderr
    ran = {task for task, state in states(shop, "2025-06-30-r3").items() if state == "done"}
    assert ran == {"10_customers", "20_survival", "99_summary"}
    one, other = (files(shop / "reports" / "shop" / f"2025-06-30{n}") for n in ("", "-r3"))
    assert {name for name in one if one[name] != other[name]} == {"manifest.json"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("title: Corner shop", "titel: Corner shop"), "params/shop.yaml:1: titel: unknown key"),
        (("min_samples", "min_sample"), "did you mean 'min_samples'?"),
    ],
)
def test_a_book_that_is_refused_publishes_nothing_and_is_told_why(make_workbook, change, words):
    folder = make_workbook()
    (folder / "params" / "shop.yaml").write_text(SHOP.replace(*change))

    refused(folder, words)

    assert not list((folder / "work").glob("shop/*"))


def test_a_notebook_that_refuses_stops_what_needs_it_and_nothing_else(make_workbook):
    folder = with_only(make_workbook(), "00_data", "20_survival", "99_summary")
    text = SHOP[: SHOP.index("  30_clusters")].replace("{by: plan", "{by: colour")
    (folder / "params" / "shop.yaml").write_text(text)

    refused(folder, "20_survival.ipynb: no attribute 'colour' is known")

    failed = folder / "work" / "failed" / "shop"
    assert (failed / "notebooks" / "20_survival.ipynb").is_file()
    done = {"tables": "done", "00_data": "done"}
    assert states(failed) == done | {"20_survival": "refused", "99_summary": "skipped"}


def refused(folder: Path, words: str) -> None:
    """The book is refused in these words, and nothing is published."""
    done = retention(folder, "refresh", "shop")
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert files(folder / "reports") == {}


def test_bad_data_end_with_exit_code_2_before_any_kernel_starts(make_workbook):
    folder = make_workbook()
    events = "customer_id,at,amount\na,2025-01-01,5\n,2025-01-02,5\n"
    (folder / "events.csv").write_text(events)
    (folder / "params" / "csv.yaml").write_text(
        "title: Shop\nsource: {kind: files}\ntables: {events: events.csv}\n"
        "snapshot_date: 2025-06-30\n"
        "churn: {kind: activity, activity: [purchase], after_days: 60}\n"
    )

    done = retention(folder, "refresh", "csv")

    assert done.returncode == 2
    assert " done " not in done.stdout
    assert "events.csv: customer_id: " in done.stderr
    assert "1 row breaks it" in done.stderr
    assert files(folder / "reports") == {}


def test_a_name_that_is_a_path_is_no_book(make_workbook):
    folder = make_workbook()
    for name in ("../params/cdnow", "/etc/passwd", ""):
        done = retention(folder, "refresh", name)
        assert done.returncode == 2, name
        assert "is not a book's name" in done.stderr


def test_the_next_revision_is_after_the_last_and_takes_no_folder_that_is_there(tmp_path):
    def published(name):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").touch()

    assert places.newest(tmp_path, "2025-06-30") is None
    assert places.next_name(tmp_path, "2025-06-30") == "2025-06-30"
    published("2025-06-30")
    assert places.next_name(tmp_path, "2025-06-30") == "2025-06-30-r2"
    published("2025-06-30-r10")
    published("2025-06-30-copy")  # somebody's, and no refresh
    (tmp_path / "2025-06-30-r11").mkdir()  # its manifest is lost
    assert places.newest(tmp_path, "2025-06-30") == "2025-06-30-r10"
    assert places.next_name(tmp_path, "2025-06-30") == "2025-06-30-r12"


def test_what_a_kill_between_two_renames_left_is_put_in_its_place(tmp_path):
    shop = places.Places(tmp_path, tmp_path / "reports", "shop")
    work, reports, stages = shop.work, shop.published, shop.stages
    for folder in (work / ".2025-01-31.old", work / ".2025-02-28.old", work / "2025-02-28"):
        folder.mkdir(parents=True)
    for day in ("2025-03-31", "2025-04-30", "2025-05-31"):
        (stages / day / "tasks").mkdir(parents=True)
    for day in ("2025-03-31", "2025-04-30"):
        (reports / day).mkdir(parents=True)
        (reports / day / "manifest.json").touch()
    for day in ("2025-03-31", "2025-05-31"):  # complete, and only the first one's pages are there
        (stages / day / "tasks" / "pages.json").touch()

    publish.heal(shop, "tasks/pages.json")

    assert {path.name for path in work.iterdir()} == {"2025-01-31", "2025-02-28", "2025-03-31"}
    assert {path.name for path in stages.iterdir()} == {"2025-04-30", "2025-05-31"}
