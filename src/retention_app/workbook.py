"""What ties the packages together: the runner is handed this workbook, its books and its tables."""

from pathlib import Path

import polars as pl

from retention import book as books
from retention import schema
from retention.tables import activity, calendar, task, workspace
from retention_demo import readers
from retention_intake import intake, sources
from retention_runner import notebooks
from retention_runner.workbook import Book, Workbook

DEFINITION = {"source", "columns", "attributes", "only", "timezone", "churn"}  # keys of a book
SAME = ("title", "label", "timezone", "parameters", "keep", "on_done")  # keys of both books
UNSEEN = {"parameters", "keep", "on_done", "snapshot_date"}  # keys of a book that no task sees


def workbook() -> Workbook:
    """The workbook whose folder the command was given in, or in a folder within it.

    Raises:
        Refused: there is none.
    """
    root = workspace.root()
    writes: dict[str, list[str]] = {}
    for table, promise in schema.TABLES.items():
        writes.setdefault(promise.writer, []).append(table)

    def load(name: str) -> Book:
        own = books.load(name, root, notebooks.faults)
        dates = own.snapshot_date if isinstance(own.snapshot_date, list) else [own.snapshot_date]
        return Book(
            name=name,
            dates=tuple(dates),
            **{key: getattr(own, key) for key in SAME},
            definition=own.model_dump(mode="json", include=DEFINITION),
            settings=own.model_dump(mode="json", exclude=DEFINITION | UNSEEN),
            own=own,
        )

    def fingerprint(book: Book) -> str | None:
        source = book.own.source
        demo = readers.files(source.data) if source.kind == "demo" else ()
        known = source.kind in sources.ON_DISK
        return sources.fingerprint(book.own, root, demo) if known else None

    def taken_up_to(book: Book, aside: Path | None = None) -> intake.Taken:
        return take(book.own, root, calendar.day_of(book.day), aside)

    def build(book: Book, stage: Path, taken: intake.Taken | None) -> None:
        space = workspace.Workspace(book.name, book.day.isoformat(), "tables", stage)
        taken = taken_up_to(book, stage) if taken is None else taken
        task.build(books.at(book.own, book.day), space, taken)

    return Workbook(
        root=root,
        packages=("retention", "retention_intake", "retention_demo", "retention_runner"),
        libraries=(
            *("polars", "numpy", "scipy", "pandas"),
            *("lifelines", "hdbscan", "scikit-learn", "matplotlib"),
        ),
        warm=(
            *("pandas", "matplotlib.pyplot", "matplotlib_inline.backend_inline", "seaborn"),
            *("scipy.stats", "sklearn.preprocessing", "lifelines", "hdbscan"),
            *("jinja2", "markupsafe", "pydantic", "yaml", "narwhals"),
            "retention.book",
        ),
        builders=("retention.tables.task", "retention_intake.intake", "retention_demo.readers"),
        always=("retention.refresh",),
        needs={
            "30_clusters": {"tables", "10_customers"},
            "60_value": {"tables", "30_clusters", "50_risk"},
            "99_summary": {"*"},
        },
        per_segment={"tables", "10_customers", "30_clusters"},
        writes=writes,
        published={name for name, one in schema.TABLES.items() if one.level == "aggregate"},
        lasting={name for name, one in schema.TABLES.items() if one.level in ("aggregate", "kept")},
        front="99_summary",
        load=load,
        fingerprint=fingerprint,
        take=taken_up_to,
        build=build,
        segments=_segments,
        save=workspace.save,
        save_csv=workspace.save_csv,
    )


def take(book: books.Book, root: Path, day: int, aside: Path | None = None) -> intake.Taken:
    """What a refresh takes from the book's source up to a day; see `intake.take`."""
    demo = None
    if book.source.kind == "demo":
        demo = readers.read(book.source, root / "work" / ".simulated")
    return intake.take(book, root, day, activity.summaries, demo=demo, aside=aside)


def _segments(folder: Path) -> dict[str, str]:
    """Names of the segments of a refresh, by id."""
    table = pl.read_parquet(folder / "tables" / "segments.parquet", columns=["segment", "name"])
    return dict(table.iter_rows())
