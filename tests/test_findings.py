"""Findings: recorded once, said in words, compared with the previous refresh."""

import json

import pytest
from bs4 import BeautifulSoup
from drawing import drawn

from retention import findings, schema
from retention.errors import Refused
from retention.exhibit import Finding
from retention.tables import rules, workspace


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


def say(space: workspace.Workspace, name: str, value: float) -> str:
    return findings.record(space, Finding(name, "{value} are gone.", value, "share"))


def test_a_finding_is_said_and_recorded(space):
    sentence = "{value} of {n} stay ({ci})."
    finding = Finding("stay", sentence, 0.1234, "share", (0.1, 0.15), {"n": 5000})

    for _ in range(2):  # saying it again replaces it
        assert findings.record(space, finding) == "12.3% of 5,000 stay (10.0% to 15.0%)."
    assert findings.recorded(space).height == 1
    row = findings.recorded(space).row(0, named=True)
    assert (row["notebook"], row["name"], row["value"]) == ("20_survival", "stay", 0.1234)
    assert (row["ci_lower"], row["ci_upper"], row["previous"]) == (0.1, 0.15, None)
    assert not rules.broken(findings.recorded(space), schema.TABLES["findings"])


@pytest.mark.parametrize(
    ("changed", "comparable"),
    [
        ({}, True),
        ({"tables": {"data": "other"}}, True),
        ({"survival": {"needs": "other"}}, True),
        ({"tables": {"code": {"tables.task": "other"}}}, False),
        ({"tables": {"definition": {"churn": 90}}}, False),
        ({"survival": {"parameters": {"days": 365}}}, False),
    ],
)
def test_the_previous_refresh_is_quoted_and_a_changed_method_is_named(
    workbook, changed, comparable
):
    before = refreshed(workbook, "2025-03-31", **changed)
    say(before, "gone", 0.05)
    now = refreshed(workbook, "2025-06-30")

    said = say(now, "gone", 0.07)

    other = "" if comparable else ", by another method: not comparable"
    assert f"7.0% (5.0% at 2025-03-31{other}) are gone." in said
    row = findings.recorded(now).row(0, named=True)
    assert row["change"] == pytest.approx(0.02)
    assert row["comparable"] == comparable


@pytest.mark.parametrize("missing", ["tables", "20_survival"])
def test_a_refresh_that_says_nothing_of_its_method_cannot_be_compared(workbook, missing):
    spaces = [refreshed(workbook, day) for day in ("2025-03-31", "2025-06-30")]
    for space in spaces:
        (space.folder / "tasks" / f"{missing}.json").unlink()
        said = say(space, "gone", 0.07)

    assert "not comparable" in said


def test_a_segment_has_findings_of_its_own_and_none_before(workbook):
    for day in ("2025-03-31", "2025-06-30"):
        for segment in ("s1", "s2"):
            space = refreshed(workbook, day, segment=segment)
            said = findings.record(space, Finding("n", "{value} customers.", 7))

    assert said == "7 customers."
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
        said = findings.record(space, Finding("n", "{value} customers.", int(day[6]) * 100))

    now = "600 (300 at 2025-03-31) customers." if quoted else "600 customers."
    assert said == now


def test_pages_of_segments_are_one_short_list_at_the_end():
    recorded = drawn("""
        | notebook      | sentence   |
        | 20_survival   | Half stay. |
        | 20_survival   | Most stay. |
        | 95_segment-s1 | Families.  |
        | 95_segment-s1 | More.      |
        | 95_segment-s10| Tens.      |
        | 95_segment-s2 | Twos.      |
        | 95_segment-<b>| <i>        |
        | 99_summary    | All.       |
    """)

    page = BeautifulSoup(findings.by_notebook(recorded).data, "html.parser")

    first, _, last = (head.get_text() for head in page.find_all("h3"))
    assert first.startswith("How long do customers stay")
    assert last == "What does this segment need?"
    lists = [[item.get_text() for item in one.find_all("li")] for one in page.find_all("ul")]
    assert lists[:2] == [["Half stay.", "Most stay."], ["All."]]
    assert lists[2] == ["s1: Families.", "s2: Twos.", "<b>: <i>", "s10: Tens."]
    assert page.find_all("a")[2]["href"] == "95_segment-s1.html"


def test_no_findings_name_what_to_do(space):
    with pytest.raises(Refused, match="run the other notebooks"):
        findings.recorded(space)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (1234.0, "customers", "1,234"),
        (0.05, "share", "5.0%"),
        (3.14159, "", "3.14"),
        (None, "", "–"),
        ("basic", "", "basic"),
    ],
)
def test_numbers_are_written_as_people_read_them(value, unit, shown):
    assert findings.number(value, unit) == shown
