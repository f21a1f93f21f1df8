from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from byrote.models.dropout import Dropout
from byrote.models.resnet import resnet


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("depth", "parameters"), [(3, 269_722), (5, 464_154), (7, 658_586), (9, 853_018)])
def test_parameter_counts_are_those_of_he(depth: int, parameters: int) -> None:
    assert count(resnet(depth, 16, input_shape=(3, 32, 32), num_classes=10)) == parameters


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize(("depth", "width", "c", "k"), [(1, 5, 1, 2), (2, 3, 4, 7)])
def test_the_parameter_count_by_hand(depth: int, width: int, c: int, k: int, batch_norm: bool) -> None:
    network = resnet(depth, width, input_shape=(c, 9, 6), num_classes=k, batch_norm=batch_norm)
    widths = [width * 2**stage for stage in range(3) for _ in range(2 * depth)]
    filters = sum(9 * a * b for a, b in zip([c, width, *widths[:-1]], [width, *widths], strict=True))
    offsets_and_scales = (2 if batch_norm else 1) * (width + sum(widths))
    assert count(network) == filters + offsets_and_scales + 4 * width * k + k
    assert sum(isinstance(module, nn.Conv2d | nn.Linear) for module in network.modules()) == 6 * depth + 2
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules()) == batch_norm


@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_function_is_the_textbook_one(batch_norm: bool) -> None:
    network = resnet(2, 3, input_shape=(2, 7, 9), num_classes=4, batch_norm=batch_norm).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    modules = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.BatchNorm2d)]
    layers = iter(modules)

    def convolution(x: torch.Tensor, stride: int = 1) -> torch.Tensor:
        layer = next(layers)
        y = F.conv2d(x, layer.weight, layer.bias, stride, padding=1)  # type: ignore[arg-type]
        if not batch_norm:
            return y
        norm = next(layers)
        mean, variance = y.mean((0, 2, 3)), y.var((0, 2, 3), correction=0)
        y = (y - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
        return y * norm.weight[:, None, None] + norm.bias[:, None, None]  # type: ignore[index]

    x = torch.randn(5, 2, 7, 9, dtype=torch.float64)
    h = convolution(x).relu()
    for stage in range(3):
        for block in range(2):
            down = stage > 0 and block == 0
            shortcut = torch.cat([h, torch.zeros_like(h)], 1)[:, :, ::2, ::2] if down else h
            h = (convolution(convolution(h, 2 if down else 1).relu()) + shortcut).relu()
    assert h.shape == (5, 12, 2, 3)
    output = list(network.modules())[-1]
    expected = h.mean((2, 3)) @ output.weight.T + output.bias  # type: ignore[union-attr, operator]
    torch.testing.assert_close(network(x), expected)


def test_without_batch_norm_a_fresh_network_keeps_its_scale() -> None:
    torch.manual_seed(0)
    network = resnet(9, 16, input_shape=(3, 28, 28), num_classes=10, batch_norm=False)
    sizes = []
    x = torch.randn(8, 3, 28, 28)
    for layer in list(network)[:-2]:  # type: ignore[arg-type]
        x = layer(x)
        sizes.append(x.square().mean().item())
    assert 0.1 < sizes[-1] / sizes[1] < 10


def test_dropout_precedes_the_output() -> None:
    network = resnet(1, 4, input_shape=(1, 8, 8), num_classes=10, dropout=0.1)
    assert isinstance(list(network)[-2], Dropout)  # type: ignore[arg-type]
