"""A schedule as it is printed: systemd and cron understand it, agree, and run what is meant."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from workbooks import with_only

from retention_app.workbook import workbook as the_workbook
from retention_runner import schedule
from retention_runner.errors import Refused

MOMENTS = [
    ("06:00", "*-*-* 06:00:00", "0 6 * * *"),
    ("00:00", "*-*-* 00:00:00", "0 0 * * *"),
    ("23:59", "*-*-* 23:59:00", "59 23 * * *"),
    ("Mon 06:00", "Mon *-*-* 06:00:00", "0 6 * * 1"),
    ("Sun 06:05", "Sun *-*-* 06:05:00", "5 6 * * 0"),
    ("Mon,Thu 06:00", "Mon,Thu *-*-* 06:00:00", "0 6 * * 1,4"),
    ("Mon..Fri 06:00", "Mon..Fri *-*-* 06:00:00", "0 6 * * 1,2,3,4,5"),
    ("Sat..Sun 06:00", "Sat..Sun *-*-* 06:00:00", "0 6 * * 6,0"),
    ("1 06:00", "*-*-1 06:00:00", "0 6 1 * *"),
    ("1,15 06:00", "*-*-1,15 06:00:00", "0 6 1,15 * *"),
    ("28 19:30", "*-*-28 19:30:00", "30 19 28 * *"),
]
GOOD_DAYS = ["", "Mon ", "Mon,Thu ", "Mon..Fri ", "1 ", "1,15 "]
BAD_DAYS = ["mon ", "Monday ", "Mon, ", "Mon,,Thu ", "Fri..Mon ", "Mon..Mon ", "Mon..Wed,Fri "]
BAD_DAYS += ["0 ", "29 ", "31 ", "01 ", "1, ", "1..5 ", "1,Mon ", "Mon", "* ", " ", "Mon  ", "\n"]
BAD_TIMES = ["6:00", "24:00", "06:60", "0600", "06:00:00", "06.00", "6 am", "", "06:00 ", "06:00\n"]
NASTY = ["a b", "100%", "a\\%b\\", 'say "x"', "it's", "$HOME${HOME}$$", "; touch x #", "end "]
SYSTEMD = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")


def said(at: str = "Mon 06:00", snapshot_date: str | None = None, name: str = "shop") -> str:
    texts = []
    schedule.schedule(the_workbook(), name, at, snapshot_date, texts.append)
    assert len(texts) == 1
    return texts[0]


def units(text: str) -> dict[str, str]:
    """The printed units by the names of their files."""
    return dict(re.findall(r"# ~/\.config/systemd/user/(\S+)\n(.*?)(?=\n\n# )", text, re.DOTALL))


def setting(text: str, key: str) -> str:
    (found,) = re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)
    return found


def of_cron(text: str) -> str:
    """The command in the printed line as cron takes it: no newline, and no input for it."""
    command = text.splitlines()[-1].split(" ", 5)[5]
    assert not re.search(r"(?<!\\)%", command)
    return command.replace("\\%", "%")


def of_systemd(text: str) -> tuple[str, list[str]]:
    """Folder and words of the printed service, by the rules of systemd.service(5)."""
    folder, command = setting(text, "WorkingDirectory"), setting(text, "ExecStart")
    assert "%" not in (folder + command).replace("%%", "")
    assert "$" not in command.replace("$$", "")
    return folder.replace("%%", "%"), shlex.split(command.replace("%%", "%").replace("$$", "$"))


def alone(words: list[str], home: Path, folder: str = "/") -> subprocess.CompletedProcess:
    """Run as a timer does: with next to nothing in the environment."""
    told = {"HOME": str(home), "LOGNAME": "me", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        words, cwd=folder, env=told, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def moved(workbook, monkeypatch):
    """Moves the workbook, with a Python of its own inside, into a folder of another name."""

    def move(name: str) -> Path:
        root = workbook.rename(workbook.with_name(f"{workbook.name} {name}"))
        python = root / "bin" / "python"
        python.parent.mkdir()
        python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        python.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(python))
        monkeypatch.chdir(root)
        return root

    return move


# When


@pytest.mark.parametrize(("at", "calendar", "fields"), MOMENTS)
def test_a_moment_is_said_to_systemd_and_to_cron(workbook, at, calendar, fields):
    assert schedule.moments(at) == (calendar, fields)
    text = said(at)
    assert setting(units(text)["retention-shop.timer"], "OnCalendar") == calendar
    assert text.splitlines()[-1].startswith(f"{fields} cd ")


def next_of_cron(fields: str, moment: datetime, number: int) -> list[datetime]:
    """The first moments of a line of cron from an hour on, found by walking over the hours."""
    minute, hour, days, _, week = (
        [int(value) for value in field.split(",") if value != "*"] for field in fields.split()
    )
    found = []
    while len(found) < number:
        due = moment.hour in hour and (not days or moment.day in days)
        if due and (not week or moment.isoweekday() % 7 in week):
            found.append(moment.replace(minute=minute[0]))
        moment += timedelta(hours=1)
    return found


@SYSTEMD
@pytest.mark.parametrize(("at", "calendar", "fields"), MOMENTS)
def test_systemd_and_cron_mean_the_same_moments(at, calendar, fields):
    asked = ["--base-time=2024-02-25 23:59:30", "--iterations=9", calendar]
    done = subprocess.run(
        ["systemd-analyze", "calendar", *asked],
        env=os.environ | {"TZ": "UTC", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.findall(r"(?:Next elapse|Iter\. #\d+): \w+ (.*) UTC", done.stdout)
    assert found == [str(moment) for moment in next_of_cron(fields, datetime(2024, 2, 26), 9)]


def refuses(at: str) -> None:
    with pytest.raises(Refused) as refusal:
        schedule.moments(at)
    for example in ("06:00 (every day)", "Mon..Fri 06:00", "1,15 06:00", repr(at)):
        assert example in str(refusal.value)


BAD = [f"{days}06:00" for days in BAD_DAYS]
BAD += [days + time for days in GOOD_DAYS for time in BAD_TIMES]


@pytest.mark.parametrize("at", BAD)
def test_what_is_no_moment_is_refused(at):
    refuses(at)


# What


def test_the_service_and_the_line_of_cron_run_the_same(workbook):
    text = said("06:00", "last_month_end")
    command = shlex.join([sys.executable, "-m", "retention_app", "refresh", "shop"])
    command += " --snapshot-date last_month_end"

    service, timer = units(text).values()
    folder, words = of_systemd(service)
    assert (Path(folder), words) == (workbook, ["/bin/sh", "-c", f"exec {command}"])
    assert (setting(service, "Type"), setting(service, "Nice")) == ("oneshot", "10")
    assert (setting(timer, "Persistent"), setting(timer, "WantedBy")) == ("true", "timers.target")
    assert f" {command} >> work/shop.log 2>&1" in text.splitlines()[-1]


@pytest.mark.parametrize(
    ("own", "given_date", "fixed"),
    [
        ("2024-12-31", None, True),
        ("[2024-06-30, 2024-12-31]", None, True),
        ("2024-12-31", "yesterday", False),
        ("yesterday", None, False),
        ("[2023-12-31, last_year_end]", None, False),
        ("yesterday", "2024-12-31", True),
    ],
)
def test_a_day_that_does_not_move_is_pointed_out(workbook, own, given_date, fixed):
    book = workbook / "params" / "shop.yaml"
    book.write_text(book.read_text().replace("2024-12-31", own))
    assert ("the same day is refreshed every time" in said(snapshot_date=given_date)) == fixed


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"at": "Monday"}, "'Monday': expected a time such as 06:00"),
        ({"snapshot_date": "yesterdy"}, "did you mean 'yesterday'?"),
        ({"snapshot_date": ""}, "'' is not a date"),
        ({"snapshot_date": "2024-01-31..yesterday"}, "is a range"),
    ],
)
def test_what_would_be_refused_at_night_is_refused_now(workbook, words, reason):
    with pytest.raises(Refused) as refusal:
        said(**words)
    assert reason in str(refusal.value)


# As it runs


@pytest.mark.parametrize("name", NASTY)
def test_a_folder_may_be_called_anything(moved, tmp_path, name):
    root = moved(name)
    python = root / "bin" / "python"
    python.write_text('#!/bin/sh\npwd\nprintf "%s\\n" "$0" "$@"\n')
    text = said("06:00", "yesterday")
    ran = f"{root}\n{python}\n-m\nretention_app\nrefresh\nshop\n--snapshot-date\nyesterday\n"

    folder, words = of_systemd(units(text)["retention-shop.service"])
    assert alone(words, tmp_path, folder).stdout == ran
    assert alone(["/bin/sh", "-c", of_cron(text)], tmp_path).returncode == 0
    assert (root / "work" / "shop.log").read_text() == ran
    assert (root / "work").stat().st_mode & 0o777 == 0o700
    assert not (root / "x").exists()


@SYSTEMD
@pytest.mark.parametrize("name", ["", *NASTY])
def test_systemd_finds_nothing_wrong(moved, tmp_path, name):
    moved(name)
    for file, content in units(said("Mon..Fri 06:00")).items():
        (tmp_path / file).write_text(content)
    files = [str(tmp_path / f"retention-shop.{kind}") for kind in ("service", "timer")]
    done = alone(["systemd-analyze", "verify", "--man=no", *files], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_at_night_a_whole_refresh_runs_as_cron_runs_it(moved, tmp_path):
    root = with_only(moved("a 100% b"), "00_data", "99_summary")

    done = alone(["/bin/sh", "-c", of_cron(said("06:00"))], tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    page = root / "reports" / "shop" / "2024-12-31" / "index.html"
    assert f"shop 2024-12-31: published {page}\n" in (root / "work" / "shop.log").read_text()
    assert page.is_file()
    assert "shop/2024-12-31" in (root / "reports" / "index.html").read_text()
