"""The helper package of the Retention Workbook: who stays, who leaves, who behaves alike.

    import retention
    from retention import cohorts

    r = retention.open("cdnow")          # the newest refresh of a book, or "cdnow/1998-06-30"
    r.tables.customers_at                # a table as a Polars frame; r.tables.<tab> lists them
    r.describe("customers_at")           # what its columns mean
    r.show(cohorts.triangle(r.tables.retention, "bounded"))

Each question has a folder named like its notebook: quality, definition, customers, survival,
clusters, cohorts, risk, value. `schema` says what every column means, `exhibit` what a section of a
page is, `disclosure` what is hidden before anything is published.
"""

from importlib import import_module


def open(refresh: str, segment: str = ""):
    """Open a refresh: a book ("cdnow": its newest) or a book and day ("cdnow/1998-06-30").

    In JupyterLab the parameters that the book sets for the notebook apply, and are printed. What
    a notebook writes there goes to `work/lab/`: published refreshes never change. A notebook that
    runs once per segment says for which ``segment``.

    Raises:
        Refused: there is no such refresh; the message holds the command that makes it.
    """
    opened = import_module("retention.refresh").opened  # Polars takes a while to import
    return opened(refresh, segment)
