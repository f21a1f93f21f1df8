from __future__ import annotations

import torch
from torch import nn

from byrote.models.number_types import input_type, types_of


def test_inputs_are_of_the_type_of_all_weights() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    assert input_type(network, torch.float64) == torch.float32
    assert input_type(network.half(), torch.float64) == torch.float16
    network[0].float()
    assert types_of(network) == {torch.float16, torch.float32}
    assert input_type(network, torch.float64) == torch.float64
    assert input_type(nn.Flatten(), torch.float32) == torch.float32
