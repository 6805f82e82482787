"""What are customers worth, and who brings the revenue? What `60_value` shows."""

from retention.value.concentration import by_segment, most_valuable, revenue
from retention.value.forecasts import today
from retention.value.next_products import bought_next
from retention.value.value import amounts_apart, bands, expected, who_is_counted
from retention.value.value_holdout import by_week, hold_out
