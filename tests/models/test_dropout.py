"""Keyed dropout: its rate, its mean, the independence of its masks, and that a stack changes nothing."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

from byrote.models.dropout import Dropout

SHAPE = (100, 200)


def make(rate: float, key: int = 0) -> Dropout:
    dropout = Dropout(rate)
    dropout.key.fill_(key)
    return dropout


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_rate_and_the_scale(rate: float) -> None:
    x = torch.full(SHAPE, 2.0, requires_grad=True)
    y = make(rate, key=3)(x)
    assert y.unique().tolist() == pytest.approx([0, 2 / (1 - rate)])
    dropped = (y == 0).double().mean().item()
    assert abs(dropped - rate) < 5 * math.sqrt(rate * (1 - rate) / y.numel())
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(gradient, y.detach() / 2)


@pytest.mark.parametrize(("rate", "expected"), [(0.0, 1.0), (1.0, 0.0)])
def test_the_extreme_rates(rate: float, expected: float) -> None:
    assert (make(rate)(torch.ones(3, 4)) == expected).all()


def test_evaluation_drops_nothing_and_counts_nothing() -> None:
    dropout = make(0.5).eval()
    x = torch.rand(3, 4)
    assert dropout(x) is x
    assert dropout.count == 0


def test_masks_of_steps_keys_rows_and_columns_are_independent() -> None:
    masks = []
    for key in (0, 1, 2, 2**62):
        dropout = make(0.5, key)
        masks += [(dropout(torch.ones(SHAPE)) != 0).double() for _ in range(4)]
    limit = 5 / math.sqrt(masks[0].numel())
    for first, second in itertools.combinations(masks, 2):
        assert abs(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1]) < limit
    for mask in masks:
        shifted = [(mask[1:], mask[:-1]), (mask[:, 1:], mask[:, :-1]), (mask[:, 64:], mask[:, :-64])]
        for first, second in shifted:
            assert abs(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1]) < limit


def test_the_mask_is_pinned() -> None:
    """No update of torch changes it unseen."""
    dropout = make(0.5, key=42)
    bits = ["".join("x" if kept else "." for kept in dropout(torch.ones(24)) != 0) for _ in range(2)]
    assert bits == ["xxxxxx..xx..x.x..x.x...x", "...xxxxxx..xxxxx.x.xx..x"]


def test_a_stack_drops_what_each_would_alone() -> None:
    alone = [make(0.3, key) for key in (5, 6, 7)]
    state = stack_module_state([make(0.3, key) for key in (5, 6, 7)])  # type: ignore[arg-type]
    x = torch.rand(3, 8, 10)
    for _ in range(3):
        stacked = vmap(lambda p, b, part: functional_call(alone[0], (p, b), (part,)))(*state, x)
        assert torch.equal(stacked, torch.stack([one(part) for one, part in zip(alone, x, strict=True)]))
    assert state[1]["count"].tolist() == [3, 3, 3]


def test_the_state_to_save_is_empty() -> None:
    assert make(0.5).state_dict() == {}
    assert repr(make(0.5)) == "Dropout(rate=0.5)"
