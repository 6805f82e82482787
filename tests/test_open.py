"""The door for analysts: a refresh is opened, its tables are read, something is shown."""

import shutil

import polars as pl
import pytest

import retention
from retention.errors import Failed, Refused
from retention.exhibit import Exhibit, Finding


@pytest.fixture
def r(refreshed, monkeypatch):
    """The refreshed shop as `20_survival` sees it in JupyterLab."""
    monkeypatch.chdir(refreshed)
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/20_survival.ipynb")
    monkeypatch.delenv("RETENTION_STAGE", raising=False)
    return retention.open("shop")


def test_a_refresh_says_what_it_is_and_what_it_holds(r):
    assert repr(r).startswith("shop, data up to 2025-06-30; tables: activity, ")
    assert (str(r.snapshot_date), r.day, r.min_cell, r.confidence) == (
        "2025-06-30",
        20_269,
        10,
        0.95,
    )
    assert "risk_scores" in dir(r.tables)
    assert isinstance(r.tables.risk_scores, pl.DataFrame)


def test_a_wrong_name_suggests_the_nearest(r):
    with pytest.raises(Refused, match=r"no table 'risk_score'; did you mean 'risk_scores'"):
        r.tables.risk_score  # noqa: B018
    with pytest.raises(Refused, match="no table 'xyz'; known: activity, "):
        r.describe("xyz")


def test_a_table_is_described_column_by_column(r):
    told = r.describe("risk_scores")
    assert told["column"].to_list() == r.tables.risk_scores.columns
    assert told.null_count().sum_horizontal().item() == 0


def test_the_notebook_is_the_one_that_jupyterlab_runs(r):
    assert r.space.task == "20_survival"
    with pytest.raises(Failed, match="written by 50_risk, not by 20_survival"):
        r.keep("risk_gate", pl.DataFrame({"verdict": ["open"], "sentence": ["x"]}))


def test_what_is_shown_is_hidden_written_and_recorded(
    refreshed, make_workbook, monkeypatch, capsys
):
    root = shutil.copytree(refreshed, make_workbook() / "copy", symlinks=True)
    monkeypatch.chdir(root)
    monkeypatch.setenv("JPY_SESSION_NAME", "10_customers.ipynb")
    shown = []
    monkeypatch.setattr("retention.refresh.display", lambda html: shown.append(html.data))
    r = retention.open("shop")
    stages = r.tables.lifecycle_shares.with_columns(
        n=pl.when(pl.col("lifecycle") == "active").then(3).otherwise("n")
    )
    found = [Finding("few", "{value} customers.", 7)]
    r.show(Exhibit(stages, "Stages of life", findings=found, name="lifecycle_shares"))
    r.say("A sentence.")

    written = r.tables.lifecycle_shares.filter(lifecycle="active")
    assert written.drop("lifecycle").row(0) == (None,) * (written.width - 1)
    assert (root / "work/lab/shop/2025-06-30/tables/lifecycle_shares.parquet").is_file()
    assert "few" in (root / "work/lab/shop/2025-06-30/findings/10_customers.json").read_text()
    assert "Stages of life" in shown[0]
    assert '<p class="finding">7 customers.</p>' in shown[0]
    assert shown[1] == '<p class="note">A sentence.</p>'
