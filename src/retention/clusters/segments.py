"""What sets one segment apart from all other current customers: traits, stages, doings, habits.

A comparison has one row per label and group, ``this segment`` or ``others``. Customers are
counted and events added up as whole numbers, which gives the same in whatever order rows come.
"""

import polars as pl
from scipy.stats import norm

from retention.errors import Refused
from retention.stats.intervals import wilson

THIS, OTHERS = "this segment", "others"
WINDOW_DAYS = 90
MOST = 8  # labels that a comparison shows
PROFILE = 6  # columns of the table "segments" that stand before the features it was found by
NAMES = {
    "weekday": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "hours": ("night (0 to 5)", "morning (6 to 11)", "afternoon (12 to 17)", "evening (18 to 23)"),
}
HABIT = "Share of all events of the group's customers of which this is known; n had any."


def chosen(segments: pl.DataFrame, segment: str) -> dict:
    """The row of the table "segments" that is ``segment``.

    Raises:
        Refused: there is none; the message names those there are.
    """
    rows = segments.filter(pl.col("segment") == segment)
    if rows.is_empty():
        known = ", ".join(segments["segment"]) or "none"
        raise Refused(f"there is no segment {segment!r} in this refresh (there are: {known})")
    return rows.row(0, named=True)


def grouped(
    customers: pl.LazyFrame,
    lifecycle: pl.LazyFrame,
    members: pl.LazyFrame,
    segment: str,
    features: list[str],
) -> pl.DataFrame:
    """The current customers, and whether they belong to ``segment``.

    Takes   the tables customers_at, lifecycle and members, of which no more is read than is needed
    Returns customer_id, group, lifecycle, amount_cents_365d and the ``features``
    """
    own = members.filter(pl.col("segment") == segment).select("customer_id", group=pl.lit(THIS))
    wanted = ["customer_id", "group", "lifecycle", "amount_cents_365d", *features]
    return (
        customers.filter("in_risk_set")
        .join(own, on="customer_id", how="left", validate="1:1", maintain_order="left")
        .join(lifecycle, on="customer_id", how="inner", validate="1:1", maintain_order="left")
        .with_columns(pl.col("group").fill_null(OTHERS))
        .select(*dict.fromkeys(wanted))
        .collect()
    )


def sizes(current: pl.DataFrame, confidence: float = 0.95) -> pl.DataFrame:
    """How large the groups are: group, n, share, ci_lower, ci_upper, share_of_amount.

    ``share`` is of the current customers, ``share_of_amount`` of what they paid in the last 365
    days; null where nobody paid.
    """
    total = current["amount_cents_365d"].sum()
    spent = pl.col("amount_cents_365d").sum() / total if total else pl.lit(None, pl.Float64)
    found = current.group_by("group", maintain_order=True).agg(n=pl.len(), share_of_amount=spent)
    share = pl.col("n").truediv("n_all").alias("share")
    return (
        pl.DataFrame({"group": [THIS, OTHERS]})
        .join(found, on="group", how="left", maintain_order="left")
        .with_columns(pl.col("n").fill_null(0).cast(pl.Int64))
        .with_columns(n_all=pl.col("n").sum())
        .with_columns(share, *wilson("n", "n_all", confidence))
        .select("group", "n", "share", "ci_lower", "ci_upper", "share_of_amount")
    )


def traits(current: pl.DataFrame, features: list[str], min_cell: int) -> pl.DataFrame:
    """How far the segment's typical customer lies from that of the others, feature by feature.

    Takes   current (see `grouped`), with numeric ``features``
    Returns feature, n (of the segment, known), median, median_of_others (in the feature's own
            unit), difference (of the medians), lower, upper (the segment's quartiles less the
            median of others); the last three in interquartile ranges of all current customers,
            or in standard deviations where that range is 0. Null where a feature never varies

    Features known of fewer than ``min_cell`` customers of either group are left out.
    """
    value, group = pl.col("value"), pl.col("group")
    this, others = value.filter(group == THIS), value.filter(group == OTHERS)
    middle = value.quantile(0.75, "linear") - value.quantile(0.25, "linear")
    spread = pl.when(pl.col("middle") > 0).then("middle").otherwise("deviation")
    found = {"difference": "median", "lower": "lower", "upper": "upper"}
    return (
        current.select("group", pl.col(features).cast(pl.Float64))
        .unpivot(index="group", variable_name="feature")
        .drop_nulls("value")
        .group_by("feature", maintain_order=True)
        .agg(
            this.len().cast(pl.Int64).alias("n"),
            others.len().alias("n_others"),
            this.median().alias("median"),
            others.median().alias("median_of_others"),
            this.quantile(0.25, "linear").alias("lower"),
            this.quantile(0.75, "linear").alias("upper"),
            middle.alias("middle"),
            value.std().alias("deviation"),
        )
        .filter(pl.col("n") >= min_cell, pl.col("n_others") >= min_cell)
        .with_columns(spread=pl.when(spread > 0).then(spread))
        .with_columns(
            ((pl.col(old) - pl.col("median_of_others")) / pl.col("spread")).alias(new)
            for new, old in found.items()
        )
        .select("feature", "n", "median", "median_of_others", *found)
    )


def shares(current: pl.DataFrame, label: str, confidence: float = 0.95) -> pl.DataFrame:
    """How the customers of each group are spread over the values of ``label``.

    Takes   current (see `grouped`), with the column ``label``
    Returns a comparison: ``label``, group, n (customers), share, ci_lower, ci_upper (Wilson)
    """
    groups = current.group_by("group").agg(n_group=pl.len()).sort("group")
    cells = current.group_by(label, "group").agg(n=pl.len()).sort(label, "group")
    share = pl.col("n").truediv("n_group").alias("share")
    return (
        _crossed(cells, groups, label)
        .with_columns(share, *wilson("n", "n_group", confidence))
        .select(label, "group", "n", "share", "ci_lower", "ci_upper")
    )


def kinds(
    activity: pl.LazyFrame, current: pl.DataFrame, snapshot_day: int, confidence: float = 0.95
) -> pl.DataFrame:
    """How many events of each kind a customer has had in the last 90 days.

    Takes   activity: customer_id, day, kind, events; current (see `grouped`)
    Returns a comparison: kind, group, n (customers with any), events_per_customer (of all the
            customers of the group), ci_lower, ci_upper
    """
    recent = activity.filter(pl.col("day") > snapshot_day - WINDOW_DAYS)
    done = _added(recent, current, "kind").with_columns(whole=pl.lit(1, pl.Int64))
    whole = current.select("group", whole=pl.lit(1, pl.Int64))
    return _rates(done, whole, "events_per_customer", confidence)


def habits(
    habits: pl.LazyFrame, current: pl.DataFrame, by: str, confidence: float = 0.95
) -> pl.DataFrame:
    """Which share of a group's events happen through each channel, or on each weekday or hours.

    Takes   habits: customer_id, channel, weekday, hour, events; current (see `grouped`); ``by``:
            channel, weekday or hours (quarters of the day)
    Returns a comparison: ``by``, group, n (customers with any), share_of_events, ci_lower,
            ci_upper; only events of which it is known. No rows where it never is
    """
    number = pl.col("hour") // 6 if by == "hours" else pl.col(by)
    known = habits.with_columns(number.alias(by)).drop_nulls(by)
    done = _added(known, current, by).with_columns(whole=pl.col("part").sum().over("who"))
    whole = done.unique("who", maintain_order=True)
    names = pl.col(by)
    if by in NAMES:
        names = names.replace_strict(dict(enumerate(NAMES[by])), return_dtype=pl.String)
    return _rates(done, whole, "share_of_events", confidence).with_columns(
        names, pl.col("ci_upper").clip(upper_bound=1)
    )


def standing_out(name: str, traits: pl.DataFrame) -> str:
    """The trait in which the segment called ``name`` differs most, in a sentence."""
    known = traits.drop_nulls("difference").sort(pl.col("difference").abs(), "feature")
    if known.is_empty():
        return f"Too little is known to compare {name}"
    row = known.row(-1, named=True)
    side = "high" if row["difference"] > 0 else "low"
    return f"{name} stands out most: {row['feature'].replace('_', ' ')} is {side}"


def set_apart(name: str, compared: pl.DataFrame) -> str:
    """The label in which the segment called ``name`` differs most, in a sentence.

    Takes   a comparison, of which only labels count whose intervals do not touch: what may be
            chance sets nobody apart
    """
    label, value = compared.columns[0], pl.col(compared.columns[3])
    lower, upper = (pl.col(end).fill_null(value) for end in ("ci_lower", "ci_upper"))
    above, below = lower.first() - upper.last(), lower.last() - upper.first()
    apart = (
        compared.drop_nulls(compared.columns[3])
        .group_by(label, maintain_order=True)
        .agg(difference=value.first() - value.last(), gap=pl.max_horizontal(above, below))
        .filter(pl.col("gap") > 0)
        .sort(pl.col("difference").abs(), label)
    )
    if apart.is_empty():
        return f"Nothing here sets {name} clearly apart from the others"
    row = apart.row(-1, named=True)
    side = "more" if row["difference"] > 0 else "less"
    return f"{name} differs most from the others: {side} {row[label]}"


def _added(rows: pl.LazyFrame, current: pl.DataFrame, label: str) -> pl.DataFrame:
    """Events of the current customers by ``label``: ``label``, group, who (a number), part."""
    who = current.lazy().select("customer_id", "group").with_row_index("who")
    return (
        rows.join(who, on="customer_id")
        .group_by(label, "group", "who", maintain_order=True)
        .agg(part=pl.col("events").sum())
        .collect()
    )


def _rates(done: pl.DataFrame, whole: pl.DataFrame, name: str, confidence: float) -> pl.DataFrame:
    """A comparison of ``name``: what each group has done of every label, divided by its whole.

    Takes   done: the label, group, who, part, whole (of that customer; whole numbers)
            whole: one row per customer who counts: group, whole

    The interval takes customers, not their events, as drawn; null where they do not vary.

    Source: Cochran (1977), Sampling Techniques, section 6.3 (ratio estimator). Checked on a slow
    literal computation in tests/test_segments.py.
    """
    label, part, total = done.columns[0], pl.col("part"), pl.col("whole")
    groups = (
        whole.group_by("group")
        .agg(n_group=pl.len(), total=total.sum(), squares=(total * total).sum())
        .sort("group")
    )
    cells = (
        done.group_by(label, "group")
        .agg(n=pl.len(), part=part.sum(), own=(part * part).sum(), both=(part * total).sum())
        .sort(label, "group")
    )
    rate, n = pl.col(name), pl.col("n_group")
    apart = pl.col("own") - 2 * rate * pl.col("both") + rate * rate * pl.col("squares")
    error = (pl.when(apart > 0, n > 1).then(apart * n / (n - 1))).sqrt() / pl.col("total")
    half = float(norm.ppf(0.5 + confidence / 2)) * error
    return (
        _crossed(cells, groups, label)
        .with_columns(pl.col("part").truediv("total").alias(name))
        .with_columns(ci_lower=(rate - half).clip(lower_bound=0), ci_upper=rate + half)
        .select(label, "group", "n", name, "ci_lower", "ci_upper")
    )


def _crossed(cells: pl.DataFrame, groups: pl.DataFrame, label: str) -> pl.DataFrame:
    """Each of the commonest labels with each group, counts of 0 included; in order of label."""
    most = cells.group_by(label).agg(pl.col("n").sum()).sort("n", label, descending=[True, False])
    return (
        most.head(MOST)
        .select(label)
        .join(groups, how="cross")
        .join(cells, on=[label, "group"], how="left")
        .with_columns(pl.col(cells.columns[2:]).fill_null(0).cast(pl.Int64))
        .sort(label, pl.col("group") != THIS)
    )
