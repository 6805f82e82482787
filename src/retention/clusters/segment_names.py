"""Every segment that a book ever had, under its lasting id and name."""

import polars as pl

from retention.book import CLUSTER
from retention.errors import Refused, nearest


def carried(
    before: pl.DataFrame, named: pl.DataFrame, given: dict[str, str], snapshot_day: int
) -> pl.DataFrame:
    """The segments known after this refresh.

    Takes   before: the table "known_segments" of the previous refresh; no rows at the first one
            named: segment, name, kind: the segments of today, with a name for those that have none
                yet (null: none)
            given: the book's ``names:``, id to name, which win over all others
    Returns the table "known_segments": segment, name, kind, first_seen_day, last_seen_day

    A name once given stays with its id. Where the name of a new segment is another's already, its
    id is added to it. Ids in ``given`` that are yet to come are left alone, so that a book can be
    refreshed again from its first day on.

    Raises:
        Refused: ``given`` names what can be no id, or two segments would be called alike.

    Checked on drawn tables in tests/clusters/test_segment_names.py.
    """
    known = sorted({*before["segment"], *named["segment"]})
    for segment in sorted(given):
        if not CLUSTER.fullmatch(segment):
            hint = nearest(segment, known)
            raise Refused(f"names: there is no segment {segment!r}{hint}")
    today = named.select("segment", proposed="name", of="kind", now=pl.lit(snapshot_day, pl.Int64))
    whole = before.join(today, on="segment", how="full", coalesce=True)
    whole = whole.sort(pl.col("segment").str.len_chars(), "segment")
    names = _names(whole, {key: name for key, name in given.items() if key in known})
    return whole.select(
        "segment",
        pl.Series("name", [names.get(segment) for segment in whole["segment"]], pl.String),
        pl.coalesce("kind", "of"),
        pl.coalesce("first_seen_day", "now"),
        pl.coalesce("now", "last_seen_day").alias("last_seen_day"),
    )


def _names(whole: pl.DataFrame, given: dict[str, str]) -> dict[str, str]:
    """The name of every id that has one: the book's, else its own of before, else the proposed."""
    names = dict(whole.select("segment", "name").drop_nulls().iter_rows()) | given
    owners = {name: segment for segment, name in names.items()}
    for segment, name in names.items():
        if owners[name] != segment:
            both = f"{segment} and {owners[name]} would both be called {name!r}"
            raise Refused(f"names: {both}; give one of them another name")
    for segment, name in whole.select("segment", "proposed").drop_nulls().iter_rows():
        if segment not in names:
            names[segment] = f"{name} ({segment})" if name in names.values() else name
    return names
