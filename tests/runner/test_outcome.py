"""What attempts at a book leave, and what they must leave alone."""

import json

from workbooks import files, light, lightly, notebook, retention


def test_a_book_that_nobody_knows_leaves_the_others_alone(workbook):
    kept = workbook / "work" / ".building" / "shop" / "2024-12-31" / "book.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")

    assert retention(workbook, "refresh", "shpo").returncode == 2

    assert kept.is_file()
    assert files(workbook / "reports") == {}
    assert not (workbook / "work" / "failed").exists()


def test_a_date_that_failed_is_taken_up_where_it_stopped_and_stays_stale_until_it_is_good(workbook):
    """The first date stands; the second fails in its last notebook, twice, and is then good."""
    folder, first, last = light(workbook), "2024-11-30", "2024-12-31"
    summary = folder / "notebooks" / "99_summary.ipynb"
    good = summary.read_text()
    assert lightly(folder, "shop", "--snapshot-date", first).returncode == 0
    told = folder / "told"
    (folder / "tell.sh").write_text(f"#!/bin/sh\ncat >> '{told}'; echo >> '{told}'\n")
    (folder / "tell.sh").chmod(0o755)
    with (folder / "params" / "shop.yaml").open("a") as book:
        book.write("on_done: ./tell.sh\n")
    notebook(summary, "1 / 0")

    for attempt in (1, 2):
        failed = lightly(folder, "shop")
        assert failed.returncode == 1
        assert ("tables done" in failed.stdout) == (attempt == 1)
        assert ("50_light done" in failed.stdout) == (attempt == 1)
        index = (folder / "reports" / "index.html").read_text()
        assert "99_summary: a cell failed (ZeroDivisionError)" in index
        page = (folder / "work" / "failed" / "shop" / "index.html").read_text()
        assert "division by zero" in page
    summary.write_text(good)
    earlier = lightly(folder, "shop", "--snapshot-date", first)
    assert f"shop {first}: unchanged" in earlier.stdout
    assert (folder / "reports" / "shop" / "stale.json").is_file()
    assert "stale since" in retention(folder, "status").stdout

    healed = lightly(folder, "shop")

    assert healed.returncode == 0, healed.stderr
    assert not (folder / "reports" / "shop" / "stale.json").exists()
    assert not (folder / "work" / "failed" / "shop").exists()
    events = [json.loads(line) for line in told.read_text().splitlines()]
    assert [event["state"] for event in events] == ["failed", "failed", "good"]
    assert {event["stale_since"] for event in events} == {events[0]["stale_since"]} != {None}
    assert events[0]["why"] == ["99_summary: a cell failed (ZeroDivisionError)"]
    assert events[-1]["changed"][0] == f"data up to {last}, before up to {first}"


def test_no_example_of_the_data_is_published_with_a_failure(workbook):
    """A source that was good and is spoilt: the terminal shows hashed examples, the index none."""
    folder = light(workbook)
    first = lightly(folder, "shop")
    assert first.returncode == 0, first.stderr
    events = folder / "data" / "events.csv"
    events.write_text(events.read_text().replace(",2024-01-0", ",1969-01-0"))

    failed = lightly(folder, "shop")

    assert failed.returncode == 2
    assert "(such as " in failed.stderr
    index = (folder / "reports" / "index.html").read_text()
    assert "at: promise broken" in index
    assert "such as" not in index
    assert "such as" not in (folder / "reports" / "shop" / "stale.json").read_text()
