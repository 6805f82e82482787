"""The commands. Exit codes: 0 done, 1 a task failed, 2 what the user can mend, 130 stopped."""

import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated

import typer

from retention.errors import Failed, Refused, Stopped

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
Dates = Annotated[
    list[str] | None, typer.Option(help="last day whose data counts, or A..B; may be repeated")
]
Every = Annotated[
    str | None, typer.Option(help="day, week, month, quarter or year: a range's step")
]
Again = Annotated[bool, typer.Option("--again", help="build the unchanged too, and prune nothing")]
Reports = Annotated[Path, typer.Option(help="folder to publish to")]
Jobs = Annotated[int, typer.Option(min=1, help="notebooks at a time")]
Timeout = Annotated[int, typer.Option(min=1, help="seconds that one cell may take")]
Ordinary = Annotated[
    bool, typer.Option("--ordinary-kernels", help="start every kernel afresh instead of forking it")
]
Why = Annotated[bool, typer.Option("--why", help="name what changed, task by task")]
At = Annotated[str, typer.Option(help="'06:00', 'Mon 06:00', 'Mon..Fri 06:00' or '1 06:00'")]
Word = Annotated[
    str | None, typer.Option(help="yesterday, last_month_end, ...; default: as the book says")
]
Keep = Annotated[
    int | None, typer.Option(min=1, help="newest refreshes; default: as the book says")
]
SOURCES = "duckdb:FILE, env:NAME of a variable with an address, sc://host:port; default: files"
COLUMN = "a column of ours and theirs; amount=quantity*price multiplies; may be repeated"
Whose = Annotated[list[str] | None, typer.Argument(help="default: every book")]


def honest(command: Callable) -> Callable:
    """End with the exit code that the error means, and its message alone."""

    @wraps(command)
    def run(*args, **kwargs):
        try:
            return command(*args, **kwargs)
        except Refused as error:
            print(error, file=sys.stderr)
            raise typer.Exit(2) from None
        except Failed as error:
            print(error, file=sys.stderr)
            raise typer.Exit(1) from None
        except OSError as error:
            print(f"{error.strerror or error}: {error.filename or ''}", file=sys.stderr)
            raise typer.Exit(1) from None
        except (Stopped, KeyboardInterrupt) as error:
            print(error if str(error) else "stopped", file=sys.stderr, flush=True)
            os._exit(130)  # a task that nothing can stop must not hold up who stopped it

    return run


@app.callback()
def main() -> None:
    """The Retention Workbook: parameterised notebooks, refreshed and published."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: end what was started


@app.command()
@honest
def refresh(
    books: list[str],
    *,
    snapshot_date: Dates = None,
    every: Every = None,
    reports: Reports = Path("reports"),
    jobs: Jobs = 2,
    again: Again = False,
    timeout: Timeout = 1800,
    ordinary_kernels: Ordinary = False,
) -> None:
    """Build books and publish their pages under reports/<book>/<snapshot_date>/.

    Without --snapshot-date the book's own dates are meant. A range, such as
    2024-01-31..2025-06-30 with --every month, is built oldest first: its first day and every step
    from there, up to and with its last at most. Months keep the first day's day of the month, cut
    where a month is shorter; where it is the last of its month, all are: 02-29, 03-31, 04-30.

    Where the book says `keep`, older refreshes are then pruned (see `retention prune`).
    """
    from retention_runner import clock, dates, progress
    from retention_runner import refresh as refreshes

    dates.chosen(snapshot_date or [], every, clock.today(""))  # a slip is refused before any book
    order = refreshes.Order(
        tuple(snapshot_date or ()),
        every,
        reports.resolve(),
        jobs,
        timeout,
        again=again,
        forks=not ordinary_kernels,
    )
    with progress.watching() as watch:
        refreshes.refresh(list(dict.fromkeys(books)), order, watch)


@app.command()
@honest
def status(books: Whose = None, *, why: Why = False, reports: Reports = Path("reports")) -> None:
    """Say how books stand and, with --why, which tasks a refresh would run and what changed.

    Runs nothing. A database is not asked whether its data changed.
    """
    from retention_runner import status as statuses

    statuses.status(books or [], reports.resolve(), why, print)


@app.command()
@honest
def schedule(book: str, *, at: At, snapshot_date: Word = None) -> None:
    """Print a systemd timer and a crontab line that refresh a book, ready to install."""
    from retention_runner import schedule as schedules

    schedules.schedule(book, at, snapshot_date, print)


@app.command()
@honest
def verify(books: list[str]) -> None:
    """Refresh books twice in two clean folders and compare every published byte."""
    import verify as twice

    for name in books:
        twice.verify(name, print)


@app.command()
@honest
def numbers(
    *, data: Annotated[Path | None, typer.Option(help="folder with telco/, for its numbers")] = None
) -> None:
    """Compute results of papers and of other software anew, and compare them.

    Takes about 10 seconds. Ends with exit code 1 where one differs in the digits that are printed.
    """
    from published import compare

    compare.say(data)


@app.command()
@honest
def prune(books: list[str], keep: Keep = None) -> None:
    """Remove customer tables and executed notebooks of all but the newest refreshes of books.

    Pages, aggregate tables and comparisons stay. `retention refresh BOOK --snapshot-date D --again`
    makes the tables of a day again.
    """
    from retention_runner import forget

    for name in books:
        forget.prune(name, keep, print)


@app.command()
@honest
def forget(customer_id: str, books: Whose = None) -> None:
    """Erase a customer from all tables in work/ and lists in outreach/.

    Published pages name nobody and stay. The source is not touched.
    """
    from retention_runner import forget as erase

    erase.forget(customer_id, books or [], print)


@app.command("new-book")
@honest
def new_book(
    name: str,
    *,
    events: Annotated[str, typer.Option(help="file, glob, folder, or table of the source")],
    customers: Annotated[str | None, typer.Option(help="likewise")] = None,
    contracts: Annotated[str | None, typer.Option(help="likewise; then churn is their end")] = None,
    surveys: Annotated[str | None, typer.Option(help="likewise; NPS and CSAT")] = None,
    source: Annotated[str, typer.Option(help=SOURCES)] = "files",
    column: Annotated[list[str] | None, typer.Option(metavar="OURS=THEIRS", help=COLUMN)] = None,
    timezone: Annotated[str | None, typer.Option(help="such as Europe/Berlin")] = None,
    currency: Annotated[str | None, typer.Option(help="such as EUR")] = None,
    after_days: Annotated[int | None, typer.Option(min=1, help="silence that is churn")] = None,
    date_format: Annotated[str | None, typer.Option(help="of CSV, such as %d/%m/%Y")] = None,
    decimal: Annotated[str | None, typer.Option(help="of CSV: . or ,")] = None,
    delimiter: Annotated[str | None, typer.Option(help="of CSV")] = None,
    encoding: Annotated[str | None, typer.Option(help="of CSV, such as windows-1252")] = None,
) -> None:
    """Find the columns of tables, check them, and write params/NAME.yaml for them."""
    from retention import book as books
    from retention.tables import task, workspace
    from retention_app import tables
    from retention_intake import new_book as new

    places = {"events": events, "customers": customers, "contracts": contracts, "surveys": surveys}
    given = {
        "timezone": timezone,
        "currency": currency,
        "after_days": after_days,
        "date_format": date_format,
        "decimal": decimal,
        "delimiter": delimiter,
        "encoding": encoding,
    }
    words = new.new_book(
        name,
        workspace.root(),
        {table: place for table, place in places.items() if place},
        source=source,
        columns=column or [],
        take=tables.take,
        derive=task.tables,
        load=books.load,
        **{key: value for key, value in given.items() if value is not None},
    )
    print(words)
