from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from byrote.errors import UserError
from byrote.models.lazy_layers import materialized


def lazy() -> nn.Module:
    return nn.Sequential(
        nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(6), nn.LazyLinear(3)
    )


def test_shapes_come_from_the_inputs_and_weights_from_the_seed() -> None:
    torch.manual_seed(0)
    first = materialized(lazy(), (1, 8, 8), "x")
    torch.manual_seed(0)
    second, other = (materialized(lazy(), (1, 8, 8), "x") for _ in range(2))
    assert [tuple(weight.shape) for weight in first.parameters()][::2] == [(4, 1, 3, 3), (4,), (6, 144), (3, 6)]
    assert torch.equal(first[4].weight, second[4].weight)
    assert not torch.equal(first[4].weight, other[4].weight)
    assert torch.equal(first[1].running_mean, torch.zeros(4))
    assert first[1].num_batches_tracked == 0
    assert first.training
    assert first(torch.randn(2, 1, 8, 8)).shape == (2, 3)


def test_token_ids() -> None:
    network = nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.LazyLinear(3))
    assert materialized(network, (7,), "x")[2].weight.shape == (3, 28)


class Auxiliary(nn.Module):
    def __init__(self, *, used: bool) -> None:
        super().__init__()
        self.out, self.aux, self.used = nn.LazyLinear(3), nn.LazyLinear(3), used

    def forward(self, x: Tensor) -> Tensor:
        return self.out(x) + (self.aux(x) if self.training and self.used else 0)


def test_layers_for_training_alone_have_shapes_too() -> None:
    assert materialized(Auxiliary(used=True), (4,), "x").aux.weight.shape == (3, 4)
    with pytest.raises(UserError, match=r"lazy layers have no shape after a first input \(aux.weight, aux.bias\)"):
        materialized(Auxiliary(used=False), (4,), "x")
