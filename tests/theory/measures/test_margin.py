import math

import pytest
import torch

from byrote.theory.measures.margin import margin, over_margin
from byrote.theory.measures.measure import TrainingSet


def test_the_margin_is_a_tenth_of_the_way_up(unit_net, zeros, two_points, outcome):
    assert margin(unit_net, zeros(unit_net), two_points, outcome()) == pytest.approx(11.5 + 0.1 * 8)


def test_what_is_over_the_margin_does_not_exist_without_one(unit_net, two_points):
    assert over_margin(24.6, unit_net, two_points) == pytest.approx(2)
    wrong = TrainingSet(two_points.inputs, torch.tensor([1, 1]), 2)
    assert over_margin(24.6, unit_net, wrong) == math.inf
