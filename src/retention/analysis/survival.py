"""How long customers stay: Kaplan-Meier curves and the log-rank test.

lifelines does the estimating. Spells that are excluded (unknown
start, too new to judge) must have been left out: `observed` does that.
"""

import numpy as np
import polars as pl
from lifelines import KaplanMeierFitter
from scipy.stats import chi2

from retention.book import Churn
from retention.errors import Refused
from retention.tables import promises

SURVIVAL = ("survival", "ci_lower", "ci_upper")
CURVE = {
    **dict.fromkeys(("duration_days", "at_risk", "events"), pl.Int64),
    **dict.fromkeys(SURVIVAL, pl.Float64),
}


def observed(spells: pl.DataFrame, customers: pl.DataFrame | None = None) -> pl.DataFrame:
    """First spells that duration tables may use, with what was known at their start.

    Takes   spells (one row per customer and spell); customers_at (one row per customer)
    Returns one row per customer whose first spell is not excluded, in order of customer_id:
            customer_id, duration_days (>= 1), event_observed, entry_days (days already lived on
            entering observation; 0 = seen from the start), started (text: the month, quarter or
            year of the start, the finest that makes at most 6 groups), cause, plan, attributes

    Features are left out: they are measured after the start and would leak the end.
    """
    first = spells.filter(pl.col("spell") == 1, pl.col("excluded").is_null()).select(
        "customer_id",
        "duration_days",
        "event_observed",
        (pl.col("entry_day") - pl.col("start_day")).alias("entry_days"),
        pl.from_epoch("start_day", time_unit="d").alias("started"),
        "cause",
        "plan",
    )
    first = first.with_columns(_period(first["started"]))
    if customers is not None:
        later = {*promises.PROMISES["customers_at"].columns, "plan"} - {"customer_id"}
        attributes = customers.drop(later & set(customers.columns))
        first = first.join(attributes, on="customer_id", how="left", validate="1:1")
    return first.sort("customer_id")


def collapse(
    observed: pl.DataFrame, columns: list[str], min_cell: int, most: int = 12
) -> pl.DataFrame:
    """``observed`` with the levels of text ``columns`` that are small or too many as "other".

    Every level left stands for at least ``min_cell`` customers, so that none can be found again
    by taking the others from all; at most ``most`` are left. The unknown is a level of its own.

    Raises:
        Refused: a column is not there.
    """
    for name in columns:
        if name not in observed.columns:
            known = ", ".join(observed.columns)
            raise Refused(f"no attribute {name!r} is known at the start (there are: {known})")
    texts = [name for name in dict.fromkeys(columns) if not observed[name].dtype.is_numeric()]
    return observed.with_columns(_collapsed(observed[name], min_cell, most) for name in texts)


def kaplan_meier(
    observed: pl.DataFrame, by: str | None = None, confidence: float = 0.95, least: int = 1
) -> pl.DataFrame:
    """Estimate the share of customers still active after each day since their start.

    Takes   one row per customer: duration_days (days, >= 1), event_observed (bool)[, entry_days]
            [, by]
    Returns one row per group and day on which anything happened, in order: by, group,
            duration_days, at_risk (customers), events (ends on that day), survival, ci_lower,
            ci_upper (0 to 1). A curve has the days on which at least ``least`` are at risk: it
            begins, at 1, on the first from which they are (day 0 unless customers enter late; a
            later one makes it the share given that they were still active then), and stops with
            the last. It has no rows where so many never are.

    Raises:
        Refused: there are no customers, or ``confidence`` is not between 0 and 1.

    Source: Kaplan and Meier (1958), JASA 53:457; log-log limits after Kalbfleisch and Prentice
    (2002), section 1.4; late entry as delayed entry into the risk set. Checked on Freireich's and
    Walton's data and by hand in tests/test_survival.py.
    """
    if observed.is_empty():
        raise Refused("kaplan_meier needs at least one customer")
    if not 0 < confidence < 1:
        raise Refused(f"confidence must lie between 0 and 1, got {confidence}")
    if by is None:
        return _curve(observed, confidence, least).select(
            pl.lit("all").alias("by"), pl.lit("all").alias("group"), pl.all()
        )
    groups = observed.with_columns(_group(by)).sort("group").group_by("group", maintain_order=True)
    return pl.concat(
        _curve(frame, confidence, least).select(
            pl.lit(by).alias("by"), pl.lit(group).alias("group"), pl.all()
        )
        for (group,), frame in groups
    )


def together(*curves: pl.DataFrame) -> pl.DataFrame:
    """Several sets of curves as one table, each group once."""
    return pl.concat(curves).unique(["by", "group", "duration_days"], maintain_order=True)


def definition(churn: Churn, confidence: float, min_cell: int) -> str:
    """What the curves mean, for the page."""
    left = (
        f"{churn.after_days} days of silence, counted from the last active day"
        if churn.kind == "activity"
        else f"out of contract for {churn.after_days} days, counted from the end of the contract"
    )
    return (
        "Share of customers still active, by days since their start (Kaplan-Meier). Left means: "
        f"{left}. Bands: "
        f"{confidence:.0%} limits (log-log). Drawn where at least {min_cell} are at risk; a curve "
        "that begins later than day 0 is the share of those who were still active then."
    )


def median_days(curve: pl.DataFrame) -> int | None:
    """The first day at whose end at most half of one curve's customers are still active.

    None where the curve ends before; checked on Freireich's and Walton's data.
    """
    return curve.filter(pl.col("survival") <= 0.5)["duration_days"].min()


def headline(curve: pl.DataFrame) -> str:
    """What one curve says about the median, in a sentence."""
    median = median_days(curve)
    if curve.is_empty():
        return "Too few customers for a curve"
    if median is None:
        return f"More than half are still active after {curve['duration_days'].max():,} days"
    n = curve["at_risk"].max()
    return f"Half of {n:,} customers with a known start have left by day {median:,}"


def survival_at(curves: pl.DataFrame, days: list[int]) -> pl.DataFrame:
    """The curves read at ``days``; null before a curve's first day and beyond its last.

    Takes   survival curves; returns by, group, duration_days, survival, ci_lower, ci_upper
    """
    groups = curves.group_by("by", "group", maintain_order=True).agg(
        pl.col("duration_days").max().alias("last_day")
    )
    grid = groups.join(pl.DataFrame({"duration_days": sorted(days)}), how="cross")
    read = grid.sort("duration_days").join_asof(
        curves.sort("duration_days").select("by", "group", "duration_days", *SURVIVAL),
        on="duration_days",
        by=["by", "group"],
        check_sortedness=False,
    )
    seen = pl.col("duration_days") <= pl.col("last_day")
    return (
        read.with_columns(pl.when(seen).then(pl.col(name)).alias(name) for name in SURVIVAL)
        .drop("last_day")
        .sort("by", "group", "duration_days")
    )


def log_rank(observed: pl.DataFrame, by: str) -> pl.DataFrame:
    """Test whether the groups of ``by`` share one survival curve.

    Takes   one row per customer: duration_days, event_observed[, entry_days], by
    Returns one row: by, test, n, statistic (chi-squared), df, p_value; no row where there are
            fewer than two groups to compare

    Source: Mantel (1966); with late entry the risk sets shrink accordingly (lifelines' test has
    none). Weak where curves cross. Checked on Walton's data and against lifelines in
    tests/test_survival.py.
    """
    frame = observed.with_columns(_group(by))
    groups = frame["group"].unique().sort().to_list()
    times = frame.filter("event_observed")["duration_days"].unique().sort().to_numpy()
    per_group = [_at_risk_and_events(frame.filter(group=group), times) for group in groups]
    at_risk, events = (np.array(part, dtype=float) for part in zip(*per_group, strict=True))
    n, d = at_risk.sum(axis=0), events.sum(axis=0)
    share = at_risk / n
    difference = (events - share * d).sum(axis=1)[:-1]
    spread = d * (n - d) / np.maximum(n - 1, 1)
    covariance = np.diag((share * spread).sum(axis=1)) - (share * spread) @ share.T
    statistic = float(difference @ np.linalg.pinv(covariance[:-1, :-1]) @ difference)
    df = len(groups) - 1
    return pl.DataFrame(
        {
            "by": [by],
            "test": ["log-rank"],
            "n": [frame.height],
            "statistic": [statistic],
            "df": [df],
            "p_value": [float(chi2.sf(statistic, df))],
        }
    ).head(df)


def _at_risk_and_events(frame: pl.DataFrame, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Customers at risk just before, and ends at, each of ``times``."""
    durations = np.sort(frame["duration_days"].to_numpy())
    ends = np.sort(frame.filter("event_observed")["duration_days"].to_numpy())
    at_risk = frame.height - np.searchsorted(durations, times)
    if "entry_days" in frame.columns:
        entries = np.sort(frame["entry_days"].to_numpy())
        at_risk = at_risk - (frame.height - np.searchsorted(entries, times))
    return at_risk, np.searchsorted(ends, times, "right") - np.searchsorted(ends, times)


def _curve(frame: pl.DataFrame, confidence: float, least: int) -> pl.DataFrame:
    begin = _begin(frame, least)
    entry = (
        frame["entry_days"] if "entry_days" in frame.columns else pl.zeros(frame.height, eager=True)
    )
    there = frame.with_columns(entry.clip(begin).alias("entry_days"))
    there = there.filter(pl.col("duration_days") > begin)
    if there.is_empty():
        return pl.DataFrame(schema=CURVE)
    entry = there["entry_days"].to_numpy()
    fitter = KaplanMeierFitter(alpha=1 - confidence).fit(
        there["duration_days"].to_numpy(),
        there["event_observed"].to_numpy(),
        entry=entry if (entry > begin).any() else None,
    )
    table = fitter.event_table
    limits = fitter.confidence_interval_
    curve = pl.DataFrame(
        {
            "duration_days": table.index.to_numpy(),
            "at_risk": table["at_risk"].to_numpy(),
            "events": table["observed"].to_numpy(),
            "survival": fitter.survival_function_.iloc[:, 0].to_numpy(),
            "ci_lower": limits.iloc[:, 0].to_numpy(),
            "ci_upper": limits.iloc[:, 1].to_numpy(),
        }
    ).cast(CURVE)
    first = pl.DataFrame(
        [(begin, int((entry <= begin).sum()), 0, 1.0, 1.0, 1.0)], CURVE, orient="row"
    )
    later = curve.filter((pl.col("duration_days") > begin) & (pl.col("at_risk") > 0))
    whole = pl.concat([first, later])
    return whole.filter((pl.col("at_risk") >= least).cum_prod().cast(pl.Boolean))


def _begin(frame: pl.DataFrame, least: int) -> int:
    """The first day from which ``least`` customers are at risk, after the last on which all left.

    Beyond every duration where so many never are.
    """
    if "entry_days" not in frame.columns or not (frame["entry_days"] > 0).any():
        return 0
    times = frame.filter("event_observed")["duration_days"].unique().sort().to_numpy()
    at_risk, events = _at_risk_and_events(frame, times)
    until = frame["duration_days"].max()
    emptied = max((int(day) for day in times[at_risk == events] if day < until), default=0)
    days = np.unique([emptied, *frame["entry_days"].to_list()])
    days = days[days >= emptied]
    there, _ = _at_risk_and_events(frame, days + 1)
    return int(next((day for day, n in zip(days, there, strict=True) if n >= least), until))


def _group(by: str) -> pl.Expr:
    """The grouping column as text; customers without a value are a group of their own."""
    return pl.col(by).cast(pl.String).fill_null("not known").alias("group")


def _period(started: pl.Series) -> pl.Series:
    """The month, quarter or year of each start, the finest that makes at most 6 groups."""
    year = started.dt.strftime("%Y")
    quarter = year + "-Q" + started.dt.quarter().cast(pl.String)
    periods = [started.dt.strftime("%Y-%m"), quarter, year]
    return next((period for period in periods if period.n_unique() <= 6), year).alias("started")


def _collapsed(column: pl.Series, min_cell: int, most: int) -> pl.Series:
    """The levels of ``column``, as text, with the smallest as "other"."""
    levels = column.cast(pl.String).fill_null("not known")
    counts = levels.value_counts().sort(["count", levels.name], descending=[True, False])
    kept = counts.filter(pl.col("count") >= min_cell)
    kept = kept if kept.height == counts.height <= most else kept.head(most - 1)
    rest = levels.len() - kept["count"].sum()
    if 0 < rest < min_cell:
        kept = kept.head(kept.height - 1)
    other = pl.lit("other")
    return pl.select(
        pl.when(levels.is_in(kept[levels.name].to_list())).then(levels).otherwise(other)
    )[:, 0].alias(column.name)
