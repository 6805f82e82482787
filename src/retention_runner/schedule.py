"""When a book is refreshed without anybody: units for systemd and a line for cron, printed."""

import re
import shlex
import sys
from itertools import combinations
from pathlib import Path

import jinja2

from retention_runner import clock, dates, secrets
from retention_runner.errors import Refused
from retention_runner.workbook import Say, Workbook

WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEKDAY, _DAY = f"(?:{'|'.join(WEEK)})", "(?:[1-9]|1[0-9]|2[0-8])"
_RANGE = "|".join(rf"{first}\.\.{last}" for first, last in combinations(WEEK, 2))
AT = re.compile(
    rf"(?:(?P<week>{_RANGE}|{_WEEKDAY}(?:,{_WEEKDAY})*) |(?P<days>{_DAY}(?:,{_DAY})*) )?"
    r"(?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9])"
)
TEMPLATE = Path(__file__).parent / "templates" / "schedule.j2"


def schedule(workbook: Workbook, name: str, at: str, snapshot_date: str | None, say: Say) -> None:
    """Say how to refresh the book ``name`` regularly: a systemd service and timer, or a crontab.

    ``at`` is a time with or without days: "06:00", "Mon,Thu 06:00", "Mon..Fri 06:00", or days of
    the month, "1,15 06:00". ``snapshot_date`` is a word or a day; None: as the book says. Nothing
    is written.

    Raises:
        Refused: no such book, or a fault in it; ``at`` or ``snapshot_date`` is none; the path of
            the workbook or of Python cannot be printed.
    """
    calendar, fields = moments(at)
    root, texts = workbook.root, [] if snapshot_date is None else [snapshot_date]
    book = workbook.load(name)
    dates.chosen(texts, None, clock.today(book.timezone))  # or it would be refused at night
    if not f"{root}{sys.executable}".isprintable():
        raise Refused(f"{str(root)!r} or {sys.executable!r}: a path that no crontab can hold")
    options = [word for text in texts for word in ("--snapshot-date", text)]
    command = shlex.join([sys.executable, "-m", "retention_app", "refresh", name, *options])
    work = f"mkdir -p -m 700 work && {command} >> work/{name}.log 2>&1"
    template = jinja2.Template(TEMPLATE.read_text(encoding="utf-8"))
    text = template.render(
        name=name,
        fixed=not {*(texts or book.dates)} & {*dates.WORDS},
        words=", ".join(dates.WORDS),
        needed=", ".join(sorted(secrets.named(book))),
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


def _quoted(text: str) -> str:
    """One argument of ExecStart: quotes, and the three characters that mean something in them."""
    for plain, written in (("\\", r"\\"), ('"', r"\""), ("%", "%%"), ("$", "$$")):
        text = text.replace(plain, written)
    return f'"{text}"'
