"""The commands. Exit codes: 0 done, 1 a task failed, 2 what the user can mend."""

import sys
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Annotated

import typer

from retention.errors import Failed, Refused

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
Dates = Annotated[
    list[datetime] | None,
    typer.Option(
        formats=["%Y-%m-%d"],
        help="last day whose data counts; may be repeated; default: the book's",
    ),
]
Reports = Annotated[Path, typer.Option(help="folder to publish to")]
Jobs = Annotated[int, typer.Option(min=1, help="notebooks at a time")]


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

    return run


@app.callback()
def main() -> None:
    """The Retention Workbook: parameterised notebooks, refreshed and published."""


@app.command()
@honest
def refresh(
    books: list[str],
    snapshot_date: Dates = None,
    reports: Reports = Path("reports"),
    jobs: Jobs = 2,
) -> None:
    """Build books and publish their pages under reports/<book>/<snapshot_date>/."""
    from retention.refresh import refresh as one

    dates = [moment.date() for moment in snapshot_date or ()]
    for name in books:
        one.refresh(name, dates, reports.resolve(), jobs, print)


@app.command()
@honest
def verify(books: list[str]) -> None:
    """Refresh books twice in two clean folders and compare every published byte."""
    from retention.refresh import verify as twice

    for name in books:
        twice.verify(name, print)
