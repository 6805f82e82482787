"""Charts: a tidy table in, a Figure out. Nothing here computes a statistic.

A chart shows its intervals and its n; labels and formats are the schema's. `exhibit` gives it the
headline, the text alternative and the table without which it is not published.
"""

from retention.charts.bars import bars, comparison, points
from retention.charts.cohorts import curves, triangle
from retention.charts.days import days
from retention.charts.decline import left_by_usage, usage_changes
from retention.charts.forest import forest
from retention.charts.maps import heat_map, scatter
from retention.charts.migrations import migrations
from retention.charts.risk import backtest, calibration, signals
from retention.charts.segments import cluster_map, condensed_tree, profile_heatmap, trust
from retention.charts.value import next_products, renewals, weeks_foretold

__all__ = [
    "backtest",
    "bars",
    "calibration",
    "cluster_map",
    "comparison",
    "condensed_tree",
    "curves",
    "days",
    "forest",
    "heat_map",
    "left_by_usage",
    "migrations",
    "next_products",
    "points",
    "profile_heatmap",
    "renewals",
    "scatter",
    "signals",
    "triangle",
    "trust",
    "usage_changes",
    "weeks_foretold",
]
