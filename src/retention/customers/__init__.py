"""Who are our customers, and where in their life are they? What `10_customers` shows."""

from retention.customers.engagement import everybody, levels, who_is_counted
from retention.customers.flows import moves
from retention.customers.intent import intents, orders_after
from retention.customers.lifecycle import stages, together
from retention.customers.rfm import orders, rfm_groups
from retention.customers.surveys import answers, asked, satisfaction, scores, silence, silent
