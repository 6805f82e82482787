"""Old refreshes lose their customers, and one customer is lost from all; what stays, stands."""

import fcntl
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from drawing import SHOP, drawn
from workbooks import files, light, lightly, retention

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
""").with_columns(confidence=pl.lit(None, pl.Float64))
STAY = {"book.json", "run.json", "findings/00_data.json", "tables/exclusions.parquet"}
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
    assert lines == [
        f"shop {name}: pruned, 5 files with customers removed"
        for name in ("2025-01-31", "2025-02-28")
    ]


def test_pruning_and_forgetting_leave_a_refresh_standing(workbook):
    refreshed(workbook, "2025-01-31", "2025-02-28")

    said(forget.prune, "shop", 1)
    said(forget.forget, "bob", ["shop"])

    for name in ("2025-01-31", "2025-02-28"):
        folder = workbook / "work" / "shop" / name
        for task in ("tables", "30_clusters"):
            assert records.stands(folder, records.read(folder, task)), (name, task)
        assert not records.intact(folder, records.read(folder, "30_clusters"))


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
    with pytest.raises(Unread, match=r"^no book params/shops.yaml; did you mean 'shop'\?$"):
        said(forget.prune, "shops", 1)


def test_a_book_that_is_being_refreshed_is_left_alone(workbook):
    refreshed(workbook, "2025-01-31", "2025-02-28")
    (workbook / "work" / ".locks").mkdir()
    before = files(workbook / "work" / "shop")
    with (workbook / "work" / ".locks" / "shop").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for command, words in [(forget.prune, ("shop", 1)), (forget.forget, ("bob", ["shop"]))]:
            with pytest.raises(Refused, match="another refresh of this book is running"):
                said(command, *words)

    assert files(workbook / "work" / "shop") == before


def test_a_forgotten_customer_is_in_no_table_and_everybody_else_still_is(workbook):
    refreshed(workbook, "2025-01-31", "2025-02-28", ".2024-12-31.old")
    refreshed(workbook, "2025-02-28", book="bakery")  # where the same id is another person
    before = files(workbook / "work")

    lines = said(forget.forget, "bob", ["shop"])

    after = files(workbook / "work")
    changed = {path for path in before if after[path] != before[path]}
    assert changed == {
        path for path in before if path.endswith("members.parquet") and "bakery" not in path
    }
    assert set(after) - set(before) == {
        ".locks/shop", "shop/2025-01-31/erased", "shop/2025-02-28/erased",
        "lab/shop/2025-01-31/erased", "lab/shop/2025-02-28/erased",
    }  # fmt: skip
    for book, name in [("shop", "2025-01-31"), ("lab/shop", "2025-02-28")]:
        assert members(workbook, name, book) == ["17", "ann"]
    assert lines == [
        "shop: 12 rows in 6 tables were removed",
        "The source is untouched: unless they are erased there too, the next refresh reads them.",
    ]


def test_a_table_becomes_byte_for_byte_what_it_is_without_them(workbook):
    """In several row groups, so that where one ends does not tell who was there."""
    many = pl.DataFrame({"customer_id": [f"c{n:06}" for n in range(250_000)]})
    many = many.with_columns(segment=pl.lit("s1"), confidence=pl.lit(0.5))
    refreshed(workbook, "2025-01-31", members=many)
    refreshed(workbook, "2025-02-28", members=many.filter(pl.col("customer_id") != "c000007"))
    first, second = (
        workbook / "work" / "shop" / name / "tables" / "members.parquet"
        for name in ("2025-01-31", "2025-02-28")
    )
    assert first.read_bytes() != second.read_bytes()

    said(forget.forget, "c000007", ["shop"])

    assert first.read_bytes() == second.read_bytes()


def test_lists_that_were_handed_on_lose_them_too(workbook):
    lists = workbook / "outreach"
    lists.mkdir()
    text = 'customer_id,say,postcode\n17,"Hello, again",00123\n,nobody known,\n170,Hi,00017\n'
    (lists / "spring [1].csv").write_text(text)
    (lists / "other.csv").write_text("name\n17\n")
    for book in ("shop", "shop-2"):
        (lists / book).mkdir()
        (lists / book / "list.csv").write_text("customer_id\n17\n")
    (lists / "notes.txt").write_text("17")
    numbers = pl.DataFrame({"customer_id": [16, 17, None]})
    numbers.write_parquet(lists / "numbers.parquet")

    lines = said(forget.forget, "17", ["shop"])

    assert (lists / "spring [1].csv").read_text() == text.replace('17,"Hello, again",00123\n', "")
    assert (lists / "other.csv").read_text() == "name\n17\n"
    assert (lists / "notes.txt").read_text() == "17"
    assert pl.read_parquet(lists / "numbers.parquet")["customer_id"].to_list() == [16, None]
    assert (lists / "shop" / "list.csv").read_text() == "customer_id\n"
    assert (lists / "shop-2" / "list.csv").read_text() == "customer_id\n17\n"
    assert len(list(lists.iterdir())) == 6  # and nothing beside them
    assert lines[0] == "shop: 3 rows in 3 tables were removed"


def test_what_a_failed_refresh_left_goes_whole(workbook):
    work = workbook / "work"
    left = [work / "failed" / "shop", work / ".building" / "shop"]
    others = [work / "failed" / "shop-2", work / ".building" / "shop-2"]
    for folder in (*left, *others):
        (folder / "notebooks").mkdir(parents=True)
        (folder / "notebooks" / "00_data.ipynb").write_text("KeyError: 'bob'")

    said(forget.forget, "bob", ["shop"])

    assert [folder.exists() for folder in (*left, *others)] == [False, False, True, True]


@pytest.mark.parametrize("customer_id", ["BOB", "bob ", "b.b", "7"])
def test_who_is_nowhere_is_found_in_no_table_and_never_named(workbook, customer_id):
    refreshed(workbook, "2025-01-31")
    before = files(workbook / "work" / "shop")

    lines = said(forget.forget, customer_id, ["shop"])

    assert lines[0] == "shop: 0 rows in 0 tables were removed"
    assert not any(customer_id in line for line in lines[1:])
    assert files(workbook / "work" / "shop") == before


@pytest.mark.parametrize("name", ["broken.parquet", "broken.csv"])
def test_a_table_that_cannot_be_read_is_refused_without_its_values(workbook, name):
    refreshed(workbook, "2025-01-31")
    (workbook / "outreach").mkdir()
    (workbook / "outreach" / name).write_bytes(b"customer_id\nbob,bob,\xff\xfe\n")

    with pytest.raises(Refused, match=f"{name}: cannot be read; delete or fix it") as refusal:
        said(forget.forget, "bob", ["shop"])

    assert "bob" not in str(refusal.value)
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


def test_a_book_with_keep_is_pruned_after_its_refresh_and_made_again_on_demand(workbook):
    root = light(workbook)
    (root / "params" / "shop.yaml").write_text(SHOP + "keep: 1\n")
    months = ("--snapshot-date", "2024-11-30..2024-12-31", "--every", "month")
    first, last = "2024-11-30", "2024-12-31"

    done = lightly(root, "shop", *months)
    reports = files(root / "reports")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"shop {first}: pruned, ")
    assert not customers_at(root, first).exists()
    everybody = pl.read_parquet(customers_at(root, last))["customer_id"].to_list()

    again = lightly(root, "shop", "--snapshot-date", first, "--again")
    assert "shop 2024-11-30: every page is the same; tables were made again" in again.stdout
    assert customers_at(root, first).exists()
    assert "pruned" not in again.stdout

    forgotten = retention(root, "forget", everybody[0], "shop")
    assert forgotten.returncode == 0, forgotten.stderr
    assert pl.read_parquet(customers_at(root, last))["customer_id"].to_list() == everybody[1:]

    after = lightly(root, "shop", *months)
    assert [line.split()[2].strip(",") for line in after.stdout.splitlines()] == [
        "unchanged", "unchanged", "pruned"
    ]  # fmt: skip
    assert files(root / "reports") == reports


def customers_at(root: Path, name: str) -> Path:
    return root / "work" / "shop" / name / "tables" / "customers_at.parquet"
