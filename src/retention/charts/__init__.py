"""Charts: a tidy result table in, a Figure out. Nothing here computes a statistic.

A chart shows its intervals and its n; `show.figure` gives it the headline, the text alternative
and the table without which it is not published.
"""

from retention.charts.bars import bars, comparison, points
from retention.charts.cohorts import curves, triangle
from retention.charts.data import events_per_day
from retention.charts.decline import left_by_usage, usage_changes
from retention.charts.flow import flow
from retention.charts.hazards import hazard_ratios
from retention.charts.lifecycle import readiness, share_bars, stage_flows, survey_scores
from retention.charts.maps import heat_map, scatter
from retention.charts.risk import backtest, calibration, signals
from retention.charts.segments import traits
from retention.charts.survival import incidence, returns, survival_curves
from retention.charts.tree import condensed_tree
from retention.charts.value import next_products, renewals, weeks_foretold
from retention.charts.windows import silence_curves, window_shares

__all__ = [
    "backtest",
    "bars",
    "calibration",
    "comparison",
    "condensed_tree",
    "curves",
    "events_per_day",
    "flow",
    "hazard_ratios",
    "heat_map",
    "incidence",
    "left_by_usage",
    "next_products",
    "points",
    "readiness",
    "renewals",
    "returns",
    "scatter",
    "share_bars",
    "signals",
    "silence_curves",
    "stage_flows",
    "survey_scores",
    "survival_curves",
    "traits",
    "triangle",
    "usage_changes",
    "weeks_foretold",
    "window_shares",
]
