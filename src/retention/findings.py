"""Findings: a number recorded once, said in a sentence, compared with the previous refresh."""

import json
import math
from pathlib import Path

import polars as pl
from IPython.display import HTML

from retention import words
from retention.errors import Refused
from retention.exhibit import TEMPLATES, Finding
from retention.tables import workspace


def record(space: workspace.Workspace, finding: Finding) -> str:
    """Record a finding in the table "findings"; gives its sentence.

    Where the previous refresh recorded the same name, what it was then stands behind the value,
    with a word where the two cannot be compared.
    """
    value, unit, ci = finding.value, finding.unit, finding.ci
    value = None if value is None or math.isnan(value) else float(value)
    shown = {key: number(word, "") for key, word in finding.further.items()}
    before = _previous(space, finding.name)
    now = number(value, unit)
    if before is not None and value is not None:
        other = "" if before["comparable"] else ", by another method: not comparable"
        now += f" ({number(before['value'], unit)} at {before['snapshot_date']}{other})"
    said = finding.sentence.format(**shown, value=now, ci=interval(ci, unit) if ci else "–")
    row = {
        "notebook": space.run,
        "name": finding.name,
        "value": value,
        "unit": unit,
        "ci_lower": float(ci[0]) if ci else None,
        "ci_upper": float(ci[1]) if ci else None,
        "previous": before["value"] if before else None,
        "change": value - before["value"] if before and value is not None else None,
        "comparable": before["comparable"] if before else None,
        "sentence": said,
    }
    _record(space, row)
    return said


def recorded(space: workspace.Workspace) -> pl.DataFrame:
    """All findings recorded so far in this refresh, in order of notebook and of being said."""
    folders = [folder for folder in (space.folder, space.scratch) if folder]
    frames = {
        file.name: pl.read_json(file, schema=workspace.none("findings").schema)
        for folder in folders
        for file in sorted((folder / "findings").glob("*.json"))
    }
    if not frames:
        raise Refused(f"{space.book}/{space.refresh} holds no findings: run the other notebooks")
    return pl.concat(frames[name] for name in sorted(frames))


def by_notebook(recorded: pl.DataFrame) -> HTML:
    """All findings as a list under the notebook that recorded them, linked to its page.

    Last come the pages of segments, under their common question: a link and the first finding each.
    """
    runs = []
    for (run,), rows in recorded.group_by("notebook", maintain_order=True):
        task, _, segment = run.partition("-")
        said = rows["sentence"].to_list()
        runs.append({"run": run, "task": task, "segment": segment, "sentences": said})
    runs.sort(key=lambda one: (len(one["segment"]), one["segment"]))
    template = TEMPLATES.get_template("findings.html.j2")
    return HTML(template.render(runs=runs, question=_question))


def number(value, unit: str) -> str:
    """A number as people read it; a whole one without decimals, a "share" as per cent."""
    whole = unit != "share" and isinstance(value, float) and value.is_integer()
    return words.text(int(value) if whole else value, percent=unit == "share")


def interval(ci: tuple[float, float], unit: str) -> str:
    """Both limits: 3.1 % to 4.5 %."""
    return f"{number(ci[0], unit)} to {number(ci[1], unit)}"


def _question(task: str) -> str:
    """The H1 of a notebook."""
    file = workspace.root() / "notebooks" / f"{task}.ipynb"
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    texts = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    lines = "\n".join(texts).splitlines()
    return next((line[2:].strip() for line in lines if line.startswith("# ")), task)


def _record(space: workspace.Workspace, row: dict) -> None:
    """Add or replace the finding in the run's own file."""
    folder = (space.scratch or space.folder) / "findings"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / f"{space.run}.json"
    rows = json.loads(file.read_text()) if file.is_file() else []
    rows = [old for old in rows if old["name"] != row["name"]] + [row]
    workspace.save_text(json.dumps(rows, ensure_ascii=False, indent=1), file)


def _previous(space: workspace.Workspace, name: str) -> dict | None:
    """The finding of this name in the previous refresh, with whether it can be compared.

    None for a segment that was not the same then: of another group it would say nothing.
    """
    folder = workspace.previous(space) if _lasts(space) else None
    file = folder and folder / "findings" / f"{space.run}.json"
    if not file or not file.is_file():
        return None
    rows = [row for row in json.loads(file.read_text()) if row["name"] == name]
    if not rows or rows[0]["value"] is None:
        return None
    now, then = (_method(place, space.run) for place in (space.folder, folder))
    comparable = now is not None and now == then
    return rows[0] | {"snapshot_date": folder.name[:10], "comparable": comparable}


def _lasts(space: workspace.Workspace) -> bool:
    """Whether what the page is about was there before: a segment by "segment_changes", in which
    all of clusters stand; one by a rule of the book is what its rule says."""
    if not space.segment:
        return True
    if workspace.path(space, "segment_changes") is None:
        return False
    own = workspace.read_table(space, "segment_changes").filter(segment=space.segment)
    return own.is_empty() or own["kind"].to_list() == ["same"]


def _method(folder: Path, run: str) -> list | None:
    """Everything but the data that decides what a run's numbers mean; None where no record says."""
    asked = {
        "tables": ("code", "definition", "lock"),
        run: ("notebook", "parameters", "code", "lock"),
    }
    files = {task: folder / "tasks" / f"{task}.json" for task in asked}
    if not all(file.is_file() for file in files.values()):
        return None
    keys = {task: json.loads(file.read_text("utf-8"))["key"] for task, file in files.items()}
    return [keys[task][part] for task, parts in asked.items() for part in parts]
