"""A linear layer is its matrix: every property is read off the matrix, pair of positions by pair."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from byrote.models.connectivity import GlobalConvolution, LocallyConnected, connect, connect_each

C, D = 2, 3
GRIDS = [(4, 4), (2, 5), (1, 1)]
KINDS = list(itertools.product([False, True], repeat=2))


def make(grid: tuple[int, int], *, local: bool, shared: bool, seed: int = 0, bias: bool = True) -> nn.Module:
    return randomized(connect(grid, C, D, local=local, shared=shared, bias=bias), seed)


def randomized(layer: nn.Module, seed: int = 0) -> nn.Module:
    layer = layer.double()
    generator = torch.Generator().manual_seed(seed)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, generator=generator)
    return layer


def blocks(layer: nn.Module, grid: tuple[int, int]) -> torch.Tensor:
    """The matrix of each (reader, read): `[P, P, D, C]`."""
    jacobian = torch.autograd.functional.jacobian(layer, torch.zeros(1, C, *grid, dtype=torch.float64))
    return jacobian.reshape(D, math.prod(grid), C, math.prod(grid)).permute(1, 3, 0, 2)


def positions(grid: tuple[int, int]) -> list[tuple[int, int]]:
    return list(itertools.product(range(grid[0]), range(grid[1])))


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(("local", "shared"), KINDS)
def test_who_reads_whom_with_which_weights(grid: tuple[int, int], local: bool, shared: bool) -> None:
    layer = make(grid, local=local, shared=shared)
    matrices = blocks(layer, grid)
    seen: dict[object, torch.Tensor] = {}
    for (p, reader), (q, read) in itertools.product(enumerate(positions(grid)), repeat=2):
        displacement = (read[0] - reader[0], read[1] - reader[1])
        if local and max(map(abs, displacement)) > 1:
            assert not matrices[p, q].any()
            continue
        weights = seen.setdefault(displacement if shared else (p, q), matrices[p, q])
        assert weights.all()
        assert torch.equal(weights, matrices[p, q])
    distinct = {tuple(matrix.flatten().tolist()) for matrix in seen.values()}
    assert len(distinct) == len(seen)
    if not (local and shared):  # torch's 3x3 filter is one on any grid
        assert layer.weight.numel() == len(seen) * C * D  # type: ignore[union-attr, operator]


@pytest.mark.parametrize(("local", "shared"), KINDS)
def test_the_bias(local: bool, shared: bool) -> None:
    layer = make((2, 5), local=local, shared=shared)
    at_zero = layer(torch.zeros(1, C, 2, 5, dtype=torch.float64))
    assert at_zero.unique().numel() == (D if shared else D * 10) == layer.bias.numel()  # type: ignore[union-attr, operator]
    assert make((2, 5), local=local, shared=shared, bias=False).bias is None


@pytest.mark.parametrize("shared", [False, True])
def test_a_position_alone(shared: bool) -> None:
    layer = randomized(connect_each((2, 3), C, D, shared=shared, bias=True))
    matrices = blocks(layer, (2, 3))
    for p, q in itertools.product(range(6), repeat=2):
        assert bool(matrices[p, q].any()) == (p == q)
        assert torch.equal(matrices[p, p], matrices[q, q]) == (shared or p == q)
    assert layer.weight.numel() == (1 if shared else 6) * C * D  # type: ignore[union-attr, operator]


@pytest.mark.parametrize(("local", "shared"), KINDS)
def test_a_stack_and_other_memory_formats_change_nothing(local: bool, shared: bool) -> None:
    layers = [make((3, 4), local=local, shared=shared, seed=seed) for seed in range(3)]
    x = torch.randn(3, 5, C, 3, 4, dtype=torch.float64)
    alone = torch.stack([layer(part) for layer, part in zip(layers, x, strict=True)])
    state = stack_module_state(layers)
    stacked = vmap(lambda p, b, part: functional_call(layers[0], (p, b), (part,)))(*state, x)
    torch.testing.assert_close(stacked, alone)
    torch.testing.assert_close(layers[0](x[0].to(memory_format=torch.channels_last)), alone[0])


def test_fan_in_counts_what_one_output_reads() -> None:
    assert GlobalConvolution((4, 5), C, D, bias=False).fan_in == 20 * C
    assert LocallyConnected((4, 5), C, D, radius=1, bias=False).fan_in == 9 * C
    assert LocallyConnected((1, 5), C, D, radius=1, bias=False).fan_in == 3 * C
