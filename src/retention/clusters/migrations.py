"""Who changed segment since the last refresh, and whether they moved or the segments did."""

import polars as pl
from matplotlib.figure import Figure

from retention import charts, words
from retention.clusters.previous_segments import STRATUM, Previous
from retention.errors import Failed
from retention.exhibit import Exhibit, Finding
from retention.refresh import Refresh
from retention.stats.intervals import share

NONE = "none"  # compared, but in no segment: noise, or a cluster that is not trusted
REDRAWN = ("share_redrawn", "ci_lower", "ci_upper")
MOVED_BY = ("stayed", "customer", "definition", "entered", "left")


def migrations(
    members: pl.DataFrame, compared: pl.DataFrame, before: Previous, under_old_model: pl.DataFrame
) -> pl.DataFrame:
    """How many customers went from which segment to which, and why.

    Takes   members: customer_id, segment (of clusters); compared: customer_id (everybody compared
            now); before: what the previous refresh knew of both
            under_old_model: customer_id, segment (null: none): where the groups of then would
            place what is known now, at least of everybody whose segment is another now
    Returns the table "migrations": previous_segment (null: not compared then), segment (null: not
            compared now), n (customers), moved_by (one of MOVED_BY); NONE where in no segment

    Whoever is in another segment (or none) than before moved by "customer" if the old groups
    would place them elsewhere too, else by "definition". No rows at the first refresh.

    Raises:
        Failed: a customer who changed segment is not placed under the old model.

    Checked on planted moves and moved definitions in tests/clusters/test_planted_identity.py.
    """
    then = _placed(before.compared, before.members, "previous_segment")
    now = _placed(compared, members, "segment")
    placed = under_old_model.select("customer_id", placed=pl.col("segment").fill_null(NONE))
    both = then.join(now, on="customer_id", how="full", coalesce=True, validate="1:1")
    both = both.join(placed, on="customer_id", how="left", validate="1:1")
    moved = both.with_columns(_moved_by())
    if unknown := moved["moved_by"].null_count():
        raise Failed(f"under the old model {unknown} customers who changed segment lack a place")
    columns = ["previous_segment", "segment", "moved_by"]
    counted = moved.group_by(columns, maintain_order=True).agg(n=pl.len().cast(pl.Int64))
    counted = counted.sort(columns, nulls_last=True).select(*columns[:2], "n", columns[2])
    return counted.clear() if before.compared.is_empty() else counted


def causes(migrations: pl.DataFrame, confidence: float) -> pl.DataFrame:
    """How many of those compared at both dates changed segment, and how many of them because the
    segments were drawn anew.

    Takes   the table "migrations", before small counts are hidden
    Returns one row: n (compared at both dates), n_moved, n_redrawn (customers), share_redrawn (of
            those who moved; null where nobody did), ci_lower, ci_upper (Wilson)
    """
    by = {name: pl.col("n").filter(pl.col("moved_by") == name).sum() for name in MOVED_BY[:3]}
    moved = pl.col("n_moved")
    return (
        migrations.select(**by)
        .with_columns(n_moved=pl.col("customer") + pl.col("definition"))
        .select(n=moved + pl.col("stayed"), n_moved=moved, n_redrawn="definition")
        .with_columns(share("n_redrawn", "n_moved", confidence, REDRAWN))
    )


def moves(r: Refresh, migrations: pl.DataFrame) -> Exhibit:
    """Who went from which segment to which, and why: the table "migrations", of strata and natural
    groups; strata are drawn and said."""
    strata = migrations.filter(kind=STRATUM)
    told = r.hide(causes(strata, r.confidence)).row(0, named=True)
    return Exhibit(
        migrations,
        _headline(told),
        draw=_drawn if strata.height else None,
        findings=_redrawn(told),
        empty="This is the first refresh that knows segments: nobody can have moved yet.",
        name="migrations",
    )


def _drawn(table: pl.DataFrame) -> Figure:
    title = "Of each row, per cent who are there now"
    return charts.heat_map(places(table), "previous_segment", "segment", "share", title=title)


def places(table: pl.DataFrame) -> pl.DataFrame:
    """Of those who were in each stratum, which share is in which now, by the counts that are shown:
    previous_segment, segment, share (null where none is shown), every pair of places in order."""
    before, after, n = pl.col("previous_segment"), pl.col("segment"), pl.col("n")
    named = table.with_columns(before.fill_null("entered"), after.fill_null("left"))
    pairs = named.filter(kind=STRATUM).group_by("previous_segment", "segment").agg(n.sum())
    share = pl.when(n > 0).then(n) / n.sum().over("previous_segment")
    shares = pairs.select("previous_segment", "segment", share=share)
    ordered = shares.sort(after.str.len_chars(), after)  # s2 before s10
    wide = ordered.pivot("segment", index="previous_segment", values="share")
    every = wide.unpivot(index="previous_segment", variable_name="segment", value_name="share")
    return every.sort(before.str.len_chars(), before, maintain_order=True)


def _headline(told: dict) -> str:
    if told["n_moved"] is None:
        return "Who is in which segment, then and now"
    n, moved = words.text(told["n"]), words.text(told["n_moved"] or "None")
    return f"{moved} of {n} customers changed segment"


def _redrawn(told: dict) -> list[Finding]:
    if told["share_redrawn"] is None:
        return []
    sentence = (
        "{value} ({ci}) of those who changed segment since the last refresh did so because the "
        "segments were drawn anew."
    )
    limits = told["ci_lower"], told["ci_upper"]
    return [Finding("moved_by_definition", sentence, told["share_redrawn"], "share", limits)]


def _placed(compared: pl.DataFrame, members: pl.DataFrame, name: str) -> pl.DataFrame:
    """Everybody compared: customer_id, and the segment (or NONE) as ``name``."""
    segment = members.select("customer_id", pl.col("segment").alias(name))
    joined = compared.select("customer_id").join(segment, on="customer_id", how="left")
    return joined.with_columns(pl.col(name).fill_null(NONE))


def _moved_by() -> pl.Expr:
    then, now, placed = pl.col("previous_segment"), pl.col("segment"), pl.col("placed")
    cases = {
        "entered": then.is_null(),
        "left": now.is_null(),
        "stayed": then == now,
        "definition": placed == then,
        "customer": placed != then,
    }
    first = [pl.when(case).then(pl.lit(name)) for name, case in cases.items()]
    return pl.coalesce(first).alias("moved_by")
