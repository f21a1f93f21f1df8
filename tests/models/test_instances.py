from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from byrote.errors import UserError
from byrote.models.instances import redrawn


def everything() -> nn.Module:
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.PReLU(),
        nn.Flatten(2),
        nn.TransformerEncoderLayer(64, 4, 16, batch_first=True),
        nn.Flatten(),
        nn.LayerNorm(256),
        nn.Linear(256, 8),
        nn.BatchNorm1d(8, affine=False),
        nn.Linear(8, 3),
    )
    net[7].requires_grad_(False)
    return net


def test_weights_are_drawn_as_their_layers_draw_them() -> None:
    used = everything()
    used(torch.randn(5, 1, 8, 8)).sum().backward()  # moves running averages, leaves gradients
    before = {name: tensor.clone() for name, tensor in used.state_dict().items()}
    torch.manual_seed(0)
    first, other = redrawn(used, "x"), redrawn(used, "x")
    torch.manual_seed(0)
    again = redrawn(used, "x")
    assert all(torch.equal(tensor, before[name]) for name, tensor in used.state_dict().items())
    fresh = everything().state_dict()
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])
        if name.startswith("7."):
            assert torch.equal(weight, before[name]), name
        elif fresh[name].numel() > 1 and fresh[name].float().std() > 0:  # drawn, not set
            assert not torch.equal(weight, before[name]), name
            assert not torch.equal(weight, other.state_dict()[name]), name
            assert 0.7 < weight.std() / fresh[name].std() < 1.4 or weight.numel() < 30, name
        else:
            assert torch.equal(weight, fresh[name]), name
    assert all(parameter.grad is None for parameter in first.parameters())


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(3))
        self.out = nn.Linear(3, 2)


@pytest.mark.parametrize(
    ("network", "weight"),
    [(Own(), "token"), (parametrizations.weight_norm(nn.Linear(3, 2)), "parametrizations.weight.original0")],
)
def test_what_cannot_be_drawn_is_refused(network: nn.Module, weight: str) -> None:
    with pytest.raises(UserError) as error:
        redrawn(network, "x")
    assert f"got model 'x', a network whose {weight}" in str(error.value)
    assert "give its class, or a function that makes a new network" in str(error.value)
    network.requires_grad_(False)
    kept = redrawn(network, "x")
    assert all(torch.equal(one, other) for one, other in zip(kept.parameters(), network.parameters(), strict=True))
