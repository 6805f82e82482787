"""What is hidden in a crossed table cannot be had back from its totals."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.pages import hiding

MARGINS = ["row", "column"]


def crossed(sizes: list[list[int]]) -> pl.DataFrame:
    cells = [
        (f"r{r}", f"c{c}", n, n / 100) for r, line in enumerate(sizes) for c, n in enumerate(line)
    ]
    return pl.DataFrame(cells, [*MARGINS, "n", "share"], orient="row")


def hidden(frame: pl.DataFrame, margins: list[str] = MARGINS) -> pl.Series:
    shown = hiding.crossed(frame, "n", ["n", "share"], 10, margins)
    assert shown.select(MARGINS).equals(frame.select(MARGINS))
    assert shown["n"].is_null().equals(shown["share"].is_null())
    kept = shown["n"].is_not_null()
    assert shown.filter(kept).equals(frame.filter(kept))
    return shown["n"].is_null()


def test_what_is_large_or_nothing_stays():
    assert not hidden(crossed([[10, 0], [0, 99]])).any()


def test_a_small_cell_takes_the_smallest_partners_that_hide_it():
    """A row, a column, and the corner between them."""
    assert hidden(crossed([[3, 20, 50], [30, 40, 99], [90, 60, 70]])).to_list() == [
        *(True, True, False),
        *(True, True, False),
        *(False, False, False),
    ]


def test_a_third_margin_can_give_a_cell_away():
    """Rows and columns leave one unknown in four cells; the total of a block tells it."""
    frame = crossed([[3, 20, 50], [30, 40, 99], [90, 60, 70]])
    block = frame.with_columns(block=pl.Series(list("xyyyyyyyx")))
    assert hidden(frame).sum() == 4
    assert hidden(block, [*MARGINS, "block"]).sum() > 4


SIZES = st.integers(2, 5).flatmap(
    lambda width: st.lists(
        st.lists(st.one_of(st.just(0), st.integers(1, 200)), min_size=width, max_size=width),
        min_size=2,
        max_size=5,
    )
)


@given(SIZES)
def test_no_hidden_cell_follows_from_the_totals_unless_its_whole_row_or_column_is_hidden(sizes):
    """Judged by elimination on fractions: a cell follows if its unit row is in the span."""
    frame = crossed(sizes)
    mask = hidden(frame).to_numpy()
    n = frame["n"].to_numpy()
    assert mask[(n > 0) & (n < 10)].all()
    assert not mask[n == 0].any()
    totals = [
        (frame[margin] == label).to_numpy()
        for margin in MARGINS
        for label in frame[margin].unique()
    ]
    alone = np.any([total & ((n[total] > 0).sum() == 1) for total in totals], axis=0)
    known = np.array([total[mask] for total in totals], dtype=float)
    rank = np.linalg.matrix_rank(known) if mask.any() else 0
    for place, cell in enumerate(np.flatnonzero(mask)):
        unit = np.eye(mask.sum())[place]
        follows = np.linalg.matrix_rank(np.vstack([known, unit])) == rank
        own = [total for total in totals if total[cell]]
        nothing_left = all(mask[total & (n > 0) & ~alone].all() for total in own)
        is_a_total = alone[cell]
        assert not follows or nothing_left or is_a_total
    for total in totals:
        sum_of_hidden = n[total & mask & ~alone].sum()
        left = total & (n > 0) & ~mask & ~alone
        assert sum_of_hidden == 0 or sum_of_hidden >= 10 or not left.any()


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_rows_does_not_matter_where_sizes_differ(seed):
    rng = np.random.default_rng(seed)
    frame = crossed(rng.permutation(np.arange(1, 49) * 3).reshape(6, 8).tolist())
    mixed = frame[rng.permutation(frame.height).tolist()]
    assert (
        frame.filter(hidden(frame)).sort(MARGINS).equals(mixed.filter(hidden(mixed)).sort(MARGINS))
    )
