"""Findings: recorded once, said in words, compared with the previous refresh; small cells."""

import json

import polars as pl
import pytest
from bs4 import BeautifulSoup
from drawing import drawn
from hypothesis import given
from hypothesis import strategies as st

from retention import findings
from retention.errors import Refused
from retention.tables import promises, rules, workspace


@pytest.fixture
def space(workbook):
    return refreshed(workbook, "2025-06-30")


TABLES = {"code": {"tables.task": "t"}, "definition": {"churn": 60}, "lock": "l", "data": "d"}
SURVIVAL = {"code": {"charts": "c"}, "notebook": "n", "parameters": {"days": 180}, "lock": "l"}


def refreshed(workbook, day: str, tables=(), survival=(), segment="") -> workspace.Workspace:
    """A refresh of which the tables and one notebook are recorded, with changes to their keys."""
    folder = workbook / "work" / "shop" / day
    space = workspace.Workspace("shop", day, "20_survival", folder, segment=segment)
    (folder / "tasks").mkdir(parents=True, exist_ok=True)
    keys = {"tables": TABLES | dict(tables), space.run: SURVIVAL | dict(survival)}
    for run, key in keys.items():
        (folder / "tasks" / f"{run}.json").write_text(json.dumps({"key": key, "outputs": None}))
    return space


def test_a_finding_is_said_and_recorded(space):
    sentence = "{value} of {n} stay ({ci})."
    said = findings.say(space, "stay", sentence, value=0.1234, unit="share", ci=(0.1, 0.15), n=5000)

    assert said.data == '<p class="finding">12.3% of 5,000 stay (10.0% to 15.0%).</p>'
    row = findings.recorded(space).row(0, named=True)
    assert (row["notebook"], row["name"], row["value"]) == ("20_survival", "stay", 0.1234)
    assert (row["ci_lower"], row["ci_upper"], row["previous"]) == (0.1, 0.15, None)
    assert not rules.broken(findings.recorded(space), promises.PROMISES["findings"])


def test_several_are_said_one_after_the_other_and_none_is_nothing(space):
    said = [{"name": name, "sentence": f"{name}: {{value}}.", "value": 1} for name in "ab"]
    found = findings.say_each(space, said).data
    assert found == '<p class="finding">a: 1.</p><p class="finding">b: 1.</p>'
    assert findings.recorded(space)["name"].to_list() == ["a", "b"]
    assert findings.say_each(space, []).data == ""


def test_saying_it_again_replaces_it(space):
    for value in (1, 2):
        findings.say(space, "n", "{value} customers.", value=value, unit="customers")

    assert findings.recorded(space)["value"].to_list() == [2]


def test_what_is_unknown_is_a_dash(space):
    said = findings.say(space, "rate", "{value} stay ({ci}).", value=float("nan"), unit="share")

    assert said.data == '<p class="finding">– stay (–).</p>'
    assert findings.recorded(space)["value"].to_list() == [None]


@pytest.mark.parametrize(
    ("changed", "comparable"),
    [
        ({}, True),
        ({"tables": {"data": "other"}}, True),
        ({"survival": {"needs": "other"}}, True),
        ({"tables": {"code": {"tables.task": "other"}}}, False),
        ({"tables": {"definition": {"churn": 90}}}, False),
        ({"tables": {"lock": "other"}}, False),
        ({"survival": {"notebook": "other"}}, False),
        ({"survival": {"parameters": {"days": 365}}}, False),
        ({"survival": {"code": {"charts": "other"}}}, False),
        ({"survival": {"lock": "other"}}, False),
    ],
)
def test_the_previous_refresh_is_quoted_and_a_changed_method_is_named(
    workbook, changed, comparable
):
    before = refreshed(workbook, "2025-03-31", **changed)
    findings.say(before, "gone", "{value}", value=0.05, unit="share")
    now = refreshed(workbook, "2025-06-30")

    said = findings.say(now, "gone", "{value} are gone.", value=0.07, unit="share")

    other = "" if comparable else ", by another method: not comparable"
    assert f"7.0% (5.0% at 2025-03-31{other}) are gone." in said.data
    row = findings.recorded(now).row(0, named=True)
    assert row["change"] == pytest.approx(0.02)
    assert row["comparable"] == comparable


@pytest.mark.parametrize("missing", ["tables", "20_survival"])
def test_a_refresh_that_says_nothing_of_its_method_cannot_be_compared(workbook, missing):
    spaces = [refreshed(workbook, day) for day in ("2025-03-31", "2025-06-30")]
    for space in spaces:
        (space.folder / "tasks" / f"{missing}.json").unlink()
        said = findings.say(space, "gone", "{value} are gone.", value=0.07, unit="share")

    assert "not comparable" in said.data


def test_a_segment_has_findings_of_its_own_and_none_before(workbook):
    for day in ("2025-03-31", "2025-06-30"):
        for segment in ("s1", "s2"):
            space = refreshed(workbook, day, segment=segment)
            said = findings.say(space, "n", "{value} customers.", value=7)

    assert said.data == '<p class="finding">7 customers.</p>'
    runs = findings.recorded(space)["notebook"].to_list()
    assert runs == ["20_survival-s1", "20_survival-s2"]
    assert findings.recorded(space)["previous"].to_list() == [None, None]


CHANGES = drawn("""
    | previous_segment | segment | kind   | n   | jaccard |
    | s1               | s1      | same   | 900 | 0.9     |
    | s2               | s2      | split  | 300 | 0.5     |
    | s2               | s5      | split  | 200 | 0.4     |
    | s3               | s3      | merged | 300 | 0.5     |
    | s4               | s3      | merged | 300 | 0.5     |
    |                  | s6      | new    |     |         |
""")


@pytest.mark.parametrize(
    ("segment", "quoted"),
    [("s1", True), ("s2", False), ("s3", False), ("s5", False), ("s6", False), ("vip", True)],
)
def test_a_segment_is_compared_where_it_is_the_same_as_before(workbook, segment, quoted):
    for day in ("2025-03-31", "2025-06-30"):
        space = refreshed(workbook, day, segment=segment)
        (space.folder / "tables").mkdir(exist_ok=True)
        workspace.save(CHANGES, space.folder / "tables" / "segment_changes.parquet")
        said = findings.say(space, "n", "{value} customers.", value=int(day[6]) * 100)

    now = "600 (300 at 2025-03-31) customers." if quoted else "600 customers."
    assert said.data == f'<p class="finding">{now}</p>'


def test_pages_of_segments_are_one_short_list_at_the_end():
    runs = ["20_survival", "20_survival", "95_segment-s1", "95_segment-s1", "95_segment-s10"]
    recorded = pl.DataFrame(
        {
            "notebook": [*runs, "95_segment-s2", "95_segment-<b>", "99_summary"],
            "sentence": [
                "Half stay.",
                "Most stay.",
                "Families.",
                "More.",
                "Tens.",
                "Twos.",
                "<i>",
                "All.",
            ],
        }
    )

    page = BeautifulSoup(findings.by_notebook(recorded).data, "html.parser")

    heads = [head.get_text() for head in page.find_all("h3")]
    assert heads[0].startswith("How long do customers stay")
    assert heads[-1] == "What does this segment need?"
    assert len(heads) == 3
    lists = [[item.get_text() for item in one.find_all("li")] for one in page.find_all("ul")]
    assert lists[0] == ["Half stay.", "Most stay."]
    assert lists[1] == ["All."]
    assert lists[2] == ["s1: Families.", "s2: Twos.", "<b>: <i>", "s10: Tens."]
    assert [link["href"] for link in page.find_all("a")][2:4] == [
        "95_segment-s1.html",
        "95_segment-s2.html",
    ]


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


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=8),
    st.integers(2, 20),
)
def test_neither_a_group_nor_all_groups_together_give_a_hidden_count_away(counts, min_cell):
    table = pl.DataFrame(
        [(label, group, pair[group]) for label, pair in enumerate(counts) for group in (0, 1)],
        ["label", "group", "n"],
        orient="row",
    )

    shown = findings.hide_small(table, "n", ["n"], min_cell, ["group"], across="label")

    assert shown.select("label", "group").equals(table.select("label", "group"))
    seen = dict(zip(shown.select("label", "group").iter_rows(), shown["n"], strict=True))
    hidden = [label for label in range(len(counts)) if seen[label, 0] is None]
    assert hidden == [label for label in range(len(counts)) if seen[label, 1] is None]
    assert all(n == 0 or n >= min_cell for n in shown["n"].drop_nulls())
    for group in (0, 1):
        together = sum(counts[label][group] for label in hidden)
        everything = together == sum(pair[group] for pair in counts)
        assert together == 0 or together >= min_cell or everything
    assert bool(hidden) == any(0 < n < min_cell for pair in counts for n in pair)


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
