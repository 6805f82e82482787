"""Do newer cohorts stay longer than older ones? What `40_cohorts` shows."""

from retention.cohorts.cohorts import members, who_is_counted
from retention.cohorts.drop_off import drop_off
from retention.cohorts.retention import by_attribute, curves, retention, triangle
from retention.cohorts.revenue import revenue, revenue_changes, revenue_curves, revenue_triangle
from retention.cohorts.trends import trend
