"""What the previous refresh knew of its segments."""

from dataclasses import dataclass

import polars as pl

from retention.tables import workspace


@dataclass(frozen=True)
class Previous:
    """Tables of the previous refresh; without rows if this is the first that knows segments."""

    date: str  # its snapshot date, "" at the first
    members: pl.DataFrame  # customer_id, segment; of clusters alone
    compared: pl.DataFrame  # customer_id
    ledger: pl.DataFrame  # the table "known_segments"
    model: pl.DataFrame  # the table "cluster_model"


def read(space: workspace.Workspace) -> Previous:
    """The previous refresh of the book of ``space``, as its segments are concerned.

    Raises:
        Refused: it was pruned. Failed: a file of it is spoilt (see `workspace.read_previous`).
    """
    names = ("members", "segments", "clusters", "cluster_model", "known_segments")
    tables = {name: workspace.read_previous(space, name) for name in names}
    ledger, before = tables.pop("known_segments"), workspace.previous(space)
    if tables["cluster_model"].is_empty():
        tables = {name: table.clear() for name, table in tables.items()}
    clusters = tables["segments"].filter(kind="cluster")
    return Previous(
        before.name[:10] if before and ledger.height + tables["cluster_model"].height else "",
        tables["members"].join(clusters, on="segment", how="semi", maintain_order="left"),
        tables["clusters"].select("customer_id"),
        ledger,
        tables["cluster_model"],
    )
