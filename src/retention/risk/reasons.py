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

    Checked in tests/test_reasons.py.
    """
    if risk.is_null().all():
        return pl.repeat("not known", rows.height, eager=True)
    strongest = np.argsort(-np.abs(effects), axis=1, kind="stable")[:, :MOST]
    parts = {"raised by ": [], "lowered by ": []}
    for rank in range(strongest.shape[1]):
        column = strongest[:, rank]
        moved = effects[np.arange(len(column)), column]
        texts = _said(rows, signals, column)
        for words, sign in (("raised by ", 1), ("lowered by ", -1)):
            there = pl.Series(sign * moved >= LEAST)
            parts[words].append(pl.when(there).then(texts))
    sides = [
        pl.concat_str(said, separator="; ", ignore_nulls=True).alias(words)
        for words, said in parts.items()
    ]
    both = pl.select(sides).with_columns(
        pl.when(pl.col(words) != "").then(pl.lit(words) + pl.col(words)).alias(words)
        for words in parts
    )
    said = pl.concat_str(pl.all(), separator=" – ", ignore_nulls=True)
    known = pl.when(said != "").then(said).otherwise(pl.lit("nothing unusual"))
    return both.select(pl.when(risk.is_not_null()).then(known).otherwise(pl.lit("not known")))[:, 0]


def _said(rows: pl.DataFrame, signals: list[str], column: np.ndarray) -> pl.Series:
    """For each row the signal that ``column`` numbers, with its value, in words."""
    place = pl.Series(column)
    parts = []
    for number, name in enumerate(signals):
        there = rows.select(pl.col(name), _row=pl.int_range(pl.len())).filter(place == number)
        form, scale = SAID.get(name, (name.replace("_", " ") + " {}", 1))
        value = pl.col(name)
        if there[name].dtype.is_numeric():
            value = (value * scale).round_sig_figs(2).cast(pl.Float64)
            whole = value.cast(pl.Int64, strict=False).cast(pl.String)
            value = pl.when(value == value.round()).then(whole).otherwise(value.cast(pl.String))
        before, _, after = form.partition("{}")
        text = pl.concat_str(pl.lit(before), value.cast(pl.String), pl.lit(after))
        text = text.fill_null(f"{name.replace('_', ' ')} not known")
        parts.append(there.select("_row", text=text))
    return pl.concat(parts).sort("_row")["text"]
