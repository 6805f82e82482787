"""What attempts at a book leave, and what they must leave alone."""

import json

import pytest
from workbooks import SHOP, files, retention, with_only


@pytest.fixture
def folder(make_workbook):
    """A workbook of two notebooks, whose book `shop` has two dates."""
    root = with_only(make_workbook(), "00_data", "99_summary")
    text = SHOP[: SHOP.index("parameters:")].replace(
        "snapshot_date: 2025-06-30", "snapshot_date: [2025-03-31, 2025-06-30]"
    )
    (root / "params" / "shop.yaml").write_text(text)
    return root


def test_a_book_that_nobody_knows_leaves_the_others_alone(folder):
    kept = folder / "work" / ".building" / "shop" / "2025-06-30" / "book.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")

    for words in (["shpo"], ["shop", "--snapshot-date", "2025-13-01"], ["--nonsense"]):
        assert retention(folder, "refresh", *words).returncode == 2

    assert kept.is_file()
    assert files(folder / "reports") == {}
    assert not (folder / "work" / "failed").exists()


def test_a_date_that_failed_is_taken_up_where_it_stopped_and_stays_stale_until_it_is_good(folder):
    """The first date stands; the second fails in its last notebook, twice, and is then good."""
    summary = folder / "notebooks" / "99_summary.ipynb"
    good = summary.read_text()
    first = retention(folder, "refresh", "shop", "--snapshot-date", "2025-03-31")
    assert first.returncode == 0, first.stderr
    told = folder / "told"
    (folder / "tell.sh").write_text(f"#!/bin/sh\ncat >> '{told}'; echo >> '{told}'\n")
    (folder / "tell.sh").chmod(0o755)
    with (folder / "params" / "shop.yaml").open("a") as book:
        book.write("on_done: ./tell.sh\n")
    summary.write_text(good.replace("r.findings()", "1 / 0"))
    assert summary.read_text() != good

    for attempt in (1, 2):
        failed = retention(folder, "refresh", "shop", "--snapshot-date", "2025-06-30")
        assert failed.returncode == 1
        assert ("tables done" in failed.stdout) == (attempt == 1)
        assert "00_data done" in failed.stdout or attempt == 2
        index = (folder / "reports" / "index.html").read_text()
        assert "99_summary: a cell failed (ZeroDivisionError)" in index
        page = (folder / "work" / "failed" / "shop" / "index.html").read_text()
        assert "division by zero" in page
    summary.write_text(good)
    earlier = retention(folder, "refresh", "shop", "--snapshot-date", "2025-03-31")
    assert "unchanged since" in earlier.stdout
    assert (folder / "reports" / "shop" / "stale.json").is_file()

    healed = retention(folder, "refresh", "shop")

    assert healed.returncode == 0, healed.stderr
    assert not (folder / "reports" / "shop" / "stale.json").exists()
    assert not (folder / "work" / "failed" / "shop").exists()
    events = [json.loads(line) for line in told.read_text().splitlines()]
    assert [event["state"] for event in events] == ["failed", "failed", "good"]
    assert {event["stale_since"] for event in events} == {events[0]["stale_since"]} != {None}
    assert events[0]["why"] == ["99_summary: a cell failed (ZeroDivisionError)"]
    assert events[-1]["changed"][0] == "data up to 2025-06-30, before up to 2025-03-31"


def test_no_example_of_the_data_is_published_with_a_failure(folder):
    """A source that was good and is spoilt: the terminal shows hashed examples, the index none."""
    (folder / "events.csv").write_text(
        "customer_id,at,kind\n"
        + "".join(f"c{n % 40},2024-{1 + n % 12:02}-{1 + n % 28:02},purchase\n" for n in range(480))
    )
    (folder / "params" / "shop.yaml").write_text(
        "title: Shop\nsource: {kind: files}\ntables: {events: events.csv}\n"
        "snapshot_date: 2024-12-31\n"
        "churn: {kind: activity, activity: [purchase], after_days: 40}\n"
    )
    first = retention(folder, "refresh", "shop")
    assert first.returncode == 0, first.stderr
    with (folder / "events.csv").open("a") as events:
        events.write("secret-person,1969-05-01,purchase\n")

    failed = retention(folder, "refresh", "shop")

    assert failed.returncode == 2
    assert "(such as " in failed.stderr
    index = (folder / "reports" / "index.html").read_text()
    assert "at: promise broken" in index
    assert "such as" not in index
    assert "such as" not in (folder / "reports" / "shop" / "stale.json").read_text()
