"""What sets one segment apart from all other current customers: traits, stages, doings, habits.

A comparison has one row per label and group, ``this segment`` or ``others``. Customers are
counted and events added up as whole numbers, which gives the same in whatever order rows come.
"""

import polars as pl
from scipy.stats import norm

from retention import charts, schema, words
from retention.errors import Refused
from retention.exhibit import Exhibit, Finding, apart, said_of
from retention.refresh import Refresh
from retention.stats.intervals import share
from retention.stats.shares import shares

THIS, OTHERS, TOGETHER = "this segment", "others", "current customers"
WINDOW_DAYS = 90
MOST = 8  # labels that a comparison shows
NAMES = {
    "weekday": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "hours": ("night (0 to 5)", "morning (6 to 11)", "afternoon (12 to 17)", "evening (18 to 23)"),
}


def compared(r: Refresh) -> pl.DataFrame:
    """The current customers, and whether they belong to the segment that was opened: customers_at
    with lifecycle and group (this segment, others).

    Raises:
        Refused: there is no such segment; the message names those there are.
    """
    segment, known = r.space.segment, r.tables.segments["segment"]
    if segment not in known:
        there = ", ".join(known) or "none"
        raise Refused(f"there is no segment {segment!r} in this refresh (there are: {there})")
    own = r.tables.members.filter(segment=segment).select("customer_id", group=pl.lit(THIS))
    stages = r.tables.lifecycle.select("customer_id", "lifecycle")
    how = {"on": "customer_id", "validate": "1:1", "maintain_order": "left"}
    current = r.tables.customers_at.filter(standing="current").join(own, how="left", **how)
    return current.join(stages, **how).with_columns(pl.col("group").fill_null(OTHERS))


def who_is_counted(r: Refresh, current: pl.DataFrame) -> list[Finding | str]:
    """How large the segment is, what it pays, and with whom it is compared."""
    known = r.tables.segments.row(by_predicate=pl.col("segment") == r.space.segment, named=True)
    sizes = shares(current, "group", (THIS, OTHERS), "amount_cents_365d", r.confidence)
    this = r.hide(sizes).head(1).with_columns(name=pl.lit(known["name"]))
    paid = this["share_of_amount"].item()
    pays = "" if paid is None else f", with {paid:.1%} of last year's amount"
    sentence = "{name}: {n} customers, {value} of all current ones ({ci})" + pays + "."
    return [
        *said_of(this, "share_of_customers", sentence),
        f"It is a {known['kind']}. The others are all other current customers.",
    ]


def traits(r: Refresh, current: pl.DataFrame) -> Exhibit:
    """How far the segment's typical customer is from that of the others, feature by feature."""
    features = r.tables.segments.drop(schema.TABLES["segments"].columns).columns
    return Exhibit(
        differences(current, features, r.min_cell),
        _farthest,
        draw=lambda table: charts.bars(table, "trait", "difference", "lower", "upper", n="n"),
        behind=lambda table: medians(current, table["trait"].to_list()),
        definition="The bar is the difference of the medians, the line the middle half of the "
        "segment; both in interquartile ranges of all current customers (standard deviations where "
        "that range is 0). The table has the medians themselves.",
        empty="Too few customers are known to compare it by any feature.",
    )


def differences(current: pl.DataFrame, features: list[str], min_cell: int) -> pl.DataFrame:
    """How far the segment's median is from that of the others, feature by feature.

    Takes   current (see `compared`), with numeric ``features``
    Returns trait (the feature's label), n (of the segment, known), difference (of the medians),
            lower, upper (the segment's quartiles less the median of others); in interquartile
            ranges of all current customers, or in standard deviations where that range is 0. Null
            where a feature never varies

    Features known of fewer than ``min_cell`` customers of either group are left out.
    """
    rows = []
    for feature in features:
        values = current.select("group", value=pl.col(feature).cast(pl.Float64)).drop_nulls()
        this, others = (values.filter(group=group)["value"] for group in (THIS, OTHERS))
        if min(len(this), len(others)) < min_cell:
            continue
        lower, upper = (values["value"].quantile(part, "linear") for part in (0.25, 0.75))
        spread = upper - lower or values["value"].std() or None
        parts = (this.quantile(part, "linear") for part in (0.5, 0.25, 0.75))
        away = [spread and (part - others.median()) / spread for part in parts]
        rows.append((schema.label(feature), len(this), *away))
    kinds = dict.fromkeys(("difference", "lower", "upper"), pl.Float64)
    return pl.DataFrame(rows, {"trait": pl.String, "n": pl.Int64} | kinds, orient="row")


def medians(current: pl.DataFrame, traits: list[str]) -> pl.DataFrame:
    """The median of both groups in every column that is called one of ``traits``: group, n and
    these columns, each in its own unit."""
    columns = [name for name in current.columns if schema.label(name) in traits]
    found = current.group_by("group").agg(pl.len().alias("n"), pl.col(columns).median())
    return found.sort(pl.col("group") != THIS)


def _farthest(table: pl.DataFrame) -> str:
    known = table.drop_nulls("difference").sort(pl.col("difference").abs(), "trait")
    if known.is_empty():
        return "No trait varies enough to compare"
    side = "high" if known["difference"][-1] > 0 else "low"
    return f"Most different from the others: {known['trait'][-1].lower()} is {side}"


def by_stage(r: Refresh, current: pl.DataFrame) -> Exhibit:
    """Where in their life the customers of both groups are: a comparison of the share of each group
    who are in a stage, with Wilson's limits."""
    whole = current.with_columns(whole=pl.lit(1, pl.Int64))
    cells = _cells(whole.select("customer_id", "lifecycle", part="whole"), whole)
    table = cells.select("lifecycle", "group", "n", *share("n", "n_group", r.confidence))
    return _comparison(table, "Share of the customers of each group who are in the stage.")


def by_kind(r: Refresh, current: pl.DataFrame) -> Exhibit:
    """What the customers of both groups have done lately: a comparison of events per customer of
    the group, of each kind, in the last 90 days."""
    recent = r.tables.activity.filter(pl.col("day") > r.day - WINDOW_DAYS)
    done = recent.group_by("customer_id", "kind").agg(part=pl.col("events").sum())
    cells = _cells(done, current.with_columns(whole=pl.lit(1, pl.Int64)))
    table = _rates(cells, "events_per_customer", r.confidence)
    means = f"Events in the last {WINDOW_DAYS} days per customer of the group; n: who did any."
    return _comparison(table, means, f"Nothing was done in the last {WINDOW_DAYS} days.")


def by_habit(r: Refresh, customers: pl.DataFrame, by: str) -> Exhibit:
    """Through which channel, or on which weekday or hours (``by``: quarters of the day), things are
    done: a comparison of the share of a group's events, of those of which it is known.

    Takes   customers: as `compared`, or without a group: all current ones together
    """
    if "group" not in customers.columns:
        customers = customers.filter(standing="current").with_columns(group=pl.lit(TOGETHER))
    number = pl.col("hour") // 6 if by == "hours" else pl.col(by)
    known = r.tables.habits.with_columns(number.alias(by)).drop_nulls(by)
    done = known.group_by("customer_id", by).agg(part=pl.col("events").sum())
    whole = known.group_by("customer_id").agg(whole=pl.col("events").sum())
    cells = _cells(done, customers.join(whole, on="customer_id"))
    if by in NAMES:
        cells = cells.with_columns(
            pl.col(by).replace_strict(dict(enumerate(NAMES[by])), return_dtype=pl.String)
        )
    table = _rates(cells, "share_of_events", r.confidence)
    means = "Share of all events of the group's customers of which this is known; n: who had any."
    return _comparison(table, means, f"Not known in this book: {schema.label(by).lower()}.")


def _comparison(table: pl.DataFrame, means: str, empty: str = "") -> Exhibit:
    return Exhibit(table, set_apart, draw=charts.comparison, definition=means, empty=empty)


def set_apart(table: pl.DataFrame) -> str:
    """The label in which the groups of a comparison differ most; of one group, the commonest.

    Only labels count whose intervals do not touch: what may be chance sets nobody apart.
    """
    label, value = table.columns[0], table.columns[3]
    known = table.drop_nulls(value).sort(value, label)
    if known.height and set(known["group"]) == {TOGETHER}:
        share = words.printed(known[value][-1], schema.column(value).kind)
        return f"Most: {known[label][-1]}, {share}"
    found = [
        (rows[value][-1] - rows[value][0], name, ends)
        for (name,), rows in known.group_by(label, maintain_order=True)
        if (ends := apart(rows, "group", value))
    ]
    return "Most different: {1}, {2}".format(*max(found)) if found else "No clear difference"


def _cells(done: pl.DataFrame, whole: pl.DataFrame) -> pl.DataFrame:
    """What each group has done of each of the commonest labels, in order of label.

    Takes   done: customer_id, a label, part; whole: customer_id, group, whole; whole numbers
    Returns the label, group, n (customers with any), n_group, sums of part and whole, and of their
            squares and product
    """
    label = done.columns[1]
    done = done.join(whole.select("customer_id", "group", "whole"), on="customer_id")
    common = done.group_by(label).agg(pl.len()).sort("len", label, descending=[True, False])
    part, all_parts = pl.col("part"), pl.col("whole")
    groups = whole.group_by("group").agg(
        n_group=pl.len(), whole=all_parts.sum(), squares=(all_parts * all_parts).sum()
    )
    cells = done.group_by(label, "group").agg(
        n=pl.len(), part=part.sum(), own=(part * part).sum(), both=(part * all_parts).sum()
    )
    crossed = common.head(MOST).select(label).join(groups, how="cross")
    found = crossed.join(cells, on=[label, "group"], how="left")
    return found.fill_null(0).sort(label, pl.col("group") != THIS)


def _rates(cells: pl.DataFrame, name: str, confidence: float) -> pl.DataFrame:
    """A comparison of ``name``: what each group has done of every label, divided by its whole.

    Takes   what `_cells` gives

    The interval takes customers, not their events, as drawn; null where they do not vary.

    Source: Cochran (1977), Sampling Techniques, section 6.3 (ratio estimator). Checked on a slow
    literal computation in tests/segments/test_segments.py.
    """
    rate, n = pl.col(name), pl.col("n_group")
    squares = pl.col("own") - 2 * rate * pl.col("both") + rate * rate * pl.col("squares")
    error = pl.when(squares > 0, n > 1).then(squares * n / (n - 1)).sqrt() / pl.col("whole")
    half = float(norm.ppf(0.5 + confidence / 2)) * error
    most = 1 if schema.column(name).kind == "estimate" else None
    return (
        cells.with_columns((pl.col("part") / pl.col("whole")).alias(name))
        .with_columns(ci_lower=(rate - half).clip(0), ci_upper=(rate + half).clip(None, most))
        .select(cells.columns[0], "group", pl.col("n").cast(pl.Int64), name, "ci_lower", "ci_upper")
    )
