"""The zoo: every network that the papers compare, measured on one device, as records."""

from nas.zoo.definition import Entry, Preset, Zoo, load_zoo
from nas.zoo.plan import Plan, counting_plans, plans

__all__ = ["Entry", "Plan", "Preset", "Zoo", "counting_plans", "load_zoo", "plans"]
