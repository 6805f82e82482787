"""The commands. Exit codes: 0 done, 1 a task failed, 2 what the user can fix, 130 stopped."""

import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated

import typer

from retention_runner import errors
from retention_runner.errors import Stopped

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
Dates = Annotated[list[str] | None, typer.Option(help="last day whose data counts, or A..B")]
Every = Annotated[str | None, typer.Option(help="a range's step: day, week, month, quarter, year")]
Again = Annotated[bool, typer.Option("--again", help="build the unchanged too, and prune nothing")]
Reports = Annotated[Path, typer.Option(help="folder to publish to")]
Jobs = Annotated[int, typer.Option(min=1, help="notebooks at a time")]
Timeout = Annotated[int, typer.Option(min=1, help="seconds that one cell may take")]
Ordinary = Annotated[bool, typer.Option("--ordinary-kernels", help="start every kernel afresh")]
Why = Annotated[bool, typer.Option("--why", help="name what changed, task by task")]
At = Annotated[str, typer.Option(help="'06:00', 'Mon 06:00', 'Mon..Fri 06:00' or '1 06:00'")]
Word = Annotated[str | None, typer.Option(help="a word such as yesterday; default: the book's")]
Keep = Annotated[int | None, typer.Option(min=1, help="newest refreshes; default: the book's")]
SOURCES = "duckdb:FILE, env:NAME of a variable with an address, sc://host:port; default: files"
TABLES = ("events", "customers", "contracts", "surveys")
COLUMN = "a column of ours and theirs; amount=quantity*price multiplies; may be repeated"
Whose = Annotated[list[str] | None, typer.Argument(help="default: every book")]


def honest(command: Callable) -> Callable:
    """End with the exit code that the error means, and its message alone."""

    @wraps(command)
    def run(*args, **kwargs):
        try:
            return command(*args, **kwargs)
        except (Stopped, KeyboardInterrupt) as error:
            print(error if str(error) else "stopped", file=sys.stderr, flush=True)
            os._exit(130)  # a task that nothing can stop must not hold up who stopped it
        except Exception as error:
            if not (errors.is_known(error) or isinstance(error, OSError)):
                raise
            print(errors.message(error), file=sys.stderr)
            raise typer.Exit(errors.worst([error]).exit_code) from None

    return run


@app.callback()
def main() -> None:
    """The Retention Workbook: parameterised notebooks, refreshed and published."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: end what was started


def _workbook():
    from retention_app.workbook import workbook  # it takes a second to import

    return workbook()


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
    from retention_runner import progress
    from retention_runner import refresh as refreshes

    given = (tuple(snapshot_date or ()), every, reports.resolve(), jobs, timeout, again)
    order = refreshes.Order(*given, forks=not ordinary_kernels)
    with progress.watching() as watch:
        refreshes.refresh(_workbook(), list(dict.fromkeys(books)), order, watch)


@app.command()
@honest
def status(books: Whose = None, *, why: Why = False, reports: Reports = Path("reports")) -> None:
    """Say how books stand and, with --why, which tasks a refresh would run and what changed.

    Runs nothing. A database is not asked whether its data changed.
    """
    from retention_runner import refresh as refreshes

    refreshes.status(_workbook(), books or [], reports.resolve(), why, print)


@app.command()
@honest
def schedule(book: str, *, at: At, snapshot_date: Word = None) -> None:
    """Print a systemd timer and a crontab line that refresh a book, ready to install."""
    from retention_runner import schedule as schedules

    schedules.schedule(_workbook(), book, at, snapshot_date, print)


@app.command()
@honest
def prune(books: list[str], keep: Keep = None) -> None:
    """Remove customer tables and executed notebooks of all but the newest refreshes of books.

    Pages, aggregate tables and comparisons stay. `retention refresh BOOK --snapshot-date D --again`
    makes the tables of a day again.
    """
    from retention_runner import forget

    for name in books:
        forget.prune(_workbook(), name, keep, print)


@app.command()
@honest
def forget(customer_id: str, books: Whose = None) -> None:
    """Erase a customer of books, by default of all, from work/ and lists in outreach/.

    Published pages name nobody and stay. The source is not touched.
    """
    from retention_runner import forget as erase

    erase.forget(_workbook(), customer_id, books or [], print)


@app.command("new-book")
@honest
def new_book(
    ctx: typer.Context,
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
    from retention.definition import window_errors
    from retention.risk import horizon
    from retention.tables import task, workspace
    from retention_app import workbook
    from retention_intake import new_book as new

    said = {key: value for key, value in ctx.params.items() if value is not None}
    del said["name"], said["source"]
    tables = {table: said.pop(table) for table in TABLES if table in said}
    columns = said.pop("column", [])
    words = new.new_book(
        name,
        workspace.root(),
        tables,
        source=source,
        columns=columns,
        take=workbook.take,
        derive=task.tables,
        window=window_errors.proposed,
        horizon=horizon.chosen,
        **said,
    )
    _workbook().load(name)  # refused where a parameter is not as a notebook declares it
    print(words)
