"""What was foretold at an earlier day beside what came: in all, by week, by kind of customer.

Foretold and happened are functions of days ahead that give a number for each customer: purchases,
or days under contract (see `analysis.prospects`).
"""

from collections.abc import Callable

import numpy as np
import polars as pl
from scipy.stats import norm

from retention.book import Churn

Ahead = Callable[[float], np.ndarray]
WEEK = 7
TENURES = (90, 180, 365, 730)  # days; the ends of groups by tenure
MEASURES = {"activity": "purchases", "contract": "days under contract"}
WITHIN = ["measure", "by", "model"]  # groups whose rows add up
LAST = 64  # purchases from which on all are one group
SCHEMA = {"measure": pl.String, "by": pl.String, "group": pl.String, "model": pl.String}
SCHEMA |= dict.fromkeys(("n", "active"), pl.Int64)
SCHEMA |= dict.fromkeys(("actual", "ci_lower", "ci_upper", "predicted", "rmse"), pl.Float64)


def horizon(activity: pl.LazyFrame, terms: pl.LazyFrame, churn: Churn, day: int, most: int) -> int:
    """Days held out before ``day``: ``most``, but never more than half of the data."""
    days = (
        terms.select(first="started_day")
        if churn.kind == "contract"
        else activity.filter(pl.col("orders") > 0).select(first="day")
    )
    first = days.collect()["first"].min()
    return min(most, (day - (day if first is None else first)) // 2)


def compare(
    models: dict[str, Ahead],
    happened: Ahead,
    known: pl.DataFrame,
    churn: Churn,
    *,
    horizon_days: int,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """What each model foretold of the ``known`` beside what happened.

    Returns the table "value_holdout" without amounts: measure, by (total; week; purchases so far,
            or tenure), group, model, n (customers), active (those of whom there was any), actual
            (per customer), its ci_lower and ci_upper (customers as drawn), predicted (per
            customer), rmse (over customers; null of a week). No rows where nothing was foretold
    """
    name, groups = _groups(known, churn)
    divided, rows = {"total": np.full(known.height, "all"), name: groups}, []
    for model, ahead in models.items():
        came, said = happened(horizon_days), ahead(horizon_days)
        for by, labels in divided.items():
            for group in _in_order(labels):
                own = labels == group
                rows.append((by, group, model, *_row(came[own], said[own], confidence)))
        weeks = _weeks(ahead, happened, horizon_days, confidence)
        rows += [("week", f"{week:02}", model, *row) for week, row in enumerate(weeks, 1)]
    measure = MEASURES[churn.kind]
    return pl.DataFrame([(measure, *row) for row in rows], SCHEMA, orient="row")


def amounts(
    models: dict[str, Ahead],
    cents: np.ndarray,
    happened: Ahead,
    horizon_days: int,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """The same of amounts, in cents and in all: units expected times what each brings.

    Takes   cents: what a purchase, or a day, of each customer is expected to bring; customers of
            whom that is not known are left out; happened: of cents
    """
    priced, rows = ~np.isnan(cents), []
    for model, ahead in models.items() if priced.any() else ():
        said = (ahead(horizon_days) * cents)[priced]
        row = _row(happened(horizon_days)[priced], said, confidence)
        rows.append(("amount in cents", "total", "all", model, *row))
    return pl.DataFrame(rows, SCHEMA, orient="row")


def error(table: pl.DataFrame, measure: str = "", model: str = "ours") -> float | None:
    """By how much the total that was foretold was too high (a share; below 0 too low)."""
    rows = table.filter(pl.col("by") == "total", pl.col("model") == model)
    rows = rows.filter(pl.col("measure") == measure) if measure else rows
    if rows.is_empty() or not rows["actual"][0]:
        return None
    return rows["predicted"][0] / rows["actual"][0] - 1


def verdict(compared: pl.DataFrame, amounts: pl.DataFrame) -> str:
    """What the holdout says of the sums, in a sentence with {value}, {days} and {n}."""
    if error(compared) is None:
        return "Too little is known of {n} customers, {days} days before the snapshot, to hold out."
    off = error(amounts)
    money = "" if off is None else f" Their amounts were off by {off:+.1%}.".replace("-", "−")
    counted = compared["measure"][0]
    return (
        f"Of the {{n}} customers known {{days}} days before the snapshot, the {counted} foretold "
        f"since were off by {{value}} in all (above zero: too many).{money}"
    )


def totals(table: pl.DataFrame) -> pl.DataFrame:
    """The rows of all customers: measure, model, n, active, actual, limits, predicted, rmse."""
    return table.filter(pl.col("by") == "total").drop("by", "group")


def worst(table: pl.DataFrame) -> str:
    """The group of customers of whom the forecast was furthest off, in a sentence."""
    rows = table.filter(pl.col("model") == "ours", ~pl.col("by").is_in(["week", "total"]))
    outside = (pl.col("predicted") < pl.col("ci_lower")) | (
        pl.col("predicted") > pl.col("ci_upper")
    )
    known = rows.drop_nulls("ci_lower")
    off = known.filter(outside).with_columns(_off=(pl.col("predicted") - pl.col("actual")).abs())
    if known.is_empty():
        return "No group can be compared"
    if off.is_empty():
        return "In every group what came agrees with the forecast, within what chance allows"
    row = off.sort("_off", "group").row(-1, named=True)
    side = "many" if row["predicted"] > row["actual"] else "few"
    return f"Furthest off, by {row['by']}: {row['group']}, for whom too {side} were foretold"


def headline(table: pl.DataFrame) -> str:
    """How far the forecast and what it is held against were off, in a sentence."""
    off = {model: error(table, model=model) for model in table["model"].unique(maintain_order=True)}
    off = {model: share for model, share in off.items() if share is not None}
    if "ours" not in off:
        return "Nothing could be held out"
    others = ", ".join(f"{name} by {share:+.1%}" for name, share in off.items() if name != "ours")
    return f"The forecast was off by {off['ours']:+.1%} in all; {others}".replace("-", "−")


def weekly(table: pl.DataFrame) -> pl.DataFrame:
    """The rows by week, for the chart."""
    return table.filter(pl.col("by") == "week").with_columns(week=pl.col("group").cast(pl.Int64))


def by_group(table: pl.DataFrame) -> pl.DataFrame:
    """The rows by kind of customer, what happened as one of the models: for `charts.comparison`.

    Returns group, model ("actual" first), n, a column named by what is counted per customer,
            ci_lower, ci_upper (of what happened)
    """
    rows = table.filter(~pl.col("by").is_in(["week", "total"]))
    first = rows["model"].unique(maintain_order=True).head(1).to_list()
    of = ["group", "model", "n", "actual", "ci_lower", "ci_upper"]
    nothing = [pl.lit(None, pl.Float64).alias(name) for name in of[4:]]
    came = rows.filter(pl.col("model").is_in(first)).with_columns(model=pl.lit("actual"))
    said = rows.with_columns(pl.col("predicted").alias("actual"), *nothing)
    order = rows["group"].unique(maintain_order=True).to_list()
    both = pl.concat([came.select(of), said.select(of)]).drop_nulls("actual")
    place = pl.col("group").replace_strict(dict(zip(order, range(len(order)), strict=True)))
    named = both.sort(place, maintain_order=True) if both.height else both
    return named.rename({"actual": "per customer"})


def definition(churn: Churn, horizon_days: int, confidence: float) -> str:
    """What is compared, for the page."""
    rivals = {
        "activity": "BG/NBD takes who bought only once to be alive for ever, and who went to be "
        "gone for ever",
        "contract": "One rate takes all to leave at the same daily rate",
    }
    return (
        f"Both learnt what was known {horizon_days} days before the snapshot, and foretold "
        f"{MEASURES[churn.kind]} per customer known then. {rivals[churn.kind]}. Intervals "
        f"({confidence:.0%}) are of what happened, with customers as drawn."
    )


def _weeks(ahead: Ahead, happened: Ahead, horizon_days: int, confidence: float) -> list[tuple]:
    """What `_row` gives for each whole week, without the RMSE."""
    rows, before = [], (0.0, 0.0)
    for week in range(1, horizon_days // WEEK + 1):
        now = happened(week * WEEK), ahead(week * WEEK)
        came, said = (part - earlier for part, earlier in zip(now, before, strict=True))
        rows.append((*_row(came, said, confidence)[:-1], None))
        before = now
    return rows


def _row(came: np.ndarray, said: np.ndarray, confidence: float) -> tuple:
    """n, active, actual, its limits, predicted, rmse."""
    n, mean = len(came), came.mean()
    half = norm.ppf(0.5 + confidence / 2) * came.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
    limits = (max(mean - half, 0.0), mean + half) if np.isfinite(half) else (None, None)
    rmse = float(np.sqrt(((said - came) ** 2).mean()))
    return n, int((came > 0).sum()), float(mean), *limits, float(said.mean()), rmse


def _groups(known: pl.DataFrame, churn: Churn) -> tuple[str, np.ndarray]:
    """What customers are divided by, and the group of each, as text."""
    if churn.kind == "contract":
        edges = np.array(TENURES)
        names = [f"up to {edge} days" for edge in TENURES] + [f"over {TENURES[-1]} days"]
        place = np.searchsorted(edges, known["tenure_days"].to_numpy())
        return "tenure", np.array(names)[place]
    bought = np.minimum(known["frequency"].to_numpy() + 1, LAST)
    lower = 2 ** np.floor(np.log2(bought)).astype(int)
    return "purchases so far", np.array([_span(int(low)) for low in lower])


def _span(low: int) -> str:
    """Doubling groups: 1, 2 to 3, 4 to 7, ..., 64 or more."""
    if low == 1:
        return "1"
    return f"{low} or more" if low >= LAST else f"{low} to {2 * low - 1}"


def _in_order(labels: np.ndarray) -> list[str]:
    """The groups, those of smaller numbers first."""
    number = {
        label: [int(part) for part in str(label).split() if part.isdigit()] for label in labels
    }
    return sorted(number, key=lambda label: (number[label], str(label).startswith("over")))
