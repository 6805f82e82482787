"""Findings: recorded once, said in words, compared with the previous refresh; small cells."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.errors import Refused
from retention.pages import findings
from retention.tables import promises, rules, workspace


@pytest.fixture
def space(workbook):
    return refreshed(workbook, "2025-06-30", {"definition": "d", "code": "c"})


def refreshed(workbook, day: str, facts: dict, parameters=()) -> workspace.Workspace:
    folder = workbook / "work" / "shop" / day
    folder.mkdir(parents=True)
    (folder / "facts.json").write_text(json.dumps({"lock": "l"} | facts))
    (folder / "parameters.json").write_text(json.dumps({"20_survival": parameters}))
    return workspace.Workspace("shop", day, "20_survival", folder)


def test_a_finding_is_said_and_recorded(space):
    sentence = "{value} of {n} stay ({ci})."
    said = findings.say(space, "stay", sentence, value=0.1234, unit="share", ci=(0.1, 0.15), n=5000)

    assert said.data == '<p class="finding">12.3% of 5,000 stay (10.0% to 15.0%).</p>'
    row = findings.recorded(space).row(0, named=True)
    assert (row["notebook"], row["name"], row["value"]) == ("20_survival", "stay", 0.1234)
    assert (row["ci_lower"], row["ci_upper"], row["previous"]) == (0.1, 0.15, None)
    assert not rules.broken(findings.recorded(space), promises.PROMISES["findings"])


def test_saying_it_again_replaces_it(space):
    for value in (1, 2):
        findings.say(space, "n", "{value} customers.", value=value, unit="customers")

    assert findings.recorded(space)["value"].to_list() == [2]


def test_what_is_unknown_is_a_dash(space):
    said = findings.say(space, "rate", "{value} stay ({ci}).", value=float("nan"), unit="share")

    assert said.data == '<p class="finding">– stay (–).</p>'
    assert findings.recorded(space)["value"].to_list() == [None]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"definition": "d", "code": "c"}, "7.0% (5.0% at 2025-03-31) are gone."),
        ({"definition": "other", "code": "c"}, "not comparable"),
        ({"definition": "d", "code": "other"}, "not comparable"),
    ],
)
def test_the_previous_refresh_is_quoted_and_a_changed_method_is_named(workbook, facts, words):
    before = refreshed(workbook, "2025-03-31", facts)
    findings.say(before, "gone", "{value}", value=0.05, unit="share")
    now = refreshed(workbook, "2025-06-30", {"definition": "d", "code": "c"})

    said = findings.say(now, "gone", "{value} are gone.", value=0.07, unit="share")

    assert words in said.data
    row = findings.recorded(now).row(0, named=True)
    assert row["change"] == pytest.approx(0.02)
    assert row["comparable"] == ("not comparable" not in words)


def test_other_parameters_are_another_method(workbook):
    facts = {"definition": "d", "code": "c"}
    before = refreshed(workbook, "2025-03-31", facts, {"days": [180]})
    findings.say(before, "stay", "{value}", value=0.5, unit="share")
    now = refreshed(workbook, "2025-06-30", facts, {"days": [365]})

    assert "not comparable" in findings.say(now, "stay", "{value}", value=0.4, unit="share").data


def test_text_from_data_is_escaped(space):
    for said in (
        findings.say(space, "x", "{group} leaves.", group="<script>alert(1)</script>"),
        findings.note("{group}", group="<b>&"),
        findings.by_notebook(
            findings.recorded(space).with_columns(sentence=pl.lit("<script>alert(1)</script>"))
        ),
    ):
        assert "<script" not in said.data
        assert "<b>" not in said.data
        assert "&lt;" in said.data


def test_no_findings_name_what_to_do(space):
    with pytest.raises(Refused, match="run the other notebooks"):
        findings.recorded(space)


def test_a_figure_is_the_one_row_asked_for():
    table = pl.DataFrame(
        {"age": [1, 2], "rate": [0.5, None], "ci_lower": [0.4, None], "ci_upper": [0.6, None]}
    )

    assert findings.figure(table, "rate", age=1) == {"value": 0.5, "ci": (0.4, 0.6)}
    assert findings.figure(table, "rate", age=2) == {"value": None, "ci": None}
    assert findings.figure(table, "rate", age=3) == {"value": None, "ci": None}
    assert findings.figure(table.head(1), "rate") == {"value": 0.5, "ci": (0.4, 0.6)}


def test_a_text_alternative_lists_key_figures():
    table = pl.DataFrame({"plan": ["a", "b"], "day": [30, 30], "share": [0.5, None]})

    assert findings.listed(table, "plan", "share", "day", "share") == "a, day 30: 50.0%."
    assert findings.listed(table.clear(), "plan", "share") == "Nothing can be shown."


def test_small_cells_are_hidden_and_a_single_one_is_not_alone():
    table = pl.DataFrame(
        {"stage": list("abcd"), "n": [3, 40, 20, 0], "share": [0.1, 0.6, 0.3, 0.0]}
    )

    hidden = findings.hide_small(table, "n", ["n", "share"], min_cell=10)

    assert hidden["n"].to_list() == [None, 40, None, 0]
    assert hidden["share"].to_list() == [None, 0.6, None, 0.0]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12), st.integers(2, 20))
def test_a_total_never_gives_a_hidden_count_away(counts, min_cell):
    table = pl.DataFrame({"n": counts})

    shown = findings.hide_small(table, "n", ["n"], min_cell)["n"]

    assert all(n == 0 or n >= min_cell for n in shown.drop_nulls())
    hidden = [n for n, seen in zip(counts, shown, strict=True) if seen is None]
    everything = not any(n for n in shown.drop_nulls())
    assert not hidden or everything or (len(hidden) > 1 and sum(hidden) >= min_cell)
    assert bool(hidden) == any(0 < n < min_cell for n in counts)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (1234.0, "customers", "1,234"),
        (0.05, "share", "5.0%"),
        (3.14159, "", "3.14"),
        (1234.5, "", "1,234"),
        (None, "", "–"),
        ("basic", "", "basic"),
    ],
)
def test_numbers_are_written_as_people_read_them(value, unit, shown):
    assert findings.number(value, unit) == shown
