"""Why a risk is high or low: the signals that move it most, in words."""

import numpy as np
import polars as pl

MOST = 3  # reasons of a customer
LEAST = 0.2  # log odds that a reason moves at least: about a fifth of the odds
SAID = {  # a signal: how it is said, and by how much its value is multiplied for that
    "age_risk": ("{} % of customers of the same age leave", 100),
    "active_days_28d": ("active on {} of the last 28 days", 1),
    "active_days_90d": ("active on {} of the last 90 days", 1),
    "active_days_total": ("{} active days in all", 1),
    "amount_cents_90d": ("paid {} in the last 90 days", 0.01),
    "amount_cents_365d": ("paid {} in a year", 0.01),
    "booked_end_in_days": ("end booked in {} days", 1),
    "days_since_last_activity": ("last active {} days ago", 1),
    "ended_days_ago": ("out of contract for {} days", 1),
    "order_share_90d": ("{} % of events are orders", 100),
    "silence_ratio": ("silent for {} times the own usual gap", 1),
    "usage_ratio": ("active {} times as often as before", 1),
    "usage_trend": ("does {} times as much as before", 1),
}


def reasons(
    rows: pl.DataFrame, signals: list[str], effects: np.ndarray, risk: pl.Series
) -> pl.Series:
    """The signals that raise or lower each risk most against what is usual, in words.

    Takes   rows with ``signals``; by how much each signal moves the log odds of each row; the risk,
            null where it is not known
    Returns a text per row, "raised by …; … – lowered by …", at most three signals in all, the
            strongest first; "nothing unusual" where none moves the odds by a fifth; "not known"
            where the risk is not

    Checked in tests/risk/test_reasons.py.
    """
    if risk.is_null().all():
        return pl.repeat("not known", rows.height, eager=True)
    strongest = np.argsort(-np.abs(effects), axis=1, kind="stable")[:, :MOST]
    moved = pl.from_numpy(np.take_along_axis(effects, strongest, axis=1))
    texts = rows.select(_said(rows[name]).alias(str(place)) for place, name in enumerate(signals))
    parts: dict[str, list[pl.Expr]] = {"raised by ": [], "lowered by ": []}
    for column, by in zip(strongest.T, moved, strict=True):
        place = pl.lit(pl.Series(column))
        text = pl.coalesce(pl.when(place == int(name)).then(name) for name in texts.columns)
        parts["raised by "].append(pl.when(pl.lit(by) >= LEAST).then(text))
        parts["lowered by "].append(pl.when(pl.lit(by) <= -LEAST).then(text))
    sides = []
    for words, said in parts.items():
        joined = pl.concat_str(said, separator="; ", ignore_nulls=True)
        sides.append(pl.when(joined != "").then(pl.lit(words) + joined))
    said = pl.concat_str(sides, separator=" – ", ignore_nulls=True)
    known = pl.when(said != "").then(said).otherwise(pl.lit("nothing unusual"))
    is_known = pl.lit(risk.is_not_null())
    return texts.select(pl.when(is_known).then(known).otherwise(pl.lit("not known")))[:, 0]


def _said(values: pl.Series) -> pl.Expr:
    """The values of one signal in words."""
    name, text = values.name.replace("_", " "), pl.col(values.name)
    form, scale = SAID.get(values.name, (name + " {}", 1))
    if values.dtype.is_numeric():
        number = (text * scale).round_sig_figs(2).cast(pl.Float64)
        whole = number.cast(pl.Int64, strict=False).cast(pl.String)
        text = pl.when(number == number.round()).then(whole).otherwise(number.cast(pl.String))
    before, _, after = form.partition("{}")
    said = pl.concat_str(pl.lit(before), text.cast(pl.String), pl.lit(after))
    return said.fill_null(f"{name} not known")
