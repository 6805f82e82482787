"""Charts: a tidy result table in, a Figure out. Nothing here computes a statistic.

A chart shows its intervals and its n; `show.figure` gives it the headline, the text alternative
and the table without which it is not published.
"""

from retention.charts.bars import bars, comparison, points
from retention.charts.cohorts import curves, triangle
from retention.charts.data import events_per_day
from retention.charts.hazards import hazard_ratios
from retention.charts.lifecycle import readiness, share_bars, stage_flows, survey_scores
from retention.charts.migrations import migrations
from retention.charts.segments import cluster_map, condensed_tree, profile_heatmap, traits, trust
from retention.charts.survival import incidence, returns, survival_curves
from retention.charts.windows import silence_curves, window_shares

__all__ = [
    "bars",
    "cluster_map",
    "comparison",
    "condensed_tree",
    "curves",
    "events_per_day",
    "hazard_ratios",
    "incidence",
    "migrations",
    "points",
    "profile_heatmap",
    "readiness",
    "returns",
    "share_bars",
    "silence_curves",
    "stage_flows",
    "survey_scores",
    "survival_curves",
    "traits",
    "triangle",
    "trust",
    "window_shares",
]
