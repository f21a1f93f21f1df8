from __future__ import annotations

import pytest
import torch

from byrote.models.conv_small import conv_small
from byrote.models.dropout import Dropout


@pytest.mark.parametrize(
    ("shape", "k", "features"),
    [((1, 8, 8), 10, 256), ((3, 32, 32), 3, 4096), ((1, 28, 28), 10, 3136), ((2, 1, 5), 2, 128)],
)
def test_any_image(shape: tuple[int, int, int], k: int, features: int) -> None:
    network = conv_small(input_shape=shape, num_classes=k)
    assert network(torch.rand(2, *shape)).shape == (2, k)
    expected = (9 * shape[0] + 1) * 32 + (9 * 32 + 1) * 64 + (features + 1) * 128 + 129 * k
    assert sum(p.numel() for p in network.parameters()) == expected


def test_dropout_precedes_the_output() -> None:
    network = conv_small(input_shape=(1, 8, 8), num_classes=10, dropout=0.1)
    assert isinstance(list(network)[-2], Dropout)  # type: ignore[arg-type]
