"""Charts: a tidy result table in, a Figure out. Nothing here computes a statistic.

A chart shows its intervals and its n; `show.figure` gives it the headline, the text alternative
and the table without which it is not published.
"""

from retention.pages.charts.bars import bars, comparison
from retention.pages.charts.cohorts import retention_curves, retention_triangle
from retention.pages.charts.data import events_per_day
from retention.pages.charts.segments import cluster_map, profile_heatmap, traits
from retention.pages.charts.survival import hazard_ratios, survival_curves

__all__ = [
    "bars",
    "cluster_map",
    "comparison",
    "events_per_day",
    "hazard_ratios",
    "profile_heatmap",
    "retention_curves",
    "retention_triangle",
    "survival_curves",
    "traits",
]
