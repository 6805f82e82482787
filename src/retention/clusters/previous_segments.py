"""What the previous refresh knew of its segments."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from retention.clusters.strata import Lines
from retention.tables import workspace

MIDDLE, SPREAD = " middle", " spread"  # of an axis, in the names of columns
STRATUM, NATURAL, RULE = "stratum", "natural group", "rule"  # kinds of segment


@dataclass(frozen=True)
class Previous:
    """Tables of the previous refresh, of one kind of segment; without rows if this is the first
    that knows them."""

    date: str  # its snapshot date, "" at the first
    members: pl.DataFrame  # customer_id, segment
    compared: pl.DataFrame  # customer_id
    known: pl.DataFrame  # the table "known_segments", of all kinds
    model: pl.DataFrame  # natural groups: the table "cluster_model"; strata: "strata"


def read(space: workspace.Workspace) -> dict[str, Previous]:
    """The previous refresh of the book of ``space``, by kind of segment: strata, natural groups.

    Raises:
        Refused: it was pruned. Failed: a file of it is spoilt (see `workspace.read_previous`).
    """
    names = ("known_segments", "members", "segments", "clusters", "cluster_model", "strata")
    known, members, segments, clusters, model, lines = (
        workspace.read_previous(space, name) for name in names
    )
    if "kind" not in known.columns:  # of before there were kinds of segment: as if at the first
        known, members, segments, clusters, model, lines = map(workspace.none, names)
    before = workspace.previous(space)
    date = before.name[:10] if before and known.height + model.height else ""
    of = {
        kind: members.join(segments.filter(kind=kind), on="segment", how="semi")
        for kind in (STRATUM, NATURAL)
    }
    clusters = clusters if model.height else clusters.clear()
    core = clusters.filter(pl.col("nearest_segment").is_null())
    of[NATURAL] = of[NATURAL].join(core, on="customer_id", how="semi")
    ids = {STRATUM: of[STRATUM], NATURAL: clusters}
    models = {STRATUM: lines, NATURAL: model}
    return {
        kind: Previous(date, of[kind], ids[kind].select("customer_id"), known, models[kind])
        for kind in of
    }


def lines_of(table: pl.DataFrame) -> tuple[Lines, list[str]] | None:
    """Lines as the table "strata" keeps them, and the segment of each stratum; None without rows.

    Takes   segment, and of each axis its centres, the middle and the spread
    """
    if table.is_empty():
        return None
    rows = table.sort(pl.col("segment").str.slice(1).cast(pl.Int64))
    axes = [name.removesuffix(MIDDLE) for name in rows.columns if name.endswith(MIDDLE)]
    middle, spread = ([rows[axis + of][0] for axis in axes] for of in (MIDDLE, SPREAD))
    centres = rows.select(axes).to_numpy().reshape(rows.height, len(axes))
    return Lines(tuple(axes), np.array(middle), np.array(spread), centres), rows[
        "segment"
    ].to_list()


def kept(lines: Lines, segments: list[str]) -> pl.DataFrame:
    """The table "strata" of ``lines`` and the segment of each stratum; see `lines_of`."""
    table = pl.DataFrame({"segment": segments})
    for axis, middle, spread, own in zip(
        lines.axes, lines.middle, lines.spread, lines.centres.T, strict=True
    ):
        named = {axis: pl.Series(own), axis + MIDDLE: middle, axis + SPREAD: spread}
        table = table.with_columns(**named)
    return table
