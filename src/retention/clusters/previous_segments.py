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
    known: pl.DataFrame  # the table "known_segments"
    model: pl.DataFrame  # the table "cluster_model"


def read(space: workspace.Workspace) -> Previous:
    """The previous refresh of the book of ``space``, as its segments are concerned.

    Raises:
        Refused: it was pruned. Failed: a file of it is spoilt (see `workspace.read_previous`).
    """
    names = ("known_segments", "members", "segments", "clusters", "cluster_model")
    known, *tables = (workspace.read_previous(space, name) for name in names)
    if tables[-1].is_empty():
        tables = [table.clear() for table in tables]
    members, segments, clusters, model = tables
    own = members.join(segments.filter(kind="cluster"), on="segment", how="semi")
    before = workspace.previous(space) if known.height + model.height else None
    date = before.name[:10] if before else ""
    return Previous(date, own, clusters.select("customer_id"), known, model)
