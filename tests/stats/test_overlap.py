"""Agreement of two divisions, against a literal count."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retention.stats import overlap

LABELS = st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 4)), max_size=40)


@given(LABELS)
def test_overlaps_are_counted(pairs):
    ours, theirs = np.array(pairs, dtype=int).reshape(-1, 2).T
    table = overlap.jaccard(ours, theirs)

    assert table.shape == (max([*ours, -1]) + 1, max([*theirs, -1]) + 1)
    for a in range(table.shape[0]):
        for b in range(table.shape[1]):
            either = sum(x == a or y == b for x, y in pairs)
            both = sum(x == a and y == b for x, y in pairs)
            assert table[a, b] == (both / either if either else 0)
    best = [max(row, default=0) for row in table.tolist()]
    assert overlap.best(ours, theirs).tolist() == best
