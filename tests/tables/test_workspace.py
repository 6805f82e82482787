"""Where tables lie: found from anywhere inside, written once, never where they should not."""

import csv
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from drawing import day, drawn
from hypothesis import given
from hypothesis import strategies as st

from retention.errors import Failed, Refused
from retention.tables import workspace

EXCLUSIONS = drawn("| rule | n |\n| too_new | 3 |\n| never_active | 5 |\n| after | 0 |")
MEMBERS = drawn("| customer_id | segment |\n| ann | s1 |\n| bob | s2 |\n| bob | s1 |")
MEMBERS = MEMBERS.with_columns(confidence=pl.lit(None, pl.Float64))


def made(root: Path, *names: str, book: str = "shop") -> None:
    for name in names:
        (root / "work" / book / name / "tables").mkdir(parents=True)


def space(root: Path, name: str = "2024-12-31", task: str = "tables") -> workspace.Workspace:
    return workspace.Workspace("shop", name, task, root / "work" / "shop" / name)


def test_the_workbook_is_found_from_anywhere_inside_it(workbook, monkeypatch):
    assert workspace.root() == workbook
    monkeypatch.chdir(workbook / "data")
    assert workspace.root() == workbook


def test_outside_of_a_workbook_there_is_none(tmp_path, monkeypatch):
    (tmp_path / "params").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused, match="not inside a workbook"):
        workspace.root()


def test_refreshes_are_in_order_of_day_and_revision(workbook):
    made(workbook, "2025-01-31-r10", "2025-01-31-r2", "2025-01-31", "2024-12-31")
    made(workbook, "2025-02-28.part", "2025-02-28-old", "20250228", "2025-02-28-r")
    expected = ["2024-12-31", "2025-01-31", "2025-01-31-r2", "2025-01-31-r10"]
    assert workspace.refreshes("shop") == expected
    assert workspace.refreshes("cdnow") == []


def test_a_book_alone_means_its_newest_refresh(workbook):
    made(workbook, "2025-01-31-r2", "2025-01-31", "2024-12-31")
    newest, first = (workspace.open(name, "10_customers") for name in ("shop", "shop/2024-12-31"))

    assert newest.folder == workbook / "work" / "shop" / "2025-01-31-r2"
    assert newest.snapshot_date == date(2025, 1, 31)
    assert newest.snapshot_day == day("2025-01-31")
    assert first.folder == workbook / "work" / "shop" / "2024-12-31"
    assert newest.scratch == workbook / "work" / "lab" / "shop" / "2025-01-31-r2"


@pytest.mark.parametrize(
    ("refresh", "words"),
    [
        ("cdnow", "there is no refresh 'cdnow'; run: make refresh BOOK=cdnow"),
        (
            "shop/2025-06-30",
            "there is no refresh 'shop/2025-06-30' (there are: 2024-12-31); "
            "run: .venv/bin/retention refresh shop --snapshot-date 2025-06-30",
        ),
        ("shop/../../data", "there is no refresh 'shop/../../data' (there are: 2024-12-31); run"),
        ("", "'' is not a book's name"),
        ("..", "'..' is not a book's name"),
        ("/etc/passwd", "'' is not a book's name"),
    ],
)
def test_a_refresh_that_is_not_there_is_refused_with_the_command_that_makes_it(
    workbook, refresh, words
):
    made(workbook, "2024-12-31")
    with pytest.raises(Refused) as refusal:
        workspace.open(refresh, "10_customers")
    assert str(refusal.value).startswith(words)


def test_inside_a_running_refresh_the_folder_being_built_is_meant(workbook, monkeypatch):
    monkeypatch.setenv(workspace.STAGE, str(workbook / "stage"))
    found = workspace.open("shop/2025-06-30", "10_customers")
    assert (found.folder, found.scratch) == (workbook / "stage", None)
    of_segment = workspace.open("shop/2025-06-30", "95_segment", "s1")
    assert (of_segment.folder, of_segment.run) == (workbook / "stage", "95_segment-s1")
    of_segment = workspace.open("shop/2025-06-30", "30_clusters", "s1")  # a run writes as its task
    workspace.write_table(of_segment, "members", MEMBERS)


def test_the_previous_refresh_is_the_newest_revision_of_an_earlier_day(workbook):
    made(workbook, "2024-12-31", "2024-12-31-r2", "2025-01-31", "2025-02-28")
    for name in ("2025-01-31", "2025-01-31-r2"):
        assert workspace.previous(space(workbook, name)).name == "2024-12-31-r2"
    assert workspace.previous(space(workbook, "2025-03-31")).name == "2025-02-28"
    assert workspace.previous(space(workbook, "2024-12-31-r2")) is None


def test_what_is_written_is_read_sorted_by_its_grain(workbook):
    here = space(workbook)
    assert workspace.path(here, "exclusions") is None
    workspace.write_table(here, "exclusions", EXCLUSIONS.select("n", "rule"))
    assert workspace.path(here, "exclusions")
    assert workspace.read_table(here, "exclusions").equals(EXCLUSIONS.sort("rule"))
    one = workspace.scan_table(here, "exclusions").filter(pl.col("n") > 3).collect()
    assert one.equals(EXCLUSIONS.filter(pl.col("n") > 3))
    assert [file.name for file in (here.folder / "tables").iterdir()] == ["exclusions.parquet"]


def test_equal_content_is_equal_bytes_in_whatever_order_and_pieces_it_comes(workbook):
    here = space(workbook, task="30_clusters")
    file = here.folder / "tables" / "members.parquet"
    pieces = [MEMBERS[2:], MEMBERS[:1], MEMBERS[1:2]]
    contents = set()
    for frame in (MEMBERS, MEMBERS.reverse(), pl.concat(pieces, rechunk=False)):
        workspace.write_table(here, "members", frame)
        contents.add(file.read_bytes())
    assert len(contents) == 1


def test_the_folder_of_tables_is_private(workbook):
    here = space(workbook)
    workspace.write_table(here, "exclusions", EXCLUSIONS)
    assert (here.folder / "tables").stat().st_mode & 0o777 == 0o700


def test_only_its_writer_writes_a_table(workbook):
    here = space(workbook, task="10_customers")
    with pytest.raises(
        Failed, match="table 'exclusions' is written by tables, not by 10_customers"
    ):
        workspace.write_table(here, "exclusions", EXCLUSIONS)
    assert workspace.path(here, "exclusions") is None


def test_a_table_that_breaks_its_promise_is_not_written(workbook):
    here = space(workbook)
    twice = pl.concat([EXCLUSIONS, EXCLUSIONS.head(1)])
    with pytest.raises(Failed, match="exclusions: rule: promise broken: 'rule is unique', 2 rows"):
        workspace.write_table(here, "exclusions", twice)
    with pytest.raises(Failed, match="'n is a column of this table'"):
        workspace.write_table(here, "exclusions", EXCLUSIONS.drop("n"))
    assert workspace.path(here, "exclusions") is None


def test_a_table_that_is_not_there_is_refused_with_its_writer(workbook):
    here = space(workbook)
    with pytest.raises(Refused, match=r"^shop/2024-12-31 has no table 'members'; 30_clusters wri"):
        workspace.read_table(here, "members")
    with pytest.raises(Refused, match="no task writes it"):
        workspace.read_table(here, "nonsense")


def test_in_the_lab_writing_goes_aside_and_reading_prefers_it(workbook):
    made(workbook, "2024-12-31")
    workspace.write_table(space(workbook), "exclusions", EXCLUSIONS)
    published = (space(workbook).folder / "tables" / "exclusions.parquet").read_bytes()

    lab = workspace.open("shop", "tables")
    assert workspace.read_table(lab, "exclusions").height == 3
    workspace.write_table(lab, "exclusions", EXCLUSIONS.head(1))

    assert workspace.read_table(lab, "exclusions").height == 1
    assert workspace.read_table(space(workbook), "exclusions").height == 3
    assert (space(workbook).folder / "tables" / "exclusions.parquet").read_bytes() == published


RUN = ("=", "+", "-", "@", "\t", "\r")  # how text begins that a spreadsheet would run
TEXT = st.text() | st.builds(str.__add__, st.sampled_from(RUN), st.text())


@given(TEXT, st.lists(TEXT, min_size=1, max_size=5))
def test_no_text_in_a_csv_that_leaves_is_run_by_a_spreadsheet(heading, texts):
    with TemporaryDirectory() as folder:
        file = Path(folder) / "table.csv"
        workspace.save_csv(pl.DataFrame({"n": -1.5, heading or "x": texts}), file)
        with file.open(encoding="utf-8", newline="") as lines:
            rows = [*csv.reader(lines)]
    expected = [f"'{text}" if text.startswith(RUN) else text for text in (heading or "x", *texts)]
    assert rows == [["n", expected[0]], *(["-1.5", text] for text in expected[1:])]


def test_numbers_in_a_csv_that_leaves_stay_numbers_and_what_is_none_is_empty(tmp_path):
    odd = [-1.5, float("inf"), float("nan"), None]
    kinds = pl.Series(["-a", "+b", None, "c"], dtype=pl.Enum(["-a", "+b", "c"]))
    frame = pl.DataFrame({"share": odd, "n": [-1, 2, None, 3], "kind": kinds})
    workspace.save_csv(frame, tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text().splitlines() == [
        *("share,n,kind", "-1.5,-1,'-a", ",2,'+b", ",,", ",3,c")
    ]
