import math
from itertools import product

import pytest
import torch
from torch import nn

from byrote.theory.measures.layers import read_layers
from byrote.theory.measures.path_norm import path_norm, path_norm_over_margin


def test_one_hidden_unit_by_hand(unit_net, zeros, two_points, outcome):
    # Paths from x and from the first bias end twice: (4 + 1) (9 + 1); the other bias has one path of its own, 1/4.
    assert path_norm(unit_net, (1,)) == pytest.approx(math.sqrt(50.25))
    assert path_norm_over_margin(unit_net, zeros(unit_net), two_points, outcome()) == pytest.approx(
        math.sqrt(50.25) / 12.3
    )


def test_every_path_counts_once():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 2, bias=False))
    first, second = (net[i].weight.detach().double() for i in (0, 2))
    paths = product(range(2), range(3), range(2))
    expected = math.sqrt(sum(float(second[k, h] * first[h, i]) ** 2 for i, h, k in paths))
    assert path_norm(net, (2,)) == pytest.approx(expected)


def test_batch_norm_counts_by_what_it_scales():
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1, eps=0.0), nn.ReLU(), nn.Linear(1, 1, bias=False))
    with torch.no_grad():
        for module, weight in ((net[0], 2.0), (net[1], 6.0), (net[3], 5.0)):
            module.weight.fill_(weight)
        net[1].running_var.fill_(9.0)
    assert path_norm(read_layers(net, (1,)).network, (1,)) == pytest.approx(2 * (6 / 3) * 5)
