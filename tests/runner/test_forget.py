"""Old refreshes lose their customers, and one customer is lost from all; what stays, stands."""

import fcntl
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from drawing import SHOP, drawn
from workbooks import SHOP as SMALL
from workbooks import files, retention, with_only

from retention import schema
from retention.errors import Refused as Unread
from retention.tables import workspace
from retention_app.workbook import workbook as the_workbook
from retention_runner import forget, progress, records, refresh
from retention_runner.errors import Refused

EXCLUSIONS = drawn("| rule | n |\n| too_new | 3 |")
MEMBERS = drawn("""
    | customer_id | segment |
    | ann         | s1      |
    | bob         | s1      |
    | bob         | s2      |
    | 17          | s2      |
""")
STAY = {"book.json", "run.json", "findings/00_data.json", "tables/exclusions.parquet"}
KEPT = ("tables", "30_clusters", "99_summary")  # tasks of the whole refresh below
RECORDS = {"tasks/tables.json", "tasks/30_clusters.json"}
GO = {"tables/members.parquet", "tables/unknown.parquet", "notebooks/00_data.ipynb"}


def refreshed(root: Path, *names: str, book: str = "shop", members: pl.DataFrame = MEMBERS) -> None:
    """Refreshes as they lie in work/, with work done on them in JupyterLab."""
    for name in names:
        folder, lab = root / "work" / book / name, root / "work" / "lab" / book / name
        for place in (*STAY, *GO):
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_text("as it was")
        for place in (folder, lab):
            for table, writer, frame in [
                ("members", "30_clusters", members),
                ("exclusions", "tables", EXCLUSIONS),
            ]:
                space = workspace.Workspace(book, name, writer, place)
                workspace.write_table(space, table, frame)
        pl.DataFrame({"anything": [1]}).write_parquet(folder / "tables" / "unknown.parquet")
        for record in RECORDS:
            tables = ["members", "exclusions"] if "clusters" in record else ["exclusions"]
            records.end(folder, Path(record).stem, {"data": "as it was"}, tables)


def said(command: Callable, *args) -> list[str]:
    """The lines that a command says."""
    lines = []
    command(the_workbook(), *args, lines.append)
    return lines


def members(root: Path, name: str, book: str = "shop") -> list[str]:
    table = root / "work" / book / name / "tables" / "members.parquet"
    return pl.read_parquet(table)["customer_id"].to_list()


def test_the_newest_refreshes_keep_everything_and_older_ones_only_what_names_nobody(workbook):
    refreshed(workbook, "2025-01-31", "2025-02-28", "2025-02-28-r2", "2025-02-28-r10")
    before = files(workbook / "work")

    lines = said(forget.prune, "shop", 2)

    after = files(workbook / "work")
    gone = {path for path in before if path not in after}
    assert gone == {
        path
        for name in ("2025-01-31", "2025-02-28")
        for path in (
            *(f"shop/{name}/{place}" for place in GO),
            f"lab/shop/{name}/tables/members.parquet",
            f"lab/shop/{name}/tables/exclusions.parquet",
        )
    }
    assert set(after) - set(before) == {
        ".locks/shop", "shop/2025-01-31/pruned", "shop/2025-02-28/pruned"
    }  # fmt: skip
    assert {path: after[path] for path in after if path in before} == {
        path: content for path, content in before.items() if path not in gone
    }
    assert not (workbook / "work" / "lab" / "shop" / "2025-01-31").exists()
    size = sum(len(before[path]) for path in gone) // 2
    assert lines == [
        f"shop {name}: pruned, 4 tables and {size:,} bytes removed"
        for name in ("2025-01-31", "2025-02-28")
    ]


def test_pruning_and_forgetting_leave_a_refresh_standing(workbook):
    refreshed(workbook, "2025-01-31", "2025-02-28")

    said(forget.prune, "shop", 1)
    said(forget.forget, "bob", [])

    for name in ("2025-01-31", "2025-02-28"):
        folder = workbook / "work" / "shop" / name
        for task in ("tables", "30_clusters"):
            assert records.stands(folder, records.read(folder, task)), (name, task)
    assert not records.intact(folder, records.read(folder, "30_clusters"))
    workspace.save(MEMBERS.sort("customer_id", "segment"), folder / "tables" / "members.parquet")
    assert records.intact(folder, records.read(folder, "30_clusters"))
    workspace.save(MEMBERS.head(1), folder / "tables" / "members.parquet")
    assert not records.stands(folder, records.read(folder, "30_clusters"))


def test_a_pruned_table_is_refused_with_the_command_that_makes_it_again(workbook):
    refreshed(workbook, "2025-01-31-r2", "2025-02-28")
    said(forget.prune, "shop", 1)
    space = workspace.open("shop/2025-01-31-r2", "30_clusters")

    with pytest.raises(Unread) as refusal:
        workspace.read_table(space, "members")

    assert str(refusal.value).startswith("shop/2025-01-31-r2: customer tables were pruned; ")
    assert str(refusal.value).endswith("refresh shop --snapshot-date 2025-01-31 --again")
    assert workspace.read_table(space, "exclusions").equals(EXCLUSIONS)
    for other in ("retention", "nonsense"):
        with pytest.raises(Unread, match=f"has no table '{other}'"):
            workspace.read_table(space, other)


def test_a_book_says_how_many_refreshes_keep_their_customers(workbook):
    refreshed(workbook, "2025-01-31", "2025-02-28", "2025-03-31")
    with pytest.raises(Refused, match=r"^shop: add --keep N, or keep: N to params/shop.yaml$"):
        said(forget.prune, "shop", None)
    (workbook / "params" / "shop.yaml").write_text(SHOP + "keep: 2\n")

    assert len(said(forget.prune, "shop", None)) == 1
    assert len(said(forget.prune, "shop", 1)) == 1


def test_a_book_that_is_not_there_is_refused_with_the_nearest(workbook):
    refreshed(workbook, "2025-01-31", book="bakery")
    with pytest.raises(Refused, match=r"^no book 'bakary'; did you mean 'bakery'\?$"):
        said(forget.forget, "bob", ["bakery", "bakary"])
    with pytest.raises(Unread, match=r"^no book params/shops.yaml; did you mean 'shop'\?$"):
        said(forget.prune, "shops", 1)
    assert "bob" in members(workbook, "2025-01-31", "bakery")


def test_a_book_that_is_being_refreshed_is_left_alone(workbook):
    refreshed(workbook, "2025-01-31", "2025-02-28")
    (workbook / "work" / ".locks").mkdir()
    before = files(workbook / "work" / "shop")
    with (workbook / "work" / ".locks" / "shop").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for command, words in [(forget.prune, ("shop", 1)), (forget.forget, ("bob", []))]:
            with pytest.raises(Refused, match="another refresh of this book is running"):
                said(command, *words)

    assert files(workbook / "work" / "shop") == before


def test_a_forgotten_customer_is_in_no_table_and_everybody_else_still_is(workbook):
    refreshed(workbook, "2025-01-31", "2025-02-28", ".2024-12-31.old")
    refreshed(workbook, "2025-02-28", book="bakery")
    before = files(workbook / "work")

    lines = said(forget.forget, "bob", [])

    after = files(workbook / "work")
    changed = {path for path in before if after[path] != before[path]}
    rewritten = ("members.parquet", "tasks/30_clusters.json")  # the table, and what is noted of it
    assert changed == {path for path in before if path.endswith(rewritten)}
    assert all(path.startswith(".locks/") for path in set(after) - set(before))
    for book, name in [
        ("shop", "2025-01-31"),
        ("bakery", "2025-02-28"),
        ("lab/shop", "2025-02-28"),
    ]:
        assert members(workbook, name, book) == ["17", "ann"]
    assert lines == [
        "bakery: 4 rows in 2 tables were removed",
        "shop: 12 rows in 6 tables were removed",
        "The source is untouched: unless they are erased there too, the next refresh reads them.",
    ]


def test_a_table_becomes_byte_for_byte_what_it_is_without_them(workbook):
    """In several row groups, so that where one ends does not tell who was there."""
    many = pl.DataFrame({"customer_id": [f"c{n:06}" for n in range(250_000)]})
    many = many.with_columns(segment=pl.lit("s1"))
    refreshed(workbook, "2025-01-31", members=many)
    refreshed(workbook, "2025-02-28", members=many.filter(pl.col("customer_id") != "c000007"))
    first, second = (
        workbook / "work" / "shop" / name / "tables" / "members.parquet"
        for name in ("2025-01-31", "2025-02-28")
    )
    assert first.read_bytes() != second.read_bytes()

    said(forget.forget, "c000007", ["shop"])

    assert first.read_bytes() == second.read_bytes()


def test_in_other_books_the_same_id_is_another_person(workbook):
    for book in ("shop", "shop-2"):
        refreshed(workbook, "2025-01-31", book=book)
        (workbook / "outreach" / book).mkdir(parents=True)
        (workbook / "outreach" / book / "list.csv").write_text("customer_id\n17\n")

    said(forget.forget, "17", ["shop"])

    assert members(workbook, "2025-01-31", "shop-2") == ["17", "ann", "bob", "bob"]
    assert members(workbook, "2025-01-31") == ["ann", "bob", "bob"]
    assert (workbook / "outreach/shop/list.csv").read_text() == "customer_id\n"
    assert (workbook / "outreach/shop-2/list.csv").read_text() == "customer_id\n17\n"


def test_lists_that_were_handed_on_lose_them_too(workbook):
    lists = workbook / "outreach"
    lists.mkdir()
    text = 'customer_id,say,postcode\n17,"Hello, again",00123\n,nobody known,\n170,Hi,00017\n'
    (lists / "spring [1].csv").write_text(text)
    (lists / "other.csv").write_text("name\n17\n")
    (lists / "notes.txt").write_text("17")
    numbers = pl.DataFrame({"customer_id": [16, 17, None]})
    numbers.write_parquet(lists / "numbers.parquet")

    lines = said(forget.forget, "17", ["shop"])

    assert (lists / "spring [1].csv").read_text() == text.replace('17,"Hello, again",00123\n', "")
    assert (lists / "other.csv").read_text() == "name\n17\n"
    assert (lists / "notes.txt").read_text() == "17"
    assert pl.read_parquet(lists / "numbers.parquet")["customer_id"].to_list() == [16, None]
    assert sorted(file.name for file in lists.iterdir()) == [
        "notes.txt", "numbers.parquet", "other.csv", "spring [1].csv"
    ]  # fmt: skip
    assert lines[0] == "shop: 2 rows in 2 tables were removed"


def test_what_a_failed_refresh_left_goes_whole(workbook):
    work = workbook / "work"
    left = [work / "failed" / "shop", work / ".building" / "shop"]
    others = [work / "failed" / "shop-2", work / ".building" / "shop-2"]
    for folder in (*left, *others):
        (folder / "notebooks").mkdir(parents=True)
        (folder / "notebooks" / "00_data.ipynb").write_text("KeyError: 'bob'")

    lines = said(forget.forget, "bob", ["shop"])

    assert [folder.exists() for folder in (*left, *others)] == [False, False, True, True]
    assert lines[:3] == ["shop: what a failed refresh had left was removed"] * 2 + [
        "found in no table"
    ]


@pytest.mark.parametrize("customer_id", ["nobody-we-know", "BOB", "bob ", "b.b", "7"])
def test_who_is_nowhere_is_said_to_be_found_in_no_table_and_never_named(workbook, customer_id):
    refreshed(workbook, "2025-01-31")
    before = files(workbook / "work" / "shop")

    lines = said(forget.forget, customer_id, [])

    assert lines[0] == "found in no table"
    assert lines[1].startswith("The source is untouched: ")
    assert not any(customer_id in line for line in lines)
    assert files(workbook / "work" / "shop") == before


@pytest.mark.parametrize("name", ["broken.parquet", "broken.csv"])
def test_a_table_that_cannot_be_read_is_refused_without_its_values(workbook, name):
    refreshed(workbook, "2025-01-31")
    (workbook / "outreach").mkdir()
    (workbook / "outreach" / name).write_bytes(b"customer_id\nbob,bob,\xff\xfe\n")

    done = retention(workbook, "forget", "bob", "shop")

    assert done.returncode == 2
    assert done.stderr.endswith(f"{name}: cannot be read; delete or mend it, and forget again\n")
    assert "bob" not in done.stdout + done.stderr
    assert members(workbook, "2025-01-31") == ["17", "ann"]


def test_dates_before_one_that_is_refused_stay_and_it_is_named(workbook, monkeypatch):
    built = []

    def build(attempt, *args):
        if attempt.day == "2024-06-30":
            raise Refused("no event lies before the snapshot")
        built.append(attempt.book.day)

    monkeypatch.setattr(refresh, "_refresh", build)
    days = tuple(f"2024-{month:02}-30" for month in (7, 6, 5, 4))
    order = refresh.Order(days, reports=workbook / "reports")
    with (
        pytest.raises(Refused, match=r"^shop 2024-06-30: no event lies before the snapshot$"),
        progress.watching() as watch,
    ):
        refresh.refresh(the_workbook(), ["shop"], order, watch)

    assert built == [date(2024, 4, 30), date(2024, 5, 30)]


def test_a_book_with_keep_is_pruned_after_its_refresh_and_made_again_on_demand(make_workbook):
    root = with_only(make_workbook(), *KEPT)
    survival = next(line for line in SMALL.splitlines(keepends=True) if "20_survival" in line)
    (root / "params" / "shop.yaml").write_text(SMALL.replace(survival, "") + "keep: 1\n")
    months = ("--snapshot-date", "2025-05-31..2025-06-30", "--every", "month")
    made = [one for one in schema.TABLES.values() if one.writer in KEPT]
    first, levels = "2025-05-31", [promise.level for promise in made]
    table = root / "work" / "shop" / first / "tables" / "members.parquet"

    done = retention(root, "refresh", "shop", *months)
    reports = files(root / "reports")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if " done in " not in line]
    assert [line.partition(":")[0] for line in lines] == [
        "shop 2025-05-31", "shop 2025-06-30", "shop 2025-05-31"
    ]  # fmt: skip
    assert f": pruned, {levels.count('customer')} tables and " in lines[-1]
    assert not table.exists()
    everybody = members(root, "2025-06-30")

    unchanged = retention(root, "refresh", "shop", *months)
    assert [line.partition(" since")[0] for line in unchanged.stdout.splitlines()] == [
        f"shop {name}: unchanged" for name in ("2025-05-31", "2025-06-30")
    ]

    again = retention(root, "refresh", "shop", "--snapshot-date", first, "--again")
    assert "shop 2025-05-31: every page is the same; tables were made again" in again.stdout
    assert table.exists()
    assert "pruned" not in again.stdout

    lost = everybody[0]
    forgotten = retention(root, "forget", lost, "shop")
    assert forgotten.returncode == 0, forgotten.stderr
    assert lost not in members(root, first) + members(root, "2025-06-30")
    assert set(members(root, "2025-06-30")) == set(everybody) - {lost}
    assert lost not in forgotten.stdout

    after = retention(root, "refresh", "shop", *months)
    assert [line.split()[2].strip(",") for line in after.stdout.splitlines()] == [
        "unchanged", "unchanged", "pruned"
    ]  # fmt: skip
    assert files(root / "reports") == reports
