"""Published numbers: all come out, and `make numbers` says which do not."""

import runpy
from contextlib import suppress
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from published import classics, compare, telco
from published.compare import Row
from retention.survival import survival

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def customers() -> pl.DataFrame:
    if not (SHARED / telco.FILE).exists():
        pytest.skip("no ../shared/data/telco (IBM's Telco, 7,043 customers)")
    return telco.read(SHARED)


def red(rows: list[Row]) -> set[str]:
    """The names of the numbers that differ."""
    return {row.name for row in rows if not compare.agrees(row)}


@pytest.mark.parametrize("data", classics.SETS)
def test_every_number_comes_out_as_published(data):
    assert red(compare.compare(data)) == set()


def test_every_number_of_telco_comes_out_as_published(customers):
    assert customers.shape == (7043, 20)
    assert customers.null_count().sum_horizontal().item() == 0
    assert customers.filter(TotalCharges=0)["duration_days"].to_list() == [0] * 11  # were blank
    assert red(compare.compare("telco", customers)) == set()


def test_every_number_is_asked_for_once_and_by_whom_it_is_expected_is_said():
    rows = compare.expected()
    assert len({(row.data, row.name) for row in rows}) == len(rows)
    assert list(dict.fromkeys(row.data for row in rows)) == [*classics.SETS, "telco"]
    assert all(row.source for row in rows)


@pytest.mark.parametrize(
    ("expected", "agreeing", "differing"),
    [
        ("0.9460", [0.94595, 0.9460499, 0.94605], [0.945949, 0.94606, np.nan, np.inf]),
        ("-658.75", [-658.7476], [-658.7449, 658.75]),
        ("7043", [7043.0], [7043.4, 7042.0]),
        ("not known", [np.nan], [0.0, np.inf]),
        ("not reached", [np.inf], [72.0, np.nan, -np.inf]),
    ],
)
def test_a_number_agrees_within_half_of_the_last_digit_printed(expected, agreeing, differing):
    row = Row("rossi", "n", expected, "somebody")
    assert all(compare.agrees(row._replace(got=value)) for value in agreeing)
    assert not any(compare.agrees(row._replace(got=value)) for value in differing)


def shown_by_make_numbers(capsys) -> list[str]:
    with suppress(SystemExit):
        runpy.run_module("published", run_name="__main__")
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_make_numbers_shows_every_number_and_which_differ(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["published"])
    monkeypatch.setattr(classics, "SETS", {"waltons": classics.waltons})
    shown = shown_by_make_numbers(capsys)
    assert any(line.startswith("Kaplan-Meier: median 56.0 56") for line in shown)
    assert sum(" agrees " in line for line in shown) == 2
    assert shown[-1] == "All 2 numbers agree in the digits that are printed."

    right = survival.median_days  # and now one that is a day too long
    monkeypatch.setattr(survival, "median_days", lambda curve: right(curve) + 1)
    shown = shown_by_make_numbers(capsys)
    assert sum(" DIFFERS " in line for line in shown) == 1
    assert "agree in the digits" not in shown[-1]


def test_data_that_are_not_as_published_are_refused(tmp_path):
    (tmp_path / "telco").mkdir()
    (tmp_path / telco.FILE).write_text("customerID,tenure\n1,2\n")
    with pytest.raises(ValueError, match="is not, byte for byte, what was published"):
        telco.read(tmp_path)
