"""Who changed group since the last refresh, and whether they moved or the groups did."""

import polars as pl

from retention.errors import Failed
from retention.stats.intervals import wilson

NONE = "none"  # compared, but in no segment: noise, or a cluster that is not trusted
MOVED_BY = ("stayed", "customer", "definition", "entered", "left")
BECAUSE = {"customer": "they behave otherwise", "definition": "the groups were drawn anew"}
RULE = (
    "A customer moved where what is known now, placed by the groups of then, is no longer in "
    "the old group; where it still is, the groups were drawn anew. "
    f"'{NONE}': compared, but in no group."
)


def migrations(
    members: pl.DataFrame,
    compared: pl.DataFrame,
    previous_members: pl.DataFrame,
    previous_compared: pl.DataFrame,
    under_old_model: pl.DataFrame,
) -> pl.DataFrame:
    """How many customers went from which segment to which, and why.

    Takes   members, previous_members: customer_id, segment (of clusters; now and then)
            compared, previous_compared: customer_id (everybody compared, now and then)
            under_old_model: customer_id, segment (null: none): where the groups of then would
            place what is known now, at least of everybody whose segment is another now
    Returns the table "migrations": previous_segment (null: not compared then), segment (null: not
            compared now), n (customers), moved_by (one of MOVED_BY); NONE where in no segment

    Whoever is in another segment (or none) than before moved by "customer" if the old groups
    would place them elsewhere too, else by "definition". No rows at the first refresh.

    Raises:
        Failed: a customer stands twice in a table, is a member but not compared, or changed
            segment and is not placed under the old model.

    Checked on planted moves and moved definitions in tests/test_planted_identity.py.
    """
    if previous_compared.is_empty():
        return pl.DataFrame(
            schema=dict.fromkeys(("previous_segment", "segment"), pl.String)
            | {"n": pl.Int64, "moved_by": pl.String}
        )
    _refuse_twice(
        members=members,
        compared=compared,
        previous_members=previous_members,
        previous_compared=previous_compared,
        under_old_model=under_old_model,
    )
    then = _placed(previous_compared, previous_members, "previous_segment")
    now = _placed(compared, members, "segment")
    placed = under_old_model.select("customer_id", placed=pl.col("segment").fill_null(NONE))
    both = then.join(now, on="customer_id", how="full", coalesce=True)
    whole = both.join(placed, on="customer_id", how="left")
    moved = whole.with_columns(_moved_by())
    if unknown := moved["moved_by"].null_count():
        raise Failed(f"under the old model {unknown} customers who changed segment lack a place")
    columns = ["previous_segment", "segment", "moved_by"]
    counted = moved.group_by(columns, maintain_order=True).agg(n=pl.len().cast(pl.Int64))
    return counted.sort(columns, nulls_last=True).select(*columns[:2], "n", columns[2])


def moved(migrations: pl.DataFrame, min_cell: int, confidence: float = 0.95) -> pl.DataFrame:
    """How many of those compared at both dates changed group, and the share by definition.

    Takes   the table "migrations", before small cells are hidden
    Returns one row: n (compared at both dates), moved, customer, definition (customers), share (of
            the moved, by definition), ci_lower, ci_upper (Wilson), few (the cause of fewer than
            ``min_cell`` moves, but of some). Where there is one, customer, definition and share
            are null, as where nobody moved the share is
    """
    causes = ("customer", "definition")
    by = {name: pl.col("n").filter(pl.col("moved_by") == name).sum() for name in MOVED_BY[:3]}
    few = pl.coalesce(
        pl.when(pl.col(name).is_between(1, min_cell - 1)).then(pl.lit(name)) for name in causes
    )
    moved = pl.col("moved")
    return (
        migrations.select(**by)
        .with_columns(few=few, moved=pl.col("customer") + pl.col("definition"))
        .with_columns(pl.when(pl.col("few").is_null()).then(name).alias(name) for name in causes)
        .with_columns(share=pl.col("definition") / pl.when(moved > 0).then(moved))
        .with_columns(wilson("definition", "moved", confidence), n=moved + pl.col("stayed"))
        .select("n", "moved", *causes, "share", "ci_lower", "ci_upper", "few")
    )


def headline(moved: pl.DataFrame, min_cell: int) -> str:
    """How many changed group and why, in a sentence.

    Takes   the row of `moved`, with the same ``min_cell``
    """
    row = moved.row(0, named=True)
    if not row["n"]:
        return "Nobody was compared at both dates"
    if not row["moved"]:
        return f"None of {row['n']:,} customers changed group"
    said = f"{row['moved']:,} of {row['n']:,} customers changed group"
    if row["few"]:
        return f"{said}, fewer than {min_cell} of them because {BECAUSE[row['few']]}"
    return f"{said}: " + ", ".join(f"{row[name]:,} because {BECAUSE[name]}" for name in BECAUSE)


def unplaced(lost: list[str]) -> str:
    """That nobody could be placed by the groups of then, in a sentence; "" where all could.

    Takes   lost: the features of the old model that are measured no more
    """
    said = f" The old segments used {', '.join(lost)}, which is measured no more: nobody can be "
    return said + "placed in them, and every move counts as the customer's." if lost else ""


def largest(migrations: pl.DataFrame) -> pl.DataFrame:
    """The moves between places that are shown, the largest first: move ("s1 to s2"), n."""
    then, now = (pl.col(name).fill_null("-") for name in ("previous_segment", "segment"))
    moves = migrations.filter(pl.col("moved_by").is_in(["customer", "definition"]))
    return (
        moves.with_columns(move=pl.concat_str(then, pl.lit(" to "), now))
        .group_by("move")
        .agg(pl.col("n").sum())
        .sort("n", "move", descending=[True, False])
        .filter(pl.col("n") > 0)
    )


def _refuse_twice(**tables: pl.DataFrame) -> None:
    for name, table in tables.items():
        if twice := table["customer_id"].is_duplicated().sum():
            raise Failed(f"{name}: {twice} rows of customers who stand there twice; keep one each")


def _placed(compared: pl.DataFrame, members: pl.DataFrame, name: str) -> pl.DataFrame:
    """Everybody compared: customer_id, and the segment (or NONE) as ``name``."""
    if lost := members.join(compared, on="customer_id", how="anti").height:
        raise Failed(f"{name}: {lost} members were not compared; hand over everybody who was")
    segment = members.select("customer_id", pl.col("segment").alias(name))
    joined = compared.select("customer_id").join(
        segment, on="customer_id", how="left", maintain_order="left"
    )
    return joined.with_columns(pl.col(name).fill_null(NONE))


def _moved_by() -> pl.Expr:
    then, now, placed = pl.col("previous_segment"), pl.col("segment"), pl.col("placed")
    return (
        pl.when(then.is_null())
        .then(pl.lit("entered"))
        .when(now.is_null())
        .then(pl.lit("left"))
        .when(then == now)
        .then(pl.lit("stayed"))
        .when(placed == then)
        .then(pl.lit("definition"))
        .when(placed != then)
        .then(pl.lit("customer"))
        .alias("moved_by")
    )
