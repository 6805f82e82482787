"""Natural cubic splines: smooth, straight at both ends, and against an ordinary cubic spline."""

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from retention.stats import splines

AT = np.array([1.0, 2.0, 4.0, 7.0])


def test_columns_span_the_natural_cubic_splines_of_their_knots():
    x = np.linspace(1, 7, 200)
    wanted = CubicSpline(AT, [0.3, -1.0, 2.0, 0.5], bc_type="natural")(x)

    columns = np.column_stack([np.ones_like(x), splines.natural(x, AT)])
    fitted = columns @ np.linalg.lstsq(columns, wanted)[0]

    assert columns.shape == (200, 4)
    assert np.allclose(fitted, wanted, atol=1e-9)


@pytest.mark.parametrize("ends", [np.linspace(-5, 1, 50), np.linspace(7, 20, 50)])
def test_both_ends_are_straight(ends):
    assert np.allclose(np.diff(splines.natural(ends, AT), n=2, axis=0), 0, atol=1e-9)


def test_knots_are_different_and_a_line_is_left_where_values_are_few():
    assert len(splines.knots(np.array([0.0] * 90 + [1.0] * 10))) == 2
    assert splines.knots(np.array([])).size == 0
    assert splines.natural(np.array([0, 1, 2]), np.array([0.0, 1.0])).tolist() == [[0], [1], [2]]
    assert splines.knots(np.arange(101.0)) == pytest.approx([2, 10, 35, 65, 90, 98])
