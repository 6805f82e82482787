"""Kernels of a refresh through stock papermill: forked or ordinary, and gone with whoever asked."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import nbformat
import pytest
from processes import gone, line_of, wait_for
from workbooks import notebook

from retention_runner import build, run, server
from retention_runner.errors import Failed

SOON = 10  # seconds in which whatever should be gone is gone


@contextmanager
def serving(folder: Path, **env: str) -> Iterator[SimpleNamespace]:
    """A warm server for one test: `run` executes cells and gives what they print, `said` is what
    was said of it."""
    private, said = folder / "private", []
    private.mkdir()

    def execute(*cells: str, timeout: int = 60, **more: str) -> str:
        source, out = notebook(folder / "in.ipynb", *cells), folder / f"{uuid4()}.ipynb"
        steady = build.environment(private) | more
        run.run_notebook(source, out, {"refresh": "x"}, env=steady, timeout=timeout)
        shown = [part for cell in nbformat.read(out, 4).cells for part in cell.get("outputs", [])]
        return "".join(part.get("text", "") for part in shown).strip()

    with pytest.MonkeyPatch.context() as as_before:
        as_before.setattr(server, "current", server.current)
        with server.serving(build.environment(private) | env, ("pandas",), said.append) as warm:
            warm.start()
            yield SimpleNamespace(run=execute, said=said, warm=warm, private=private)


@pytest.fixture(scope="module")
def kernels(tmp_path_factory) -> Iterator[SimpleNamespace]:
    with serving(tmp_path_factory.mktemp("kernels"), ONLY_THE_SERVERS="1") as served:
        yield served


def leave(file: Path, pid: str = "os.getpid()") -> str:
    """A line of a cell that notes a process."""
    return f"import os; open({str(file)!r}, 'w').write(f'{{{pid}}}\\n')"


FORKED = "import sys; print('pandas' in sys.modules)"  # the server has imported it


def test_a_forked_kernel_has_what_the_server_imported_and_its_own_environment(kernels):
    shown = kernels.run(
        FORKED,
        "import polars as pl; print(pl.DataFrame({'a': range(9)}).group_by('a').len().height)",
        "import os; print(os.environ['MARK'], os.environ.get('ONLY_THE_SERVERS'), os.getcwd())",
        MARK="asked",
    )

    assert shown == f"True\n9\nasked None {os.getcwd()}"
    assert not kernels.said


def test_two_kernels_draw_different_numbers(kernels):
    cell = "import random, numpy; print(random.random(), numpy.random.random())"

    drawn = [number for _ in range(2) for number in kernels.run(cell).split()]

    assert len(set(drawn)) == 4


CHILD = "import subprocess; child = subprocess.Popen(['sleep', '600'])"


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ("print('its end')", None),
        ("os.kill(os.getpid(), 9)", "its kernel died"),
        ("import time; time.sleep(600)", "longer than 2 s"),
    ],
)
def test_however_a_kernel_ends_so_does_what_it_started(kernels, tmp_path, last, words):
    cells = [CHILD, leave(tmp_path / "child", "child.pid"), last]

    if words:
        with pytest.raises(Failed, match=words):
            kernels.run(*cells, timeout=2)
    else:
        kernels.run(*cells)

    child = int(line_of(tmp_path / "child"))
    wait_for(lambda: gone(child), SOON)


@pytest.mark.parametrize(
    "plant",
    [
        "import threading; threading.Timer(60, print).start()",
        "import sys, types; sys.modules['polars'] = types.ModuleType('polars')",
    ],
)
def test_a_server_with_a_second_thread_or_polars_does_not_serve(tmp_path, plant):
    (tmp_path / "plant").mkdir()
    (tmp_path / "plant" / "sitecustomize.py").write_text(plant)

    with serving(tmp_path, PYTHONPATH=str(tmp_path / "plant")) as served:
        assert [served.run(FORKED) for _ in range(2)] == ["False", "False"]

    assert len(served.said) == 1
    assert "the warm server has gone" in served.said[0]


def test_elsewhere_than_on_linux_kernels_are_ordinary(tmp_path, monkeypatch):
    elsewhere = SimpleNamespace(platform="darwin", executable=sys.executable)
    monkeypatch.setattr(server, "sys", elsewhere)

    with serving(tmp_path) as served:
        assert served.run(FORKED) == "False"
        assert served.warm.process is None


def test_kernels_outlive_their_server_and_later_ones_are_ordinary(tmp_path):
    with serving(tmp_path) as served:
        told = []
        cells = [leave(tmp_path / "begun"), "import time; time.sleep(1)", FORKED]
        thread = threading.Thread(target=lambda: told.append(served.run(*cells)))
        thread.start()
        line_of(tmp_path / "begun")
        served.warm.process.kill()
        thread.join(60)
        told.append(served.run(FORKED))

        assert told == ["True", "False"]
        assert len(served.said) == 1


def test_nothing_but_ipythons_own_folder_is_left_of_a_kernel(tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))

    with serving(tmp_path) as served:
        served.run("1")
        with pytest.raises(Failed, match="its kernel died"):
            served.run("import os; os.kill(os.getpid(), 9)")

        left = [path.name for path in served.private.rglob("*") if path.is_file()]
        assert left == ["README"]
    assert not list((tmp_path / "temporary").iterdir())


def test_kernels_end_with_the_refresh(tmp_path):
    failed = []

    def execute(served) -> None:
        try:
            served.run(
                CHILD, leave(tmp_path / "child", "child.pid"), "import time; time.sleep(600)"
            )
        except Failed as error:
            failed.append(error)

    with serving(tmp_path) as served:
        thread = threading.Thread(target=execute, args=(served,))
        thread.start()
        child = int(line_of(tmp_path / "child"))
    thread.join(SOON * 5)

    assert "its kernel died" in str(failed[0])
    wait_for(lambda: gone(child) and gone(served.warm.process.pid), SOON)


PARENT = """\
import sys
from pathlib import Path
from runner import test_kernels

with test_kernels.serving(Path(sys.argv[1])) as served:
    print(served.warm.process.pid, flush=True)
    served.run(*sys.argv[2:])
"""


@pytest.mark.parametrize("busy", ["import time; time.sleep(600)", "sum(range(10**12))"])
def test_whoever_kills_the_refresh_kills_its_server_and_kernels(tmp_path, busy):
    """A kernel within one long call of C holds the lock of Python: no thread of it can act."""
    cells = [CHILD, leave(tmp_path / "pids", "os.getpid()} {child.pid"), busy]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, tmp_path, *cells],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
    )
    with parent:
        pids = [int(parent.stdout.readline())]
        pids += map(int, line_of(tmp_path / "pids").split())
        time.sleep(0.2)
        assert not any(map(gone, pids))

        parent.send_signal(signal.SIGKILL)

        wait_for(lambda: all(map(gone, pids)), SOON)
