"""Three real books as the workbook's own tables, on which risk and segments are measured.

CDNOW and The Complete Journey come with packages; UCI Online Retail is DIR/online_retail.
"""

import tempfile
from datetime import date
from pathlib import Path

import polars as pl

from retention.book import Book
from retention.tables import activity, calendar, task
from retention_demo import readers
from retention_intake import intake

PROJECT = Path(__file__).parent.parent
RETAIL = "online_retail/lines.parquet"
SETS = {  # after_days, horizon_days, last day, source
    "cdnow": (180, 90, date(1998, 6, 30), {"kind": "demo", "data": "cdnow"}),
    "journey": (60, 30, date(2017, 12, 31), {"kind": "demo", "data": "complete-journey"}),
    "retail": (90, 90, date(2011, 12, 9), {"kind": "files"}),
}
LINES = {  # Online Retail: known customers, no cancellation, a quantity and a price
    "columns": {
        "events": {
            **{"at": "ts", "order_id": "invoice", "product": "stock_code"},
            "amount": ["quantity", "unit_price"],
        }
    },
    "only": {
        "customer_id": {"known": True},
        "quantity": {"at_least": 1},
        "unit_price": {"at_least": 0.001},
    },
}


def book(name: str, data: Path | None) -> Book | None:
    """The book of a set; None where its data are missing."""
    after_days, horizon, last, source = SETS[name]
    settings = {"timezone": "Etc/UTC"}
    if name == "retail":
        if data is None or not (data / RETAIL).is_file():
            return None
        settings |= LINES | {"tables": {"events": str((data / RETAIL).resolve())}}
    churn = {"kind": "activity", "after_days": after_days}
    churn["activity"] = ["purchase"]
    settings |= {"title": name, "source": source, "churn": churn, "horizon_days": horizon}
    return Book.model_validate(settings | {"snapshot_date": last})


def tables(book: Book, day: date | None = None) -> dict[str, pl.DataFrame]:
    """What the task `tables` makes of the book up to ``day``, by default its last one."""
    day = day or book.snapshot_date
    own = book.model_copy(update={"snapshot_date": day})
    with tempfile.TemporaryDirectory() as folder:
        demo = readers.read(own.source, Path(folder)) if own.source.kind == "demo" else None
        named = {"demo": demo, "aside": Path(folder)}
        taken = intake.take(own, PROJECT, calendar.day_of(day), activity.summaries, **named)
    return task.tables(own, taken)
