"""One notebook, strictly: real kernels that fail in every way."""

import os

import pytest
from workbooks import notebook

from retention_runner import notebooks, run
from retention_runner.errors import Failed, Refused

X = ("x = 1  # a number",)


def execute(folder, *cells: str, timeout: int = 60) -> str:
    """Run a notebook of these cells in an ordinary kernel; what its executed copy holds."""
    source, executed = notebook(folder / "a.ipynb", *cells, parameters=X), folder / "done.ipynb"
    given = notebooks.resolved(source, {"x": 41})
    try:
        run.run_notebook(source, executed, given, env=dict(os.environ), timeout=timeout)
    finally:
        held = executed.read_text()
    return held


def test_a_notebook_runs_with_its_parameters_injected(tmp_path):
    assert '"42\\n"' in execute(tmp_path, "print(x + 1)")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["1 / 0", "print('never')"], "a.ipynb: ZeroDivisionError: division by zero"),
        (["import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "1"], "its kernel died"),
        (["import time; time.sleep(60)", "1"], "a cell took longer than 3 s"),
    ],
)
def test_a_failure_is_never_called_a_success_and_the_copy_goes_as_far_as_it_came(
    tmp_path, cells, words
):
    with pytest.raises(Failed, match=words) as failure:
        execute(tmp_path, "print('so ' + 'far')", *cells, timeout=3)
    assert "division" not in failure.value.said  # a message may hold values of the data
    assert "so far" in (tmp_path / "done.ipynb").read_text()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ((), "exactly one .* found 0"),
        (("x = 1  # one", "y = 2  # two"), "exactly one .* found 2"),
        (("x = 1 + len('a')  # computed",), "line 1 of the parameters cell"),
    ],
)
def test_a_notebook_without_one_plain_parameters_cell_is_refused(tmp_path, parameters, words):
    with pytest.raises(Refused, match=words):
        notebooks.resolved(notebook(tmp_path / "a.ipynb", parameters=parameters), {})


def test_parameters_are_resolved_by_name(tmp_path):
    source = notebook(tmp_path / "a.ipynb", parameters=("x = 1  # n\nshare = 0.5  # s",))

    assert notebooks.resolved(source, {"share": 1}) == {"x": 1, "share": 1}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"y": 1}, "no such parameter"),
        ({"x": 1.5}, "expected int"),
        ({"x": True}, "expected int"),
        ({"refresh": "shop"}, "is set by the refresh itself"),
    ],
)
def test_a_parameter_that_is_not_declared_so_is_a_fault(tmp_path, given, words):
    (tmp_path / "notebooks").mkdir()
    notebook(tmp_path / "notebooks" / "10_test.ipynb", parameters=X)

    ((place, said),) = notebooks.faults(tmp_path, {"10_test": given})

    assert (place, words in said) == (("10_test", *given), True)
