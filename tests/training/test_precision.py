from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch import nn

from byrote.training.precision import make_numerics
from byrote.training.replicas import Replicas


class Watched(nn.Module):
    """A network that keeps the types its products come in."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 3)
        self.norm = nn.LayerNorm(4)
        self.out = nn.Linear(4, 3)
        self.seen: list[torch.dtype] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.convolution(x)
        scores = self.out(self.norm(h.mean((2, 3)).float()))
        self.seen += [h.dtype, scores.dtype]
        return scores


def test_bfloat16_is_automatic_and_float32_is_plain() -> None:
    x = torch.randn(4, 4)
    with make_numerics("bfloat16", "cpu")():
        assert {(x @ x).dtype, torch.einsum("ij,jk", x, x).dtype, x.mm(x).dtype} == {torch.bfloat16}
        assert (x + x).dtype == torch.float32
    assert isinstance(make_numerics("float32", "cpu")(), nullcontext)


@pytest.mark.parametrize("num_replicas", [1, 3])
def test_products_are_in_bfloat16_alone_and_in_a_stack(num_replicas: int) -> None:
    networks = [Watched() for _ in range(num_replicas)]
    inputs = torch.randn(num_replicas, 5, 1, 6, 6)
    with make_numerics("bfloat16", "cpu")():
        logits = Replicas(networks)(inputs, training=True)
    assert networks[0].seen == [torch.bfloat16] * 2
    logits.float().sum().backward()


def test_a_stack_gives_in_bfloat16_what_its_networks_give_alone() -> None:
    torch.manual_seed(0)
    networks = [Watched() for _ in range(3)]
    inputs = torch.randn(3, 5, 1, 6, 6)
    with make_numerics("bfloat16", "cpu")():
        alone = torch.stack([network(own) for network, own in zip(networks, inputs, strict=True)])
        stacked = Replicas(networks)(inputs, training=False)
    # One unit in the last of bfloat16's eight digits, where sums are taken in another order.
    torch.testing.assert_close(stacked, alone, rtol=2**-7, atol=2**-7)


class Mixes(nn.Module):
    """Products and layers that take what a product gives in bfloat16 beside weights in float32."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.norm = nn.BatchNorm1d(8)
        self.slope = nn.PReLU(8)
        self.norm_of_images = nn.BatchNorm2d(2)
        self.weight = nn.Parameter(torch.linspace(-1, 1, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.slope(self.norm(self.first(x)))
        h = self.norm_of_images(self.first(h[:, :6]).view(-1, 2, 2, 2)).flatten(1)
        found = [
            torch.stack([torch.dot(row, self.weight) for row in h.unbind()]),
            torch.stack([torch.vdot(row, self.weight) for row in h.unbind()]),
            torch.inner(h, self.weight),
            torch.tensordot(h, self.weight, 1),
            torch.linalg.vecdot(h, self.weight.expand_as(h)),
            torch.linalg.multi_dot([h, self.weight[:, None], self.weight[:1, None]])[:, 0],
            torch.addmv(self.weight.new_zeros(len(h)), h, self.weight),
        ]
        return torch.stack([each.float() for each in found], dim=1)


@pytest.mark.parametrize("training", [True, False])
def test_norms_and_odd_products_mix_types_in_a_stack_as_alone(training: bool) -> None:
    torch.manual_seed(0)
    networks, inputs = [Mixes().train(training) for _ in range(3)], torch.randn(3, 16, 6)
    with make_numerics("bfloat16", "cpu")():
        stacked = Replicas(networks)(inputs, training=training)
        alone = torch.stack([network(own) for network, own in zip(networks, inputs, strict=True)])
    wide = torch.stack([network.double()(own.double()) for network, own in zip(networks, inputs, strict=True)])
    for found in (alone, stacked):
        torch.testing.assert_close(found.double(), wide.double(), rtol=0.05, atol=0.05)
    stacked.sum().backward()
