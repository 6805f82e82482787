"""Is the data what we were promised? What `00_data` shows."""

from retention.quality.changes import since
from retention.quality.checks import attention, daily, every_day, of_days, of_events, of_kinds
from retention.quality.measures import coverage, left_out, measure, unknown
