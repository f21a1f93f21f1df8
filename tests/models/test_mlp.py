from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from byrote.models.dropout import Dropout
from byrote.models.mlp import mlp


@pytest.mark.parametrize(("depth", "parameters"), [(1, 1_209_866), (3, 1_735_178)])
def test_parameter_counts_are_the_papers(depth: int, parameters: int) -> None:
    network = mlp(depth, 512, input_shape=(3, 28, 28), num_classes=10)
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.mark.parametrize(("depth", "width", "shape", "k"), [(1, 3, (5,), 2), (4, 2, (2, 3, 4), 7), (2, 1, (1,), 1)])
def test_any_shape(depth: int, width: int, shape: tuple[int, ...], k: int) -> None:
    network = mlp(depth, width, input_shape=shape, num_classes=k)
    sides = [torch.Size(shape).numel(), *[width] * depth, k]
    expected = sum(a * b + b for a, b in pairwise(sides))
    assert sum(p.numel() for p in network.parameters()) == expected
    assert network(torch.rand(6, *shape)).shape == (6, k)


def test_the_function_is_the_textbook_one() -> None:
    network = mlp(2, 5, input_shape=(1, 2, 3), num_classes=4)
    x = torch.rand(3, 1, 2, 3)
    h = x.reshape(3, 6)
    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    for layer in layers[:-1]:
        h = (h @ layer.weight.T + layer.bias).clamp(min=0)
    torch.testing.assert_close(network(x), h @ layers[-1].weight.T + layers[-1].bias)


def test_dropout_follows_each_hidden_layer() -> None:
    network = mlp(3, 5, input_shape=(4,), num_classes=2, dropout=0.2)
    kinds = [type(module) for module in network]  # type: ignore[attr-defined]
    assert kinds == [nn.Flatten, *[nn.Linear, nn.ReLU, Dropout] * 3, nn.Linear]
