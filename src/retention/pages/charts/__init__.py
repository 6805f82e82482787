"""Charts: a tidy result table in, a Figure out. Nothing here computes a statistic.

A chart shows its intervals and its n; `show.figure` gives it the headline, the text alternative
and the table without which it is not published.
"""

from retention.pages.charts.bars import bars, comparison
from retention.pages.charts.cohorts import retention_curves, retention_triangle
from retention.pages.charts.data import events_per_day
from retention.pages.charts.decline import left_by_usage, usage_changes
from retention.pages.charts.hazards import hazard_ratios
from retention.pages.charts.lifecycle import readiness, share_bars, stage_flows, survey_scores
from retention.pages.charts.risk import backtest, calibration, signals
from retention.pages.charts.segments import cluster_map, profile_heatmap, traits
from retention.pages.charts.survival import incidence, returns, survival_curves
from retention.pages.charts.windows import silence_curves, window_shares

__all__ = [
    "backtest",
    "bars",
    "calibration",
    "cluster_map",
    "comparison",
    "events_per_day",
    "hazard_ratios",
    "incidence",
    "left_by_usage",
    "profile_heatmap",
    "readiness",
    "retention_curves",
    "retention_triangle",
    "returns",
    "share_bars",
    "signals",
    "silence_curves",
    "stage_flows",
    "survey_scores",
    "survival_curves",
    "traits",
    "usage_changes",
    "window_shares",
]
