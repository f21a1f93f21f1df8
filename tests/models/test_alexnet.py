from __future__ import annotations

import pytest
import torch

from byrote.models.alexnet import alexnet
from byrote.models.dropout import Dropout


def test_the_parameter_count_is_the_papers() -> None:
    network = alexnet(input_shape=(3, 28, 28), num_classes=10)
    assert sum(p.numel() for p in network.parameters()) == 1_387_786


@pytest.mark.parametrize(("shape", "k"), [((1, 8, 8), 3), ((3, 32, 32), 100), ((1, 28, 28), 10), ((2, 5, 9), 2)])
def test_any_image(shape: tuple[int, int, int], k: int) -> None:
    network = alexnet(input_shape=shape, num_classes=k, dropout=0.5)
    assert network(torch.rand(2, *shape)).shape == (2, k)
    assert sum(isinstance(module, Dropout) for module in network.modules()) == 2


def test_the_sides_halve_upwards_as_same_padding_does() -> None:
    layers = list(alexnet(input_shape=(3, 28, 28), num_classes=10))  # type: ignore[arg-type]
    x, sides = torch.rand(1, 3, 28, 28), []
    for layer in layers[:8]:
        x = layer(x)
        sides.append(x.shape[-1])
    assert sides == [28, 28, 14, 14, 14, 14, 7, 7]


@pytest.mark.parametrize(
    ("width", "filters", "units"), [(0.5, 32, (192, 96)), (2.0, 128, (768, 384)), (0.001, 1, (1, 1))]
)
def test_a_factor_scales_filters_and_units(width: float, filters: int, units: tuple[int, int]) -> None:
    network = alexnet(input_shape=(3, 28, 28), num_classes=10, width=width)
    sizes = [(75, filters), (25 * filters, filters), (49 * filters, units[0]), units, (units[1], 10)]
    assert sum(p.numel() for p in network.parameters()) == sum((a + 1) * b for a, b in sizes)
