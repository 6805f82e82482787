"""What are customers worth, and who brings the revenue? What `60_value` shows."""

from retention.value.concentration import by_segment, most_valuable, revenue
from retention.value.forecasts import today
from retention.value.next_products import bought_next
from retention.value.renewals import months_under_contract
from retention.value.value import amounts_apart, bands, expected, who_is_counted
from retention.value.value_holdout import by_group, by_week, hold_out

__all__ = [
    "amounts_apart",
    "bands",
    "bought_next",
    "by_group",
    "by_segment",
    "by_week",
    "expected",
    "hold_out",
    "months_under_contract",
    "most_valuable",
    "revenue",
    "today",
    "who_is_counted",
]
