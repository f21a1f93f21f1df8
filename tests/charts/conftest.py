"""Outcomes that look like trained ones, made in microseconds."""

from made_up_predictions import chance_of_made_up_predictions  # noqa: F401  (a fixture for all tests here)
from made_up_runs import data, evaluated, outcome, outcomes, study, written_study  # noqa: F401  (fixtures)
