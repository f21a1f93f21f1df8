from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from byrote.training.own_state import kept_by_optimizer, kept_in_python

calls = {"number": 0}


class Own(nn.Module):
    """Keeps something of each kind."""

    seen = 0

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.norm = nn.BatchNorm1d(2)
        self.weights = [self.layer.weight]
        self.count = 0
        self.counts = [0, [0]]
        self.array = np.zeros(3)
        self.tensor = torch.zeros(2)
        self.named: dict[str, Any] = {"a": {"b": 0}}
        self.other = type("Other", (), {})()
        self.other.count = 0

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.layer(x))


def test_a_step_of_a_plain_network_changes_nothing() -> None:
    network = Own()
    before = kept_in_python(network)
    network(torch.randn(4, 2)).sum().backward()
    with torch.no_grad():
        network.layer.weight.add_(1.0)
    network.eval()
    assert kept_in_python(network) == before


def set_class(network: Own) -> None:
    Own.seen += 1


@pytest.mark.parametrize(
    "change",
    [
        lambda network: setattr(network, "count", 1),
        lambda network: network.counts[1].append(1),
        lambda network: network.counts.__setitem__(0, 1),
        lambda network: network.array.__setitem__(0, 1.0),
        lambda network: network.tensor.add_(1.0),
        lambda network: network.named["a"].__setitem__("b", 1),
        lambda network: setattr(network.other, "count", 1),
        lambda network: calls.__setitem__("number", calls["number"] + 1),
        set_class,
    ],
)
def test_what_changes_beside_parameters_and_buffers_is_noted(change: Any) -> None:
    network = Own()
    before = kept_in_python(network)
    change(network)
    assert kept_in_python(network) != before


def test_what_a_users_optimizer_keeps_is_noted() -> None:
    class Counting(torch.optim.SGD):
        count = 0

        def step(self, closure: Any = None) -> Any:
            self.count += 1
            return super().step(closure)

    optimizer = Counting([torch.zeros(1, requires_grad=True)], lr=0.1)
    before = kept_by_optimizer(optimizer)
    optimizer.step()
    assert kept_by_optimizer(optimizer) != before
