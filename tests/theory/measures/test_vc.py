import math

import pytest
import torch
from torch import nn

from byrote.models.catalog import build_model
from byrote.theory.measures.layers import read_layers
from byrote.theory.measures.measure import TrainingSet
from byrote.theory.measures.vc import vc_bound, vc_dimension


def theorem(num_layers, sum_of_parameters_up_to, r):
    return num_layers + sum_of_parameters_up_to * math.log2(4 * math.e * r * math.log2(2 * math.e * r))


def test_one_hidden_unit_by_hand(unit_net):
    # Two parameters in the first layer, six up to the second; a unit each, the second for the one pair of classes.
    assert vc_dimension(read_layers(unit_net, (1,)).layers, 2) == pytest.approx(theorem(2, 2 + 6, 1 * 1 + 2 * 1))


def test_a_linear_net_by_hand():
    layers = read_layers(nn.Sequential(nn.Linear(3, 4)), (3,)).layers
    assert vc_dimension(layers, 4) == pytest.approx(theorem(1, 16, 6))


def test_two_classes_of_a_linear_net_have_more_than_the_known_dimension():
    # Half-spaces of three features: 4, by 8 parameters; r = 2 e R has to be 16 at least, so R is 3.
    found = vc_dimension(read_layers(nn.Sequential(nn.Linear(3, 2)), (3,)).layers, 2)
    assert found == pytest.approx(theorem(1, 8, 3))
    assert found > 4


def test_what_follows_the_last_layer_counts_beside_the_pairs_of_classes():
    net = nn.Sequential(nn.Conv2d(1, 3, 1), nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    # 3 x 4 x 4 signs of the ReLU, 3 x 2 x 2 windows of 6 pairs, 3 pairs of classes; six parameters at the first.
    found = vc_dimension(read_layers(net, (1, 4, 4)).layers, 3)
    assert found == pytest.approx(theorem(3, 6 + 6 + 6, 1 * 48 + 2 * 72 + 3 * 3))


def test_a_second_max_pooling_is_another_layer():
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.MaxPool2d(2), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1, 2))
    found = vc_dimension(read_layers(net, (1, 4, 4)).layers, 2)
    assert found == pytest.approx(theorem(3, 2 + 2 + 6, 1 * 24 + 2 * 6 + 3 * 1))


def test_layers_of_weights_without_relu_count_as_if_they_had_one():
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    assert vc_dimension(read_layers(net, (2,)).layers, 2) == pytest.approx(theorem(2, 9 + 17, 3 + 2))


def test_convolutions_share_parameters_and_max_pooling_compares():
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3))
    # 2 x 4 x 4 units, then 2 x 2 x 2 windows of 6 pairs, then 3 pairs of classes.
    expected = theorem(3, 20 + 20 + 47, 1 * 32 + 2 * 48 + 3 * 3)
    assert vc_dimension(read_layers(net, (1, 4, 4)).layers, 3) == pytest.approx(expected)


def test_the_bound_follows_from_the_dimension(unit_net, zeros, outcome):
    n = 10**6
    many = TrainingSet(torch.zeros(n, 1), torch.zeros(n, dtype=torch.int64), 2)
    d = vc_dimension(read_layers(unit_net, (1,)).layers, 2)
    expected = math.sqrt(2 * d * math.log(math.e * n / d) / n) + math.sqrt(math.log(20) / (2 * n))
    assert vc_bound(unit_net, zeros(unit_net), many, outcome()) == pytest.approx(expected)
    assert expected < 0.1


def test_the_bound_falls_with_n_and_grows_with_width(zeros, outcome):
    def bound(width, n):
        net = build_model(f"mlp-1x{width}", input_shape=(5,), num_classes=3)
        data = TrainingSet(torch.zeros(n, 5), torch.zeros(n, dtype=torch.int64), 3)
        return vc_bound(net, zeros(net), data, outcome())

    assert bound(4, 10) > bound(4, 1000) > bound(4, 100_000) > bound(4, 10**7)
    assert bound(4, 100) < bound(8, 100) < bound(16, 100)


def test_it_is_the_same_for_all_labels(unit_net, zeros, two_points, outcome):
    other = TrainingSet(two_points.inputs, torch.tensor([1, 0]), 2)
    args = zeros(unit_net)
    assert vc_bound(unit_net, args, two_points, outcome()) == vc_bound(unit_net, args, other, outcome())
