"""Generators that networks draw from beside torch's global one are found, watched, and set back."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from byrote.training.own_draws import draws_noted, globals_of, own_generators, restore, state_of

SHARED = np.random.default_rng(0)


class Drawing(nn.Module):
    def __init__(self, draw: Callable[[], object], generator: object = None) -> None:
        super().__init__()
        self.draw, self.generator = draw, generator

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.draw()
        return x


def drawing(generator: Any, draw: Callable[[Any], object]) -> Drawing:
    return Drawing(lambda: draw(generator), generator)


OWN = [
    lambda: drawing(random.Random(0), lambda own: own.random()),
    lambda: drawing(np.random.default_rng(0), lambda own: own.random()),
    lambda: drawing(np.random.RandomState(0), lambda own: own.rand()),
    lambda: drawing(torch.Generator().manual_seed(0), lambda own: torch.rand(1, generator=own)),
]
GLOBAL = [
    lambda: Drawing(random.random),
    lambda: Drawing(np.random.rand),
    lambda: Drawing(SHARED.random),
]


@pytest.mark.parametrize("make", OWN + GLOBAL)
def test_draws_are_noted(make: Callable[[], nn.Module]) -> None:
    network = make()
    with draws_noted(network) as draws:
        random.random()  # around the passes, not in one
        assert not draws
        network(torch.zeros(1))
    assert draws
    network(torch.zeros(1))
    assert len(draws) == 1


def test_what_draws_nothing_is_left_alone() -> None:
    network = Drawing(lambda: torch.zeros(1), np.random.default_rng(0))
    with draws_noted(network) as draws:
        network(torch.zeros(1))
    assert not draws


@pytest.mark.parametrize("make", OWN)
def test_states_are_brought_back(make: Callable[[], Drawing]) -> None:
    network = make()
    found = own_generators([network, network])
    assert found.count(network.generator) == 1
    assert any(each is SHARED for each in found)
    before = state_of(network.generator)
    network(torch.zeros(1))
    restore(network.generator, before)
    assert str(state_of(network.generator)) == str(before)


def test_files_are_found_whatever_decorates_a_forward_pass() -> None:
    """A decorator of another file, and a class whose forward pass is another file's."""
    names = {"__name__": "decorators", "wraps": wraps, "calls": []}
    exec(
        compile(
            "def counted(function):\n"
            "    @wraps(function)\n"
            "    def call(*arguments):\n"
            "        calls.append(1)\n"
            "        return function(*arguments)\n"
            "    return call\n",
            "<string>",
            "exec",
        ),
        names,
    )

    class Decorated(nn.Module):
        @names["counted"]
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    class Inherited(nn.ReLU):
        def helped(self) -> None:
            """By this file's global variables."""

    for network in (Decorated(), Inherited()):
        (found,) = [each for each in globals_of([network]) if each.get("__name__") != "torch.nn.modules.activation"]
        assert found is globals()
        assert any(each is SHARED for each in own_generators([network]))
    assert globals_of([nn.Linear(1, 1)]) == []
