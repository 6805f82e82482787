"""Whether a share rises or falls steadily over ordered groups."""

from typing import NamedTuple

import numpy as np
from scipy.stats import norm, t


class Trend(NamedTuple):
    """``slope`` per step with limits, its p-value, and ``dispersion``: how many times as much as
    chance the groups scatter about the line (1 is chance; less counts as 1)."""

    slope: float
    ci_lower: float
    ci_upper: float
    p_value: float
    dispersion: float


UNKNOWN = Trend(*[float("nan")] * 5)


def trend(count: np.ndarray, n: np.ndarray, step: np.ndarray, confidence: float = 0.95) -> Trend:
    """The trend of the shares ``count / n`` over ``step``, by groups that differ in step.

    The slope is that of a straight line through the shares, weighed by n. Its test is that of
    Cochran and Armitage; where groups scatter about the line by more than chance, its error is
    raised by the root of that and judged by t with two less than the number of groups: such groups
    differ from each other by more than their customers do. NaN where fewer than three groups or
    shares of nothing but 0 or 1 leave nothing to judge by.

    Source: Armitage (1955), Biometrics 11:375; McCullagh and Nelder (1989), section 4.5, for the
    dispersion. Checked on published data and on drawn groups in tests/cohorts/test_trends.py.
    """
    if len(n) < 3:
        return UNKNOWN
    share = count.sum() / n.sum()
    away = step - (n * step).sum() / n.sum()
    spread = (n * away**2).sum()
    if share in (0, 1) or spread == 0:
        return UNKNOWN
    slope = (away * count).sum() / spread
    fitted = share + slope * away
    chance = share * (1 - share)
    scatter = (n * (count / n - fitted) ** 2).sum() / chance / (len(n) - 2)
    over = scatter > 1
    error = np.sqrt(chance * max(scatter, 1.0) / spread)
    law = t(len(n) - 2) if over else norm
    reach = law.ppf(0.5 + confidence / 2) * error
    p_value = 2 * law.sf(abs(slope) / error)
    return Trend(*map(float, (slope, slope - reach, slope + reach, p_value, max(scatter, 1.0))))
