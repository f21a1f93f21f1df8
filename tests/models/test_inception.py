from __future__ import annotations

import pytest
import torch
from torch import nn

from byrote.models.dropout import Dropout
from byrote.models.inception import inception


@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_parameter_count_is_the_papers(batch_norm: bool) -> None:
    network = inception(input_shape=(3, 28, 28), num_classes=10, batch_norm=batch_norm)
    assert sum(p.numel() for p in network.parameters()) == 1_649_402
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules()) == batch_norm


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize(("shape", "k"), [((1, 8, 8), 3), ((3, 32, 32), 100), ((1, 28, 28), 10), ((2, 5, 9), 2)])
def test_any_image(shape: tuple[int, int, int], k: int, batch_norm: bool) -> None:
    network = inception(input_shape=shape, num_classes=k, dropout=0.5, batch_norm=batch_norm)
    assert network(torch.rand(2, *shape)).shape == (2, k)
    assert isinstance(list(network)[-2], Dropout)  # type: ignore[arg-type]


def test_the_blocks_are_the_papers() -> None:
    network = inception(input_shape=(3, 28, 28), num_classes=10)
    x, shapes = torch.rand(2, 3, 28, 28), []
    for layer in list(network)[:11]:  # type: ignore[arg-type]
        x = layer(x)
        shapes.append((x.shape[1], x.shape[2]))
    assert shapes == [
        *[(96, 28), (64, 28), (80, 28)],
        *[(160, 14), (160, 14), (160, 14), (160, 14), (144, 14)],
        *[(240, 7), (336, 7), (336, 7)],
    ]


@pytest.mark.parametrize(("width", "first", "last"), [(0.5, 48, 168), (2.0, 192, 672), (0.001, 1, 2)])
def test_a_factor_scales_all_filters(width: float, first: int, last: int) -> None:
    network = inception(input_shape=(3, 28, 28), num_classes=10, width=width)
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert (convolutions[0].out_channels, list(network)[-1].in_features) == (first, last)  # type: ignore[arg-type]
    papers = [
        module for module in inception(input_shape=(3, 28, 28), num_classes=10).modules() if type(module) is nn.Conv2d
    ]
    for scaled, paper in zip(convolutions, papers, strict=True):
        assert scaled.out_channels == max(1, round(width * paper.out_channels))
