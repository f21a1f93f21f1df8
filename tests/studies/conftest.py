"""Outcomes as training would leave them, with figures that a test chooses."""

from made_up_predictions import chance_of_made_up_predictions  # noqa: F401  (a fixture for all tests here)
from planned_outcomes import data, leaking, make_outcome, strengths, unequal  # noqa: F401  (fixtures)
