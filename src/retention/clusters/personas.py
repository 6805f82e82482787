"""What segments are like: size, behaviour in its own units, what sets each apart, and a name."""

from functools import partial

import polars as pl

from retention import charts, schema
from retention.clusters import rule_segments
from retention.clusters.clusters import Clustering
from retention.clusters.previous_segments import NATURAL, RULE, STRATUM
from retention.exhibit import Exhibit
from retention.refresh import Refresh
from retention.stats import scaling

CLEAR = 0.25  # interquartile ranges from which on a trait may name a segment
USUAL = ("days_since_last_activity", "active_days_90d", "amount_cents_365d", "tenure_days")
IN_ORDER = (pl.col("segment").str.len_chars(), pl.col("segment"))  # s2 before s10
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


def profile(found: Clustering, segments: pl.Series) -> pl.DataFrame:
    """What sets natural groups apart: segment, trait, difference.

    Takes   the compared customers; of the same rows ``segments``, null = in none
    Returns difference: the segment's median minus that of all compared customers, in interquartile
            ranges of all. No rows where nobody is in a segment
    """
    features = found.of.table.columns[1:]
    compared = scaling.compared(found.of.table, found.of.logged)
    return (
        pl.DataFrame(scaling.scaled(compared, compared), schema=features)
        .with_columns(segments.cast(pl.String).alias("segment"))
        .drop_nulls("segment")
        .group_by("segment", maintain_order=True)
        .agg(pl.col(features).median())
        .unpivot(index="segment", variable_name="trait", value_name="difference")
        .sort(*IN_ORDER, "trait")
    )


def named(profile: pl.DataFrame, taken: list[str]) -> pl.DataFrame:
    """A plain name for every segment, the words for its two strongest traits: segment, name.

    Takes   profile; ``taken``: names that are in use, which none gets again: it is told apart by
            its third trait, or else by its id. Traits of less than CLEAR name nobody, unless
            there is no other
    """
    names, strength = {}, pl.col("difference").abs()
    ordered = profile.sort(*IN_ORDER, strength, "trait", descending=[False, False, True, False])
    for (segment,), traits in ordered.group_by("segment", maintain_order=True):
        clear = traits.filter(strength >= CLEAR)
        chosen = clear if clear.height else traits[:1]
        words = list(dict.fromkeys(map(_words, chosen["trait"], chosen["difference"])))
        sayings = [", ".join(words[:many]).capitalize() for many in (2, 3)]
        sayings.append(f"{sayings[0]} ({segment})")
        names[segment] = next(one for one in sayings if one not in {*taken, *names.values()})
    columns = {"segment": pl.String, "name": pl.String}
    return pl.DataFrame(list(names.items()), columns, orient="row")


def _words(trait: str, difference: float) -> str:
    plain = schema.label(trait).lower()
    high, low = TRAITS.get(trait, (f"high {plain}", f"low {plain}"))
    return high if difference > 0 else low


def profiles(r: Refresh, found: Clustering) -> Exhibit:
    """How far every segment lies from the typical customer in each trait."""
    table = profile(found, place(found, core(r, found)))
    labels = {trait: schema.label(trait) for trait in table["trait"]}
    heat = partial(charts.heat_map, row="trait", column="segment", value="difference")
    return Exhibit(
        table.with_columns(pl.col("trait").replace(labels)),
        lambda _: _stands_out(table, dict(names(r).select("segment", "name").iter_rows())),
        draw=partial(heat, span=(-2, 2), title="Interquartile ranges from the median"),
        empty="There is no natural group to describe.",
    )


def _stands_out(profile: pl.DataFrame, names: dict[str, str]) -> str:
    """The segment and trait that lie farthest from the middle of all, in a sentence."""
    farthest = profile.sort(pl.col("difference").abs(), "segment", "trait", descending=True)
    segment, trait, difference = farthest.row(0)
    return f"{names[segment]} ({segment}) stands out most: {_words(trait, difference)}"


def names(r: Refresh) -> pl.DataFrame:
    """Every segment that is known, and those of the book's rules: segment, name, kind."""
    known = r.tables.known_segments.select("segment", "name", "kind")
    rules = [(segment, rule.name, RULE) for segment, rule in r.book.segments.items()]
    return pl.concat([known, pl.DataFrame(rules, known.schema, orient="row")])


def core(r: Refresh, found: Clustering) -> pl.DataFrame:
    """Who is in a natural group itself, not only near one: customer_id, segment."""
    natural = names(r).filter(kind=NATURAL)
    near = r.tables.clusters.filter(pl.col("nearest_segment").is_not_null())
    own = r.tables.members.join(natural, on="segment", how="semi")
    return own.join(near, on="customer_id", how="anti").select("customer_id", "segment")


def place(found: Clustering, members: pl.DataFrame) -> pl.Series:
    """The natural group of every compared customer; null = in none."""
    return found.table.join(members, on="customer_id", how="left", maintain_order="left")["segment"]


def segment_table(
    members: pl.DataFrame, customers: pl.DataFrame, features: list[str], names: pl.DataFrame
) -> pl.DataFrame:
    """Size and typical behaviour of every segment.

    Takes   members: customer_id, segment; customers_at; names: segment, name, kind, grade
    Returns the table "segments": segment, name, kind, grade, n, share_of_customers (of the current
            ones), share_of_amount (of their last 365 days; null where nobody paid), and the median
            of every feature
    """
    current = customers.filter(standing="current")
    total = current["amount_cents_365d"].sum() or None
    return (
        members.join(names, on="segment")
        .join(current, on="customer_id")
        .group_by("segment", "name", "kind", "grade", maintain_order=True)
        .agg(
            n=pl.len().cast(pl.Int64),
            share_of_customers=pl.len() / current.height,
            share_of_amount=(pl.col("amount_cents_365d").sum() / total).cast(pl.Float64),
            **{name: pl.col(name).cast(pl.Float64).median() for name in features},
        )
        .sort(IN_ORDER)
    )


def segments(r: Refresh, found: Clustering, grades: dict[str, str]) -> Exhibit:
    """Every segment, its size and its typical customer: the table "segments".

    Takes   ``grades`` of strata and natural groups; rules have none
    """
    features, current = found.of.table.columns[1:], r.tables.customers_at
    shown = [*USUAL, *(name for name in features if name not in USUAL)]
    measured = [name for name in shown if name in current.columns]
    named = names(r).with_columns(grade=pl.col("segment").replace_strict(grades, default=None))
    return Exhibit(
        segment_table(r.tables.members, current, measured, named),
        _largest,
        definition=rule_segments.definition(r.book.segments, r.tables.members),
        empty="There are no segments.",
        name="segments",
    )


def by_state(r: Refresh) -> Exhibit:
    """Where in their life the customers of each stratum are: how many, and their share of it."""
    strata = names(r).filter(kind=STRATUM)
    table = (
        r.tables.members.join(strata, on="segment")
        .join(r.tables.lifecycle.select("customer_id", "lifecycle"), on="customer_id")
        .with_columns(n_group=pl.len().over("name").cast(pl.Int64))
        .group_by("segment", "name", "lifecycle")
        .agg(n=pl.len().cast(pl.Int64), n_group=pl.col("n_group").first())
        .with_columns(share_of_segment=pl.col("n") / pl.col("n_group"))
        .sort(*IN_ORDER, "lifecycle")
    )
    heat = partial(charts.heat_map, row="name", column="lifecycle", value="share_of_segment")
    return Exhibit(
        table.select("name", "lifecycle", "n", "n_group", "share_of_segment"),
        "Where in their life the customers of each stratum are",
        draw=partial(heat, span=(0, 1), title="Share of the stratum"),
        empty="There are no strata.",
    )


def _largest(segments: pl.DataFrame) -> str:
    """How many segments there are and which is the largest, in a sentence."""
    many = f"{segments.height} segments" if segments.height > 1 else "One segment"
    known = segments.drop_nulls(["n", "share_of_customers"])
    if known.is_empty():
        return many
    largest = known.sort("n", "segment", descending=[True, False]).row(0, named=True)
    return f"{many}; the largest: {largest['name']}, {largest['share_of_customers']:.0%} of all"
