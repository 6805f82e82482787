"""Strata in words: a name a shopkeeper would use, and the rule that a small tree finds."""

import numpy as np
import polars as pl
from sklearn.tree import DecisionTreeClassifier

from retention import schema, words

OFTEN = {  # active days in a year, at most: in words
    1.5: "Once a year",
    2.5: "Twice a year",
    4.5: "A few times a year",
    9: "Every month or two",
    18: "About monthly",
    40: "Every few weeks",
    75: "About weekly",
    np.inf: "Several times a week",
}
APART = 1.5  # times the usual, for orders to be large (or small: as many times less)


def names(measured: pl.DataFrame, numbers: np.ndarray, currency: str) -> list[str]:
    """What each stratum is called, by its typical customer: how often, and how large an order is.

    Takes   customers on the axes (see `strata.measured`), the stratum of each
    """
    axes = measured.columns[1:]
    if not axes:
        return ["All customers"]
    table = measured.with_columns(stratum=pl.Series(numbers))
    if "cents" in axes[1]:
        table = table.with_columns(each=pl.col(axes[1]) / pl.col(axes[0]).clip(1))
    else:
        table = table.with_columns(each=pl.col(axes[1]).cast(pl.Float64))
    middle = table.group_by("stratum").agg(pl.col(axes[0]).median(), pl.col("each").median())
    usual, price = table["each"].median(), table[axes[0]].median()
    found: list[str] = []
    for _, first, each in middle.sort("stratum").iter_rows():
        often = next(word for most, word in OFTEN.items() if first <= most)
        size = "large" if each > APART * usual else "small" if each * APART < usual else ""
        said = f"{often}, {size} orders" if size else often
        if axes == ["price_cents", "tenure_days"]:
            paid = f"Pays {'more' if first > price else 'less'}"
            said = f"{paid}, {'long with us' if each > usual else 'with us for a short time'}"
        elif axes[1] == "tenure_days":
            said = f"{often}, {'long with us' if each > usual else 'with us for a short time'}"
        if said in found and "cents" in axes[1]:
            said += f" (about {currency} {words.money(each)})"
        while said in found:
            said += f" ({len(found) + 1})"
        found.append(said)
    return found


def rules(measured: pl.DataFrame, numbers: np.ndarray, currency: str) -> tuple[list[str], float]:
    """Each stratum in one line, by the largest leaf of a small tree on the axes; and the share of
    customers whom the tree puts where they are.

    Source: Breiman et al. (1984), Classification and Regression Trees; scikit-learn's, of at most
    twice as many leaves as strata.
    """
    axes, k = measured.columns[1:], int(numbers.max()) + 1
    if not axes or k < 2:
        return ["everybody"] * k, 1.0
    points = measured.select(axes).cast(pl.Float64).to_numpy()
    fitted = DecisionTreeClassifier(max_leaf_nodes=2 * k, random_state=0).fit(points, numbers)
    tree, leaves = fitted.tree_, {}

    def walk(node: int, bounds: dict[int, tuple[float, float]]) -> None:
        axis, at = tree.feature[node], tree.threshold[node]
        if axis < 0:
            stratum, n = int(tree.value[node][0].argmax()), tree.n_node_samples[node]
            leaves.setdefault(stratum, []).append((n, bounds))
            return
        low, high = bounds.get(axis, (-np.inf, np.inf))
        walk(tree.children_left[node], bounds | {axis: (low, at)})
        walk(tree.children_right[node], bounds | {axis: (at, high)})

    walk(0, {})
    said = [
        _bounds(axes, max(leaves.get(number, [(0, {})]), key=lambda leaf: leaf[0])[1], currency)
        for number in range(k)
    ]
    return said, float((fitted.predict(points) == numbers).mean())


def _bounds(axes: list[str], bounds: dict[int, tuple[float, float]], currency: str) -> str:
    """ "Active days (365 days) from 3 to below 7, Amount (365 days) below USD 120"."""
    parts = []
    for axis, ends in sorted(bounds.items()):
        kind = schema.column(axes[axis]).kind
        unit = f"{currency} " if "money" in kind else ""
        low, high = (
            "" if np.isinf(end) else unit + words.printed(_round(end, kind), kind) for end in ends
        )
        limits = " ".join([f"from {low}"] * bool(low) + [f"below {high}"] * bool(high))
        parts.append(f"{schema.label(axes[axis]).lower()} {limits}")
    return ", ".join(parts)


def _round(end: float, kind: str) -> float:
    """Counts are whole: what lies above 2.5 is from 3 on."""
    return float(np.ceil(end)) if kind in ("days", "whole") else end
