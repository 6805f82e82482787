"""One notebook, strictly: real kernels that fail in every way."""

import os

import nbformat
import pytest

from retention_runner import notebooks, run
from retention_runner.errors import Failed, Refused
from retention_runner.records import Run


def notebook(folder, *cells: str, parameters: tuple[str, ...] = ("x = 1  # a number",)):
    """A notebook file with these code cells after its parameters cells."""
    tagged = [nbformat.v4.new_code_cell(text) for text in parameters]
    for cell in tagged:
        cell.metadata["tags"] = ["parameters"]
    book = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Does it run?"),
            *tagged,
            *(nbformat.v4.new_code_cell(text) for text in cells),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}},
    )
    path = folder / "10_test.ipynb"
    nbformat.write(book, path)
    return path


def execute(source, executed, parameters, timeout=60) -> Run:
    """Run a notebook in an ordinary kernel; what the run has learnt."""
    told = Run(source.stem)
    run.run_notebook(source, executed, parameters, env=dict(os.environ), timeout=timeout, told=told)
    return told


def test_a_notebook_runs_with_its_parameters_injected(tmp_path):
    source = notebook(tmp_path, "print(x + 1)")

    told = execute(source, tmp_path / "out" / "done.ipynb", notebooks.resolved(source, {"x": 41}))

    assert told.cell_seconds > 0
    done = nbformat.read(tmp_path / "out" / "done.ipynb", as_version=4)
    assert done.cells[-1].outputs[0].text == "42\n"


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["1 / 0", "print('never')"], "10_test.ipynb: ZeroDivisionError: division by zero"),
        (["import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "1"], "its kernel died"),
        (["import time; time.sleep(60)", "1"], "a cell took longer than 5 s"),
    ],
)
def test_a_failure_is_never_called_a_success(tmp_path, cells, words):
    source = notebook(tmp_path, *cells)

    with pytest.raises(Failed, match=words) as failure:
        execute(source, tmp_path / "done.ipynb", {"x": 1}, timeout=5)
    assert "division" not in failure.value.said  # a message may hold values of the data


@pytest.mark.parametrize("last", ["1 / 0", "import os; os.kill(os.getpid(), 9)"])
def test_a_notebook_is_kept_as_far_as_it_came(tmp_path, last):
    source = notebook(tmp_path, "print('so ' + 'far')", last)

    with pytest.raises(Failed):
        execute(source, tmp_path / "done.ipynb", {"x": 1})
    assert "so far" in (tmp_path / "done.ipynb").read_text()


@pytest.mark.parametrize("parameters", [(), ("x = 1  # one", "y = 2  # two")])
def test_a_notebook_without_exactly_one_parameters_cell_is_refused(tmp_path, parameters):
    source = notebook(tmp_path, "1", parameters=parameters)

    with pytest.raises(Refused, match=f"exactly one .* found {len(parameters)}"):
        notebooks.resolved(source, {})


def test_a_parameters_cell_that_computes_is_refused(tmp_path):
    source = notebook(tmp_path, "1", parameters=("x = 1 + len('a')  # computed",))

    with pytest.raises(Refused, match="line 1 of the parameters cell"):
        notebooks.resolved(source, {})


def test_parameters_are_resolved_by_name_and_type(tmp_path):
    source = notebook(tmp_path, parameters=("x = 1  # n\nshare = 0.5  # s\nnames = []  # list",))

    assert notebooks.resolved(source, {"share": 1}) == {"x": 1, "share": 1, "names": []}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"y": 1}, "no such parameter"),
        ({"x": 1.5}, "expected int"),
        ({"x": True}, "expected int"),
        ({"names": "a"}, "expected list"),
        ({"refresh": "shop"}, "is set by the refresh itself"),
    ],
)
def test_a_parameter_that_is_not_declared_so_is_a_fault(tmp_path, given, words):
    (tmp_path / "notebooks").mkdir()
    notebook(tmp_path / "notebooks", parameters=("x = 1  # n\nnames = []  # list",))

    ((place, said),) = notebooks.faults(tmp_path, {"10_test": given})

    assert (place, words in said) == (("10_test", *given), True)


def test_a_notebook_that_is_not_there_is_a_fault_with_the_nearest(tmp_path):
    (tmp_path / "notebooks").mkdir()
    notebook(tmp_path / "notebooks")
    faults = [*notebooks.faults(tmp_path, {"10_tset": {}})]
    assert faults == [(("10_tset",), "no such notebook; did you mean '10_test'?")]
