"""Faults, with real signals, files and disks: what is published stays, and the next refresh heals.

The workbook's one notebook of its own does whatever stands in `fault.py`, which no key knows: a
refresh after a fault is a plain one, of the same book with the same parameters.
"""

import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import psutil
import pytest
from bs4 import BeautifulSoup
from processes import wait_for
from workbooks import notebook, with_only

DAY = "2025-06-30"
CELL = 'exec(open("fault.py").read())'
GIVEN = """\
refresh = "cdnow"  # a book
round = 0  # so many
word = ""  # any"""
ROUND = "from IPython.display import HTML, display\ndisplay(HTML(f'<p>It is round {round}.</p>'))"
BOOK = """\
title: Corner shop
source: {kind: demo, data: simulated, customers: 1000, seed: 2}
timezone: Europe/Berlin
snapshot_date: 2025-06-30
churn: {kind: contract, after_days: 30}
parameters: {50_fault: {round: ROUND}}
"""
SLEEP = "import os, time\nopen('pid', 'w').write(f'{os.getpid()}\\n')\ntime.sleep(600)\n"
TEMPORARY = "temporary"


@pytest.fixture(scope="module")
def made(make_workbook) -> Path:
    return workbook(make_workbook)


@pytest.fixture
def shop(made) -> Path:
    """A workbook with a book that has been refreshed once; every test leaves it good."""
    shutil.rmtree(made / TEMPORARY)
    (made / TEMPORARY).mkdir()
    return made


def workbook(make_workbook: Callable[[], Path], keep: tuple[str, ...] = ("none",)) -> Path:
    folder = with_only(make_workbook(), *keep)
    notebook(folder / "notebooks" / "50_fault.ipynb", ROUND, CELL, parameters=(GIVEN,))
    (folder / TEMPORARY).mkdir()
    plant(folder)
    done = refresh(folder)
    assert done.returncode == 0, done.stderr
    return folder


def plant(folder: Path, fault: str = "") -> None:
    """Have the notebook do ``fault``, and something to be done by changing a parameter."""
    book = folder / "params" / "shop.yaml"
    text = book.read_text() if book.exists() else BOOK.replace("ROUND", "0")
    (folder / "fault.py").write_text(fault)
    book.write_text(re.sub(r"round: (\d+)", lambda found: f"round: {int(found[1]) + 1}", text))


@contextmanager
def begin(folder: Path, *words: str, **given) -> Iterator[subprocess.Popen]:
    """The command as a scheduler starts it, in a process group of its own; gone with the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "retention_app", "refresh", *(words or ("shop",))],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(folder / TEMPORARY)} | given.pop("env", {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        **given,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen, seconds: float = 300) -> subprocess.CompletedProcess:
    said, _ = process.communicate(timeout=seconds)
    return subprocess.CompletedProcess(process.args, process.returncode, stderr=said)


def refresh(folder: Path, *words: str, **given) -> subprocess.CompletedProcess:
    with begin(folder, *words, **given) as process:
        return ended(process)


def sleeper(folder: Path) -> int:
    """Process id of the kernel that sleeps, as soon as it does."""
    file = folder / "pid"
    text = wait_for(lambda: file.exists() and file.read_text())
    file.unlink()
    return int(text)


def require_readable(folder: Path) -> None:
    """Every link of the index leads to a page, and every published file is as published."""
    reports = folder / "reports"
    links = re.findall(r'href="([^"#:]+)"', (reports / "index.html").read_text())
    assert links
    assert all((reports / link).is_file() for link in links), links
    for path in reports.glob("[!.]*/[!.]*/manifest.json"):
        manifest = json.loads(path.read_text())
        for record in manifest["pages"] + manifest["tables"]:
            content = (path.parent / record["file"]).read_bytes()
            assert record["sha256"] == sha256(content).hexdigest(), path.parent / record["file"]


def require_failed(folder: Path, done, words: str, code: int = 1) -> None:
    """It failed with ``words``; readers see the last good refresh and that it is stale."""
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    require_readable(folder)
    assert "Stale since" in (folder / "reports" / "index.html").read_text()
    assert (folder / "work" / "failed" / "shop" / "index.html").is_file()


def require_named(folder: Path) -> None:
    """The page for the analyst names the notebook, whose page ends with the cell that failed."""
    failed = folder / "work" / "failed" / "shop"
    assert 'href="50_fault.html"' in (failed / "index.html").read_text()
    page = BeautifulSoup((failed / "50_fault.html").read_text(), "html.parser")
    assert page.find_all("details", class_="code")[-1].pre.text.strip().endswith(CELL)


def require_healed(folder: Path, *words: str) -> None:
    """A plain refresh is good, and nothing is left of what went before."""
    (folder / "fault.py").write_text("")
    done = refresh(folder, *words)
    assert done.returncode == 0, done.stderr
    require_readable(folder)
    assert "Stale since" not in (folder / "reports" / "index.html").read_text()
    wait_for(lambda: not processes(folder), 5)
    assert not list(folder.glob("work/failed/*"))
    assert not list(folder.glob("work/.building/*")) + list(folder.glob("reports/.building/*"))
    assert not list(folder.glob("work/[!.]*/**/.*")) + list(folder.glob("reports/[!.]*/**/.*"))


def processes(folder: Path) -> list[psutil.Process]:
    """Whoever runs in the workbook or for it."""
    found = []
    for process in psutil.process_iter():
        try:
            place = [process.cwd(), *process.cmdline()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(str(folder) in word for word in place):
            found.append(process)
    return found


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Meanwhile somebody reads, again and again, and always finds all of it."""
    found, ended = [], threading.Event()

    def read() -> None:
        while not ended.is_set():
            try:
                require_readable(folder)
            except (AssertionError, OSError, ValueError) as error:
                found.append(error)
            time.sleep(0.02)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert not found, found[0]


def test_a_refresh_that_is_killed_leaves_what_was_published(shop):
    plant(shop, SLEEP)
    with begin(shop) as process, reading(shop):
        sleeper(shop)
        process.kill()
    require_readable(shop)
    require_healed(shop)


@pytest.mark.slow
def test_a_refresh_may_be_killed_at_any_moment(make_workbook):
    folder = workbook(make_workbook, ("00", "10", "30", "95", "99"))
    plant(folder)
    began = time.monotonic()
    require_healed(folder)
    duration, draw = time.monotonic() - began, random.Random(20_250_630)
    for _ in range(20):
        plant(folder)
        with begin(folder) as process, reading(folder), suppress(subprocess.TimeoutExpired):
            process.wait(draw.uniform(0.05, 1) * duration)  # at the end of the block it is killed
        wait_for(lambda: not processes(folder), 5)
        require_readable(folder)
        require_healed(folder)


def test_a_kernel_that_is_killed_fails_its_refresh(shop):
    plant(shop, SLEEP)
    with begin(shop) as process:
        os.kill(sleeper(shop), signal.SIGKILL)
        done = ended(process)

    require_failed(shop, done, "its kernel died")
    require_named(shop)
    require_healed(shop)


@pytest.mark.slow
def test_a_cell_without_end_fails_its_refresh(shop):
    plant(shop, "import time; time.sleep(600)")

    done = refresh(shop, "shop", "--timeout", "3")

    require_failed(shop, done, "a cell took longer than 3 s")
    require_named(shop)
    require_healed(shop)


def tables_begun(folder: Path) -> bool:
    return (folder / "work" / ".building" / "shop" / DAY / "tasks" / "tables.json").is_file()


def require_stopped(folder: Path, process: subprocess.Popen, number: int) -> None:
    """A signal ends the whole refresh, which says so and is taken up by the next one."""
    os.killpg(process.pid, number)
    done = ended(process, 30)

    require_failed(folder, done, "", code=130)
    wait_for(lambda: not processes(folder), 5)
    told = json.loads((folder / "work" / "failed" / "shop" / "run.json").read_text())
    states = {task["task"]: task["state"] for task in told["tasks"]}
    assert states["50_fault"] == "stopped"
    assert set(states.values()) <= {"stopped", "done", "unchanged", "skipped"}
    require_healed(folder)


def test_a_second_refresh_leaves_and_whoever_stops_the_first_one_stops_all_of_it(shop):
    plant(shop, SLEEP)
    with begin(shop) as first:
        sleeper(shop)

        second = refresh(shop)

        assert second.returncode == 2
        assert second.stderr == "shop: another refresh of this book is running; wait for it\n"
        assert not (shop / "reports" / "shop" / "stale.json").exists()
        assert first.poll() is None
        require_stopped(shop, first, signal.SIGINT)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_stops_a_refresh_that_reads_its_tables_stops_it(shop, number):
    text = (shop / "params" / "shop.yaml").read_text()
    (shop / "params" / "shop.yaml").write_text(re.sub(r"seed: (\d)", r"seed: \g<1>0", text))
    shutil.rmtree(shop / "work" / ".building", ignore_errors=True)  # or they seem begun
    with begin(shop) as process:
        wait_for(lambda: tables_begun(shop))
        require_stopped(shop, process, number)


def test_a_disk_that_takes_no_more_fails_the_refresh(shop):
    plant(shop)
    most = (2**12, 2**12)  # bytes of any file; fewer than a page has

    done = refresh(shop, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, most))

    assert done.returncode == 1, done.stderr
    assert "too large" in done.stderr.lower()
    require_readable(shop)
    require_healed(shop)


@pytest.mark.slow
def test_one_book_fails_and_another_is_published(shop):
    text = (shop / "params" / "shop.yaml").read_text()
    (shop / "params" / "other.yaml").write_text(text.replace("Corner", "Other"))
    plant(shop, "1 / (0 if refresh.startswith('shop/') else 1)")

    done = refresh(shop, "shop", "other")

    require_failed(shop, done, "ZeroDivisionError")
    assert (shop / "reports" / "other" / DAY / "50_fault.html").is_file()
    assert not (shop / "reports" / "other" / "stale.json").exists()
    require_healed(shop, "shop", "other")


@pytest.mark.parametrize(
    "fault",
    [
        "print(value)",
        pytest.param("raise ValueError(value)", marks=pytest.mark.slow),
        pytest.param("display(HTML(f'<p>{value}</p>'))", marks=pytest.mark.slow),
    ],
)
def test_a_secret_is_nowhere_even_if_a_notebook_shows_it(shop, fault):
    value = "Tr0ub4dor<&>3 horse"
    plant(shop, f"import os; value = os.environ['TOKEN_X']\n{fault}")
    book = shop / "params" / "shop.yaml"
    before = book.read_text()
    book.write_text(before.replace("}}", ", word: 'env:TOKEN_X'}}"))

    done = refresh(shop, env={"TOKEN_X": value})

    require_failed(shop, done, "env:TOKEN_X")
    files = [path for path in shop.rglob("*") if path.is_file()]
    assert not [path for path in files if b"Tr0ub4dor" in path.read_bytes()]
    assert "Tr0ub4dor" not in done.stderr
    book.write_text(before)
    require_healed(shop)


@pytest.mark.slow
def test_a_spoilt_table_of_the_refresh_before_is_named_and_made_again(make_workbook):
    folder, before = workbook(make_workbook, ("00", "99")), "2025-03-31"
    both = ("shop", "--snapshot-date", before, "--snapshot-date", DAY)
    require_healed(folder, *both)
    for file in (folder / "work" / "shop" / before / "tables").glob("*.parquet"):
        file.unlink()  # it may be linked from another refresh
        file.write_bytes(b"half")

    done = refresh(folder, "shop", "--again")

    require_failed(folder, done, "00_data")
    assert f"{before}/tables/" in done.stderr

    require_healed(folder, *both)
