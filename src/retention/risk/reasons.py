"""Why a risk is high or low: the signals that move it most, in words."""

import numpy as np
import polars as pl

from retention import schema

MOST = 3  # reasons of a customer
LEAST = 0.2  # log odds that a reason moves at least: about a fifth of the odds
SAID = {  # how the value of a signal is said
    "age_risk": "{} of customers of the same age leave",
    "quiet_chance": "by the own rhythm quiet with a chance of {}",
    "active_days_28d": "active on {} of the last 28 days",
    "active_days_90d": "active on {} of the last 90 days",
    "active_days_total": "{} active days in all",
    "amount_cents_90d": "paid {} in the last 90 days",
    "amount_cents_365d": "paid {} in a year",
    "cents_per_order_90d": "{} an order",
    "days_since_last_activity": "last active {} days ago",
    "order_share_90d": "{} orders for each event",
    "price_cents": "pays {} a month",
    "silence_ratio": "silent for {} times the own usual gap",
    "usage_ratio": "active {} times as often as before",
    "usage_trend": "does {} times as much as before",
}


def signal(name: str) -> schema.Column:
    """What a signal is: a feature, a chance, or an attribute of the book's own, which may have the
    name of a column elsewhere."""
    ours = name in SAID or name in schema.TABLES["customers_at"].columns
    return schema.column(name) if ours else schema.Column(name, "", schema.plain(name))


def reasons(
    rows: pl.DataFrame, signals: list[str], effects: np.ndarray, risk: pl.Series, currency: str
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
    texts = rows.select(
        _said(rows[name], currency).alias(str(place)) for place, name in enumerate(signals)
    )
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


def _said(values: pl.Series, currency: str) -> pl.Expr:
    """The values of one signal in words, with their unit."""
    known, value = signal(values.name), pl.col(values.name)
    text = value.cast(pl.String)
    if known.kind in ("money", "mean_money"):
        cents = value.round().cast(pl.Int64)
        rest = (cents % 100).cast(pl.String).str.zfill(2)
        text = pl.format("{} {}.{}", pl.lit(currency), cents // 100, rest)
    elif known.kind in schema.RATES:
        text = pl.format("{} %", (100 * value).round().cast(pl.Int64))
    elif values.dtype.is_numeric():
        number = value.round_sig_figs(2).cast(pl.Float64)
        whole = number.cast(pl.Int64, strict=False).cast(pl.String)
        text = pl.when(number == number.round()).then(whole).otherwise(number.cast(pl.String))
    before, _, after = SAID.get(values.name, f"{known.label.lower()} {{}}").partition("{}")
    said = pl.concat_str(pl.lit(before), text, pl.lit(after))
    return said.fill_null(f"{known.label.lower()} not known")
