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


def names(measured: pl.DataFrame, numbers: np.ndarray, currency: str) -> dict[int, str]:
    """What each stratum is called, by its typical customer: how often, and how large an order is.

    Takes   customers on the axes (see `strata.measured`), the stratum of each
    """
    axes = measured.columns[1:]
    if not axes:
        return {0: "All customers"}
    table = measured.with_columns(stratum=pl.Series(numbers))
    if "cents" in axes[1]:
        table = table.with_columns(each=pl.col(axes[1]) / pl.col(axes[0]).clip(1))
    else:
        table = table.with_columns(each=pl.col(axes[1]).cast(pl.Float64))
    middle = table.group_by("stratum").agg(pl.col(axes[0]).median(), pl.col("each").median())
    usual, price = table["each"].median(), table[axes[0]].median()
    found: dict[int, str] = {}
    for stratum, first, each in middle.sort("stratum").iter_rows():
        said = next(word for most, word in OFTEN.items() if first <= most)
        if axes[0] == "price_cents":
            said = f"Pays {'more' if first > price else 'less'}"
        if axes[1] == "tenure_days":
            said += ", long with us" if each > usual else ", with us for a short time"
        elif not usual / APART <= each <= APART * usual:
            said += f", {'large' if each > usual else 'small'} orders"
        if said in found.values() and "cents" in axes[1]:
            said += f" (about {currency} {words.money(each)})"
        while said in found.values():
            said += f" ({len(found) + 1})"
        found[stratum] = said
    return found


def rules(
    measured: pl.DataFrame, numbers: np.ndarray, currency: str
) -> tuple[dict[int, str], float]:
    """Each stratum in one line, by the largest leaf of a small tree on the axes; and the share of
    customers whom the tree puts where they are.

    Source: Breiman et al. (1984), Classification and Regression Trees; scikit-learn's, of at most
    twice as many leaves as strata.
    """
    axes, k = measured.columns[1:], len(np.unique(numbers))
    if k < 2:
        return {int(numbers[0]): "everybody"}, 1.0
    points = measured.select(axes).cast(pl.Float64).to_numpy()
    fitted = DecisionTreeClassifier(max_leaf_nodes=2 * k, random_state=0).fit(points, numbers)
    tree, leaves = fitted.tree_, {}

    def walk(node: int, bounds: dict[int, tuple[float, float]]) -> None:
        axis, at = tree.feature[node], tree.threshold[node]
        if axis < 0:
            stratum = int(fitted.classes_[tree.value[node][0].argmax()])
            leaves.setdefault(stratum, []).append((tree.n_node_samples[node], bounds))
            return
        low, high = bounds.get(axis, (-np.inf, np.inf))
        walk(tree.children_left[node], bounds | {axis: (low, at)})
        walk(tree.children_right[node], bounds | {axis: (at, high)})

    walk(0, {})
    said = {
        number: _bounds(axes, max(own, key=lambda leaf: leaf[0])[1], currency)
        for number, own in leaves.items()
    }
    return said, float((fitted.predict(points) == numbers).mean())


def _bounds(axes: list[str], bounds: dict[int, tuple[float, float]], currency: str) -> str:
    """ "Active days (365 days) from 3 to below 7, Amount (365 days) below USD 120"."""
    parts = []
    for axis, ends in sorted(bounds.items()):
        kind = schema.column(axes[axis]).kind
        unit = f"{currency} " if "money" in kind else ""
        whole = np.ceil if kind in ("days", "whole") else float  # above 2.5 is from 3 on
        low, high = (
            "" if np.isinf(end) else unit + words.printed(float(whole(end)), kind) for end in ends
        )
        limits = " ".join([f"from {low}"] * bool(low) + [f"below {high}"] * bool(high))
        parts.append(f"{schema.label(axes[axis]).lower()} {limits}")
    return ", ".join(parts)
