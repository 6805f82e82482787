"""What segments are like: size, behaviour in its own units, what sets each apart, and a name."""

import numpy as np
import polars as pl

from retention.book import Rule
from retention.stats.intervals import wilson

CLEAR = 0.25  # interquartile ranges from which on a trait may name a segment
POINTS = 4_000  # customers drawn on the map
# How a segment is called whose customers have much or little of a feature.
TRAITS = {
    "tenure_days": ("long with us", "with us for a short time"),
    "days_since_last_activity": ("long silent", "active lately"),
    "active_days_total": ("often here", "seldom here"),
    "active_days_90d": ("often here lately", "seldom here lately"),
    "active_days_28d": ("often here this month", "seldom here this month"),
    "events_90d": ("much use lately", "little use lately"),
    "events_per_30d": ("much use", "little use"),
    "orders_total": ("many orders", "few orders"),
    "orders_90d": ("many orders lately", "few orders lately"),
    "amount_cents_total": ("high spending", "low spending"),
    "amount_cents_90d": ("high spending lately", "low spending lately"),
    "amount_cents_365d": ("high spending this year", "low spending this year"),
    "cents_per_order_90d": ("large orders", "small orders"),
    "weekend_share_90d": ("at weekends", "on weekdays"),
    "order_share_90d": ("quick to buy", "much browsing"),
    "usage_ratio": ("rising use", "falling use"),
    "usage_trend": ("rising use", "falling use"),
    "silence_ratio": ("silent beyond habit", "within habit"),
}


def profile(points: np.ndarray, features: list[str], segments: pl.Series) -> pl.DataFrame:
    """What sets segments apart: segment, trait, difference.

    Takes   ``points`` on the scale on which customers were compared, a column for each of the
            ``features``; of the same rows ``segments``, null = in none
    Returns difference: the segment's median minus that of all compared customers, in interquartile
            ranges of all. No rows where nobody is in a segment
    """
    return (
        pl.DataFrame(points, schema=features)
        .with_columns(segments.cast(pl.String).alias("segment"))
        .drop_nulls("segment")
        .group_by("segment", maintain_order=True)
        .agg(pl.col(features).median())
        .unpivot(index="segment", variable_name="trait", value_name="difference")
        .sort(*_natural(), "trait")
    )


def proposed(profile: pl.DataFrame, taken: list[str]) -> dict[str, str]:
    """A plain name for every segment: the words for its two strongest traits.

    Takes   profile; ``taken``: names that are in use, which none gets again: it is told apart by
            its third trait, or else by its id. Traits of less than CLEAR name nobody, unless
            there is no other
    """
    names = {}
    strength = pl.col("difference").abs()
    ordered = profile.sort(*_natural(), strength, "trait", descending=[False, False, True, False])
    for (segment,), traits in ordered.group_by("segment", maintain_order=True):
        clear = traits.filter(strength >= CLEAR)
        chosen = clear if clear.height else traits[:1]
        words = list(dict.fromkeys(map(_words, chosen["trait"], chosen["difference"])))
        sayings = [", ".join(words[:many]).capitalize() for many in (2, 3)]
        used = {*taken, *names.values()}
        free = [saying for saying in sayings if saying not in used]
        names[segment] = free[0] if free else f"{sayings[0]} ({segment})"
    return names


def _words(trait: str, difference: float) -> str:
    plain = trait.replace("_", " ")
    high, low = TRAITS.get(trait, (f"high {plain}", f"low {plain}"))
    return high if difference > 0 else low


def headline(profile: pl.DataFrame, names: dict[str, str]) -> str:
    """The segment and trait that lie farthest from the middle of all, in a sentence."""
    if profile.is_empty():
        return "No segment to describe"
    segment, trait, difference = profile.sort(
        pl.col("difference").abs(), "segment", "trait", descending=True
    ).row(0)
    return f"{names[segment]} ({segment}) stands out most: {_words(trait, difference)}"


def to_name(ids: pl.DataFrame, proposed: dict[str, str]) -> pl.DataFrame:
    """The segments of today with their ``proposed`` names: segment, name.

    Takes   ids: cluster, segment
    """
    return ids.select(
        "segment", name=pl.Series([proposed[one] for one in ids["segment"]], dtype=pl.String)
    )


def names(known: pl.DataFrame, rules: dict[str, Rule]) -> dict[str, str]:
    """The name of every segment, of clusters and of ``rules``.

    Takes   the table "known_segments"; the book's ``segments:``
    """
    own = {segment: rule.name for segment, rule in rules.items()}
    return dict(known.select("segment", "name").iter_rows()) | own


def segments(
    members: pl.DataFrame,
    customers: pl.DataFrame,
    features: list[str],
    names: dict[str, str],
    rules: list[str],
) -> pl.DataFrame:
    """Size and typical behaviour of every segment.

    Takes   members: customer_id, segment; customers_at; the ``names`` of segments; which of them
            are ``rules`` of the book
    Returns the table "segments": segment, name, kind (cluster or rule), n, share_of_customers (of
            the current ones), share_of_amount (of their last 365 days; null where nobody paid),
            and the median of every feature
    """
    current = customers.filter(pl.col("in_risk_set"))
    total = current["amount_cents_365d"].sum()
    spent = pl.col("amount_cents_365d").sum() / total if total else pl.lit(None, pl.Float64)
    kind = pl.when(pl.col("segment").is_in(rules)).then(pl.lit("rule")).otherwise(pl.lit("cluster"))
    return (
        members.join(current, on="customer_id", how="inner")
        .group_by("segment", maintain_order=True)
        .agg(
            n=pl.len().cast(pl.Int64),
            share_of_customers=pl.len() / current.height,
            share_of_amount=spent,
            **{name: pl.col(name).cast(pl.Float64).median() for name in features},
        )
        .sort(*_natural())
        .select(
            "segment",
            pl.col("segment").replace_strict(names, return_dtype=pl.String).alias("name"),
            kind.alias("kind"),
            pl.exclude("segment"),
        )
    )


def favourites(
    baskets: pl.LazyFrame, habits: pl.LazyFrame, members: pl.DataFrame, confidence: float = 0.95
) -> pl.DataFrame:
    """The category and the channel that are the favourite of the most customers of each segment.

    Takes   the tables baskets and habits; members
    Returns segment, what (category or channel), favourite, count (customers whose own favourite it
            is: bought or used most often, of several the first in the alphabet), n (customers of
            whom any is known), share, ci_lower, ci_upper, share_of_all (of all who are in a
            segment). No rows where nothing is known
    """
    bought = baskets.select("customer_id", favourite="category", times=1)
    used = habits.select("customer_id", favourite="channel", times="events")
    both = [
        _favourite(done.drop_nulls(), label, members, confidence)
        for label, done in {"category": bought, "channel": used}.items()
    ]
    return pl.concat(both).sort(*_natural(), "what")


def _favourite(
    done: pl.LazyFrame, label: str, members: pl.DataFrame, confidence: float
) -> pl.DataFrame:
    own = (
        done.group_by("customer_id", "favourite")
        .agg(pl.col("times").sum())
        .sort("customer_id", "times", "favourite", descending=[False, True, False])
        .unique("customer_id", keep="first", maintain_order=True)
        .collect()
    )
    chosen = members.join(own, on="customer_id", maintain_order="left")
    people = pl.len().cast(pl.Int64)
    alone = chosen.unique("customer_id", keep="first", maintain_order=True)
    everyone = alone.group_by("favourite").agg(all=people).sort("favourite")
    return (
        chosen.group_by("segment", "favourite")
        .agg(count=people)
        .with_columns(n=pl.col("count").sum().over("segment"))
        .sort("segment", "count", "favourite", descending=[False, True, False])
        .unique("segment", keep="first", maintain_order=True)
        .join(everyone, on="favourite", maintain_order="left")
        .with_columns(share=pl.col("count") / pl.col("n"))
        .with_columns(*wilson("count", "n", confidence))
        .select(
            "segment",
            pl.lit(label).alias("what"),
            *("favourite", "count", "n", "share", "ci_lower", "ci_upper"),
            share_of_all=pl.col("all") / alone.height,
        )
    )


def sizes_headline(segments: pl.DataFrame) -> str:
    """How many segments there are and which is the largest, in a sentence."""
    if segments.is_empty():
        return "No cluster is a segment, and the book has no rules"
    largest = segments.sort("n", "segment", descending=[True, False]).row(0, named=True)
    many = f"{segments.height} segments" if segments.height > 1 else "One segment"
    return (
        f"{many}; the largest: {largest['name']}, {largest['share_of_customers']:.0%} of customers"
    )


def definition(currency: str, *further: str) -> str:
    """What the table of segments holds, for the page, and what is to be said ``further``."""
    said = (
        "Shares are of the current customers and of what they paid in the last 365 days; further "
        f"columns are medians in the feature's own unit, amounts in {currency}. A cluster "
        "that cannot be trusted, and noise, is no segment."
    )
    return " ".join([said, *filter(None, further)])


def hide_few(favourites: pl.DataFrame, columns: list[str], min_cell: int) -> pl.DataFrame:
    """``favourites`` with ``columns`` null where fewer than ``min_cell`` customers chose it, or all
    but fewer, and n null where it is below."""
    count, n = pl.col("count"), pl.col("n")
    few = (count < min_cell) | (n - count).is_between(1, min_cell - 1)
    shown = favourites.with_columns(pl.when(~few).then(name).alias(name) for name in columns)
    return shown.with_columns(n=pl.when(n >= min_cell).then(n)).drop("count")


def certainty(clusters: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """Quartiles of membership by segment: segment, n, lower, median, upper."""
    membership = pl.col("membership")
    return (
        members.join(clusters, on="customer_id")
        .group_by("segment", maintain_order=True)
        .agg(
            n=pl.len().cast(pl.Int64),
            lower=membership.quantile(0.25, "linear"),
            median=membership.median(),
            upper=membership.quantile(0.75, "linear"),
        )
        .sort(*_natural())
    )


def picture(points: np.ndarray, segments: pl.Series, names: dict[str, str]) -> pl.DataFrame:
    """Customers in two dimensions, for a chart: x, y (principal components), segment, name, n.

    Takes   ``points`` on the scale on which customers were compared; of the same rows
            ``segments``, null = in none
    Returns at most `POINTS` customers, a seeded sample of more; n counts all of the segment
    """
    if not len(points):
        return pl.DataFrame(schema={"x": pl.Float64, "y": pl.Float64, "segment": pl.String})
    centred = points - points.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :2].T
    largest = np.abs(axes).argmax(axis=1)
    flat = centred @ (axes * np.sign(axes[range(len(axes)), largest])[:, None]).T
    table = pl.DataFrame(
        {"x": flat[:, 0], "y": flat[:, -1], "segment": segments.cast(pl.String)}
    ).with_columns(
        pl.col("segment").replace_strict(names, default=None, return_dtype=pl.String).alias("name"),
        n=pl.len().over("segment"),
    )
    few = np.sort(np.random.default_rng(0).permutation(len(points))[:POINTS])
    return table[few]


def _natural() -> tuple[pl.Expr, pl.Expr]:
    """Sorts s2 before s10."""
    return pl.col("segment").str.len_chars(), pl.col("segment")
