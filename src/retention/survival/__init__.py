"""How long do customers stay, and what makes them leave? What `20_survival` shows."""

from retention.survival.comparisons import tests
from retention.survival.friction import first_days
from retention.survival.groups import divide
from retention.survival.hazards import gate, hazard_ratios, refusals
from retention.survival.incidence import causes_of_leaving
from retention.survival.returns import coming_back
from retention.survival.survival import curves, observed, stay, who_is_counted
