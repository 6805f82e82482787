"""Seeing a refresh run: a bar on a real pseudo-terminal; pipes and files, line by line."""

import io
import os
import pty
import re
import select
import subprocess
import sys
import termios
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Thread

import pytest
from processes import wait_for

from retention_runner import progress
from retention_runner.records import Run

TITLE = "cdnow 1998-06-30"


def runs(*entries: Run) -> dict[str, Run]:
    return {run.task: run for run in entries}


class Terminal:
    """A pseudo-terminal: what was sent to it, without what moves the cursor."""

    def __init__(self, width: int, height: int):
        self.sent, self.gone = b"", False
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (height, width))
        self.stream = os.fdopen(slave, "w", encoding="utf-8")
        self.reader = Thread(target=self.read)
        self.reader.start()

    def read(self) -> None:
        while not self.gone:
            if select.select([self.master], [], [], 0.05)[0]:
                self.sent += os.read(self.master, 65_536)

    def hang_up(self) -> None:
        """Whoever sat here leaves; to write to it fails from now on."""
        if not self.gone:
            self.gone = True
            self.reader.join()
            os.close(self.master)

    def text(self) -> str:
        return re.sub(r"\x1b\[[?\d;]*[A-Za-z]|\r", "", self.sent.decode(errors="ignore"))

    def until(self, *words: str) -> str:
        """The text, as soon as each of the patterns ``words`` is found in it."""
        wait_for(lambda: all(re.search(word, self.text()) for word in words), 20)
        return self.text()


@pytest.fixture
def terminal(monkeypatch):
    """Opens terminals of a width and height; COLUMNS and LINES say the same, as shells do."""
    opened = []

    def make(width: int = 80, height: int = 24, **environment: str) -> Terminal:
        given = {"TERM": "xterm-256color", "COLUMNS": str(width), "LINES": str(height)}
        for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in (given | environment).items():
            monkeypatch.setenv(name, value)
        opened.append(Terminal(width, height))
        return opened[-1]

    yield make
    for one in opened:
        one.hang_up()
        with suppress(OSError):  # what could not be written any more
            one.stream.close()


def test_on_a_terminal_a_bar_counts_and_names_what_runs_above_it_stays_what_ended(terminal):
    screen, tasks = terminal(), runs(Run("tables"), Run("20_survival"))
    with progress.watching(screen.stream) as watch:
        tasks["tables"].state = "running"
        watch.seen(TITLE, tasks)
        screen.until(f"{TITLE} tables .*0/2")
        tasks["tables"].__dict__.update(state="done", seconds=0.62)
        tasks["20_survival"].state = "running"
        watch.seen(TITLE, tasks, tasks["tables"])
        screen.until(f"{TITLE} 20_survival .*1/2")
        tasks["20_survival"].state = "done"
        watch.seen(TITLE, tasks)
        watch.say("a [bold]line[/] " + "x" * 100)
    text = screen.until("x" * 100)
    ended = f"{TITLE}: tables done in 0.6 s (1 of 2)\n"
    assert text.count(ended) == 1
    assert "a [bold]line[/] xxx" in text
    wait_for(lambda: screen.sent.count(b"\x1b[?25h") == 1, 5)  # the cursor is shown again


def test_elsewhere_a_task_is_a_line_exactly_when_it_ends(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream, tasks = io.StringIO(), runs(*map(Run, ["tables", "10_customers", "20_survival"]))
    with progress.watching(stream) as watch:

        def after(task: str, state: str, seconds: float, *, ended: bool = True) -> str:
            before = len(stream.getvalue())
            tasks[task].__dict__.update(state=state, seconds=seconds)
            watch.seen(TITLE, tasks, *([tasks[task]] if ended else []))
            return stream.getvalue()[before:]

        assert after("tables", "running", 0.0, ended=False) == ""
        assert after("tables", "unchanged", 0.0) == ""
        done = "cdnow 1998-06-30: 20_survival done in 1.2 s (2 of 3)\n"
        assert after("20_survival", "done", 1.234) == done
        failed = "cdnow 1998-06-30: 10_customers failed after 61.0 s\n"
        assert after("10_customers", "failed", 61.0) == failed
        watch.say("cdnow 1998-06-30: published reports/index.html")
    assert stream.getvalue().endswith("cdnow 1998-06-30: published reports/index.html\n")


def refreshed(watch, title: str) -> None:
    """A refresh whose tasks end in several threads, and which grows while it runs."""
    tasks = runs(*(Run(f"{number}_task") for number in range(10, 20)), Run("99_summary"))

    def work(run: Run) -> None:
        run.state = "running"
        watch.seen(title, tasks)
        if run.task == "12_task":
            tasks.update(runs(*(Run(f"95_segment-s{number}") for number in range(30))))
        run.seconds, run.state = 0.5, "done"
        watch.seen(title, tasks, run)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, [run for run in tasks.values() if run.task != "99_summary"]))
        list(pool.map(work, [run for run in tasks.values() if run.state == "waiting"]))
    watch.say(f"{title}: published")


def test_books_side_by_side_tell_every_task_once_and_never_count_back(terminal):
    titles = [f"book{number} 2025-01-31" for number in range(4)]
    screen = terminal(200)
    with progress.watching(screen.stream) as watch, ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda title: refreshed(watch, title), titles))
    text = screen.until(*(f"{title}: published" for title in titles))
    for title in titles:
        found = re.findall(rf"{title}: (\S+) done in 0\.5 s \((\d+) of (?:11|41)\)\n", text)
        assert len({task for task, _ in found}) == len(found) == 41
        counts = [int(count) for _, count in found]
        assert counts == sorted(counts)
        assert counts[-1] == 41
        assert text.count(f"{title}: published\n") == 1


PROGRAM = """
import sys
from retention_runner import progress
from retention_runner.records import Run

with progress.watching() as watch:
    watch.say("begun")
    sys.stdin.readline()
    for number in range(3):
        run = Run("tables", "done", 0.5)
        watch.seen("a 2025-01-31", {"tables": run}, run)
        watch.say("x" * 100_000)
"""


def test_a_closed_pipe_stops_nothing():
    command, pipe = [sys.executable, "-c", PROGRAM], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as program:
        assert program.stdout.readline() == "begun\n"
        program.stdout.close()
        program.stdin.write("\n")
        program.stdin.close()
        assert (program.wait(60), program.stderr.read()) == (0, "")


def test_a_closed_stream_or_none_stops_nothing(tmp_path, monkeypatch):
    with (tmp_path / "log").open("w") as log, progress.watching(log) as watch:
        log.close()
        watch.say("unheard")
    monkeypatch.setattr(sys, "stdout", None)
    with progress.watching() as watch:
        watch.say("unheard")


def test_a_letter_that_a_log_cannot_hold_loses_no_line(tmp_path):
    with (tmp_path / "log").open("w", encoding="ascii") as log, progress.watching(log) as watch:
        watch.say("Käse: published")
        watch.say("next")
    assert (tmp_path / "log").read_text() == "K?se: published\nnext\n"
