import math

import pytest
import torch
from torch import nn

from byrote.theory.measures.distance import distance_from_initialization


def test_one_hidden_unit_by_hand(unit_net, zeros, two_points, outcome):
    found = distance_from_initialization(unit_net, zeros(unit_net), two_points, outcome())
    assert found == pytest.approx(math.sqrt(4 + 1 + 9 + 1 + 0.25))


def test_statistics_of_batch_norm_are_no_weights(two_points, outcome):
    net = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    net(torch.randn(8, 1))
    assert distance_from_initialization(net, before, two_points, outcome()) == 0
