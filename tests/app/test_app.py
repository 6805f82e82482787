"""What the app ties together: words that two packages say are the same, errors end as they mean."""

import re

import pytest
from typer.testing import CliRunner
from workbooks import SHOP

from retention import book as books
from retention import errors as theirs
from retention.tables import workspace
from retention_app import cli
from retention_app.workbook import workbook as the_workbook
from retention_runner import dates, errors, places


def test_what_two_packages_say_is_the_same():
    assert errors.EXAMPLES == theirs.EXAMPLES
    assert tuple(dates.WORDS) == books.WORDS
    assert places.NAME == books.NAME
    assert places.STAGE == workspace.STAGE
    assert places.PRUNED == workspace.PRUNED
    assert places.REFRESH == workspace.REFRESH
    for name in ("Refused", "Failed"):
        assert getattr(theirs, name).exit_code == getattr(errors, name).exit_code


def test_both_find_the_same_refreshes_in_the_same_order(workbook):
    for name in ("2025-06-30-r10", "2025-06-30", "2024-12-31", "2025-06-30-r2", "lab", ".x.old"):
        (workbook / "work" / "shop" / name).mkdir(parents=True)
    own = places.Places(workbook, workbook / "reports", "shop")
    names = ["2024-12-31", "2025-06-30", "2025-06-30-r2", "2025-06-30-r10"]
    assert places.refreshes(own.work) == workspace.refreshes("shop") == names


def test_a_book_is_handed_over_whole(workbook):
    (workbook / "params" / "small.yaml").write_text(SHOP)
    book = the_workbook().load("small")

    assert (book.name, book.title, book.timezone) == ("small", "Corner shop", "Europe/Berlin")
    assert [str(day) for day in book.dates] == ["2025-06-30"]
    assert book.definition["churn"] == {"kind": "contract", "activity": [], "after_days": 30}
    assert book.parameters["30_clusters"]["min_samples"] == 10
    assert not {"parameters", "keep", "on_done", "snapshot_date"} & {*book.settings}


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (theirs.Refused("mend it"), 2, "mend it\n"),
        (theirs.Failed("no luck"), 1, "no luck\n"),
        (errors.Refused("mend it"), 2, "mend it\n"),
        (errors.Failed("no luck"), 1, "no luck\n"),
        (FileNotFoundError(2, "No such file", "a.csv"), 1, "No such file: a.csv\n"),
    ],
)
def test_an_error_ends_the_command_as_it_means(monkeypatch, error, code, words):
    def raises():
        raise error

    monkeypatch.setattr(cli, "_workbook", raises)
    done = CliRunner().invoke(cli.app, ["status"])
    assert (done.exit_code, done.stderr) == (code, words)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("by: plan", "bye: plan", ":8: parameters.20_survival.bye: no such parameter; did you"),
        ("20_survival", "20_survivl", ":8: parameters.20_survivl: no such notebook; did you mean"),
        ("by: plan", "by: 3", ":8: parameters.20_survival.by: expected str (such as 'started')"),
    ],
)
def test_a_parameter_that_no_notebook_declares_is_named_with_its_line(workbook, old, new, words):
    (workbook / "params" / "small.yaml").write_text(SHOP.replace(old, new))
    with pytest.raises(theirs.Refused, match=re.escape(f"params/small.yaml{words}")):
        the_workbook().load("small")
