"""The types of a network's numbers: half, single or double precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn


def types_of(network: nn.Module) -> set[torch.dtype]:
    """Of its weights that are real numbers."""
    return {weight.dtype for weight in network.parameters() if weight.is_floating_point()}


def input_type(network: nn.Module, otherwise: torch.dtype) -> torch.dtype:
    """Of the inputs that a network is given: that of its weights, where all have one."""
    found = types_of(network)
    return found.pop() if len(found) == 1 else otherwise
