"""A refresh as a notebook sees it: its book, its tables, and the one way to show something."""

import os
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import polars as pl
from IPython import get_ipython
from IPython.display import HTML, display

from retention import book as books
from retention import disclosure, exhibit, findings, schema
from retention.book import Book
from retention.errors import Refused, nearest
from retention.tables import workspace


@dataclass(frozen=True)
class Refresh:
    """One book at one snapshot date, opened by `retention.open`.

    ``r.tables.<name>`` is a table, ``r.describe(name)`` says what its columns mean, ``r.show(...)``
    shows an exhibit, ``r.keep(name, table)`` writes a table for the notebooks that follow.
    """

    space: workspace.Workspace

    @cached_property
    def book(self) -> Book:
        """The book as it was when this refresh was made."""
        return workspace.settings(self.space)

    @property
    def snapshot_date(self) -> date:
        """The last day whose data counts."""
        return self.space.snapshot_date

    @property
    def day(self) -> int:
        """The snapshot date as the tables hold it: days since 1970-01-01."""
        return self.space.snapshot_day

    @property
    def min_cell(self) -> int:
        """Customers; smaller counts are not published."""
        return self.book.min_cell

    @property
    def confidence(self) -> float:
        """Two-sided level of every interval."""
        return self.book.confidence

    @property
    def tables(self) -> "Tables":
        """The tables of this refresh, by name."""
        return Tables(self.space)

    def keep(self, name: str, table: pl.DataFrame) -> pl.DataFrame:
        """Write ``table`` under ``name``; what is published has its small counts hidden. Gives it
        as it was written.

        Raises:
            Failed: another notebook writes this table, or it breaks its promise.
        """
        if schema.TABLES[name].level == "aggregate":
            table = self.hide(table, name)
        workspace.write_table(self.space, name, table)
        return table

    def hide(self, table: pl.DataFrame, name: str = "") -> pl.DataFrame:
        """The ``table`` as it may be published: see `disclosure`."""
        strict = self.book.disclosure == "strict"
        return disclosure.hide(table, name, self.min_cell, strict, self.confidence)

    def show(self, *shown: exhibit.Exhibit) -> None:
        """Show exhibits, in JupyterLab and on the page alike.

        Small counts are hidden first; then a table of the schema is written, findings are recorded
        and compared with the previous refresh, and the drawing is made.
        """
        for one in shown:
            table = self.keep(one.name, one.table) if one.name else self.hide(one.table)
            found = exhibit.of(one.findings, table)
            sentences = [exhibit.said(findings.record(self.space, finding)) for finding in found]
            drawn = exhibit.shown(one, table, self.book.currency)
            display(HTML("\n".join([*sentences, drawn])))

    def say(self, *found: exhibit.Finding | str) -> None:
        """Record findings and say them; a plain sentence is only said."""
        for one in found:
            if isinstance(one, str):
                display(HTML(exhibit.note(one)))
            else:
                display(HTML(exhibit.said(findings.record(self.space, one))))

    def findings(self) -> None:
        """Show every finding recorded so far, under its notebook: the table "findings"."""
        recorded = self.keep("findings", findings.recorded(self.space))
        display(findings.by_notebook(recorded))

    def describe(self, table: str) -> pl.DataFrame:
        """What every column of ``table`` means: column, label, kind, means."""
        _require_known(table)
        columns = pl.DataFrame(schema.described(table))
        return columns.select(pl.col("name").alias("column"), "label", "kind", "means")

    def __repr__(self) -> str:
        there = ", ".join(dir(self.tables)) or "none yet"
        return f"{self.space.book}, data up to {self.snapshot_date}; tables: {there}"


@dataclass(frozen=True)
class Tables:
    """The tables of a refresh as attributes: ``tables.risk_scores`` is a Polars frame."""

    space: workspace.Workspace

    def __getattr__(self, name: str) -> pl.DataFrame:
        if name.startswith("_"):
            raise AttributeError(name)
        _require_known(name)
        return workspace.read_table(self.space, name)

    def __dir__(self) -> list[str]:
        return [name for name in schema.TABLES if workspace.path(self.space, name)]


def opened(refresh: str, segment: str = "") -> Refresh:
    """See `retention.open`. Which notebook this is says the running refresh, or JupyterLab."""
    session = os.environ.get("JPY_SESSION_NAME", "")
    task = os.environ.get("RETENTION_TASK") or Path(session).stem
    r = Refresh(workspace.open(refresh, task, segment))
    if workspace.STAGE not in os.environ and (shell := get_ipython()):
        own = books.load(r.space.book, workspace.root()).parameters.get(task, {})
        shell.user_ns.update(own)
        told = ", ".join(f"{name} = {value!r}" for name, value in own.items())
        r.say(repr(r))
        r.say(*[f"Set by params/{r.space.book}.yaml: {told}"] * bool(told))
    return r


def _require_known(name: str) -> None:
    if name not in schema.TABLES:
        raise Refused(f"there is no table {name!r}{nearest(name, schema.TABLES)}")
