"""Charts: a tidy table in, a Figure out. Nothing here computes a statistic.

A table has at least one row: an exhibit of none says so instead. A chart shows its intervals and
its n; labels and formats are the schema's. `exhibit` gives it the headline, the text alternative
and the table without which it is not published.
"""

from retention.charts.bars import bars, comparison, points
from retention.charts.cohorts import curves, triangle
from retention.charts.days import days
from retention.charts.forest import forest
from retention.charts.maps import heat_map
