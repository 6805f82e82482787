"""Values as people read them."""

import textwrap
from datetime import date

import numpy as np

EPOCH = date(1970, 1, 1).toordinal()


def text(value: object, percent: bool = False) -> str:
    """A value in print: 1,234, 12.3, 4.5% (``percent``: a share), yes, a dash where unknown."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int() | float() if percent:
            return f"{value:.1%}".replace("-", "−")
        case int():
            return f"{value:,}".replace("-", "−")
        case float():
            whole = 999.5 <= abs(value) < np.inf
            shown = f"{value:,.0f}" if whole else f"{value:#.3g}".rstrip(".")
            shown = "<0.001" if 0 < value < 0.001 else shown
            return shown.replace("-", "−")
        case _:
            return str(value)


def money(cents: float | None) -> str:
    """Cents in print as an amount: 9.95, 12,346, a dash where unknown."""
    places = 0 if abs(cents or 0) >= 100_000 else 2
    return text(cents) if cents is None else f"{cents / 100:,.{places}f}".replace("-", "−")


def short(value: object, length: int = 20) -> str:
    """A value on one line of at most ``length`` letters."""
    line = "".join(letter if letter.isprintable() else " " for letter in text(value))
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def wrapped(value: object) -> str:
    """A value on lines of at most 20 letters, 60 in all."""
    return "\n".join(textwrap.wrap(short(value, 60), 20))


def printed(value: object, kind: str) -> str:
    """A value in print by the kind of its column (see `schema.KINDS`)."""
    if value is None:
        return "–"
    if kind in ("money", "mean_money"):
        return money(value)
    if kind == "day":
        return str(date.fromordinal(EPOCH + value))
    counted = kind in ("number", "whole", "days")
    whole = counted and isinstance(value, float) and value.is_integer()
    return text(int(value) if whole else value, kind in ("share", "estimate", "points"))
