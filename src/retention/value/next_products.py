"""What customers of a segment bought next, who had bought something and not yet the other.

On an earlier day we look back at what each customer had bought, and ahead at what they then bought
for the first time in that span. "Next" therefore means later, not together.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix
from scipy.stats import hypergeom, norm

from retention import charts, schema
from retention.exhibit import Exhibit
from retention.refresh import Refresh
from retention.stats import intervals
from retention.tables import task, workspace

MOST_ITEMS = 60  # items looked at in a segment: those that most of its customers bought
MOST_ROWS = 20  # pairs of a segment that are kept, the clearest first
NONE = "in no segment"


class Span(NamedTuple):
    """What is looked at, product or category; the snapshot; how far back; and since when ahead."""

    item: str
    day: int
    before_days: int
    within_days: int


def next_products(
    baskets: pl.LazyFrame,
    members: pl.DataFrame,
    span: Span,
    min_cell: int,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """For each segment, what follows what, against what all its customers bought who had not yet.

    Takes   the tables baskets and members. What was bought in the ``before_days`` up to
            ``within_days`` before the snapshot is held against what was bought since. Customers in
            no segment are one of their own
    Returns the table "next_products": segment, bought, next, n (customers who had bought the one
            and not the other), n_next (those of them who then bought the other), support (n_next of
            all customers of the segment who had bought anything), share (n_next of n), ci_lower,
            ci_upper (Wilson), lift (that share over the one of all who had not bought the other),
            lift_lower, lift_upper, clear (more than chance makes, by the hypergeometric law and
            with all pairs of the segment allowed for after Bonferroni). Pairs of which fewer than
            ``min_cell`` customers bought next, or fewer (but some) of the others, are left out

    Source: Agrawal, Imielinski and Swami (1993), SIGMOD 22:207, for support and lift; limits of the
    lift by the delta method on the log of a ratio of shares of which one is part of the other.
    Checked against a literal count and on planted pairs in tests/value/test_next_products.py.
    """
    origin, name = span.day - span.within_days, pl.col(span.item)
    rows = baskets.filter(
        name.is_not_null(), pl.col("day").is_between(origin - span.before_days + 1, span.day)
    ).select("customer_id", name.alias("item"), later=pl.col("day") > origin)
    bought = rows.unique().sort("customer_id", "item", "later").collect()
    buyers = bought.filter(~pl.col("later")).select("customer_id").unique()
    named = buyers.join(members, on="customer_id", how="left")
    named = named.with_columns(pl.col("segment").fill_null(NONE)).sort("segment", "customer_id")
    last = pl.col("segment") == NONE
    groups = named.sort(last, maintain_order=True).group_by("segment", maintain_order=True)
    found = [
        _pairs(bought.join(own, on="customer_id", how="semi"), segment, min_cell, confidence)
        for (segment,), own in groups
        if own.height >= min_cell
    ]
    return pl.concat([task.none("next_products"), *found])


def bought_next(r: Refresh, item: str, before_days: int, within_days: int) -> Exhibit:
    """What customers of a segment bought next: the table "next_products"."""
    baskets, segments = workspace.scan_table(r.space, "baskets"), r.tables.segments
    span = Span(item, r.day, before_days, within_days)
    found = next_products(baskets, r.tables.members, span, r.min_cell, r.confidence)
    best = clearest(r.keep("next_products", found), segments)
    return Exhibit(
        best.drop("clear"),
        _headline,
        draw=lambda table: charts.bars(
            _labelled(table), "pair", "lift", "lift_lower", "lift_upper", n="n"
        ),
        empty="This book names too few products, or none clearly follows another.",
    )


def clearest(table: pl.DataFrame, segments: pl.DataFrame, most: int = 3) -> pl.DataFrame:
    """The ``most`` clear pairs of each segment with the highest lower limit of lift, with names."""
    names = dict(segments.select("segment", "name").iter_rows())
    best = (
        table.filter("clear")
        .drop_nulls("lift")
        .sort("segment", "lift_lower", "bought", "next", descending=[False, True, False, False])
    )
    rank = pl.int_range(pl.len()).over("segment")
    return best.filter(rank < most).with_columns(pl.col("segment").replace(names))


def _labelled(pairs: pl.DataFrame) -> pl.DataFrame:
    label = pl.format("{}: {} → {}", "segment", "bought", "next").str.to_lowercase()
    return pairs.with_columns(pair=label).unique("pair", keep="first", maintain_order=True)


def _headline(pairs: pl.DataFrame) -> str:
    """The pair that stands out most, in a sentence."""
    row = pairs.sort("lift_lower", "bought", "next").row(-1, named=True)
    said = "Customers who had bought {bought} then bought {next} {lift:.1f} times as often"
    return said.format(**row)


def _pairs(bought: pl.DataFrame, segment: str, min_cell: int, confidence: float) -> pl.DataFrame:
    """The pairs of one segment; of customers who had bought anything before."""
    before = bought.filter(~pl.col("later"))
    counts = before.group_by("item").len().sort("len", "item", descending=[True, False])
    items = counts["item"].head(MOST_ITEMS).sort()
    who = before["customer_id"].unique().sort()
    had = _matrix(before, who, items)
    new = _matrix(bought.filter("later"), who, items)
    new = new - new.multiply(had)
    lacking = len(who) - np.asarray(had.sum(axis=0)).ravel()  # by the item that may come next
    came = np.asarray(new.sum(axis=0)).ravel()
    alone = np.asarray(had.sum(axis=0)).ravel()[:, None] - (had.T @ had).toarray()
    both = (had.T @ new).toarray()
    first, then = np.nonzero(both >= min_cell)
    rows = pl.DataFrame(
        {
            "bought": items.gather(first),
            "next": items.gather(then),
            "n": alone[first, then].astype(int),
            "n_next": both[first, then].astype(int),
            "n_lacking": lacking[then].astype(int),
            "n_came": came[then].astype(int),
            "n_all": np.full(len(first), len(who)),
        }
    )
    pairs = len(items) * (len(items) - 1)
    rows = rows.with_columns(segment=pl.lit(segment), n_pairs=pairs)
    others = pl.col("n_came") - pl.col("n_next")
    kept = rows.filter(pl.col("bought") != pl.col("next"), (others >= min_cell) | (others == 0))
    return _scored(kept, confidence)


def _scored(pairs: pl.DataFrame, confidence: float) -> pl.DataFrame:
    n, base = pl.col("n"), pl.col("n_came") / pl.col("n_lacking")
    share, rest = pl.col("n_next") / n, pl.col("n_lacking") - n
    other = pl.when(rest > 0).then((pl.col("n_came") - pl.col("n_next")) / rest).otherwise(0.0)
    weight = n / pl.col("n_lacking")
    own = (1 / share - weight / base).pow(2) * share * (1 - share) / n
    rests = pl.when(rest > 0).then(((1 - weight) / base).pow(2) * other * (1 - other) / rest)
    error = (own + rests.fill_null(0.0)).sqrt()
    z = float(norm.ppf(0.5 + confidence / 2))
    margins = (pairs[name].to_numpy() for name in ("n_lacking", "n_came", "n"))
    by_chance = hypergeom.sf(pairs["n_next"].to_numpy() - 1, *margins)
    clear = 2 * by_chance * pairs["n_pairs"].to_numpy() < 1 - confidence
    lift = share / base
    scored = pairs.with_columns(
        *intervals.share("n_next", "n", confidence),
        support=pl.col("n_next") / pl.col("n_all"),
        lift=lift,
        lift_lower=lift * (-z * error).exp(),
        lift_upper=lift * (z * error).exp(),
        clear=pl.Series(clear, dtype=pl.Boolean),
    )
    best = scored.sort("lift_lower", "bought", "next", descending=[True, False, False])
    return best.head(MOST_ROWS).select(*schema.TABLES["next_products"].columns)


def _matrix(rows: pl.DataFrame, who: pl.Series, items: pl.Series) -> csr_matrix:
    """Customers by items: 1 where bought."""
    known = {"customer_id": pl.Enum(who), "item": pl.Enum(items)}
    places = rows.select(pl.col(c).cast(t, strict=False).to_physical() for c, t in known.items())
    places = places.drop_nulls().to_numpy().T
    return csr_matrix((np.ones(places.shape[1], int), places), shape=(len(who), len(items)))
