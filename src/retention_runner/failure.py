"""The page for the analyst when a refresh failed: which task and cell, and why. Never published."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
from markupsafe import Markup
from nbconvert.filters import strip_ansi

from retention import show
from retention_runner import layout, notebooks, page, states

LONGEST = 20_000  # letters of any text
OUTPUT = 2_000  # letters of the last output
DAMAGED = (OSError, ValueError, LookupError, TypeError, AttributeError)


def write(
    folder: Path,
    *,
    title: str,
    runs: list[states.Run],
    parameters: dict[str, dict],
    reproduce: str,
    hide: Callable[[str], str],
    why: str = "",
) -> None:
    """Write ``folder``/index.html: what failed, in which cell, and the command to run it again.

    ``folder``/notebooks holds the executed copies as far as they came; they may be missing or half
    written. ``parameters`` are those of every task; ``why`` is for what befell no single task.
    ``hide`` takes secrets out of every text. Long texts lose their middle, the more of it the
    more tasks failed: the page keeps to the size that `page.problems` allows.
    """

    def clean(text: str) -> str:
        return hide(strip_ansi(text)).encode(errors="replace").decode()

    told = [
        {name: clean(text) for name, text in _told(run, folder, parameters).items()}
        for run in runs
        if run.bad
    ]
    told = [run | {"output": run["output"][-OUTPUT:]} for run in told]
    said = {"headline": _headline(told), "why": clean(why), "reproduce": clean(reproduce)}
    html, longest = _page(clean(title), said, told, runs, LONGEST), LONGEST
    while len(html.encode()) > page.LIMIT and longest:
        longest //= 2
        html = _page(clean(title), said, told, runs, longest)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "index.html").write_text(html, encoding="utf-8")


def _headline(told: list[dict]) -> str:
    stopped = told and all(run["state"] == "stopped" for run in told)
    tasks = [run["task"] for run in told[:3]] + [f"{len(told) - 3} more"] * (len(told) > 3)
    what = "The refresh was stopped" if stopped else "The refresh failed"
    return f"{what}: {', '.join(tasks)}" if tasks else what


def _page(title: str, said: dict, told: list[dict], runs: list[states.Run], longest: int) -> str:
    """The whole page, no text of it longer than ``longest`` letters."""
    rows = [(run.task, run.state, run.seconds) for run in runs]
    schema = {"task": pl.String, "state": pl.String, "seconds": pl.Float64}
    frame = pl.DataFrame(rows, schema, orient="row")
    table = show.table(frame, "How every task stands", limit=len(runs)).data
    body = layout.template("failure.html.j2").render(
        **said, runs=told, table=Markup(table), cut=lambda text: _cut(text, longest)
    )
    contents = [(f"task-{place}", run["task"]) for place, run in enumerate(told, start=1)]
    return layout.page(title=title, body=body, contents=[*contents, ("all", "All tasks")])


def _cut(text: str, longest: int) -> str:
    """A text without its middle, where it is too long."""
    left_out, half = len(text) - longest, longest // 2
    if left_out <= 0:
        return text
    return f"{text[:half]}\n[{left_out:,} letters left out]\n{text[half + left_out :]}"


def _told(run: states.Run, folder: Path, parameters: dict[str, dict]) -> dict[str, str]:
    """What a run and its executed copy tell: question, cell, traceback, the last output before."""
    file = folder / "notebooks" / f"{run.task}.ipynb"
    told = {"task": run.task, "state": run.state, "why": run.why, "question": "", "cell": ""}
    told |= {"where": "", "traceback": "", "output": ""}
    given = parameters.get(run.task, {})
    told["parameters"] = "\n".join(f"{name} = {value!r}" for name, value in given.items())
    try:
        question = notebooks.question(file)
        told |= {"question": question if question != run.task else ""}
        return told | _cell(json.loads(file.read_text(encoding="utf-8"))["cells"])
    except DAMAGED:
        return told


def _cell(cells: list[dict]) -> dict[str, str]:
    """The cell that raised or, where the kernel was lost and none did, the last that was begun."""
    begun = [cell for cell in cells if cell["cell_type"] == "code" and _was_begun(cell)]
    raised = [cell for cell in begun if any(map(_traceback, cell["outputs"]))]
    cell = (raised or begun)[-1]
    before = [output for one in begun[: begun.index(cell) + 1] for output in one["outputs"]]
    failed = f"The cell that failed, In [{cell['execution_count']}]"
    return {
        "where": failed if raised else "The last cell that was begun",
        "cell": "".join(cell["source"]),
        "traceback": next(filter(None, map(_traceback, cell["outputs"])), ""),
        "output": next(filter(str.strip, map(_text, before[::-1])), ""),
    }


def _was_begun(cell: dict) -> bool:
    """A kernel that dies at once gives its cell no count, but papermill has noted the start."""
    noted = cell["metadata"].get("papermill", {})
    return bool(cell["execution_count"] or noted.get("start_time"))


def _traceback(output: dict) -> str:
    if output["output_type"] != "error":
        return ""
    return "\n".join(output["traceback"]) or f"{output['ename']}: {output['evalue']}"


def _text(output: dict) -> str:
    """What an output says in words; a chart or a table says nothing."""
    data = output.get("data", {})
    return "".join(output.get("text") or ("text/html" not in data and data.get("text/plain")) or "")
