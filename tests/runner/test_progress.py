"""Seeing a refresh run: a real pseudo-terminal, what it shows; pipes and files, line by line."""

import os
import pty
import re
import select
import socket
import subprocess
import sys
import termios
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Barrier, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from retention_runner.states import Run

from retention_runner import progress, states

TITLE = "cdnow 1998-06-30"
STATES = [*states.ENDED, "waiting", "running"]


def runs(*entries: Run) -> dict[str, Run]:
    return {run.task: run for run in entries}


class Terminal:
    """A pseudo-terminal: what was sent to it, and what it shows."""

    def __init__(self, width: int, height: int):
        self.width, self.height, self.sent = width, height, b""
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (height, width))
        self.stream = os.fdopen(slave, "w", encoding="utf-8")
        self.gone, self.reader = False, Thread(target=self.read)
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

    def lines(self) -> list[str]:
        """All lines, also those that have scrolled away; what moves the cursor is obeyed."""
        lines, row, column = [""], 0, 0
        sent = self.sent.decode(errors="ignore")
        for code, text in re.findall(r"\x1b\[([?\d;]*[A-Za-z])|([^\x1b])", sent):
            if text == "\n" or (text.isprintable() and text and column == self.width):
                row, column = row + 1, 0 if text != "\n" else column
                lines += [""] * (row + 1 - len(lines))
            if text == "\r":
                column = 0
            elif text.isprintable() and text:
                lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + 1 :]
                column += 1
            elif code == "2K":
                lines[row] = ""
            elif code.endswith("A"):
                row = max(row - int(code[:-1]), len(lines) - self.height, 0)
            else:
                assert code[-1:] in ("", "m", "h", "l"), code
        return [line.rstrip() for line in lines]

    def until(self, *words: str) -> list[str]:
        """The lines, as soon as each of the patterns ``words`` is found in one."""
        for _ in range(400):
            lines = self.lines()
            if all(any(re.search(word, line) for line in lines) for word in words):
                return lines
            time.sleep(0.05)
        raise AssertionError(f"{words} not in:\n" + "\n".join(lines))

    def at_the_end(self) -> list[str]:
        """The lines that stay."""
        self.stream.write("THE END\n")
        self.stream.flush()
        lines = self.until("THE END")
        return lines[: lines.index("THE END")]


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


# On a terminal


def test_every_task_is_seen_with_its_state_seconds_memory_and_why(terminal):
    screen = terminal()
    why = "\x1b[31mKeyError\x1b[0m: 'plan' is no column of customers, and here it goes on\nmore"
    with progress.watching(screen.stream) as watch:
        tasks = runs(
            Run("tables", "done", seconds=0.62, peak_kib=300_000),
            Run("00_data", "unchanged"),
            Run("10_customers", "failed", seconds=1.25, peak_kib=2_097_152, why=why),
            Run("20_survival", "refused", why="no such column"),
            Run("30_clusters", "running"),
            Run("40_cohorts", "waiting"),
            Run("60_value", "stopped", why="Ctrl-C"),
            Run("99_summary", "skipped", why="never shown"),
        )
        watch.seen(TITLE, tasks)
        lines = screen.until("99_summary")

    running = next(line for line in lines if "running" in line)
    assert re.fullmatch(r"  > running     \d\.\d s             30_clusters", running)
    assert [line for line in lines if line and line != running] == [
        "cdnow 1998-06-30: 2 of 8 done",
        "  ✓ done        0.6 s    293 MiB  tables",
        "  = unchanged                     00_data",
        "  ✗ failed      1.2 s  2,048 MiB  10_customers: KeyError: 'plan' is no column o…",
        "  ✗ refused                       20_survival: no such column",
        "  · waiting                       40_cohorts",
        "  ✗ stopped                       60_value: Ctrl-C",
        "  - skipped                       99_summary",
    ]


def test_the_seconds_of_what_runs_go_on_and_start_again_with_it(terminal):
    screen = terminal()
    with progress.watching(screen.stream) as watch:
        watch.seen(TITLE, runs(Run("20_survival", "running")))
        screen.until(r"running +([2-9]|\d\d)\.")
        watch.seen(TITLE, runs(Run("20_survival", "waiting")))
        watch.seen(TITLE, runs(Run("20_survival", "running")))
    title, row = screen.at_the_end()
    assert title.endswith("0 of 1 done")
    assert re.match(r"  > running     [01]\.\d s", row)


def test_what_has_ended_and_what_was_said_stays_in_order_and_nothing_else(terminal):
    screen, early, late = terminal(), Run("tables"), Run("tables")
    with progress.watching(screen.stream) as watch:
        watch.seen("a 2025-01-31", runs(early))
        watch.seen("b 2025-01-31", runs(late))
        watch.say("a further book is [bold]read[/]")
        screen.until("further", "b 2025-01-31: 0 of 1 done")
        early.seconds, early.state = 1.0, "done"
        watch.seen("a 2025-01-31", runs(early))
        screen.until("a 2025-01-31: 1 of 1 done")
        watch.say("a 2025-01-31: published " + "x" * 70)
        lines = screen.until("published")
        assert lines[1] == "a 2025-01-31: 1 of 1 done"
        assert b"a 2025-01-31: 1 of 1" not in screen.sent.rpartition(b"published")[2]
        late.state = "running"
        watch.seen("b 2025-01-31", runs(late))
        screen.until("running")
        late.seconds, late.state = 2.0, "done"
        watch.seen("b 2025-01-31", runs(late))

    assert screen.at_the_end() == [
        "a further book is [bold]read[/]",
        "a 2025-01-31: 1 of 1 done",
        "  ✓ done        1.0 s             tables",
        "a 2025-01-31: published " + "x" * 56,
        "x" * 14,
        "b 2025-01-31: 1 of 1 done",
        "  ✓ done        2.0 s             tables",
    ]
    assert screen.sent.count(b"\x1b[?25l") == screen.sent.count(b"\x1b[?25h") == 1


def test_an_error_leaves_the_last_state_on_the_screen_and_the_cursor_shown(terminal):
    screen = terminal()

    def interrupted():
        with progress.watching(screen.stream) as watch:
            watch.seen(TITLE, runs(Run("tables", "done"), Run("20_survival", "stopped", why="^C")))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert screen.at_the_end() == [
        "cdnow 1998-06-30: 1 of 2 done",
        "  ✓ done                          tables",
        "  ✗ stopped                       20_survival: ^C",
    ]
    assert b"\x1b[?25h" in screen.sent


def test_two_large_refreshes_fit_a_small_terminal_and_stay_whole_at_the_end(terminal):
    screen = terminal(80, 24)
    books = {
        title: runs(*(Run(f"{number}_task", "done") for number in range(10, 50)))
        for title in ("a 2025-01-31", "b 2025-01-31")
    }
    books["a 2025-01-31"]["47_task"].state = "running"
    books["a 2025-01-31"]["48_task"].state = "failed"
    with progress.watching(screen.stream) as watch:
        watch.say("first")
        for title, tasks in books.items():
            watch.seen(title, tasks)
        lines = screen.until("b 2025-01-31: 40 of 40 done")
        assert len(lines) <= 24
        assert [line[2:].split()[:2] for line in lines[2:4]] == [[">", "running"], ["✗", "failed"]]
        assert lines[11] == "  ... and 31 done"
        books["a 2025-01-31"]["47_task"].state = "done"
        screen.until("✓ done                          18_task")

    whole = screen.at_the_end()
    assert len(whole) == 1 + 2 * 41
    assert whole[:2] == ["first", "a 2025-01-31: 39 of 40 done"]


def test_segments_are_one_line_and_bad_ones_their_own(terminal):
    screen = terminal()
    tasks = runs(Run("30_clusters", "done"), Run("99_summary"))
    with progress.watching(screen.stream) as watch:
        watch.seen(TITLE, tasks)
        screen.until("1 of 2 done")
        for number in range(50):
            tasks[f"95_segment-s{number}"] = Run(f"95_segment-s{number}")
        for number in range(12):
            tasks[f"95_segment-s{number}"] = Run(
                f"95_segment-s{number}", "done", seconds=0.5, peak_kib=1024 * number
            )
        tasks["95_segment-s7"].why, tasks["95_segment-s7"].state = "too few", "failed"
        watch.seen(TITLE, tasks)
        lines = screen.until("12 of 52 done", "s7: too few")
        for task in tasks.values():
            task.state = "done" if task.state == "waiting" else task.state
    assert lines[2:] == [
        "  · waiting                       99_summary",
        "  · waiting     6.0 s     11 MiB  95_segment: 11 of 50",
        "  ✗ failed      0.5 s      7 MiB  95_segment-s7: too few",
    ]
    assert "  ✓ done        6.0 s     11 MiB  95_segment: 49 of 50" in screen.at_the_end()


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_is_left_out_where_nobody_wants_it(terminal, environment, coloured):
    screen = terminal(**environment)
    with progress.watching(screen.stream) as watch:
        watch.seen(TITLE, runs(Run("tables", "failed", why="no disk")))
    screen.until("✗ failed")
    colours = re.findall(rb"\x1b\[[\d;]*3\d[\d;]*m", screen.sent)
    assert bool(colours) == coloured


TASKS = st.lists(
    st.builds(
        Run,
        st.sampled_from(["tables", "20_survival", *(f"95_segment-s{n}" for n in range(30))]),
        st.sampled_from(STATES),
    ),
    unique_by=lambda run: run.task,
    min_size=1,
)


@given(st.lists(TASKS, min_size=1, max_size=6), st.integers(0, 60))
def test_a_board_fits_and_hides_only_what_matters_less(books, height):
    titles = {f"book {number}": tasks for number, tasks in enumerate(books)}

    lines = [line.plain for line in progress.board(titles, height)]

    assert len(lines) <= height
    if height >= sum(1 + len(tasks) for tasks in books):
        assert not any("..." in line for line in lines)
        for task in (task for tasks in books for task in tasks if task.bad):
            assert any(line.endswith(f"  {task.task}") and task.state in line for line in lines)


@given(TASKS, st.integers(2, 40))
def test_a_cut_table_shows_and_counts_every_row_once(tasks, room):
    whole = [line.plain for line in progress.table(TITLE, tasks)]
    cut = [line.plain for line in progress.table(TITLE, tasks, room)]

    if len(whole) <= room:
        assert cut == whole
        return
    *shown, more = cut[1:]
    assert len(cut) == room
    hidden = Counter({state: int(n) for n, state in re.findall(r"(\d+) (\w+)", more)})
    rest = Counter(line.split()[1] for line in set(whole[1:]) - set(shown))
    assert hidden == rest
    order = [progress.URGENCY.index(line.split()[1]) for line in shown]
    assert order == sorted(order)
    assert all(max(order, default=0) <= progress.URGENCY.index(state) for state in hidden)


def test_every_state_has_its_looks():
    assert set(progress.LOOKS) == set(STATES)


# Elsewhere


@contextmanager
def packets():
    """A stream, and a function giving what each of the writes to it so far wrote."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)

    def written() -> list[str]:
        found = []
        while True:
            try:
                found.append(ours.recv(65_536).decode())
            except BlockingIOError:
                return found

    with ours, open(theirs.detach(), "w", encoding="utf-8") as stream:
        yield stream, written


def test_elsewhere_a_task_is_a_line_exactly_when_it_ends(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    tasks = runs(*map(Run, ["tables", "10_customers", "20_survival", "30_clusters", "99_summary"]))
    with packets() as (stream, written), progress.watching(stream) as watch:

        def after(task: str, state: str, **facts) -> list[str]:
            tasks[task].__dict__.update(facts, state=state)
            watch.seen(TITLE, tasks)
            watch.seen(TITLE, tasks)
            return written()

        assert after("tables", "running") == []
        assert after("tables", "unchanged") == []
        assert after("20_survival", "running") == []
        done = "cdnow 1998-06-30: 20_survival done in 1.2 s (2 of 5)\n"
        assert after("20_survival", "done", seconds=1.234) == [done]
        why = "\n\x1b[0;31mKeyError\x1b[0m: 'plan'\a\nTraceback"
        failed = "cdnow 1998-06-30: 10_customers failed after 61.0 s\n"
        assert after("10_customers", "failed", seconds=61, why=why) == [failed]
        refused = "cdnow 1998-06-30: 30_clusters refused after 0.0 s\n"
        assert after("30_clusters", "refused", seconds=0.0) == [refused]
        skipped = "cdnow 1998-06-30: 1 skipped\n"
        assert after("99_summary", "skipped", why="x") == [skipped]
        watch.say("cdnow 1998-06-30: published reports/index.html")
        assert written() == ["cdnow 1998-06-30: published reports/index.html\n"]


def test_a_refresh_of_the_same_title_is_told_again():
    with packets() as (stream, written), progress.watching(stream) as watch:
        for state in ("running", "done", "waiting", "running", "done"):
            watch.seen(TITLE, runs(Run("tables", state)))
        assert written() == [f"{TITLE}: tables done (1 of 1)\n"] * 2


@pytest.fixture
def restless():
    """Threads take turns as often as Python lets them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def refreshed(watch, title: str) -> None:
    """A refresh whose tasks end in several threads, and which grows while it runs."""
    tasks = runs(*(Run(f"{number}_task") for number in range(10, 20)), Run("99_summary"))

    def work(run: Run) -> None:
        run.state = "running"
        watch.seen(title, tasks)
        if run.task == "12_task":
            tasks.update(runs(*(Run(f"95_segment-s{number}") for number in range(30))))
        run.seconds, run.state = 0.5, "done"
        watch.seen(title, tasks)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, [run for run in tasks.values() if run.task != "99_summary"]))
        list(pool.map(work, [run for run in tasks.values() if run.state == "waiting"]))
    watch.say(f"{title}: published")


def test_books_side_by_side_tell_every_task_once_and_count_up(restless, tmp_path):
    titles = [f"book{number} 2025-01-31" for number in range(6)]
    log = (tmp_path / "log").open("w")
    with log, progress.watching(log) as watch, ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda title: refreshed(watch, title), titles))

    lines = (tmp_path / "log").read_text().splitlines()
    for title in titles:
        *told, last = [line.removeprefix(f"{title}: ") for line in lines if title in line]
        ended = [re.fullmatch(r"(\S+) done in 0\.5 s \((\d+) of (11|41)\)", line) for line in told]
        assert len({found[1] for found in ended}) == 41
        assert [int(found[2]) for found in ended] == list(range(1, 42))
        assert last == "published"
    assert len(lines) == 6 * 42


def test_books_side_by_side_leave_a_table_each_above_what_is_said(restless, terminal):
    screen, titles = terminal(80, 12), [f"book{number} 2025-01-31" for number in range(6)]
    with progress.watching(screen.stream) as watch, ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda title: refreshed(watch, title), titles))
        screen.until(*(f"{title}: published" for title in titles))

    lines = screen.at_the_end()
    assert len(lines) == 6 * (1 + 12 + 1)
    for title in titles:
        table, said = lines.index(f"{title}: 41 of 41 done"), lines.index(f"{title}: published")
        assert table + 12 < said
        assert all("✓ done" in line for line in lines[table + 1 : table + 13])


def test_what_is_said_while_a_table_is_drawn_tears_nothing(restless, terminal, monkeypatch):
    monkeypatch.setattr(progress, "REDRAWN", 0.001)
    screen, said = terminal(), [f"line {number}" for number in range(1_000)]
    with progress.watching(screen.stream) as watch:
        for number, line in enumerate(said):
            watch.seen(TITLE, runs(*map(Run, "abcdefghij"[: 1 + 9 * (number % 2)])))
            watch.say(line)
        watch.seen(TITLE, runs(Run("tables", "done")))

    table = [f"{TITLE}: 1 of 1 done", "  ✓ done                          tables"]
    assert screen.at_the_end() == [*said, *table]


def test_an_end_that_is_told_late_leaves_no_second_table(terminal):
    screen, tasks = terminal(), runs(Run("tables", "done"), Run("00_data", "running"))
    with progress.watching(screen.stream) as watch:
        watch.seen(TITLE, tasks)
        tasks["00_data"].state = "done"
        watch.say("another book: published")
        watch.seen(TITLE, tasks)
        watch.say(f"{TITLE}: published")

    lines = screen.at_the_end()
    assert [line for line in lines if "done" in line and TITLE in line] == [f"{TITLE}: 2 of 2 done"]


def test_a_refresh_of_the_same_title_gets_a_table_of_its_own(terminal):
    screen = terminal()
    with progress.watching(screen.stream) as watch:
        for state in ("running", "done", "waiting", "running", "done"):
            watch.seen(TITLE, runs(Run("tables", state)))
            watch.say("said")

    assert screen.at_the_end().count(f"{TITLE}: 1 of 1 done") == 2


def test_books_that_end_at_once_each_stand_above_their_own_line(restless, terminal):
    screen, together = terminal(), Barrier(8)
    titles = [f"book{number:02} 2025-01-31" for number in range(80)]

    def end(title: str) -> None:
        watch.seen(title, runs(Run("tables", "done")))
        together.wait()
        watch.say(f"{title}: published")

    with progress.watching(screen.stream) as watch, ThreadPoolExecutor(8) as pool:
        list(pool.map(end, titles))

    lines = screen.at_the_end()
    assert len(lines) == 3 * len(titles)
    for title in titles:
        assert lines.index(f"{title}: 1 of 1 done") < lines.index(f"{title}: published")


def test_runs_may_be_added_while_they_are_drawn(restless, terminal):
    screen, tasks = terminal(), runs(Run("99_summary"))

    def add() -> None:
        for number in range(4_000):
            tasks[f"95_segment-s{number}"] = Run(f"95_segment-s{number}", "done")

    with progress.watching(screen.stream) as watch, ThreadPoolExecutor(1) as pool:
        adding = pool.submit(add)
        while not adding.done():
            watch.seen(TITLE, tasks)
            watch.say("drawn")
        watch.seen(TITLE, tasks)
    assert screen.at_the_end()[-3:] == [
        "cdnow 1998-06-30: 4000 of 4001 done",
        "  · waiting                       99_summary",
        "  ✓ done                          95_segment: 4000 of 4000",
    ]


def test_a_dumb_terminal_gets_plain_lines(terminal):
    screen = terminal(TERM="dumb")
    with progress.watching(screen.stream) as watch:
        watch.seen(TITLE, runs(Run("tables", "done")))
    screen.until("1 of 1")
    assert screen.sent == b"cdnow 1998-06-30: tables done (1 of 1)\r\n"


# Whoever stops looking


DECIDING = ("COLUMNS", "LINES", "PYTHONUNBUFFERED")  # left to the terminal and to Python
PROGRAM = """
import sys
from retention_runner import progress
from retention_runner.states import Run

with progress.watching() as watch:
    watch.say("begun")
    watch.seen("a 2025-01-31", {"tables": Run("tables", "running")})
    print("aside", file=sys.stderr)
    sys.stdin.readline()
    for number in range(3):
        watch.seen("a 2025-01-31", {"tables": Run("tables", ("running", "done")[number % 2])})
        watch.say("x" * 100_000)
    watch.say("ended")
open(sys.argv[1], "w").close()
"""


@contextmanager
def started(output, folder, **environment: str):
    """The program with this output, waiting for a line; at the end it must have ended well."""
    shell = {name: os.environ[name] for name in os.environ if name not in DECIDING}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder / "ended")],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.PIPE,
        env=shell | environment,
        text=True,
    ) as program:
        try:
            yield program
            program.stdin.write("\n")
            program.stdin.close()
            errors = program.stderr.read()
            assert (program.wait(60), errors) == (0, "aside\n")
            assert (folder / "ended").exists()
        finally:
            program.kill()


def test_a_closed_pipe_stops_nothing(tmp_path):
    with started(subprocess.PIPE, tmp_path) as program:
        assert program.stdout.readline() == "begun\n"
        program.stdout.close()


def test_a_terminal_that_is_gone_stops_nothing_and_its_own_size_counts(terminal, tmp_path):
    screen = terminal(30, 5)
    with started(screen.stream, tmp_path):
        lines = screen.until("begun", "running.*…")
        screen.hang_up()
    assert {len(line) for line in lines if "running" in line} == {30}


def test_a_closed_stream_or_none_stops_nothing(tmp_path, monkeypatch):
    with (tmp_path / "log").open("w") as log, progress.watching(log) as watch:
        log.close()
        watch.say("unheard")
        watch.seen(TITLE, runs(Run("tables", "done")))
    with progress.watching(log) as watch:
        watch.say("unheard")
    monkeypatch.setattr(sys, "stdout", None)
    with progress.watching() as watch:
        watch.say("unheard")


def test_a_letter_that_a_log_cannot_hold_loses_no_line(tmp_path):
    with (tmp_path / "log").open("w", encoding="ascii") as log, progress.watching(log) as watch:
        watch.say("Käse: published")
        watch.say("next")
    assert (tmp_path / "log").read_text() == "K?se: published\nnext\n"
