"""When a book is refreshed without anybody: units for systemd and a line for cron, printed."""

import re
import shlex
import sys
from collections.abc import Callable
from datetime import timedelta
from itertools import combinations

from retention import book as books
from retention.errors import Refused
from retention.tables import workspace
from retention_runner import clock, dates, secrets

WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEKDAY, _DAY = f"(?:{'|'.join(WEEK)})", "(?:[1-9]|1[0-9]|2[0-8])"
_RANGE = "|".join(rf"{first}\.\.{last}" for first, last in combinations(WEEK, 2))
AT = re.compile(
    rf"(?:(?P<week>{_RANGE}|{_WEEKDAY}(?:,{_WEEKDAY})*) |(?P<days>{_DAY}(?:,{_DAY})*) )?"
    r"(?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9])"
)
TEXT = """\
# Times are in the local time zone of this machine.{mind}{needs}

# ~/.config/systemd/user/retention-{name}.service
[Unit]
Description=Refresh the book {name}

[Service]
Type=oneshot
TimeoutStartSec=6h
WorkingDirectory={folder}/
ExecStart=/bin/sh -c {command}
Nice=10

# ~/.config/systemd/user/retention-{name}.timer
[Unit]
Description=Refresh the book {name}

[Timer]
OnCalendar={calendar}
Persistent=true

[Install]
WantedBy=timers.target

# With both files in place:
#   systemctl --user daemon-reload && systemctl --user enable --now retention-{name}.timer
# To run also while you are logged out:
#   loginctl enable-linger
# What it has said: journalctl --user -u retention-{name}

# Or, without systemd, this line into `crontab -e`; what it says goes to work/{name}.log:
{fields} {line}"""
NEEDS = """
# Needed: {names}. Give them by EnvironmentFile= in the service, or at the head of the crontab."""
MIND = f"""
# Mind: the snapshot date is fixed, so the same day is refreshed every time. Words that move on:
# {", ".join(books.WORDS)}."""


def schedule(name: str, at: str, snapshot_date: str | None, say: Callable[[str], None]) -> None:
    """Say how to refresh the book ``name`` regularly: a systemd service and timer, or a crontab.

    ``at`` is a time with or without days: "06:00", "Mon,Thu 06:00", "Mon..Fri 06:00", or days of
    the month, "1,15 06:00". ``snapshot_date`` is a word or a day; None: as the book says. Nothing
    is written.

    Raises:
        Refused: no such book, or a fault in it; ``at`` or ``snapshot_date`` is none; the path of
            the workbook or of Python cannot be printed.
    """
    calendar, fields = moments(at)
    root, texts = workspace.root(), [] if snapshot_date is None else [snapshot_date]
    book = books.load(name, root)
    fixed, named = _is_fixed(book, texts), secrets.variables(book)
    if not f"{root}{sys.executable}".isprintable():
        raise Refused(f"{str(root)!r} or {sys.executable!r}: a path that no crontab can hold")
    options = [word for text in texts for word in ("--snapshot-date", text)]
    command = shlex.join([sys.executable, "-m", "retention_app", "refresh", name, *options])
    work = f"mkdir -p -m 700 work && {command} >> work/{name}.log 2>&1"
    text = TEXT.format(
        name=name,
        mind=MIND if fixed else "",
        needs=NEEDS.format(names=", ".join(sorted(named))) if named else "",
        folder=str(root).replace("%", "%%"),
        command=_quoted(f"exec {command}"),
        calendar=calendar,
        fields=fields,
        line=f"cd {shlex.quote(str(root))} && {work}".replace("%", r"\%"),
    )
    say(text)


def moments(at: str) -> tuple[str, str]:
    """What ``at`` says, as systemd's OnCalendar and as cron's five fields.

    Raises:
        Refused: ``at`` is of no form that `schedule` knows.
    """
    if not (found := AT.fullmatch(at)):
        raise Refused(
            f"--at {at!r}: expected a time such as 06:00 (every day), Mon 06:00, Mon,Thu 06:00, "
            "Mon..Fri 06:00, or with days of the month from 1 to 28: 1 06:00, 1,15 06:00"
        )
    first, _, last = (found["week"] or "").partition("..")
    week = [WEEK.index(day) for day in first.split(",") if day]
    week = range(week[0], WEEK.index(last) + 1) if last else week
    numbers = ",".join(str((number + 1) % 7) for number in week) or "*"  # cron: Sunday is 0
    days, hour, minute = found["days"] or "*", found["hour"], found["minute"]
    calendar = f"{found['week'] or ''} *-*-{days} {hour}:{minute}:00".strip()
    return calendar, f"{int(minute)} {int(hour)} {days} * {numbers}"


def _is_fixed(book: books.Book, texts: list[str]) -> bool:
    """Whether the days to refresh are the same a year on."""
    today = clock.today(book.timezone)
    days, later = (
        dates.chosen(texts, None, day) or dates.of_book(book, day)
        for day in (today, today + timedelta(days=366))
    )
    return days == later


def _quoted(text: str) -> str:
    """One argument of ExecStart: quotes, and the three characters that mean something in them."""
    for plain, written in (("\\", r"\\"), ('"', r"\""), ("%", "%%"), ("$", "$$")):
        text = text.replace(plain, written)
    return f'"{text}"'
