"""How Hypothesis plays where a flaw is planted: to find it is enough."""

from hypothesis import Phase, settings

settings.register_profile("without_shrinking", phases=[Phase.generate], database=None)
