"""From a book to published pages, through the command line; and what must never be published."""

import csv
import hashlib
import json
import re
import shutil
import tempfile
from pathlib import Path

import polars as pl
import pytest
from drawing import shop as drawn_shop
from workbooks import SHOP, files, light, notebook, retention

from retention_runner import page, places, publish
from retention_runner.errors import Refused

DRAWN = drawn_shop()
PAGES = {
    "00_data.html",
    "05_definition.html",
    "10_customers.html",
    "20_survival.html",
    "30_clusters.html",
    "40_cohorts.html",
    "50_risk.html",
    "60_value.html",
    *(f"95_segment-s{n}.html" for n in range(1, 11)),
    "index.html",
}


TASKS = {"tables"} | {page.removesuffix(".html") for page in PAGES} - {"index"} | {"99_summary"}


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


def test_a_record_says_when_how_long_and_where(shop):
    record = json.loads((shop / "work" / "shop" / "2025-06-30" / "run.json").read_text())

    assert record["snapshot_date"] == "2025-06-30"
    assert record["began"] == record["ended"] == "2025-07-15T00:00:00+00:00"
    assert record["state"] == "good"
    assert {run["task"] for run in record["tasks"]} == TASKS
    assert all(run["state"] == "done" and run["seconds"] > 0 for run in record["tasks"])


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
    before = {path: path.stat().st_mtime_ns for path in (shop / "work" / "shop").rglob("*")}

    again = retention(shop, "refresh", "shop")

    assert (again.returncode, again.stdout) == (0, "shop 2025-06-30: unchanged\n")
    after = {path: path.stat().st_mtime_ns for path in (shop / "work" / "shop").rglob("*")}
    assert after == before


def test_a_lost_or_harmed_page_is_put_back_and_the_rest_stays(shop):
    folder, before = shop / "reports" / "shop" / "2025-06-30", files(shop / "reports")
    (folder / "20_survival.html").unlink()
    (folder / "40_cohorts.html").write_text("hacked")
    (shop / "reports" / "index.html").unlink()

    again = retention(shop, "refresh", "shop")

    assert again.returncode == 0, again.stderr
    assert files(shop / "reports") == before


def test_what_changed_and_what_is_not_whole_is_made_again_as_a_revision(shop, tmp_path):
    """One parameter of one notebook, and a table of another one, whose page is the same again: a
    person's own plot settings do not show."""
    book, reports = shop / "params" / "shop.yaml", shop / "reports" / "shop"
    first = files(reports / "2025-06-30")
    book.write_text(SHOP.replace("[voluntary]", "[payment_failure]"))
    (tmp_path / "matplotlibrc").write_text("axes.grid: True\nfont.size: 30\n")
    harmed = shop / "work" / "shop" / "2025-06-30" / "tables" / "lifecycle.parquet"
    harmed.unlink()
    harmed.write_bytes(b"harmed")

    why = retention(shop, "status", "shop", "--why")
    done = retention(shop, "refresh", "shop", MATPLOTLIBRC=str(tmp_path / "matplotlibrc"))

    assert why.stdout.splitlines()[:3] == [
        "shop 2025-06-30: 15 of 20 tasks would run",
        "  10_customers: its files are gone or were changed",
        "  20_survival: parameters: causes",
    ]
    assert done.returncode == 0, done.stderr
    record = json.loads((shop / "work" / "shop" / "2025-06-30-r2" / "run.json").read_text())
    ran = {run["task"] for run in record["tasks"] if run["state"] == "done"}
    assert ran == {"10_customers", "20_survival", "99_summary"}
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


def test_a_notebook_that_refuses_stops_what_needs_it_and_nothing_else(workbook):
    folder = light(workbook, "class Refused(ValueError):\n    pass", "raise Refused('no colour')")
    notebook(folder / "notebooks" / "40_other.ipynb", "print('so far')")

    refused(folder, "50_light.ipynb: no colour")

    failed = folder / "work" / "failed" / "shop"
    assert (failed / "notebooks" / "50_light.ipynb").is_file()
    done = {
        run["task"]: run["state"] for run in json.loads((failed / "run.json").read_text())["tasks"]
    }
    assert done == {
        "tables": "done",
        "40_other": "done",
        "50_light": "refused",
        "99_summary": "skipped",
    }


def refused(folder: Path, words: str) -> None:
    """The book is refused in these words, and nothing is published."""
    done = retention(folder, "refresh", "shop")
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert files(folder / "reports") == {}


def test_bad_data_end_with_exit_code_2_before_any_kernel_starts(workbook):
    with (workbook / "data" / "events.csv").open("a") as events:
        events.write(",2024-01-02" + "," * (DRAWN["events"].width - 2) + "\n")

    refused(workbook, "events.csv: customer_id: ")


def test_a_name_that_is_a_path_is_no_book(tmp_path):
    for name in ("../params/cdnow", "/etc/passwd", ""):
        with pytest.raises(Refused, match="is not a book's name"):
            places.Places(tmp_path, tmp_path, name)


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


def test_tables_that_a_kill_left_moved_aside_are_put_in_their_place(tmp_path):
    shop = places.Places(tmp_path, tmp_path / "reports", "shop")
    for name in (".2025-01-31.old", ".2025-02-28.old", "2025-02-28"):
        (shop.work / name).mkdir(parents=True)

    publish.heal(shop)

    assert {path.name for path in shop.work.iterdir()} == {"2025-01-31", "2025-02-28"}
